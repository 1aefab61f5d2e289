"""An array and its smaller levels written in one go, from planes that are read once.

Planes are read ahead in threads, shards are packed and written in others; whoever looks at the pixels, as statistics
do, does so between both, in order. What is held is bounded on stacks of any size.

```
read       slab 2, slab 3, …                   at most `HELD` bytes, or one slab
given out  slab 1, and made smaller
written    shards of slab 0, and of its levels  at most `HELD` bytes, or one slab
```

A slab is one shard thick, and as wide as the array: of planes that are larger than a shard it is one plane.

Rejected: reading the full level again for its pyramid, which costs 0.4 × as much as writing it.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.store.arrays import Stored
from unet.store.pyramid import average
from unet.store.read_ahead import read_ahead
from unet.store.shards import Region, Shape, regions, shard_index, within

HELD = 2**27
"""Bytes that are read ahead, and those that are being written, at most, unless one slab has more."""

ReadPlane = Callable[[tuple[int, ...]], NDArray[Any]]
Slab = list[Region]


def copied(
    plane: ReadPlane, levels: Sequence[Stored], threads: int, readers: int
) -> Iterator[tuple[Region, NDArray[Any]]]:
    """Every region of the full level with its pixels, in order; when all were given, all levels are written.

    Shards that were written before are left as they are; where a whole slab of them was, it is read from there.

    Args:
        plane: reads the plane at an index of the leading axes.
        levels: the full level, and each of half the size of the one before, by means of 2 × 2 pixels.
        threads: how many pack and write shards.
        readers: how many threads may read planes at once.
    """
    finest, *coarser = [_Level(stored) for stored in levels]
    ahead = min(HELD // finest.slab_bytes, 2 * threads)
    reading = read_ahead(partial(finest.read, plane), finest.slabs(), min(readers, ahead + 1), ahead, "read planes")
    with closing(reading) as slabs, ThreadPoolExecutor(threads, "write shards") as pool:
        writing = _Writing(pool)
        try:
            for slab, read in slabs:
                block = read.result()
                del read  # which holds it too
                writing.add(finest, slab, block)
                yield from ((region, block[within(region, _hull(slab))]) for region in slab)
                _coarsen(block, coarser, writing)
                del block
            writing.wait(0)
        finally:
            pool.shutdown(cancel_futures=True)


def _coarsen(block: NDArray[Any], levels: Sequence["_Level"], writing: "_Writing") -> None:
    """Write what the next planes of the full level make whole of the smaller ones."""
    if levels:
        for slab, smaller in levels[0].slabs_made_whole(average(block)):
            writing.add(levels[0], slab, smaller)
            _coarsen(smaller, levels[1:], writing)


class _Level:
    """A level in the making: which shards it lacks, and the planes of a slab that is not whole yet."""

    def __init__(self, stored: Stored) -> None:
        self.stored, self.layout = stored, stored.layout
        self.missing = {shard_index(region, self.layout) for region in stored.missing()}
        self.coming, self.planes = self.slabs(), list[NDArray[Any]]()

    @property
    def slab_bytes(self) -> int:
        """Bytes of the largest slab."""
        return math.prod((*self.layout.shard[:-2], *self.layout.shape[-2:], self.stored.dtype.itemsize))

    def slabs(self) -> Iterator[Slab]:
        """Regions of each slab, in raster order."""
        return (list(slab) for _, slab in itertools.groupby(regions(self.layout), lambda region: region[:-2]))

    def lacks(self, region: Region) -> bool:
        """Whether the shard was not written yet when this began."""
        return shard_index(region, self.layout) in self.missing

    def read(self, plane: ReadPlane, slab: Slab) -> NDArray[Any]:
        """The pixels of a slab."""
        hull = _hull(slab)
        if not any(map(self.lacks, slab)):
            return self.stored.read(hull)
        indices = itertools.product(*(range(part.start, part.stop) for part in hull[:-2]))
        return _joined([plane(index) for index in indices], hull)

    def slabs_made_whole(self, block: NDArray[Any]) -> Iterator[tuple[Slab, NDArray[Any]]]:
        """Each slab that the next planes make whole, with its pixels."""
        for plane in block.reshape(-1, *block.shape[-2:]):
            if not self.planes:
                self.slab = next(self.coming)
            self.planes.append(plane)
            hull = _hull(self.slab)
            if len(self.planes) == math.prod(_sides(hull[:-2])):
                planes, self.planes = self.planes, []
                yield self.slab, _joined(planes, hull)


class _Writing:
    """Shards that are being packed and written."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool, self.context = pool, copy_context()  # what is logged in a thread belongs to whoever asks
        self.going: deque[tuple[Future[None], int]] = deque()

    def add(self, level: _Level, slab: Slab, block: NDArray[Any]) -> None:
        """Begin to write what a level lacks of a slab, and wait until not more is held than may be."""
        for region in filter(level.lacks, slab):
            part = block[within(region, _hull(slab))]
            self.going.append(
                (self.pool.submit(self.context.copy().run, level.stored.write, region, part), part.nbytes)
            )
        self.wait(HELD)

    def wait(self, held: int) -> None:
        """Wait until at most so many bytes are being written; raises what a thread raised."""
        while sum(size for _, size in self.going) > held:
            self.going.popleft()[0].result()


def _hull(slab: Slab) -> Region:
    """The region of a whole slab."""
    first, last = slab[0], slab[-1]
    return tuple(slice(one.start, other.stop) for one, other in zip(first, last, strict=True))


def _sides(region: Region) -> Shape:
    return tuple(part.stop - part.start for part in region)


def _joined(planes: Sequence[NDArray[Any]], hull: Region) -> NDArray[Any]:
    """The planes of a slab as one block; one plane is not copied."""
    return (planes[0] if len(planes) == 1 else np.stack(planes)).reshape(_sides(hull))
