"""Seams: where blocks meet that tile an array, and which of their components touch there.

A block keeps of its pixels the component numbers of its faces alone. A seam is a cut through all blocks between two
layers; both are laid out whole, so that a diagonal across the corner of four blocks is one like any other.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from unet.images.array_types import Ids, Indices, Mask

Connectivity = Literal["faces", "full"]
Corner = tuple[int, ...]
Layers = NDArray[np.integer[Any]]
Meet = Callable[[Layers, Layers], Mask]
"""Where two layers of component numbers, laid upon each other, hold pairs that matter."""


class SeamBlock(Protocol):
    """What merging needs of a block: where it lies, and the components of its faces."""

    @property
    def origin(self) -> Corner:
        """The block's first pixel in the whole array."""

    @property
    def shape(self) -> Corner:
        """The block's sides in pixels."""

    def face(self, axis: int, side: int) -> Ids:
        """Local ids of the first (side 0) or last (1) layer along a linked axis, counted from the last, −1.

        0 is nothing; ids below 0 are those of a second kind, counted from −1 downwards.
        """


def both(one: Layers, other: Layers) -> Mask:
    """Where components of the first kind meet."""
    return np.asarray((one > 0) & (other > 0))


def grounds(one: Layers, other: Layers) -> Mask:
    """Where components of the second kind meet."""
    return np.asarray((one < 0) & (other < 0))


def mixed(one: Layers, other: Layers) -> Mask:
    """Where a component of one kind meets one of the other."""
    return np.asarray((one < 0) & (other > 0) | (one > 0) & (other < 0))


def require_tiling(parts: Sequence[SeamBlock]) -> Corner:
    """Shape of the array that blocks, sorted by origin, are said to tile; ValueError where they do not."""
    if not parts:
        raise ValueError("parts must be those of all blocks, got none; label each block first")
    shape = tuple(map(sum, zip(parts[-1].origin, parts[-1].shape, strict=True)))
    pixels = sum(math.prod(part.shape) for part in parts)
    if pixels != math.prod(shape) or len({part.origin for part in parts}) < len(parts):
        raise ValueError(
            f"parts must tile the array, got {len(parts)} parts of {pixels} pixels for a shape of {shape}; "
            "label every block once"
        )
    return shape


def groups(touching: Sequence[Indices], count: int) -> Ids:
    """Group number of the components 1 … `count`: components that touch, directly or by others, have one group."""
    one, other = np.concatenate([np.zeros((2, 0), np.int64), *touching], axis=1) - 1
    graph = coo_array((np.ones(one.size, np.bool_), (one, other)), shape=(count, count))
    group: Ids = connected_components(graph, directed=False)[1]
    return group


def contacts(
    numbered: Sequence[tuple[SeamBlock, Sequence[int]]],
    dimensions: int,
    connectivity: Connectivity,
    meet: Meet = both,
) -> Iterator[Indices]:
    """Pairs of component numbers that touch across a seam of these blocks, where they `meet`.

    Each cut through all blocks is laid out whole, before and behind it; both layers are laid upon each other, and, for
    corners, moved by one pixel in every direction:

        block │ block         layer before the cut   1 1 0 4 4
        ──────┼──────  ◀ cut                         │ │ │ │ │   pairs (1,2), (4,5); moved by one: (1,2), (4,5) …
        block │ block         layer behind it        2 0 0 5 5

    `numbered` has of each block how many components of either kind, or of the only one, the blocks before have.
    """
    reach = (-1, 0, 1) if connectivity == "full" else (0,)
    ndim = len(numbered[0][0].origin)
    for axis in range(-dimensions, 0):
        shifts = [reach if other >= -dimensions else (0,) for other in range(-ndim, 0) if other != axis]
        for cut in sorted({part.origin[axis] for part, _ in numbered} - {0}):
            before, after = (_layout(numbered, axis, cut, side) for side in (1, 0))
            yield from (_shifted(before, after, shift, meet) for shift in itertools.product(*shifts))


def touching_pairs(local: Ids, dimensions: int, meet: Meet) -> Indices:
    """Pairs of local ids that share a face within a block, where they `meet`; each once in either order."""
    found = [np.zeros((2, 0), np.int64)]
    for axis in range(local.ndim - dimensions, local.ndim):
        ahead = tuple(slice(1 if at == axis else 0, None) for at in range(local.ndim))
        back = tuple(slice(0, -1 if at == axis else None) for at in range(local.ndim))
        found.append(_met(local[back], local[ahead], meet))
    pairs = np.concatenate(found, axis=1)
    one, other = np.divmod(np.unique(pairs[0] * 2**32 + pairs[1] + 2**31), 2**32)
    return np.stack([one, other - 2**31])


def _layout(numbered: Sequence[tuple[SeamBlock, Sequence[int]]], axis: int, cut: int, side: int) -> Indices:
    """Component numbers of the layer before (side 1) or behind (side 0) a cut."""
    low, high = np.array(numbered[0][0].origin), np.add(numbered[-1][0].origin, numbered[-1][0].shape)
    layer = np.zeros(np.delete(high - low, axis), np.int64)
    for part, starts in numbered:
        if part.origin[axis] + side * part.shape[axis] == cut:
            corner, face = np.delete(part.origin - low, axis), part.face(axis, side)
            window = tuple(slice(c, c + n) for c, n in zip(corner, face.shape, strict=True))
            layer[window] = face + np.where(face > 0, starts[0], np.where(face < 0, -starts[-1], 0))
    return layer


def _shifted(before: Indices, after: Indices, shift: Sequence[int], meet: Meet) -> Indices:
    sides = list(zip(shift, before.shape, strict=True))
    one = before[tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in sides)]
    other = after[tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in sides)]
    return _met(one, other, meet)


def _met(one: Layers, other: Layers, meet: Meet) -> Indices:
    where = meet(one, other)
    pairs = np.stack([one[where], other[where]]).astype(np.int64)
    return pairs[:, np.any(np.diff(pairs, prepend=0), axis=0)]  # once for each run of pixels
