"""Arrays in a store, and the law of writing them: a region is one whole shard, written once, atomically.

A shard that exists, and is whole, is done; those of nothing but the fill value are written too, or nobody could tell.

Who reads demands every shard: zarr by itself takes one that is not there for fill values.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numcodecs.blosc  # type: ignore[import-untyped]
import numpy as np
import zarr
import zarr.errors
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.array_spec import ArrayConfigParams

from unet.dataset.filesystem import plain_os_errors
from unet.dataset.folder import Folder
from unet.store.linked_array import LinkError, open_link
from unet.store.shard_bytes import ShardPacker
from unet.store.shard_reader import ShardReader
from unet.store.shard_store import MissingShardError, shard_store
from unet.store.shards import (
    Layout,
    Region,
    Shape,
    bounds,
    overlapping,
    regions,
    shard_index,
)

Codecs = tuple[BloscCodec, Crc32cCodec]


CODECS: Codecs = (BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec())
"""Small and fast on microscopy; the checksum is what tells a damaged chunk from a whole one."""


UNSHUFFLED: Codecs = (BloscCodec(cname="lz4", clevel=5, shuffle="noshuffle"), Crc32cCodec())
"""For what repeats bit for bit, floats out of few distances and runs of equal ids: faster both ways than shuffled."""


AGAIN = "run `unet-flows status DATASET --verify`, then `unet-flows reprocess DATASET`, which makes it again"


WRITE_ALL: ArrayConfigParams = {"write_empty_chunks": True}


numcodecs.blosc.use_threads = False  # workers are the parallelism; and multithreaded blosc is not reproducible


class MissingError(LookupError):
    """A file of ours that must be there is not; `file` is its URL."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} must be there, got nothing; {AGAIN}")
        self.file = file


class DamagedError(ValueError):
    """A file of ours cannot be decoded; `file` is its URL."""

    def __init__(self, file: str, why: object) -> None:
        super().__init__(f"{file} is damaged ({why}); {AGAIN}")
        self.file = file


