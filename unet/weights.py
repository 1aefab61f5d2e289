"""Weights: which pixels training sees as objects, and how much more a narrow gap between two of them counts.

Distances are to the nearest pixel centre of an object as it was drawn; the ridge that parts touching objects is cut
afterwards, so that a pixel of the ridge has d1 = 0 and the largest weights (Falk et al. 2019 do the same; Ronneberger
et al. 2015 do not say). The ridge is as wide on either side, so that flips commute with it.

The law: each pixel depends on those at most `halo` away, through sums of squares that know no position. Computed block
by block, a map equals the whole image's bit for bit; so do its mirror images.

Rejected: a distance transform per object (its time grows with the objects' boxes, and among equally near pixels it
picks one that depends on the block, which shows in the last bit where the spacing is no short binary fraction).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.records import BorderWeights, Weigh

Labels = NDArray[np.integer[Any]]
Index = tuple[slice, ...]


def border_weights(
    labels: Labels,
    border: BorderWeights,
    spacing: Sequence[float] | None = None,
    background: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Extra weight of each pixel of a gap, w0·exp(−(d1+d2)²/2σ²), between 0 and w0; float32, the shape of `labels`.

    d1 and d2 are the distances to the two nearest objects, in pixels of y x, from pixel centre to pixel centre. A gap
    of g pixels between straight edges has d1 + d2 = g + 1 on every one of its pixels. Parts with one id are one object.
    The term is 0 where d1 + d2 > `border.cutoff`, and so where fewer than two objects are near.

    Source: Ronneberger, Fischer, Brox 2015, eq. 2, without its w_c. Memory: about 80 bytes a pixel for int64 labels;
    time grows with the cut-off, and not with the number of objects.

    Args:
        labels: ids of objects, 0 = background; y x or z y x, uncut.
        border: w0, sigma, and the tolerance that gives the cut-off.
        spacing: size of a pixel along each axis in units of the y x pixel; default 1.
        background: where the term is felt; default `labels == 0`.

    >>> border_weights(np.array([[1, 0, 0, 0, 2]]), BorderWeights(w0=10, sigma=5)).round(2)  # 10·exp(−4²/50)
    array([[0.  , 7.26, 7.26, 7.26, 0.  ]], dtype=float32)
    """
    spacing = _checked_spacing(labels, spacing)
    felt = labels == 0 if background is None else background
    if felt.shape != labels.shape:
        raise ValueError(f"background must have the shape of labels {labels.shape}, got {felt.shape}")
    weights = np.zeros(labels.shape, np.float32)
    distance = _sum_of_two_distances(labels, spacing, border.cutoff)
    felt = felt & (distance <= border.cutoff)
    weights[felt] = border.w0 * np.exp(-(distance[felt] ** 2) / (2 * border.sigma**2))
    return weights


