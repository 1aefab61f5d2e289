"""Runs: pixels of one value that follow each other along a row; what labels are cut into before anything is asked.

Real labels have far fewer runs than pixels, so that whatever goes through runs is quick.

    row of ids   5 5 5 0 0 7 7 5        starts  0 3 5 7
                 └─5─┘ └0┘ └7┘ 5        lengths 3 2 2 1
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Labels


def run_starts(values: NDArray[Any]) -> Indices:
    """Index of the first pixel of each run, in raster order; no run is longer than its row, the last axis.

    >>> run_starts(np.array([[5, 5, 0], [0, 0, 7]])).tolist()
    [0, 2, 3, 5]
    """
    begins = np.ones(values.shape, np.bool_)
    np.not_equal(values[..., 1:], values[..., :-1], out=begins[..., 1:])
    return np.flatnonzero(begins)


class IdRuns(NamedTuple):
    """The runs of an array of ids."""

    start: Indices
    """Index of each run's first pixel."""
    value: Indices
    """Its id; 0 = background."""


def id_runs(labels: Labels) -> IdRuns:
    """The runs of ids.

    >>> id_runs(np.array([[5, 5, 0], [0, 0, 7]]))
    IdRuns(start=array([0, 2, 3, 5]), value=array([5, 0, 0, 7]))
    """
    start = run_starts(labels)
    return IdRuns(start, labels.ravel()[start].astype(np.int64))


def joined_runs(start: Indices, number: Ids, table: NDArray[Any], width: int) -> IdRuns:
    """The runs of what `painted` gives, rows of `width` pixels, without looking at a pixel.

    >>> joined_runs(np.array([0, 1, 2, 3, 6]), np.array([1, 2, 3, 2]), np.array([0, 5, 5, 0]), width=3)
    IdRuns(start=array([0, 2, 3]), value=array([5, 0, 5]))
    """
    value = table[number].astype(np.int64)
    begins = start[:-1] % width == 0
    begins[1:] |= value[1:] != value[:-1]
    return IdRuns(start[:-1][begins], value[begins])


def run_spans(
    start: Indices, length: Indices, row: Indices, count: int, shape: Sequence[int]
) -> tuple[Indices, Indices]:
    """First index and last plus 1 along each axis of `count` rows of a table, to which runs of a block belong.

    >>> low, high = run_spans(np.array([1, 4]), np.array([2, 1]), np.array([0, 0]), 1, (2, 4))
    >>> low.tolist(), high.tolist()
    ([[0, 0]], [[2, 3]])
    """
    limits, sides = np.iinfo(np.int64), (count, len(shape))
    low, high = np.full(sides, limits.max), np.full(sides, limits.min)
    for axis, first in enumerate(np.unravel_index(start, shape)):
        last = first + (length if axis == len(shape) - 1 else 1)
        np.minimum.at(low[:, axis], row, first)
        np.maximum.at(high[:, axis], row, last)
    return low, high


@njit(cache=True, nogil=True)
def painted(start: Indices, number: Ids, table: NDArray[Any]) -> NDArray[Any]:
    """Value of each pixel in raster order, looked up in `table` by the number of its run.

    `start` ends with the number of all pixels. Numbers below 0 count from the end of the table.
    """
    pixels = np.empty(start[-1], table.dtype)
    for run in range(len(number)):
        pixels[start[run] : start[run + 1]] = table[number[run]]
    return pixels


@njit(cache=True, nogil=True)
def painted_rows(
    rows: Indices, first: Indices, start: Indices, number: Ids, table: NDArray[Any], width: int
) -> NDArray[Any]:
    """The same of some rows of `width` pixels; `first` is the index of each row's first run, and of none behind all."""
    pixels = np.empty(len(rows) * width, table.dtype)
    for place in range(len(rows)):
        ahead = (place - rows[place]) * width
        for run in range(first[rows[place]], first[rows[place] + 1]):
            pixels[start[run] + ahead : start[run + 1] + ahead] = table[number[run]]
    return pixels
