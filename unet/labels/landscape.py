"""The landscape of an object that may be a clump: heights of its pixels, of which the highest are centres.

A height is the distance to the background in y x pixels, or the object's own scores blurred by a Gaussian of `SMOOTHED`
y x pixels, or both: the square root of the distance times these scores. All is computed in the object's bounding box
with one layer around it, in time that grows with the pixels and with their distance to the background.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Indices, Labels
from unet.settings.segment import DeclumpBy

OUTSIDE, INSIDE, UNKNOWN = 0, 1, 2
"""Kinds of pixels around an object: not of it, of it, beyond the array."""

LEAST = 1e-9
"""What scores count at least, so that a filled hole without any is of the object."""

SMOOTHED = 1.0
"""Standard deviation of the Gaussian in y x pixels; it is cut off at three of them."""

Kinds = NDArray[np.uint8]
Heights = NDArray[np.float64]


class Block(NamedTuple):
    """A block's pixels, z y x."""

    objects: Labels
    scores: NDArray[np.float32]
    """0 … 1; empty where nobody asks for them."""
    array: Indices
    """First index and last plus 1 of the whole array along each axis, counted in the block, 2 × 3."""


class Factors(NamedTuple):
    """What the landscape is made of."""

    distance: bool
    scores: bool
    steps: Heights
    """Of one pixel along each axis, in y x pixels."""
    taps: Heights
    """Of the Gaussian along each axis, 3 × an odd number."""


def block_of(objects: Labels, scores: NDArray[Any] | None, array: Indices) -> Block:
    """A block of y x or z y x pixels; scores are 0 … 1, or uint8 0 … 255."""
    sides = (1,) * (3 - objects.ndim) + objects.shape
    volume, spans = np.ascontiguousarray(objects).reshape(sides), deep(array)
    if scores is None:
        return Block(volume, np.zeros((0, 0, 0), np.float32), spans)
    whole = np.float32(255 if scores.dtype == np.uint8 else 1)
    return Block(volume, np.asarray(scores.reshape(sides) / whole, np.float32, order="C"), spans)


def deep(boxes: Indices) -> Indices:
    """First index and last plus 1 along z y x; one plane where there is no z.

    >>> deep(np.array([[2, 5], [4, 9]])).tolist()
    [[0, 2, 5], [1, 4, 9]]
    """
    spans = np.zeros((*boxes.shape[:-1], 3), np.int64)
    spans[..., 1, :] = 1
    spans[..., 3 - boxes.shape[-1] :] = boxes
    return spans


def factors_of(by: DeclumpBy, spacing: Sequence[float] | None) -> Factors:
    """What the landscape is made of, given steps along the last axes in y x pixels."""
    steps = np.ones(3)
    steps[3 - len(spacing or ()) :] = spacing or 1
    sigma = SMOOTHED / steps[:, None]
    reach = np.ceil(3 * sigma.max())
    away = np.arange(-reach, reach + 1)
    taps = np.where(abs(away) <= np.floor(3 * sigma + 0.5), np.exp(-0.5 * (away / sigma) ** 2), 0)
    return Factors(by != "scores", by != "distance", steps, taps / taps.sum(axis=1, keepdims=True))


@njit(cache=True, nogil=True)
def cut_out(block: Block, number: int, box: Indices, scores: bool) -> tuple[Kinds, Heights]:
    """Kinds of the pixels of an object's box and of one layer around it; there is none along an axis of one pixel.

        array  ┌─box─┐──────┐         kinds   ? ? ? ? ?       ? beyond the array, where nothing is known
               │ ●●  │      │    ──▶          ? ● ● · ·       · not of the object, be it background or another one
               └─────┘      │                 ? · · · ·
               └────────────┘

    And values in their raster: the scores of the object's pixels, or 1 if nobody asks for them, and 0 elsewhere.
    """
    array, sides = block.array, box[1] - box[0]
    pad = 0 if array[1, 0] - array[0, 0] == 1 else 1
    kinds = np.zeros((sides[0] + 2 * pad, sides[1] + 2, sides[2] + 2), np.uint8)
    values = np.zeros(kinds.shape)
    for side, at in ((0, 0), (1, -1)):
        if pad == 1 and box[side, 0] == array[side, 0]:
            kinds[at] = UNKNOWN
        if box[side, 1] == array[side, 1]:
            kinds[:, at] = UNKNOWN
        if box[side, 2] == array[side, 2]:
            kinds[:, :, at] = UNKNOWN
    for z in range(box[0, 0], box[1, 0]):
        for y in range(box[0, 1], box[1, 1]):
            for x in range(box[0, 2], box[1, 2]):
                if block.objects[z, y, x] == number:
                    place = z - box[0, 0] + pad, y - box[0, 1] + 1, x - box[0, 2] + 1
                    kinds[place] = INSIDE
                    values[place] = block.scores[z, y, x] if scores else 1
    return kinds, values.ravel()


@njit(cache=True, nogil=True)
def heights(kinds: Kinds, values: Heights, factors: Factors) -> Heights:
    """Heights of the object's pixels, in the raster of `kinds`; 0 elsewhere, infinite where there is no background."""
    flat, height, stride = kinds.ravel(), values, kinds.size
    squared = np.where(flat == OUTSIDE, 0.0, np.inf)
    for axis in range(3):
        stride //= kinds.shape[axis]
        if kinds.shape[axis] > 1 and factors.distance:
            squared = _spread(squared, stride, kinds.shape[axis], factors.steps[axis])
        if kinds.shape[axis] > 1 and factors.scores:
            height = _blurred(height, stride, kinds.shape[axis], factors.taps[axis])
    for at in range(len(flat)):
        if flat[at] != INSIDE:
            height[at] = 0
            continue
        height[at] = max(height[at], LEAST)
        if factors.distance:
            distance = np.sqrt(squared[at])
            height[at] *= np.sqrt(distance) if factors.scores else distance
    return height


@njit(cache=True, nogil=True)
def _blurred(values: Heights, stride: int, length: int, taps: Heights) -> Heights:
    """Values blurred along one axis, beyond whose ends they are 0."""
    reach, blurred = len(taps) // 2, np.zeros(len(values))
    for at in range(len(values)):
        place = at // stride % length
        for away in range(max(-reach, -place), min(reach, length - 1 - place) + 1):
            blurred[at] += taps[away + reach] * values[at + away * stride]
    return blurred


@njit(cache=True, nogil=True)
def _spread(squared: Heights, stride: int, length: int, step: float) -> Heights:
    """The least of squared[q] + (step · |p − q|)² over the pixels q in the line of each pixel p."""
    least = squared.copy()
    for at in range(len(squared)):
        place, away = at // stride % length, 1
        while away < length and (away * step) ** 2 < least[at]:
            if away <= place:
                least[at] = min(least[at], squared[at - away * stride] + (away * step) ** 2)
            if place + away < length:
                least[at] = min(least[at], squared[at + away * stride] + (away * step) ** 2)
            away += 1
    return least
