"""Pyramids: levels of half the size, each made of the one before, shard by shard."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.store.arrays import CODECS, Codecs, Stored, create
from unet.store.shards import Region, Shape, plane_layout, pyramid_shapes, stack_layout

Reduce = Callable[[NDArray[Any]], NDArray[Any]]

RegionMap = Callable[[Callable[[Region], None], Iterable[Region]], Iterable[Any]]


def _one_by_one(function: Callable[[Region], None], items: Iterable[Region]) -> Iterable[None]:
    return map(function, items)


def pyramid(
    folder: Folder, reduce: Reduce, axes: str, codecs: Codecs = CODECS, map_regions: RegionMap = _one_by_one
) -> list[Shape]:
    """Levels 1, 2, … of the array `folder/0`, each from the one before, shard by shard; shapes of all levels.

    Args:
        folder: the generation.
        reduce: halves y and x of a block, such as `average` or `nearest`.
        axes: names of the axes.
        codecs: how chunks are packed.
        map_regions: maps a function over regions and says when each is done; default: one after another.
    """
    finer = Stored(folder / "0")
    shapes = pyramid_shapes(finer.layout.shape)
    several = math.prod(finer.layout.shard[:-2]) > 1
    for level, shape in enumerate(shapes[1:], start=1):
        layout = (stack_layout if several else plane_layout)(shape, finer.array.dtype.itemsize)
        coarser = create(folder / str(level), layout, finer.array.dtype, axes, codecs)
        for _ in map_regions(partial(_coarsen, finer.folder, coarser.folder, reduce), coarser.missing()):
            pass
        finer = coarser
    return shapes


def _coarsen(finer: Folder, coarser: Folder, reduce: Reduce, region: Region) -> None:
    Stored(coarser).write(region, reduce(Stored(finer).read(_doubled(region))))


def average(block: NDArray[Any]) -> NDArray[Any]:
    """Means of 2 × 2 pixels, rounded for integers; at an odd edge, of the pixels that are there.

    >>> average(np.array([[1, 3, 5], [1, 3, 5]], np.uint8)).tolist()
    [[2, 5]]
    """
    pad = [(0, 0)] * (block.ndim - 2) + [(0, size % 2) for size in block.shape[-2:]]
    even = np.pad(block, pad, mode="edge")
    mean = sum(even[..., dy::2, dx::2].astype(np.float64) for dy in (0, 1) for dx in (0, 1)) / 4
    return np.asarray(np.rint(mean) if block.dtype.kind in "iu" else mean).astype(block.dtype)


def nearest(block: NDArray[Any]) -> NDArray[Any]:
    """Every second pixel, for labels."""
    return block[..., ::2, ::2]


def _doubled(region: Region) -> Region:
    *leading, y, x = region
    return (*leading, slice(2 * y.start, 2 * y.stop), slice(2 * x.start, 2 * x.stop))
