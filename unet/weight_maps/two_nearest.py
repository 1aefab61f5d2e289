"""Squared distances to the two nearest distinct objects, carried through one pass an axis; compiled.

A pixel's state is (near, far, who): the squares to its nearest object and to the nearest other one, and the id of the
nearest. The other's id is not needed: seen from a pixel with the same nearest object, it is another object there too.
Rounded addition keeps the order, so that the minimum may be taken axis by axis; and sums know no position: the last
bit is the same wherever a block begins.

The first pass is two scans along a row. Each further pass offers a pixel the states at ±1, ±2, … on its axis, `LANES`
pixels beside each other, until none of them could still be changed: that ends after a few steps where objects are
dense, and at the cut-off where they are not. Time grows with the pixels and not with the objects.

Rejected: a lower envelope of parabolas, which is linear in the reach too, but takes one pixel at a time and must carry
two of them; a distance transform per object, whose time grows with the objects' boxes.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from unet.images.array_types import Floats, Ids, Mask

NearestTwo = tuple[Floats, Floats, Ids]

LANES = 256
"""Pixels that a pass takes side by side: enough for the processor's vectors, few enough to end early."""
INF = np.float32(np.inf)
MIXED = -1
"""More than one object."""
SLACK = 1 + 1e-5
"""Squares are float32: what ends a search is loosened by more than their rounding."""


class Term(NamedTuple):
    """The border term w0·exp(−(d1+d2)²/2σ²) + edge·exp(−d1²/2τ²), each part 0 beyond its cut-off; lengths in pixels."""

    w0: float
    sigma: float
    cutoff: float
    edge: float
    edge_sigma: float
    edge_cutoff: float


@njit(cache=True, nogil=True)
def first_pass(ids: Ids, squares: Floats, near: Floats, far: Floats, who: Ids) -> None:
    """States of a plane's pixels from the objects of their rows; `squares[k]` belongs to k pixels.

    Two scans along each row. Scanning to the right, a pixel knows the last pixel of an object (`at`) and the last pixel
    of another object before it (`at_other`); scanning back, the same from the other side, and the two are merged:

        row      1 1 . . 2 2 . . . 3
        to the right, at ×:  ×       nearest 2 at distance 1, the other is 1 at distance 5
        to the left,  at ×:  ×       nearest 3 at distance 3: so near = 1² (2), far = 3² (3)
    """
    for y in range(ids.shape[0]):
        nearest = np.int32(0)
        at = at_other = -(1 << 40)
        for x in range(ids.shape[1]):
            found = np.int32(ids[y, x])
            if found != 0:
                if found != nearest:
                    at_other, nearest = at, found
                at = x
            near[y, x], far[y, x], who[y, x] = _square(squares, x - at), _square(squares, x - at_other), nearest
        nearest = np.int32(0)
        at = at_other = 1 << 40
        for x in range(ids.shape[1] - 1, -1, -1):
            found = np.int32(ids[y, x])
            if found != 0:
                if found != nearest:
                    at_other, nearest = at, found
                at = x
            square, second = _square(squares, at - x), min(far[y, x], _square(squares, at_other - x))
            far[y, x] = second if nearest == who[y, x] else min(second, max(square, near[y, x]))
            if square < near[y, x]:
                near[y, x], who[y, x] = square, nearest


@njit(cache=True, nogil=True)
def middle_pass(state: NearestTwo, squares: Floats, after: NearestTwo) -> None:
    """States after the pass along the first axis of (line, pixel), written to `after`."""
    height, width = state[0].shape
    for left in range(0, width, LANES):
        right = min(left + LANES, width)
        for y in range(height):
            mine = _line(after, y, left, right)
            (best, second, own), (near, far, who) = mine, _line(state, y, left, right)
            best[:], second[:], own[:] = near, far, who
            for k in range(1, squares.size):
                if not _any_above(mine[1], squares[k]):
                    break
                _offer_both(mine, state, (y, k, left, right), squares[k])


@njit(cache=True, nogil=True)
def last_pass(state: NearestTwo, squares: Floats, weighted: Mask, term: Term, weights: Floats) -> None:
    """The border term where pixels are `weighted`, 0 elsewhere, by the pass along the first axis of (line, pixel).

    The last axis is the one with the most lines to look at, so each block of lanes ends as soon as no state that is
    still to be offered, k lines away, could change a weight:

        line y−2   offered ↓  k = 2        open?  a second object at distance k would bring
        line y−1   offered ↓  k = 1               d1 + k within the cut-off, or k be the nearest
        line y     ┌ LANES pixels: near, far, who ┐   none of the lanes open → weigh, next line
        line y+1   offered ↑  k = 1
        line y+2   offered ↑  k = 2
    """
    height, width = weights.shape
    buffers = np.empty((1, LANES), np.float32), np.empty((1, LANES), np.float32), np.empty((1, LANES), np.int32)
    for left in range(0, width, LANES):
        right = min(left + LANES, width)
        mine = _line(buffers, 0, 0, right - left)
        for y in range(height):
            _take_up(mine, _line(state, y, left, right), weighted[y, left:right])
            for k in range(1, squares.size):
                if not _any_open(mine[0], mine[1], squares[k], term):
                    break
                _offer_both(mine, state, (y, k, left, right), squares[k])
            _weigh(mine[0], mine[1], term, weights[y, left:right])


