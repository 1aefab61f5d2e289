"""Sums and bounds over runs: the loops that measures are made of, compiled, each of which adds to rows of a table.

Runs are given by the index of their first pixel, the index behind their last, and the row of the table they belong to.
Of integers the sums are integers: they add up in any order, hence several pixels at once.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Indices

Column = NDArray[Any]


@njit(cache=True, nogil=True)
def add_places(  # noqa: PLR0913, PLR0917  # what numba is given is plain arrays
    start: Indices,
    stop: Indices,
    row: Indices,
    shape: Indices,
    origin: Indices,
    count: Indices,
    place: Indices,
    low: Indices,
    high: Indices,
) -> None:
    """Add pixels, sums of indices, first index and last plus 1 along each axis of each row's runs."""
    for run in range(len(row)):
        at, length, rest = row[run], stop[run] - start[run], start[run]
        count[at] += length
        for axis in range(len(shape) - 1, -1, -1):
            first, rest = rest % shape[axis] + origin[axis], rest // shape[axis]
            is_along = axis == len(shape) - 1
            place[at, axis] += first * length + (length * (length - 1) // 2 if is_along else 0)
            low[at, axis] = min(low[at, axis], first)
            high[at, axis] = max(high[at, axis], first + (length if is_along else 1))


@njit(cache=True, nogil=True)
def add_whole_values(values: Column, start: Indices, stop: Indices, row: Indices, sums: Indices) -> None:
    """Add each row's sum of small integers (0) and of squares (1), their least (2), greatest (3) and number (4)."""
    for run in range(len(row)):
        pixels = values[start[run] : stop[run]]
        total, squares = np.int64(0), np.int64(0)
        least = greatest = pixels[0]
        for pixel in pixels:
            value = np.int64(pixel)
            total += value
            squares += value * value
            least, greatest = min(least, pixel), max(greatest, pixel)
        of = row[run]
        sums[0, of] += total
        sums[1, of] += squares
        sums[2, of] = min(sums[2, of], np.int64(least))
        sums[3, of] = max(sums[3, of], np.int64(greatest))
        sums[4, of] += len(pixels)


@njit(cache=True, nogil=True)
def add_values(values: Column, start: Indices, stop: Indices, row: Indices, found: Column) -> None:
    """Add each row's sum of values (0), its least (2) and its greatest (3)."""
    for run in range(len(row)):
        total = 0.0
        least, greatest = np.inf, -np.inf
        for pixel in values[start[run] : stop[run]]:
            value = np.float64(pixel)
            total += value
            least, greatest = min(least, value), max(greatest, value)
        found[0, row[run]] += total
        found[2, row[run]] = min(found[2, row[run]], least)
        found[3, row[run]] = max(found[3, row[run]], greatest)


@njit(cache=True, nogil=True)
def add_squares(values: Column, start: Indices, stop: Indices, row: Indices, found: Column) -> None:
    """Add each row's sum of squares (1) from its least (2)."""
    for run in range(len(row)):
        least, squares = found[2, row[run]], 0.0
        least = least if np.isfinite(least) else 0.0
        for pixel in values[start[run] : stop[run]]:
            above = np.float64(pixel) - least
            squares += above * above
        found[1, row[run]] += squares


@njit(cache=True, nogil=True)
def add_scores(values: Column, start: Indices, stop: Indices, row: Indices, sums: Column) -> None:
    """Add each row's sum of scores."""
    for run in range(len(row)):
        total = 0.0
        for pixel in values[start[run] : stop[run]]:
            total += np.float64(pixel)
        sums[row[run]] += total


@njit(cache=True, nogil=True)
def add_whole_scores(values: Column, start: Indices, stop: Indices, row: Indices, sums: Column) -> None:
    """Add each row's sum of scores that are integers."""
    for run in range(len(row)):
        total = np.int64(0)
        for pixel in values[start[run] : stop[run]]:
            total += np.int64(pixel)
        sums[row[run]] += total
