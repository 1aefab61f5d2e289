"""An image whose pixels stay where another program wrote them: its full level is a file that says where.

`LINK` stands in the folder of the level in the place of shards, and `Stored` follows it. So all that reads images reads
linked ones, and nothing else knows of them. What suits: pixels in a folder of this machine, in chunks that are all
there, and no larger than what a tile may cost. A chunk that is gone later is an error then, and never the fill value.

Statistics are of chunks spread evenly over each channel, of all pixels where there are few: a pass over gigabytes is
what a link is to spare. Rejected: those of a smaller level, whose means of pixels lack the extremes that percentiles
are about; and a folder that is a link of the file system, no array of ours where version, axes or type differ.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.ledger.generations import LINK
from unet.store.shards import Layout, Region, Shape, bounds, regions
from unet.store.source_array import SourceArray, open_source_array

AXES = "tczyx"
LARGEST_CHUNK = 2**25
"""Bytes of a chunk, unpacked, at most: a tile of a few pixels costs a whole one."""
SAMPLED = 2**23
"""Pixels of a channel that statistics are of, at most, but for `FEWEST` chunks."""
FEWEST = 8
MEND = "put it back, or set `link: false` and run `unet-flows reprocess`"
GOLDEN = (math.sqrt(5) - 1) / 2


class LinkError(LookupError):
    """The pixels that an image is linked to cannot be read."""


@dataclass(frozen=True)
class LinkedArray:
    """Pixels of another program's array, in our order of axes, axes of length 1 left out, in native byte order."""

    source: SourceArray
    stored_axes: str
    """Axes of the source, - for one that is none of ours."""

    @cached_property
    def axes(self) -> str:
        """Those that are longer than 1, and y and x, in our order."""
        sizes = dict(zip(self.stored_axes, self.source.shape, strict=True))
        return "".join(a for a in AXES if a in sizes and (a in "yx" or sizes[a] > 1))

    def _ours(self, values: Sequence[int]) -> Shape:
        return tuple(values[self.stored_axes.index(axis)] for axis in self.axes)

    @property
    def shape(self) -> Shape:
        """Sides in pixels."""
        return self._ours(self.source.shape)

    @property
    def chunks(self) -> Shape:
        """What is unpacked at once."""
        return tuple(min(*pair) for pair in zip(self._ours(self.source.chunk), self.shape, strict=True))

    @property
    def shards(self) -> None:
        """None: nothing is ever written here."""
        return

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels; a mask of bits is uint8."""
        kind = self.source.dtype
        return np.dtype(np.uint8) if kind.kind == "b" else kind.newbyteorder("=")

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Pixels at a basic index.

        Raises:
            LinkError: they are not there any more, or damaged.
        """
        region = [slice(part.start, max(part.start, part.stop)) for part in bounds(index, self.shape)]
        spans = dict(zip(self.axes, region, strict=True))
        try:
            block = self.source.read(tuple(spans.get(axis, slice(0, 1)) for axis in self.stored_axes))
        except Exception as error:  # whatever zarr makes of it
            said = " ".join(str(error).split())[:300]
            raise LinkError(f"{self.source.folder} must be read in place, got: {said}; {MEND}") from error
        kept = [axis for axis in self.stored_axes if axis in self.axes]
        sizes = [n for n, axis in zip(block.shape, self.stored_axes, strict=True) if axis in self.axes]
        block = block.reshape(sizes).transpose([kept.index(axis) for axis in self.axes])
        return np.ascontiguousarray(block[_within(index, block.ndim)]).astype(self.dtype, copy=False)

    def by_channel(self, region: Region) -> Iterator[tuple[int, NDArray[Any]]]:
        """Number of each channel in a region, and its pixels there."""
        block, place = self[region], self.axes.find("c")
        channels = np.moveaxis(block, place, 0) if place >= 0 else block[None]
        yield from enumerate(channels, region[place].start if place >= 0 else 0)


def _within(index: Any, number: int) -> tuple[Any, ...]:
    """The same index in a block of the pixels that it takes.

    >>> _within((3, ..., slice(5, 9)), 4)
    (0, slice(None, None, None), slice(None, None, None), slice(None, None, None))
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * (number - len(parts) + (at < len(parts)))
    return tuple(slice(None) if isinstance(part, slice) else 0 for part in parts)


def why_unfit(array: SourceArray, place: Folder) -> str:
    """Why pixels cannot be linked to from a dataset in this place; "" where they can."""
    chunk = math.prod(array.chunk) * array.dtype.itemsize
    if not place.is_local:
        return "the dataset is on another machine"
    if array.missing:
        return f"{array.missing:,} of its chunks are not there"
    return f"its chunks hold {chunk:,} bytes, more than {LARGEST_CHUNK:,}" if chunk > LARGEST_CHUNK else ""


def link_to(array: SourceArray, axes: str, folder: Folder) -> None:
    """Make `folder` the level whose pixels are those of another program's array, with these axes."""
    (folder / LINK).write_json({"array": array.folder, "axes": axes})


def open_link(folder: Folder) -> LinkedArray | None:
    """The array that a folder is linked to; None where it is not linked.

    Raises:
        LinkError: it is not there any more.
    """
    said = (folder / LINK).read_json()
    if said is None:
        return None
    try:
        return LinkedArray(open_source_array(str(said["array"]), demanding=True), str(said["axes"]))
    except (ValueError, KeyError, OSError) as error:
        place = said.get("array")
        raise LinkError(f"{place} must be there, as {folder.url} is linked to it, got: {error}; {MEND}") from error


def sampled_planes(array: LinkedArray, channel: int) -> Iterator[NDArray[Any]]:
    """Pixels of a channel in planes as wide as chunks, out of chunks that lie evenly over all of it."""
    layout = Layout(array.shape, array.chunks, array.chunks)
    place = array.axes.find("c")
    of_channel = [r for r in regions(layout) if place < 0 or r[place].start <= channel < r[place].stop]
    number = min(len(of_channel), max(SAMPLED // math.prod(array.chunks), FEWEST))
    by_width: dict[int, list[NDArray[Any]]] = {}
    for region in _spread(of_channel, number):
        part = tuple(slice(channel, channel + 1) if at == place else span for at, span in enumerate(region))
        block = array[part]
        by_width.setdefault(block.shape[-1], []).append(block.reshape(-1, block.shape[-1]))
    yield from (np.concatenate(blocks) for blocks in by_width.values())


def is_small(array: LinkedArray) -> bool:
    """Whether statistics are of all pixels."""
    channels = dict(zip(array.axes, array.shape, strict=True)).get("c", 1)
    return math.prod(array.shape) <= SAMPLED * channels


def _spread(items: Sequence[Region], number: int) -> Iterator[Region]:
    """So many of the items, spread evenly, but not in step with rows of chunks.

    >>> list(_spread("abcdefghij", 3))
    ['a', 'f', 'h']
    """
    for count in range(number):
        yield items[min(int((count + count * GOLDEN % 1) * len(items) / number), len(items) - 1)]
