"""Clumps: an object that is several, parted where its landscape is low between two centres.

The landscape (`landscape`) is the distance to the background, the scores, or both. A centre is where it is highest; two
stay apart if on every way from one to the other it falls by at least `declump_depth` below the lower of them (its
*dynamics*, the h-maxima of that h). From the centres the object is flooded, the highest pixels first (a seeded
watershed).

Why both: on nuclei, scores of several trainings, they left the fewest merged at the best average precision. Distance
alone needs a depth that no small object has; its root asks of a small object a waist as narrow for its size, nearly. Of
scores alone the texture of large objects parts too much. Rejected: the plain product, which small objects lose; the
logarithm of the distance, which parts whole ones; the mean distance over thresholds, no better for six times the work;
scores smoothed by 2 or 3 pixels, or with those of the objects around.

Ties: of equal heights along a summit the centre is the first pixel in raster order; centres are numbered in raster
order; and pixels of one level go to whichever centre reaches them first, those reached at once to the one that was
there before, as `skimage.segmentation.watershed` has it; of centres of one height the first in raster
order begins.

An object is parted by itself, from its own pixels and whether the array goes on around them; so the result does not
depend on the blocks it was read in. All objects of a block are parted in one compiled call.
"""

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Labels, Mask
from unet.labels.components import root
from unet.labels.landscape import Block, Factors, Heights, block_of, cut_out, deep, factors_of, heights
from unet.labels.seams import Connectivity
from unet.settings.segment import DeclumpBy, SegmentNumbers


class Parted(NamedTuple):
    """The parts of a block's clumps, numbered 1 … n through all of them; within a clump in the order of its centres."""

    parts: Ids
    """Part of each pixel; 0 = background, and objects that are no clumps."""
    counts: Indices
    """Parts of each object; 1: it is no clump."""
    first: Indices
    """Of each part, the index of its first pixel in the block's raster."""
    size: Indices
    """Pixels of each part."""


class Declumping(NamedTuple):
    """How clumps are parted."""

    depth: float
    """How far the landscape must fall between two centres; > 0."""
    by: DeclumpBy = "distance"
    """What the landscape is."""
    connectivity: Connectivity = "faces"
    """How an object is connected."""
    spacing: tuple[float, ...] | None = None
    """Steps along each axis in y x pixels; default 1."""

    @staticmethod
    def of(settings: SegmentNumbers, spacing: tuple[float, ...] | None = None) -> "Declumping":
        """As the settings have it."""
        return Declumping(settings.declump_depth, settings.declump_by, settings.connectivity, spacing)


def part_clump(mask: Mask, how: Declumping, scores: NDArray[Any] | None = None) -> Ids:
    """Parts 1 … n of one object, 0 = background; n = 1 where it is no clump.

    Args:
        mask: the object's pixels, y x or z y x. Beyond its edges nothing is known: background that is there must be in.
        how: what parts it.
        scores: of each pixel, as in `part_objects`.

    >>> clump = np.zeros((5, 11), bool)
    >>> clump[1:4, 1:4] = clump[2, 4:7] = clump[1:4, 7:10] = True
    >>> print(part_clump(clump, Declumping(depth=1)))
    [[0 0 0 0 0 0 0 0 0 0 0]
     [0 1 1 1 0 0 0 2 2 2 0]
     [0 1 1 1 1 1 2 2 2 2 0]
     [0 1 1 1 0 0 0 2 2 2 0]
     [0 0 0 0 0 0 0 0 0 0 0]]
    """
    whole = np.array([(0, side) for side in mask.shape]).T
    found = part_objects(mask.astype(np.int32), np.array([1]), whole[None], whole, how, scores)
    return found.parts if found.counts[0] > 1 else mask.astype(np.int32)


def part_objects(  # objects, where they are, how, by what
    objects: Labels,
    numbers: Indices,
    boxes: Indices,
    array: Indices,
    how: Declumping,
    scores: NDArray[Any] | None = None,
) -> Parted:
    """The parts of those objects of a block that are clumps.

    Args:
        objects: ids of the block's objects, along the linked axes y x or z y x.
        numbers: ids of the n objects to be looked at.
        boxes: first index and last plus 1 of each one along each axis of the block, n × 2 × axes.
        array: first index and last plus 1 of the whole array along each axis, counted in the block, 2 × axes.
        how: what parts them.
        scores: of the block's pixels, 0 … 1, or uint8 0 … 255; they may be left out where the distance is all.
    """
    if how.depth <= 0:
        raise ValueError(f"declump_depth must be > 0, got {how.depth}; leave the object whole instead")
    if scores is None and how.by != "distance":
        raise ValueError(f"scores must be given to part clumps by {how.by!r}; give them, or part by 'distance'")
    block = block_of(objects, None if how.by == "distance" else scores, array)
    rule = _Rule(float(how.depth), how.connectivity == "full", factors_of(how.by, how.spacing))
    parts = np.zeros(block.objects.shape, np.int32)
    counts, first, size = _part_all(block, numbers, deep(boxes), rule, parts)
    return Parted(parts.reshape(objects.shape), counts, first, size)


