"""Pyramids: levels of half the size, each made of the one before, shard by shard."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.store.arrays import CODECS, Codecs, Stored, create, in_the_making
from unet.store.kept import KEPT, Key
from unet.store.shards import (
    Layout,
    Level,
    Region,
    Shape,
    bounds,
    overlapping,
    plane_layout,
    sampled,
    shared,
    stack_layout,
    within,
)

RegionMap = Callable[[Callable[[Region], None], Iterable[Region]], Iterable[Any]]


def _one_by_one(function: Callable[[Region], None], items: Iterable[Region]) -> Iterable[None]:
    return map(function, items)


def pyramid(
    folder_of: Callable[[int], Folder],
    plan: Callable[[Shape], list[Level]],
    axes: str,
    codecs: Codecs = CODECS,
    map_regions: RegionMap = _one_by_one,
) -> list[Level]:
    """Levels 1, 2, … of the array at level 0, each from the one before, shard by shard; where all levels lie.

    Args:
        folder_of: where the array of a level lies, or is to lie.
        plan: levels of a shape: `averaged` for images, `sampled` for labels.
        axes: names of the axes.
        codecs: how chunks are packed.
        map_regions: maps a function over regions and says when each is done; default: one after another.
    """
    with in_the_making(folder_of(0)):
        levels, arrays = create_levels(folder_of, plan, axes, codecs)
        try:
            _make_levels(levels, arrays, map_regions)
        finally:  # what was kept for shards that were there already
            KEPT.forget({array.folder.url for array in arrays})
    return levels


def create_levels(
    folder_of: Callable[[int], Folder], plan: Callable[[Shape], list[Level]], axes: str, codecs: Codecs = CODECS
) -> tuple[list[Level], list[Stored]]:
    """Where all levels of the array at level 0 lie, and the arrays of them, made now or begun before."""
    full = Stored(folder_of(0))
    levels, dtype = plan(full.layout.shape), full.dtype
    layout = stack_layout if math.prod(full.layout.shard[:-2]) > 1 else plane_layout
    coarser = (
        create(folder_of(n), layout(levels[n].shape, dtype.itemsize), dtype, axes, codecs)
        for n in range(1, len(levels))
    )
    return levels, [full, *coarser]


def _make_levels(levels: Sequence[Level], arrays: Sequence[Stored], map_regions: RegionMap) -> None:
    taken = [
        [(start - fine) / 2**number for start, fine in zip(level.first, before.first, strict=True)]
        for number, (before, level) in enumerate(pairwise(levels))
    ]
    for (finer, coarser), now, then in zip(pairwise(arrays), taken, [*taken[1:], None], strict=False):
        for _ in map_regions(partial(_coarsen, finer, coarser, now, then), coarser.missing()):
            pass


def _coarsen(
    source: Stored, target: Stored, taken: Sequence[float], then: Sequence[float] | None, region: Region
) -> None:
    """Write one shard, from each shard of the finer level in turn: one at a time is in memory, and it stays there.

    `then` is what the level after this one, if there is one, takes of each pair of pixels.
    """
    block = np.empty([part.stop - part.start for part in region], source.dtype)
    doubled = bounds(_doubled(region), source.shape)
    is_even = _is_even(source.layout)
    for part in overlapping(doubled, source.layout) if is_even else [doubled]:
        common = shared(part, doubled)
        kept = KEPT.take(_key(source, part, taken)) if is_even and common == part else None
        block[within(_halved(common), region)] = halve(source.read(common), taken) if kept is None else kept
    target.write(region, block)
    if then is not None:
        _keep(target, region, block, then)


def keep_sampled(full: Stored, region: Region, block: NDArray[Any]) -> None:
    """Keep in memory what level 1 takes of a shard of labels that was just written, so that it is not read again."""
    levels = sampled(full.shape)
    if len(levels) > 1:
        _keep(full, region, block, levels[1].first)


def _keep(source: Stored, region: Region, block: NDArray[Any], taken: Sequence[float]) -> None:
    """Keep in memory what the next level takes of a shard that was just written.

    On a disk alone, where its file can be told from a later one: that one is read, as it may be damaged.
    """
    if _is_even(source.layout) and source.file_state(region):
        KEPT.keep(_key(source, region, taken), np.array(halve(block, taken), source.dtype))


def _key(source: Stored, region: Region, taken: Sequence[float]) -> Key:
    place = tuple((part.start, part.stop) for part in region)
    return source.folder.url, place, tuple(taken), source.file_state(region)


def halve(block: NDArray[Any], taken: Sequence[float]) -> NDArray[Any]:
    """A block of half the size along y and x, of the place in each pair of pixels that is taken along each of them.

    0 takes the first, 1 the second, and ½ along both the mean. What a level's metadata says and what is written are
    thus of one number.

    >>> halve(np.array([[1, 2, 3, 4]]), (0, 1)).tolist()
    [[2, 4]]
    """
    if 0.5 in taken:
        return average(block)
    y, x = (int(place) for place in taken)
    return block[..., y::2, x::2]


def average(block: NDArray[Any]) -> NDArray[Any]:
    """Means of 2 × 2 pixels, rounded for integers; at an odd edge, of the pixels that are there.

    >>> average(np.array([[1, 3, 5], [1, 3, 5]], np.uint8)).tolist()
    [[2, 5]]
    """
    if block.shape[-2] % 2 or block.shape[-1] % 2:
        block = np.pad(block, [(0, 0)] * (block.ndim - 2) + [(0, size % 2) for size in block.shape[-2:]], mode="edge")
    if block.dtype.kind in "iu" and block.dtype.itemsize <= 2:
        return _average_small(block)
    mean = sum(block[..., dy::2, dx::2].astype(np.float64) for dy in (0, 1) for dx in (0, 1)) / 4
    return np.asarray(np.rint(mean) if block.dtype.kind in "iu" else mean).astype(block.dtype)


def _average_small(block: NDArray[Any]) -> NDArray[Any]:
    """The same of integers of up to 16 bits, in integers: half the time.

    A quarter of the sum is rounded to the nearest, halves to the even one: before the last two bits are cut off, 2 is
    added where the number they are cut from is odd, else 1.
    """
    rows = np.add(block[..., ::2, :], block[..., 1::2, :], dtype=np.int32)
    total = rows[..., ::2] + rows[..., 1::2]
    rounding = (total >> 2) & 1
    rounding += 1
    total += rounding
    total >>= 2
    return np.asarray(total, block.dtype)


def _is_even(layout: Layout) -> bool:
    """Whether no 2 × 2 pixels lie in several shards."""
    sides = zip(layout.shard[-2:], layout.shape[-2:], strict=True)
    return all(step % 2 == 0 or step >= size for step, size in sides)


def _halved(region: Region) -> Region:
    *leading, y, x = region
    return (*leading, *(slice(part.start // 2, -(-part.stop // 2)) for part in (y, x)))


def _doubled(region: Region) -> Region:
    *leading, y, x = region
    return (*leading, slice(2 * y.start, 2 * y.stop), slice(2 * x.start, 2 * x.stop))
