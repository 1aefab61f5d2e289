"""Components: connected pixels of one value, background among them, and which ids lie beside each.

Objects and background are connected in dual ways, one across corners too (8 or 26 neighbours) and the other across
faces alone (4 or 6), so that a closed outline, however thin, parts what is within from what is without. Of truth
(`components`) it is the objects that go across corners; of segments (`connect`) it is a setting.

Rows are cut into runs of one value, and runs are joined with those beside them in the rows before (union by least
index, so that a root begins where its component does). Time grows with the runs, of which real labels have far fewer
than pixels: some tenths of a second for 4096 × 4096 pixels.

Rejected: `skimage.measure.label`, which has one connectivity for objects and background, and would label twice; a union
of pixels, which is as short and takes four times as long.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Labels
from unet.labels.runs import mask_runs, painted, run_starts

ALONE, FACES, FULL = 0, 1, 2
"""How pixels of one value connect: not at all beyond their run, across faces, across corners too."""


class Found(NamedTuple):
    """The n components of a block, in the raster order of their first pixels."""

    local: Ids
    """Component number 1 … n of each pixel, in the block's shape."""
    first: Indices
    """Index of each one's first pixel in the block's raster."""
    size: Indices
    """Pixels."""
    value: Indices
    """Id of its pixels; 0 = background. Ids of 2⁶³ and more come as negative numbers, here and below."""
    low: Indices
    """Least id that it shares a face with, background left out; above `high` where there is none."""
    high: Indices
    """Largest such id."""


class _Runs(NamedTuple):
    """Runs of one value, none longer than its row; those of the background may be left out."""

    start: Indices
    """Index of each run's first pixel."""
    stop: Indices
    """Index behind its last."""
    value: Indices
    """int64 whatever the labels are, so that there is one compiled form of what follows."""
    row: Indices
    """Index of each row's first run, and the number of all runs behind the last."""
    parent: Ids
    """Of each run, one before it of the same component; of a component's first run, itself."""
    low: Indices
    """As in `Found`; nothing where nobody asks."""
    high: Indices


def components(volumes: Labels, dimensions: int) -> Found:
    """The components of a block of labels, and the ids beside each.

    Args:
        volumes: n z y x labels of fewer than 2³¹ pixels, 0 = background; nothing is connected along n.
        dimensions: how many of the last axes connect; 2: each y x plane by itself.

    >>> found = components(np.array([[[[5, 0, 7], [0, 5, 7]]]]), dimensions=2)
    >>> found.local.tolist(), found.first.tolist(), found.size.tolist()
    ([[[[1, 2, 3], [4, 1, 3]]]], [0, 1, 2, 3], [2, 1, 2, 1])
    >>> found.low.tolist(), found.high.tolist()
    ([7, 5, 5, 5], [7, 7, 5, 5])
    """
    runs = _runs(volumes, beside=True)
    _join_all(runs, volumes.shape[1:], dimensions, FULL, FACES)
    first = np.flatnonzero(runs.parent == np.arange(runs.parent.size))
    numbers = _numbered(runs.parent, first)
    low, high = runs.low[first], runs.high[first]
    np.minimum.at(low, numbers - 1, runs.low)
    np.maximum.at(high, numbers - 1, runs.high)
    size = _sizes(numbers, runs.start, runs.stop, first.size)
    local = painted(runs.start, runs.stop, numbers, np.arange(first.size + 1, dtype=np.int32), volumes.size)
    return Found(local.reshape(volumes.shape), runs.start[first], size, runs.value[first], low, high)


class Connected(NamedTuple):
    """The n objects of a mask and, if they are asked for, the m parts of its background, run by run."""

    start: Indices
    """Index of each run's first pixel in the block's raster."""
    stop: Indices
    """Index behind its last."""
    number: Ids
    """Of each run: 1 … n in raster order for objects, −1 … −m for background, which has runs if it was asked for."""
    first: Indices
    """Of each number, in the order 1 … n, −m … −1, the index of its first pixel."""
    size: Indices
    """Of each number, in the same order, its pixels."""
    objects: int
    """n."""
    row: Indices
    """Index of each row's first run, and the number of all runs behind the last."""


def connect(volumes: NDArray[np.bool_], dimensions: int, objects: int, ground: int) -> Connected:
    """The objects of a mask, and the parts of its background.

    Args:
        volumes: n z y x, of fewer than 2³¹ pixels; nothing is connected along n.
        dimensions: as in `components`.
        objects: `FACES` or `FULL`.
        ground: `ALONE` where nobody asks for the background, else the other of these two.

    >>> found = connect(np.array([[[[True, True, False], [False, False, True]]]]), 2, FACES, FULL)
    >>> found.number.tolist(), found.start.tolist(), found.first.tolist(), found.size.tolist()
    ([1, -1, -1, 2], [0, 2, 3, 5], [0, 5, 2], [2, 1, 3])
    """
    runs = _object_runs(volumes) if ground == ALONE else _runs(volumes.view(np.uint8), beside=False)
    _join_all(runs, volumes.shape[1:], dimensions, objects, ground)
    begins = runs.parent == np.arange(runs.parent.size)
    first, behind = np.flatnonzero(begins & (runs.value == 1)), np.flatnonzero(begins & (runs.value == 0))[::-1]
    both = np.concatenate([first, behind])
    numbers = _numbered(runs.parent, both)
    size = _sizes(numbers, runs.start, runs.stop, both.size)
    numbers[numbers > first.size] -= both.size + 1
    return Connected(runs.start, runs.stop, numbers, runs.start[both], size, first.size, runs.row)