class _Rule(NamedTuple):
    depth: float
    full: bool
    """Whether pixels touch across corners too."""
    factors: Factors


@njit(cache=True, nogil=True)
def _part_all(
    block: Block, numbers: Indices, boxes: Indices, rule: _Rule, parts: Ids
) -> tuple[Indices, Indices, Indices]:
    """Parts of each object, and the first pixel and the size of each part of clumps, which are painted into `parts`."""
    count, first, size = np.ones(len(numbers), np.int64), [np.int64(0)], [np.int64(0)]
    for row in range(len(numbers)):
        kinds, values = cut_out(block, numbers[row], boxes[row], rule.factors.scores)
        height = heights(kinds, values, rule.factors)
        order, around = _falling(height, rule.depth), _around(kinds.shape, rule.full)
        seeds = _centres(height, order, around, rule.depth)
        if len(seeds) > 1:
            count[row] = len(seeds)
            flooded = _flooded(height, seeds, around, len(first)).reshape(kinds.shape)
            for _ in seeds:
                first.append(np.int64(-1))
                size.append(np.int64(0))
            _paint(flooded, boxes[row], parts, first, size)
    return count, np.array(first)[1:], np.array(size)[1:]


@njit(cache=True, nogil=True)
def _falling(height: Heights, depth: float) -> Indices:
    """The object's pixels, the highest first; none where no two centres can have a pass so deep between them."""
    inside = np.flatnonzero(height)
    above = height[inside]
    if len(inside) == 0 or above.max() == np.inf or above.max() - above.min() < depth:
        return inside[:0]
    return inside[np.argsort(-above, kind="mergesort")]


@njit(cache=True, nogil=True)
def _around(sides: tuple[int, int, int], full: bool) -> Indices:
    """Steps in the raster from a pixel to those that touch it, those that share a face first."""
    steps = []
    for apart in range(1, 4 if full else 2):
        for z in range(-1, 2):
            for y in range(-1, 2):
                for x in range(-1, 2):
                    if abs(z) + abs(y) + abs(x) == apart and (z == 0 or sides[0] > 1):
                        steps.append((z * sides[1] + y) * sides[2] + x)
    return np.array(steps)


@njit(cache=True, nogil=True)
def _centres(height: Heights, order: Indices, around: Indices, depth: float) -> Indices:
    """Centres in raster order: the water falls, lakes meet, and the lower of two summits counts if it is high enough.

    A lake is a tree whose root is its summit, the pixel that came first.
    """
    parent = np.full(height.size, -1, np.int64)
    found = np.zeros(height.size, np.bool_)
    for at in order:
        parent[at] = at
        found[at] = True
        for step in around:
            if parent[at + step] >= 0:
                _join_lakes(parent, found, height, at, at + step, depth)
    return np.flatnonzero(found)


@njit(cache=True, nogil=True)
def _join_lakes(parent: Indices, found: Mask, height: Heights, at: int, beside: int, depth: float) -> None:
    """Make one lake of those of two pixels; the lower summit is a centre if it stands high enough above this pass.

    high      ▲  the root, stays a centre
    low  ▲    │  stays one too if height[low] − height[at] ≥ depth
    at   └────┘  here the two meet
    """
    one, other = root(parent, at), root(parent, beside)
    if one == other:
        return
    ahead = height[one] > height[other] or (height[one] == height[other] and one < other)
    high, low = (one, other) if ahead else (other, one)
    parent[low] = high
    found[low] = height[low] - height[at] >= depth


@njit(cache=True, nogil=True)
def _flooded(height: Heights, seeds: Indices, around: Indices, number: int) -> Ids:
    """Parts of the pixels of an object, `number` and those after it, from the seeds downwards."""
    parts, age = np.zeros(height.size, np.int32), 0
    front = [(-height[seed], 0, seed) for seed in seeds]
    heapify(front)
    for part, seed in enumerate(seeds):
        parts[seed] = number + part
    while front:
        level, _, at = heappop(front)
        for step in around:
            beside = at + step
            if height[beside] > 0 and parts[beside] == 0:
                age += 1
                parts[beside] = parts[at]
                heappush(front, (max(level, -height[beside]), age, beside))
    return parts


@njit(cache=True, nogil=True)
def _paint(flooded: Ids, box: Indices, parts: Ids, first: list[np.int64], size: list[np.int64]) -> None:
    """Write an object's parts into the block; note where each begins, and its size."""
    pad = (flooded.shape[0] - box[1, 0] + box[0, 0]) // 2
    for z in range(box[0, 0], box[1, 0]):
        for y in range(box[0, 1], box[1, 1]):
            for x in range(box[0, 2], box[1, 2]):
                part = flooded[z - box[0, 0] + pad, y - box[0, 1] + 1, x - box[0, 2] + 1]
                if part > 0:
                    parts[z, y, x] = part
                    size[part] += 1
                    if first[part] < 0:
                        first[part] = (z * parts.shape[1] + y) * parts.shape[2] + x