def part_touching(labels: Labels, ridge: int) -> Labels:
    """Labels in which touching objects are parted by `ridge` pixels of background, half of it on either side.

    A pixel becomes 0 if one of another object lies within ridge/2 along every axis (z counts like y and x). Objects
    apart by fewer than ridge/2 pixels lose some too; small ones may vanish.

    >>> part_touching(np.array([[1, 1, 1, 2, 2, 2, 0, 3]]), ridge=2)
    array([[1, 1, 0, 0, 2, 2, 0, 3]])
    """
    _check(labels)
    if ridge < 0 or ridge % 2:
        raise ValueError(f"ridge must be an even number of pixels ≥ 0, got {ridge}")
    highest, lowest = labels, np.where(labels == 0, np.iinfo(labels.dtype).max, labels)
    for axis in range(labels.ndim):
        highest = _spread(np.maximum, highest, axis, ridge // 2)
        lowest = _spread(np.minimum, lowest, axis, ridge // 2)
    return np.where((highest == labels) & (lowest == labels), labels, 0)


def weigh_block(
    labels: Labels, weigh: Weigh, spacing: Sequence[float] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Classes (1 = object, 0 = background and ridge) and border weights of a block, `halo` pixels included.

    What of it lies at least `halo` pixels within, or at the image's true edge, is the whole image's. A z y x block is
    taken plane by plane if `weigh.dimensions` is 2; a y x block is a plane whatever it is.

    >>> classes, border = weigh_block(np.array([[1, 1, 2, 2]]), Weigh(w0=10, sigma=5))
    >>> classes
    array([[1, 0, 0, 1]], dtype=uint8)
    >>> border.round(2)  # d1 = 0, d2 = 1: 10·exp(−1/50)
    array([[0. , 9.8, 9.8, 0. ]], dtype=float32)
    """
    spacing = _checked_spacing(labels, spacing)
    if labels.ndim > weigh.dimensions:
        classes, border = np.empty(labels.shape, np.uint8), np.empty(labels.shape, np.float32)
        for z, plane in enumerate(labels):
            classes[z], border[z] = weigh_block(plane, weigh, spacing[1:])
        return classes, border
    objects = part_touching(labels, weigh.ridge) > 0
    return objects.astype(np.uint8), border_weights(labels, weigh, spacing, ~objects)


def halo(weigh: Weigh, spacing: Sequence[float]) -> tuple[int, ...]:
    """Pixels along each axis that a block must read around itself for its weights to be the whole image's.

    >>> halo(Weigh(w0=10, sigma=5), (2.5, 1, 1)), halo(Weigh(w0=10, sigma=5, dimensions=3), (2.5, 1, 1))
    ((0, 21, 21), (8, 21, 21))
    """
    reach = [max(math.floor(weigh.cutoff / size), weigh.ridge // 2) for size in spacing]
    alone = len(reach) - weigh.dimensions
    return tuple(0 if axis < alone else pixels for axis, pixels in enumerate(reach))


def _sum_of_two_distances(labels: Labels, spacing: Sequence[float], cutoff: float) -> NDArray[np.float64]:
    near = np.where(labels == 0, np.inf, 0.0)
    far, ids = np.full(labels.shape, np.inf), labels
    for axis in range(labels.ndim):
        near, far, ids = _two_nearest_along(axis, spacing[axis], cutoff, (near, far, ids))
    distance: NDArray[np.float64] = np.sqrt(near, out=near) + np.sqrt(far, out=far)
    return distance


def _two_nearest_along(
    axis: int, spacing: float, cutoff: float, state: tuple[NDArray[np.float64], NDArray[np.float64], Labels]
) -> tuple[NDArray[np.float64], NDArray[np.float64], Labels]:
    # State: squared distances to the nearest and to the second nearest object, id of the nearest. The second's id is
    # not needed: seen from another pixel with the same nearest object, the second is another object in both.
    # Rounded addition keeps the order, so that the minimum may be taken axis by axis.
    near, far, ids = state
    least, second, nearest = near.copy(), far.copy(), ids.copy()
    for offset, here, there in _shifts(near.shape, axis, math.floor(cutoff / spacing)):
        square = (offset * spacing) ** 2
        candidate = near[there] + square
        other = np.where(nearest[here] == ids[there], np.inf, np.maximum(least[here], candidate))
        np.minimum(second[here], other, out=second[here])
        np.minimum(second[here], far[there] + square, out=second[here])
        np.copyto(nearest[here], ids[there], where=candidate < least[here])
        np.minimum(least[here], candidate, out=least[here])
    return least, second, nearest


def _spread(extreme: Callable[..., Labels], labels: Labels, axis: int, reach: int) -> Labels:
    spread = labels.copy()
    for _, here, there in _shifts(labels.shape, axis, reach):
        extreme(spread[here], labels[there], out=spread[here])
    return spread


def _shifts(shape: tuple[int, ...], axis: int, reach: int) -> Iterator[tuple[int, Index, Index]]:
    """Offsets ±1 … ±reach along an axis, with the pixels that have such a neighbour and these neighbours."""
    every = (slice(None),) * axis
    for offset in range(1, min(reach, shape[axis] - 1) + 1):
        front, back = (*every, slice(None, -offset)), (*every, slice(offset, None))
        yield offset, front, back
        yield offset, back, front


def _checked_spacing(labels: Labels, spacing: Sequence[float] | None) -> tuple[float, ...]:
    _check(labels)
    if spacing is None:
        return (1.0,) * labels.ndim
    if len(spacing) != labels.ndim or not all(0 < size < math.inf for size in spacing):
        raise ValueError(f"spacing must be {labels.ndim} finite numbers > 0, one an axis of labels, got {spacing}")
    return tuple(float(size) for size in spacing)


def _check(labels: Labels) -> None:
    if labels.ndim not in (2, 3):
        raise ValueError(f"labels must be y x or z y x, got {labels.ndim} axes; hand in one frame or volume at a time")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, one id an object, got {labels.dtype}; give each object an id")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(f"labels must be ≥ 0 (0 = background), got {labels.min()}; map what is to be ignored to 0")
