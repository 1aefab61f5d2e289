"""Arrays that other programs wrote with zarr, of version 2 or 3, opened for reading with care.

What such an array claims is looked at before zarr is asked: codecs that could run code (pickles) or are not known here,
types that are no numbers, chunks that no memory holds, and more pixels than its files can stand for are refused. By the
format a chunk that is not there holds the fill value; that is believed, and said, unless next to nothing is there.
"""

import bz2
import itertools
import lzma
import math
import os
import re
import stat
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest
from zarr.storage import LocalStore

from unet.dataset.filesystem import SPARSEST, no_file
from unet.sources.zarr_nodes import ZarrFile, read_node, zarr_files
from unet.store.shards import Region, Shape

COMPRESSORS = {"blosc", "zlib", "gzip", "bz2", "lzma", "lz4", "zstd", "zfpy", "pcodec"}
FILTERS = {"delta", "shuffle", "packbits", "bitround", "fixedscaleoffset", "quantize", "astype"}
CHECKSUMS = {"crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"}
PLAIN = COMPRESSORS | FILTERS | CHECKSUMS
CODECS = PLAIN | {f"numcodecs.{name}" for name in PLAIN} | {"bytes", "transpose", "sharding_indexed"}
TYPES = re.compile(r"[<>|=]?[buif][0-9]{1,2}|bool|u?int(?:8|16|32|64)|float(?:16|32|64)")
"""Types of numbers and bits, as version 2 and version 3 spell them."""
LARGEST_CHUNK = 2**29
"""Bytes of a chunk, unpacked, at most."""
READ_AT_ONCE = 2**26
"""Bytes of the chunks that are unpacked at once, unless one is larger."""
FEW = 2**26
"""Bytes of an array of which no chunk need be there: of more, one in `SPARSEST`."""


