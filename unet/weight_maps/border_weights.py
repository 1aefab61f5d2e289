"""Weights: which pixels training sees as objects, and how much more a narrow gap between two of them counts.

Distances are to the nearest pixel centre of an object as it was drawn; the ridge that parts touching objects is cut
afterwards, so that a pixel of the ridge has d1 = 0 and the largest weights (Falk et al. 2019 do the same; Ronneberger
et al. 2015 do not say). An even ridge is as wide on either side, so that flips commute with it.

The law: each pixel depends on those at most `halo` away, through sums of squares that know no position. Computed block
by block, a map equals the whole image's bit for bit; so do its mirror images.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import IGNORE, Floats, Ids, Labels, Mask
from unet.labels.class_of_ids import ClassOfIds
from unet.labels.runs import run_starts
from unet.settings.weigh import BorderWeights, Weigh
from unet.weight_maps import two_nearest

Index = tuple[slice, ...]


def border_weights(
    labels: Labels,
    border: BorderWeights,
    spacing: Sequence[float] | None = None,
    background: Mask | None = None,
) -> Floats:
    """Extra weight of each pixel of a gap, w0·exp(−(d1+d2)²/2σ²), between 0 and w0; float32, the shape of `labels`.

    d1 and d2 are the distances to the two nearest objects, in pixels of y x, from pixel centre to pixel centre. A gap
    of g pixels between straight edges has d1 + d2 = g + 1 on every one of its pixels. Parts with one id are one object.
    The term is 0 where d1 + d2 > `border.cutoff`, and so where fewer than two objects are near. `border.edge` adds
    edge·exp(−d1²/2τ²) beside every object.

    Source: Ronneberger, Fischer, Brox 2015, eq. 2, without its w_c; the edge, Falk et al. 2019. Distances are exact,
    summed up in float32. Memory: 21 bytes a pixel in 2-D and 34 in 3-D, weights included; time grows with the pixels
    and not with the objects.

    Args:
        labels: ids of objects, 0 = background; y x or z y x, uncut.
        border: w0, sigma, edge, and the tolerance that gives the cut-off.
        spacing: size of a pixel along each axis in units of the y x pixel; default 1.
        background: which pixels get the weight; default `labels == 0`.

    >>> border_weights(np.array([[1, 0, 0, 0, 2]]), BorderWeights(w0=10, sigma=5)).round(2)  # 10·exp(−4²/50)
    array([[0.  , 7.26, 7.26, 7.26, 0.  ]], dtype=float32)
    """
    spacing = _checked_spacing(labels, spacing)
    weighted = labels == 0 if background is None else background
    if weighted.shape != labels.shape:
        raise ValueError(f"background must have the shape of labels {labels.shape}, got {weighted.shape}")
    return _border(_compact(labels), border, spacing, np.asarray(weighted, np.bool_))


def part_touching(labels: Labels, gap_width: int) -> Labels:
    """Labels in which touching objects are parted by `gap_width` pixels of background.

    Even: a pixel becomes 0 if one of another object lies within half of it along every axis (z counts like y and x), so
    that half of it lies on either side. Objects apart by fewer than that half in pixels lose some too; small ones may
    vanish. 1: a pixel becomes 0 if a neighbour before it in raster order, diagonals too, is of another object, as in
    Falk et al. 2019; flips do not commute with that.

    >>> part_touching(np.array([[1, 1, 1, 2, 2, 2, 0, 3]]), gap_width=2)
    array([[1, 1, 0, 0, 2, 2, 0, 3]])
    >>> part_touching(np.array([[1, 1, 1, 2, 2, 2, 0, 3]]), gap_width=1)
    array([[1, 1, 1, 0, 2, 2, 0, 3]])
    """
    _check(labels)
    return labels * _left_standing(_compact(labels), gap_width)


def weigh_block(
    labels: Labels,
    weigh: Weigh,
    spacing: Sequence[float] | None = None,
    ignore: int | None = None,
    known: ClassOfIds | None = None,
) -> tuple[NDArray[np.uint8], Floats]:
    """Classes (0 = background and ridge, 1 … = objects, 255 = not judged) and border weights of a block, with its halo.

    What of it lies at least `halo` pixels within, or at the image's true edge, is the whole image's. A z y x block is
    taken plane by plane if `weigh.dimensions` is 2; a y x block is a plane whatever it is. Pixels of the id `ignore`
    are no object and have no weight. `known` has the class of each id; without it all are of class 1. Which touching
    objects are parted may depend on their classes (`weigh.part`); border weights do not: the two nearest are of any.

    >>> classes, border = weigh_block(np.array([[1, 1, 2, 2, 9]]), Weigh(w0=10, sigma=5), ignore=9)
    >>> classes
    array([[  1,   0,   0,   1, 255]], dtype=uint8)
    >>> border.round(2)  # d1 = 0, d2 = 1: 10·exp(−1/50)
    array([[0. , 9.8, 9.8, 0. , 0. ]], dtype=float32)
    >>> two = ClassOfIds(("nucleus", "mitosis"), np.array([1, 2, 3]), np.array([1, 1, 2], np.uint8))
    >>> weigh_block(np.array([[1, 1, 2, 2, 3, 3]]), Weigh(part="same"), known=two)[0]
    array([[1, 0, 0, 1, 2, 2]], dtype=uint8)
    """
    spacing = _checked_spacing(labels, spacing)
    if labels.ndim > weigh.dimensions:
        classes, border = np.empty(labels.shape, np.uint8), np.empty(labels.shape, np.float32)
        for z, plane in enumerate(labels):
            classes[z], border[z] = weigh_block(plane, weigh, spacing[1:], ignore, known)
        return classes, border
    unjudged = np.zeros(labels.shape, np.bool_) if ignore is None else labels == ignore
    drawn = labels if ignore is None else np.where(unjudged, 0, labels)
    ids = _compact(drawn)
    classes = (ids != 0).astype(np.uint8) if known is None else known.of(drawn)
    objects = _parted_by(weigh, ids, classes)
    weighted = ~unjudged if weigh.applies_to == "everywhere" else ~(objects | unjudged)
    classes *= objects
    classes[unjudged] = IGNORE
    return classes, _border(ids, weigh, spacing, weighted)


def halo(weigh: Weigh, spacing: Sequence[float]) -> tuple[int, ...]:
    """Pixels along each axis that a block must read around itself for its weights to be the whole image's.

    >>> halo(Weigh(w0=10, sigma=5), (2.5, 1, 1)), halo(Weigh(w0=10, sigma=5, dimensions=3), (2.5, 1, 1))
    ((0, 23, 23), (9, 23, 23))
    """
    reach = [max(_reach(weigh, size), (weigh.gap_width + 1) // 2) for size in spacing]
    alone = len(reach) - weigh.dimensions
    return tuple(0 if axis < alone else pixels for axis, pixels in enumerate(reach))


def _reach(border: BorderWeights, size: float) -> int:
    return math.floor(max(border.cutoff, border.edge_cutoff) / size)


def _border(ids: Ids, border: BorderWeights, spacing: Sequence[float], weighted: Mask) -> Floats:
    squares = [_squares(_reach(border, size), size) for size in spacing]
    term = two_nearest.Term(
        border.w0, border.sigma, border.cutoff, border.edge_weight, border.edge_sigma, border.edge_cutoff
    )
    weights, state = np.empty(ids.shape, np.float32), _state(ids.shape)
    if ids.ndim == 2:
        two_nearest.first_pass(ids, squares[-1], *state)
    else:
        between = _state(ids.shape[1:])
        for plane, *after in zip(ids, *state, strict=True):
            two_nearest.first_pass(plane, squares[-1], *between)
            two_nearest.middle_pass(between, squares[-2], tuple(after))
    lines = len(ids), ids[:1].size
    two_nearest.last_pass(_reshaped(state, lines), squares[0], weighted.reshape(lines), term, weights.reshape(lines))
    return weights


def _reshaped(state: two_nearest.NearestTwo, lines: tuple[int, int]) -> two_nearest.NearestTwo:
    near, far, who = state
    return near.reshape(lines), far.reshape(lines), who.reshape(lines)


def _squares(reach: int, size: float) -> Floats:
    squares: Floats = ((np.arange(reach + 1) * size) ** 2).astype(np.float32)
    return squares


def _state(shape: tuple[int, ...]) -> two_nearest.NearestTwo:
    return np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int32)


def _compact(labels: Labels) -> Ids:
    """The labels as int32, by other names where they do not fit; contiguous."""
    if labels.size == 0 or labels.dtype.itemsize < 4 or labels.max() <= np.iinfo(np.int32).max:
        return np.ascontiguousarray(labels, np.int32)
    flat, starts = labels.ravel(), run_starts(labels)  # sorting runs is quicker than sorting pixels
    names = np.unique(np.append(flat.dtype.type(0), flat[starts]), return_inverse=True)[1]
    return np.repeat(names[1:].astype(np.int32), np.diff(starts, append=flat.size)).reshape(labels.shape)


def _parted_by(weigh: Weigh, ids: Ids, classes: NDArray[np.uint8]) -> Mask:
    """Where objects remain once those are parted that are to be; classes that are not here cost nothing."""
    if weigh.part == "none":
        return np.asarray(ids != 0)
    if weigh.part == "all":
        return _left_standing(ids, weigh.gap_width)
    standing = np.zeros(ids.shape, np.bool_)
    for of_class in np.flatnonzero(np.bincount(classes.reshape(-1), minlength=1)[1:]) + 1:
        standing |= _left_standing(ids * (classes == of_class), weigh.gap_width)
    return standing


def _left_standing(ids: Ids, gap_width: int) -> Mask:
    """Where objects remain once touching ones are parted."""
    if gap_width == 1:
        return np.logical_and(ids, ~_met_before(ids))
    if gap_width < 0 or gap_width % 2:
        raise ValueError(f"gap_width must be 1 or an even number of pixels ≥ 0, got {gap_width}")
    around = ids
    for axis in range(ids.ndim if gap_width else 0):
        blocks, joined = (math.prod(ids.shape[:axis]), math.prod(ids.shape[axis:])), np.empty_like(ids)
        stride = math.prod(ids.shape[axis + 1 :])
        two_nearest.join_along(around.reshape(blocks), gap_width // 2, stride, joined.reshape(blocks))
        around = joined
    standing: Mask = (ids != 0) & (around == ids)
    return standing


def _met_before(ids: Ids) -> Mask:
    """Where a neighbour before the pixel in raster order is of another object.

    Offsets −1, 0, 1 along each axis are in raster order too, so the first half of them are the neighbours before:

        (−1,−1) (−1,0) (−1,1)
        ( 0,−1)  pixel
    """
    met = np.zeros(ids.shape, np.bool_)
    offsets = list(product((-1, 0, 1), repeat=ids.ndim))
    for offset in offsets[: len(offsets) // 2]:
        here, there = _shifted(ids.shape, offset)
        met[here] |= (ids[there] != 0) & (ids[there] != ids[here])
    return met


def _shifted(shape: tuple[int, ...], offset: Sequence[int]) -> tuple[Index, Index]:
    """The pixels that have a neighbour at this offset, and these neighbours."""
    sides = list(zip(offset, shape, strict=True))
    here = tuple(slice(max(-step, 0), size - max(step, 0)) for step, size in sides)
    return here, tuple(slice(max(step, 0), size - max(-step, 0)) for step, size in sides)


def _checked_spacing(labels: Labels, spacing: Sequence[float] | None) -> tuple[float, ...]:
    _check(labels)
    if spacing is None:
        return (1.0,) * labels.ndim
    if len(spacing) != labels.ndim or not all(0 < size < math.inf for size in spacing):
        raise ValueError(f"spacing must be {labels.ndim} finite numbers > 0, one an axis of labels, got {spacing}")
    return tuple(float(size) for size in spacing)


def _check(labels: Labels) -> None:
    if labels.ndim not in (2, 3):
        raise ValueError(f"labels must be y x or z y x, got {labels.ndim} axes; hand in one plane or volume at a time")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, one id an object, got {labels.dtype}; give each object an id")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(f"labels must be ≥ 0 (0 = background), got {labels.min()}; map what is to be ignored to 0")
