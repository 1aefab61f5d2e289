"""Blocks: where the pixels and the faces of a block lie in the whole array.

A block is one of a grid that tiles the array, given by its first pixel in the whole, `origin`, and by its sides.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from unet.images.array_types import Indices


def in_whole(at: Indices, sides: Sequence[int], origin: Sequence[int], shape: Sequence[int]) -> Indices:
    """Raster indices in an array of `shape`, given raster indices in a block of it.

    >>> in_whole(np.array([0, 3]), sides=(2, 2), origin=(0, 2), shape=(2, 4)).tolist()
    [2, 7]
    """
    places = [place + o for place, o in zip(np.unravel_index(at, tuple(sides)), origin, strict=True)]
    return np.ravel_multi_index(places, tuple(shape)).astype(np.int64)


def outer_layers(
    origin: Sequence[int], sides: Sequence[int], shape: Sequence[int], dimensions: int
) -> Iterator[tuple[int, int]]:
    """Layers of a block that lie at an edge of the whole array along a linked axis: the axis, and 0 or −1.

    Axes are counted from the last, −1; layer 0 is the first along its axis, −1 the last.

    >>> list(outer_layers(origin=(0, 2), sides=(2, 2), shape=(9, 4), dimensions=2))
    [(-2, 0), (-1, -1)]
    """
    for axis in range(-dimensions, 0):
        if origin[axis] == 0:
            yield axis, 0
        if origin[axis] + sides[axis] == shape[axis]:
            yield axis, -1