@njit(inline="always")
def _line(state: NearestTwo, y: int, left: int, right: int) -> NearestTwo:
    return state[0][y, left:right], state[1][y, left:right], state[2][y, left:right]


@njit(inline="always")
def _offer_both(mine: NearestTwo, state: NearestTwo, place: tuple[int, int, int, int], square: Any) -> None:
    """Offer a line's pixels the states k lines before and behind."""
    y, k, left, right = place
    if y >= k:
        _offer(mine, _line(state, y - k, left, right), square)
    if y + k < state[0].shape[0]:
        _offer(mine, _line(state, y + k, left, right), square)


@njit(inline="always")
def _square(squares: Floats, pixels: int) -> Any:
    return squares[pixels] if pixels < squares.size else INF


@njit(inline="always")
def _offer(mine: NearestTwo, theirs: NearestTwo, square: Any) -> None:
    (best, second, own), (near, far, who) = mine, theirs
    for j in range(best.size):
        offered, before = near[j] + square, best[j]
        loser = max(before, offered) if who[j] != own[j] else INF
        second[j] = min(second[j], min(loser, far[j] + square))  # noqa: PLW3301  # what the compiler makes vectors of
        own[j] = who[j] if offered < before else own[j]
        best[j] = offered if offered < before else before


@njit(inline="always")
def _take_up(mine: NearestTwo, theirs: NearestTwo, weighted: Mask) -> None:
    """States to begin with; −1 where the pixel gets no weight, which no offer changes and nothing waits for."""
    (best, second, own), (near, far, who) = mine, theirs
    for j in range(best.size):
        best[j] = near[j] if weighted[j] else np.float32(-1)
        second[j] = far[j] if weighted[j] else np.float32(-1)
        own[j] = who[j]


@njit(inline="always")
def _any_above(squares: Floats, square: Any) -> bool:
    above = False
    for j in range(squares.size):
        above |= squares[j] > square
    return above


@njit(inline="always")
def _any_open(best: Floats, second: Floats, square: Any, term: Term) -> bool:
    """Whether an object at this distance d or farther could still change a pixel's term.

    As its second nearest, if d1 ≤ T − d; as both, if 2·d ≤ T; as its nearest alone, within the edge's cut-off.
    """
    distance = math.sqrt(square)
    rest = term.cutoff - distance
    nearest = INF if rest >= distance else np.float32(rest * rest * SLACK if rest >= 0 else -1)
    alone = square if distance <= term.edge_cutoff * SLACK else INF
    is_open = False
    for j in range(best.size):
        is_open |= ((second[j] > square) & (best[j] <= nearest)) | (best[j] > alone)
    return is_open


@njit(inline="always")
def _weigh(near: Floats, far: Floats, term: Term, weights: Floats) -> None:
    for j in range(near.size):
        weight = 0.0
        if near[j] >= 0 and near[j] < INF:
            first = math.sqrt(near[j])
            total = first + math.sqrt(far[j])
            if total <= term.cutoff:
                weight += term.w0 * math.exp(-(total**2) / (2 * term.sigma**2))
            if first <= term.edge_cutoff:
                weight += term.edge * math.exp(-(first**2) / (2 * term.edge_sigma**2))
        weights[j] = weight


@njit(cache=True, nogil=True)
def join_along(ids: Ids, reach: int, stride: int, joined: Ids) -> None:
    """The one object within `reach` along the first axis, 0 = none, `MIXED` = several, for each (block, pixel).

    Neighbours along the axis lie `stride` pixels apart in a block.
    """
    for block in range(ids.shape[0]):
        joined[block] = ids[block]
        for shift in range(stride, min(reach * stride, ids.shape[1] - 1) + 1, stride):
            _join(joined[block, shift:], ids[block, :-shift])
            _join(joined[block, :-shift], ids[block, shift:])


@njit(inline="always")
def _join(mine: Ids, theirs: Ids) -> None:
    for j in range(mine.size):
        one, other = mine[j], theirs[j]
        both = one if (other == 0) | (other == one) else np.int32(MIXED)
        mine[j] = other if one == 0 else both