def _runs(volumes: Labels, beside: bool) -> _Runs:
    start = run_starts(volumes)
    return _separate(
        start, np.append(start[1:], volumes.size), volumes.ravel()[start].astype(np.int64), volumes, beside
    )


def _object_runs(volumes: NDArray[np.bool_]) -> _Runs:
    start, stop = mask_runs(volumes)
    return _separate(start, stop, np.ones(start.size, np.int64), volumes, beside=False)


def _separate(start: Indices, stop: Indices, value: Indices, volumes: NDArray[Any], beside: bool) -> _Runs:
    """Runs with these ends and values, of which none is joined with another, and nothing is noted."""
    limits, count = np.iinfo(np.int64), start.size if beside else 0
    return _Runs(
        start=start,
        stop=stop,
        value=value,
        row=np.searchsorted(start, np.arange(0, volumes.size + 1, volumes.shape[-1])),
        parent=np.arange(start.size, dtype=np.int32),
        low=np.full(count, limits.max),
        high=np.full(count, limits.min),
    )


@njit(cache=True, nogil=True)
def _join_all(runs: _Runs, sides: tuple[int, int, int], dimensions: int, objects: int, ground: int) -> None:
    """Join every run with the touching runs of the rows before, and note the ids beside each; `sides` along z, y, x.

    Rows before a row: the one above it, and in the plane before up to three, of which the middle one shares a face:

        plane before   z−1:  (y−1)  (y, face)  (y+1)
        this plane     z:    (y−1, face)  row
    """
    depth, height, width = sides
    around = 1 if max(objects, ground) == FULL else 0
    for row in range(len(runs.row) - 1):
        if len(runs.low) > 0:
            for run in range(runs.row[row] + 1, runs.row[row + 1]):
                _meet(runs, run - 1, run)
        y, z = row % height, row // height % depth
        if y > 0:
            _join_rows(runs, row, row - 1, width, True, objects, ground)
        if dimensions == 3 and z > 0:
            for above in range(max(y - around, 0), min(y + around + 1, height)):
                _join_rows(runs, row, row - height + above - y, width, above == y, objects, ground)


@njit(cache=True, nogil=True)
def _join_rows(  # noqa: PLR0913, PLR0917  # what numba is given is plain values
    runs: _Runs, row: int, before: int, width: int, face: bool, objects: int, ground: int
) -> None:
    """Join the runs of two rows, which share a face, or an edge alone.

    Both rows are gone through at once, and the run that ends first makes way for the next; so every pair of runs that
    share a column is compared once, and besides those that meet at a corner alone:

        before   ├──other──┤├─other+1─┤          columns of the row before, `shift` pixels to this one's
        row          ├──one──┤├──one+1──┤
                     share ↑  ↑ corner: `one` ends where `other` did, and touches `other+1` (or the reverse, when
                                `other` is compared with `one+1`, with which it shares no column)

    Where the background is left out, runs that do not touch at all are compared, too, and passed over.
    """
    # Why two ways: runs of one value are joined, by the connectivity that this value has; runs of different values
    # only take note of each other, and that across faces alone, whatever the connectivity. Rows that share an edge but
    # no face (`face` is false: above and before along z) can join, and never take note.
    one, other, shift = runs.row[row], runs.row[before], (row - before) * width
    while one < runs.row[row + 1] and other < runs.row[before + 1]:
        end, other_end = runs.stop[one], runs.stop[other] + shift
        ahead, behind = other_end - runs.start[one], end - runs.start[other] - shift
        share, touch = ahead > 0 and behind > 0, ahead >= 0 and behind >= 0
        way = objects if runs.value[one] != 0 else ground
        if runs.value[one] != runs.value[other]:
            if face and share:
                _meet(runs, one, other)
        elif (way == FULL and touch) or (way == FACES and face and share):
            _join(runs.parent, one, other)
        corner = end == other_end and other + 1 < runs.row[before + 1] and way == FULL
        if corner and runs.start[other + 1] + shift == end and runs.value[one] == runs.value[other + 1]:
            _join(runs.parent, one, other + 1)
        if end <= other_end:
            one += 1
        else:
            other += 1


@njit(cache=True, nogil=True)
def _meet(runs: _Runs, one: int, other: int) -> None:
    """Note that two runs of different values share a face, if anybody asks for it."""
    if len(runs.low) == 0:
        return
    for here, there in ((one, other), (other, one)):
        value = runs.value[there]
        if value != 0:
            runs.low[here] = min(runs.low[here], value)
            runs.high[here] = max(runs.high[here], value)


@njit(cache=True, nogil=True)
def _join(parent: Ids, one: int, other: int) -> None:
    one, other = root(parent, one), root(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@njit(cache=True, nogil=True)
def root(parent: NDArray[np.signedinteger[Any]], at: int) -> int:
    """The root of a tree of parents; the way to it becomes shorter."""
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


def _numbered(parent: Ids, first: Indices) -> Ids:
    """Component number of each run, 1, 2, … in the order of the roots `first`; 0 for components left out there."""
    numbers = np.zeros(parent.size, np.int32)
    numbers[first] = np.arange(1, first.size + 1)
    _hand_on(numbers, parent)
    return numbers


@njit(cache=True, nogil=True)
def _hand_on(numbers: Ids, parent: Ids) -> None:
    for run in range(len(parent)):
        numbers[run] = numbers[parent[run]]  # lies before, and so bears its number by now


@njit(cache=True, nogil=True)
def _sizes(numbers: Ids, start: Indices, stop: Indices, count: int) -> Indices:
    """Pixels of the components 1 … `count`."""
    size = np.zeros(count + 1, np.int64)
    for run in range(len(numbers)):
        size[numbers[run]] += stop[run] - start[run]
    return size[1:]