@dataclass(frozen=True)
class SourceArray:
    """An array of another program."""

    folder: str
    shape: Shape
    chunk: Shape
    """What is unpacked at once, by axis; a shard holds several."""
    missing: int
    """Chunk files that are not there: they hold the fill value."""
    names: tuple[str, ...]
    """Names of its axes by zarr itself; empty where it has none."""
    last_codec: str
    """What its chunks were packed by last."""
    is_sharded: bool = False
    """Whether a file holds several chunks, and an index of them."""
    is_demanding: bool = False
    """Whether a chunk that is not there is an error."""

    @cached_property
    def _array(self) -> Any:
        version: Literal[2, 3] = 3 if (Path(self.folder) / "zarr.json").is_file() else 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of codecs that are not in the specification yet
            store = _Store(self.folder, read_only=True)
            store.codec, store.is_sharded = self.last_codec.removeprefix("numcodecs."), self.is_sharded
            store.is_demanding = self.is_demanding
            array = zarr.open_array(store, mode="r", zarr_format=version)
            store.limit = 2 * math.prod(self.chunk) * array.dtype.itemsize + 2**20  # filters may make more of it
            return array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its pixels."""
        kind: np.dtype[Any] = self._array.dtype
        return kind

    @property
    def fill_value(self) -> Any:
        """What chunks hold that are not there."""
        return self._array.fill_value

    def read(self, region: Region) -> NDArray[Any]:
        """Values of a region; so many chunks are unpacked at once that memory holds them."""
        steps = _steps(self.chunk, region, self.dtype.itemsize)
        block = np.empty([part.stop - part.start for part in region], self.dtype)
        for part in _pieces(region, steps):
            inner = tuple(slice(p.start - r.start, p.stop - r.start) for p, r in zip(part, region, strict=True))
            block[inner] = self._array[part]
        return block


class _Store(LocalStore):
    """A folder of which chunks are looked at before they are unpacked.

    Blosc reads on behind the end of one that was cut short, and memory is taken for whatever a chunk claims to be.
    """

    codec, is_sharded, is_demanding, limit = "", False, False, 0

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        with suppress(FileNotFoundError):
            mode = os.stat(self.root / key).st_mode  # noqa: PTH116  # at a pipe one would wait for ever
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ValueError(no_file(str(self.root / key), mode))
        found = await super().get(key, prototype, byte_range)
        is_chunk = not key.endswith(".json") and not key.rpartition("/")[2].startswith(".")
        if found is None and self.is_demanding and is_chunk:
            raise ValueError(f"{self.root / key} is not there any more")
        is_whole = isinstance(byte_range, RangeByteRequest) and byte_range.start > 0 if self.is_sharded else is_chunk
        if found is not None and is_whole:  # of a shard, what begins it may be its index
            content = memoryview(found.to_bytes())
            packed, unpacked = _claims(self.codec, content, self.limit)
            if len(content) < max(packed, MIN_BYTES.get(self.codec, 0)):
                raise ValueError(f"{self.root / key} is not whole: more was written")
            if unpacked > self.limit:
                raise ValueError(f"{self.root / key} claims to hold {unpacked:,} bytes or more")
        return found


MIN_BYTES = {"blosc": 16, "lz4": 4, "zstd": 6}
"""Bytes of the least chunk."""


def _claims(codec: str, content: memoryview, limit: int) -> tuple[int, int]:
    """Bytes of a whole chunk, and of what it unpacks to at least; 0 where they are not known.

    >>> _claims("lz4", memoryview(bytes([0, 1, 0, 0])), 0)
    (0, 256)
    >>> _claims("zstd", memoryview(bytes.fromhex("28b52ffd a0 00001000")), 0)
    (0, 1048576)
    """
    if codec == "blosc":
        return int.from_bytes(content[12:16], "little"), int.from_bytes(content[4:8], "little")
    if codec == "lz4":
        return 0, int.from_bytes(content[:4], "little")
    if codec == "zstd" and len(content) > 4:
        flags = content[4]  # how long the size is, and whether bytes of a window and a dictionary stand before it
        start = 5 + (not flags & 0x20) + (0, 1, 2, 4)[flags & 3]
        size = (1 if flags & 0x20 else 0, 2, 4, 8)[flags >> 6]
        return 0, int.from_bytes(content[start : start + size], "little")
    return 0, _swollen(codec, content, limit) if codec in RATIOS else 0


RATIOS = {"zlib": 1032, "gzip": 1032, "bz2": 2**20, "lzma": 2**14}
"""Codecs that do not say how much a chunk unpacks to, and what a byte of one can become at most."""


def _swollen(codec: str, content: memoryview, limit: int) -> int:
    """Bytes that a chunk unpacks to, counted in pieces until they are more than it may have."""
    if len(content) <= limit // RATIOS[codec]:
        return 0
    unpacking: Any = {
        "zlib": zlib.decompressobj, "gzip": lambda: zlib.decompressobj(31), "bz2": bz2.BZ2Decompressor,
        "lzma": lzma.LZMADecompressor,
    }[codec]()  # fmt: skip
    count, left = 0, bytes(content)
    while not unpacking.eof and count <= limit:
        piece = unpacking.decompress(left, 2**22)
        left = unpacking.unconsumed_tail if hasattr(unpacking, "unconsumed_tail") else b""
        if not piece and not left:  # it was cut short: unpacking tells
            break
        count += len(piece)
    return count


def open_source_array(folder: str, demanding: bool = False) -> SourceArray:
    """The array in a folder.

    Args:
        folder: where its metadata is.
        demanding: whether a chunk that is not there is an error when it is read.

    Raises:
        ValueError: it is broken, or holds what is not read here.
    """
    node = read_node(Path(folder))
    if node.array is None:
        raise ValueError(f"{folder} must hold an array, got a group")
    shape, outer, chunk, kinds = (_of_version_3 if node.version == 3 else _of_version_2)(node.array)
    if unknown := [kind for kind in kinds if kind not in CODECS]:
        raise ValueError(f"its pixels must be packed by codecs that are known here, got {', '.join(unknown)}")
    if not shape or len(shape) != len(outer) or len(shape) != len(chunk) or min((*shape, *outer, *chunk)) < 1:
        raise ValueError(f"its shape and chunks must be some numbers > 0, got {shape} and {outer}")
    files = _chunk_files(folder)
    names = node.array.get("dimension_names") or node.attributes.get("_ARRAY_DIMENSIONS") or ()
    named = tuple(str(name or "") for name in names)
    last, missing = kinds[-1] if kinds else "", _missing(shape, outer, files)
    found = SourceArray(folder, shape, chunk, missing, named, last, outer != chunk, demanding)
    _require_plausible(found, outer, files)
    return found


def _of_version_2(metadata: Mapping[str, Any]) -> tuple[Shape, Shape, Shape, list[str]]:
    _require_numbers(metadata.get("dtype"))
    packed = [*(metadata.get("filters") or []), metadata.get("compressor")]
    chunk = _sizes(metadata.get("chunks"))
    return _sizes(metadata.get("shape")), chunk, chunk, [str(each.get("id")) for each in packed if each]


def _of_version_3(metadata: Mapping[str, Any]) -> tuple[Shape, Shape, Shape, list[str]]:
    _require_numbers(metadata.get("data_type"))
    grid = metadata.get("chunk_grid") or {}
    if grid.get("name") != "regular" or metadata.get("storage_transformers"):
        raise ValueError(f"its chunks must lie on a regular grid, got {grid.get('name')}")
    outer = _sizes(grid["configuration"].get("chunk_shape"))
    codecs, chunk, kinds = metadata.get("codecs") or [], outer, list[str]()
    while codecs:
        of_shards = next((each for each in codecs if _name(each) == "sharding_indexed"), None)
        kinds += map(_name, codecs)
        inner = of_shards["configuration"] if of_shards else {}
        chunk = _sizes(inner["chunk_shape"]) if of_shards else chunk
        kinds = [*map(_name, inner.get("index_codecs", [])), *kinds]
        codecs = inner.get("codecs", [])
    return _sizes(metadata.get("shape")), outer, chunk, kinds


def _name(codec: Any) -> str:
    return str(codec if isinstance(codec, str) else codec.get("name"))


def _require_numbers(kind: Any) -> None:
    if not isinstance(kind, str) or not TYPES.fullmatch(kind):
        raise ValueError(f"its pixels must be numbers or bits, got {str(kind)[:80]}")


def _sizes(values: Any) -> Shape:
    if not isinstance(values, list) or not all(isinstance(value, int) for value in values):
        raise ValueError(f"its shape and chunks must be whole numbers, got {str(values)[:80]}")
    return tuple(values)


def _chunk_files(folder: str) -> list[ZarrFile]:
    named = ((file, file.name.rpartition("/")[2]) for file in zarr_files(folder))
    return [file for file, name in named if name != "zarr.json" and not name.startswith(".")]


def _missing(shape: Shape, outer: Shape, files: Sequence[ZarrFile]) -> int:
    wanted = math.prod(-(-size // step) for size, step in zip(shape, outer, strict=True))
    return max(wanted - len(files), 0)


def _require_plausible(found: SourceArray, outer: Shape, files: Sequence[ZarrFile]) -> None:
    """Refuse what no program writes, before anything is unpacked."""
    itemsize = found.dtype.itemsize
    whole, shard, chunk = (math.prod(sides) * itemsize for sides in (found.shape, outer, found.chunk))
    if chunk > LARGEST_CHUNK:
        raise ValueError(f"its chunks must hold {LARGEST_CHUNK:,} bytes at most, got {chunk:,}; use smaller ones")
    if empty := next((file for file in files if not file.info.st_size), None):
        raise ValueError(f"{empty.path} is empty: it is not whole")
    if large := next((file for file in files if file.info.st_size > 2 * shard + 2**20), None):
        raise ValueError(f"{large.path} holds {large.info.st_size:,} bytes, more than the {shard:,} of its pixels")
    wanted = len(files) + found.missing
    if whole > FEW and len(files) * SPARSEST < wanted:
        raise ValueError(f"of its {wanted:,} chunks ({whole:,} bytes) {len(files):,} are there: it is not whole")


def _steps(chunk: Shape, region: Region, itemsize: int) -> Shape:
    """Sides of what is read at once: whole chunks, more of them along the last axes as memory allows."""
    steps = list(chunk)
    for axis in reversed(range(len(chunk))):
        others = math.prod(steps[:axis] + steps[axis + 1 :]) * itemsize
        room = max(READ_AT_ONCE // (others * chunk[axis]), 1)
        span = region[axis].stop - region[axis].start + chunk[axis]
        steps[axis] = chunk[axis] * min(room, -(-span // chunk[axis]))
    return tuple(steps)


def _pieces(region: Region, steps: Shape) -> Iterator[Region]:
    """Parts of a region, cut where whole chunks end."""
    if not region:
        yield ()
        return
    first, step = region[0], steps[0]
    if first.start == first.stop:
        return
    cuts = [first.start, *range(first.start // step * step + step, first.stop, step), first.stop]
    for rest in _pieces(region[1:], steps[1:]):
        for start, stop in itertools.pairwise(cuts):
            yield (slice(start, stop), *rest)