@dataclass(frozen=True)
class Stored:
    """An array in a store, told by its folder alone, so that it goes to any worker."""

    folder: Folder

    def __getstate__(self) -> dict[str, Any]:
        """What was opened stays in its process: it is opened anew where this goes to."""
        return {"folder": self.folder}

    @cached_property
    def array(self) -> Any:
        """The array opened for reading; where its pixels are another program's, those."""
        try:
            return _open(self.folder)
        except LookupError:
            if self.folder.is_local and (linked := open_link(self.folder)) is not None:
                return linked
            raise

    @cached_property
    def _packer(self) -> ShardPacker:
        return ShardPacker.of(self.array, self.layout)

    @cached_property
    def _reader(self) -> ShardReader | None:
        return ShardReader.of(self.array, self.folder.url) if self.folder.is_local else None

    @cached_property
    def layout(self) -> Layout:
        """Shape, shard and chunk."""
        return Layout(self.array.shape, self.array.shards or self.array.chunks, self.array.chunks)

    def is_done(self, region: Region) -> bool:
        """Whether the region's shard has been written, and is whole; OSError where the array is not there any more.

        A run that was killed may have been followed by anything: its shards are read, with their checksums. Of an
        object store, which guards its bytes itself, it is enough that there are some.
        """
        with in_the_making(self.folder):
            self._demand()
            return self._is_written(region)

    def missing(self) -> list[Region]:
        """Regions that remain to be written, as `is_done` tells, in raster order."""
        if self.folder.is_local:
            with in_the_making(self.folder):
                self._demand()
                return [region for region in regions(self.layout) if not self._is_written(region)]
        written = {name for name, (size, _) in (self.folder / "c").files().items() if size}  # asked at once
        return [r for r in regions(self.layout) if "/".join(map(str, shard_index(r, self.layout))) not in written]

    def write(self, region: Region, block: NDArray[Any]) -> None:
        """Write one whole shard; ValueError for any other region, OSError where the array is not there any more."""
        with in_the_making(self.folder):
            shard = self._shard(region)
            packed = self._packer.pack(np.broadcast_to(block, [part.stop - part.start for part in region]))
            self._demand()  # as late as it can be: packing takes most of the time
            shard.write(packed)

    def file_state(self, region: Region) -> Hashable | None:
        """What tells a shard's file from one that was put or spoilt later; None where nobody can tell."""
        if not self.folder.is_local:
            return None
        try:
            found = Path(self._shard(region).url).stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    @property
    def shape(self) -> Shape:
        """Sides in elements."""
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        kind: np.dtype[Any] = self.array.dtype
        return kind

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Values at a basic index.

        Raises:
            MissingError: a shard is not there.
            DamagedError: one is, and cannot be decoded.
            LinkError: the pixels are another program's, and not there any more.
        """
        if self._reader is not None:
            with suppress(Exception):  # which zarr names below
                return self._reader[index]
        try:
            with plain_os_errors(self.folder.url):
                return np.asarray(self.array[index])
        except MissingShardError as error:
            raise MissingError(f"{self.folder.url}/{error.key}") from error
        except (OSError, IndexError, LinkError):
            raise
        except Exception as error:  # whatever a codec makes of damaged bytes
            region = bounds(index, self.shape)
            where = next(filter(self._is_damaged, overlapping(region, self.layout)), None)
            if where is None:
                raise
            raise DamagedError(self._shard(where).url, error) from error

    def read(self, region: Region) -> NDArray[Any]:
        """Values of any region; raises as an index does."""
        return self[region]

    def _demand(self) -> None:
        """LookupError where the array was removed after it was opened: a shard of it would be written into nothing."""
        if not (self.folder / "zarr.json").holds_bytes():
            raise LookupError(f"{self.folder.url} must hold an array, got nothing there")

    def _is_written(self, region: Region) -> bool:
        return self._shard(region).holds_bytes() and (self._reader is None or self._reader.is_whole(region))

    def _shard(self, region: Region) -> Folder:
        return self.folder / "/".join(["c", *map(str, shard_index(region, self.layout))])

    def _is_damaged(self, region: Region) -> bool:
        try:
            with plain_os_errors(self.folder.url):
                self.array[region]
        except OSError:
            raise
        except Exception:  # as above
            return True
        return False


@contextmanager
def in_the_making(folder: Folder) -> Iterator[None]:
    """What is in the making is gone only where another run removed it: an OSError, after which one may try again."""
    try:
        yield
    except LookupError as error:
        raise OSError(
            f"{folder.url} must be there until it is committed, got nothing: another run removed it"
        ) from error


def create(folder: Folder, layout: Layout, dtype: Any, axes: str, codecs: Codecs = CODECS) -> Stored:
    """The array of this layout in `folder`, made now or begun before."""
    if not (folder / "zarr.json").holds_bytes():
        with plain_os_errors(folder.url), suppress(zarr.errors.ContainsArrayError):  # another run was quicker
            zarr.create_array(
                shard_store(folder, is_read=False),
                shape=layout.shape,
                shards=layout.shard,
                chunks=layout.chunk,
                dtype=dtype,
                compressors=codecs,
                fill_value=0,
                dimension_names=tuple(axes),
                config=WRITE_ALL,
            )
    return Stored(folder)


def open_array(folder: Folder) -> Stored:
    """An array for reading; LookupError, which no retry mends, where there is none."""
    stored = Stored(folder)
    _ = stored.array
    return stored


def _open(folder: Folder) -> Any:
    try:
        with plain_os_errors(folder.url):
            store = shard_store(folder, is_read=True)
            return zarr.open_array(store, mode="r", zarr_format=3)  # version 2 knows codecs that run pickles
    except (FileNotFoundError, zarr.errors.MetadataValidationError) as error:
        raise LookupError(f"{folder.url} must hold an array, got nothing there; run `unet-flows reprocess`") from error
    except OSError:
        raise
    except Exception as error:  # whatever zarr makes of damaged metadata
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"{folder.url}/zarr.json is damaged ({said}); {AGAIN}") from error
