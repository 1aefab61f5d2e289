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

from unet.images.array_types import Ids, Indices, Labels, Mask

Words = NDArray[np.uint64]


def run_starts(values: NDArray[Any]) -> Indices:
    """Index of the first pixel of each run, in raster order; no run is longer than its row, the last axis.

    >>> run_starts(np.array([[5, 5, 0], [0, 0, 7]])).tolist()
    [0, 2, 3, 5]
    """
    begins = np.ones(values.shape, np.bool_)
    np.not_equal(values[..., 1:], values[..., :-1], out=begins[..., 1:])
    return true_pixels(begins)


def true_pixels(mask: Mask) -> Indices:
    """Index of each pixel where a mask holds, in raster order; 64 at once, where `np.flatnonzero` looks at one.

    >>> true_pixels(np.array([[True, False], [True, True]])).tolist()
    [0, 2, 3]
    """
    return _set_bits(_words(mask.reshape(1, -1)), mask.size)


def mask_runs(mask: Mask) -> tuple[Indices, Indices]:
    """Index of each first pixel of the runs where a mask holds, and the one behind their last, in raster order.

    >>> start, stop = mask_runs(np.array([[True, True, False], [False, True, True]]))
    >>> start.tolist(), stop.tolist()
    ([0, 4], [2, 6])
    """
    width = mask.shape[-1]
    words = _words(mask.reshape(-1, width))
    one, last = np.uint64(1), np.uint64(63)
    before, behind = words << one, words >> one
    before[:, 1:] |= words[:, :-1] >> last
    behind[:, :-1] |= words[:, 1:] << last
    return _set_bits(words & ~before, width), _set_bits(words & ~behind, width) + 1


def _words(rows: Mask) -> Words:
    """64 pixels in each number, those of a row in numbers of its own."""
    bits = np.packbits(np.ascontiguousarray(rows), axis=-1, bitorder="little")
    return np.pad(bits, [(0, 0), (0, -bits.shape[1] % 8)]).view("<u8").astype(np.uint64, copy=False)


def _set_bits(words: Words, width: int) -> Indices:
    """Index of each pixel whose bit is set, in rows of this width."""
    places = np.empty(int(np.bitwise_count(words).sum()), np.int64)
    _find_bits(words, width, places)
    return places


# A de Bruijn sequence: shifted by 0 … 63 bits it begins with six bits that are others each time, and tell the shift.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_PLACE = np.zeros(64, np.int64)
_PLACE[np.left_shift(_SEQUENCE, np.arange(64, dtype=np.uint64)) >> np.uint64(58)] = np.arange(64)


@njit(cache=True, nogil=True)
def _find_bits(words: Words, width: int, places: Indices) -> None:
    found = 0
    for row in range(words.shape[0]):
        for word in range(words.shape[1]):
            rest = words[row, word]
            while rest != 0:
                lowest = rest & (~rest + np.uint64(1))
                places[found] = row * width + 64 * word + _PLACE[(lowest * _SEQUENCE) >> np.uint64(58)]
                found += 1
                rest ^= lowest


class IdRuns(NamedTuple):
    """The runs of an array of ids, the background left out."""

    start: Indices
    """Index of each run's first pixel."""
    stop: Indices
    """Index behind its last."""
    value: Indices
    """Its id."""


def id_runs(labels: Labels) -> IdRuns:
    """The runs of ids.

    >>> id_runs(np.array([[5, 5, 0], [0, 0, 7]]))
    IdRuns(start=array([0, 5]), stop=array([2, 6]), value=array([5, 7]))
    """
    start = run_starts(labels)
    value = labels.ravel()[start].astype(np.int64)
    drawn = true_pixels(value > 0)
    return IdRuns(start[drawn], np.append(start[1:], labels.size)[drawn], value[drawn])


def joined_runs(start: Indices, stop: Indices, number: Ids, table: NDArray[Any], width: int) -> IdRuns:
    """The runs of what `painted` gives, rows of `width` pixels, without looking at a pixel.

    >>> joined_runs(np.array([0, 1, 2, 3]), np.array([1, 2, 3, 6]), np.array([1, 2, 3, 1]), np.array([0, 5, 5, 0]), 3)
    IdRuns(start=array([0, 3]), stop=array([2, 6]), value=array([5, 5]))
    """
    return IdRuns(*_joined(start, stop, number, table, width))


@njit(cache=True, nogil=True)
def _joined(start: Indices, stop: Indices, number: Ids, table: NDArray[Any], width: int) -> Any:
    joined, count = np.empty((3, len(start)), np.int64), 0
    for run in range(len(start)):
        value = table[number[run]]
        if value == 0:
            continue
        goes_on = count > 0 and joined[1, count - 1] == start[run] and joined[2, count - 1] == value
        if goes_on and start[run] % width != 0:
            joined[1, count - 1] = stop[run]
        else:
            joined[0, count], joined[1, count], joined[2, count] = start[run], stop[run], value
            count += 1
    return joined[:, :count]


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


def painted(start: Indices, stop: Indices, number: Ids, table: NDArray[Any], size: int) -> NDArray[Any]:
    """Value of each of `size` pixels in raster order, looked up in `table` by the number of its run; 0 without a run.

    Numbers below 0 count from the end of the table.

    >>> painted(np.array([1, 3]), np.array([3, 4]), np.array([1, -1]), np.array([0, 7, 9]), size=5)
    array([0, 7, 7, 9, 0])
    """
    pixels = np.empty(size, table.dtype)
    _paint(start, stop, number, table, pixels, 0)
    return pixels


def painted_rows(  # noqa: PLR0913, PLR0917  # a table of runs, column by column
    rows: Indices, first: Indices, start: Indices, stop: Indices, number: Ids, table: NDArray[Any], width: int
) -> NDArray[Any]:
    """The same of some rows of `width` pixels; `first` is the index of each row's first run, and of none behind all."""
    pixels = np.empty((rows.size, width), table.dtype)
    for row, line in zip(rows.tolist(), pixels, strict=True):
        here = slice(first[row], first[row + 1])
        _paint(start[here], stop[here], number[here], table, line, row * width)
    return pixels


@njit(cache=True, nogil=True)
def _paint(start: Indices, stop: Indices, number: Ids, table: NDArray[Any], pixels: NDArray[Any], before: int) -> None:
    """Paint pixels, before which there are so many others."""
    done = 0
    for run in range(len(number)):
        pixels[done : start[run] - before] = 0
        done = stop[run] - before
        pixels[start[run] - before : done] = table[number[run]]
    pixels[done:] = 0
