"""Components: connected pixels of one value, background among them, and which ids lie beside each.

Objects are connected across corners too (8 or 26 neighbours) and background across faces alone (4 or 6), so that a
closed outline, however thin, parts what is within from what is without. One pass over the pixels joins each to its
neighbours before it in the raster (union by least index, so that a root is its component's first pixel), a second
numbers them, a third looks across faces.

Rejected: `skimage.measure.label`, which has one connectivity for objects and background, and would label twice.
"""

import itertools
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]
Local = NDArray[np.int32]
Steps = NDArray[np.intp]


def components(volumes: Labels, dimensions: int) -> tuple[Local, Local]:
    """Component numbers 1 … n in raster order, one a pixel in a row, and the index of the first pixel of each.

    Args:
        volumes: n z y x labels of fewer than 2³¹ pixels, 0 = background; nothing is connected along n.
        dimensions: how many of the last axes connect; 2: each y x plane by itself.

    >>> local, first = components(np.array([[[[5, 0], [0, 5]]]]), dimensions=2)
    >>> local.tolist(), first.tolist()
    ([1, 2, 3, 1], [0, 1, 2])
    """
    return _numbered(_linked(np.ascontiguousarray(volumes), _steps(dimensions), dimensions))


def beside(volumes: Labels, local: Local, dimensions: int, count: int) -> tuple[Labels, Labels]:
    """Of each component, the least and the largest id that it shares a face with, background left out.

    Where there is none, the least is the largest number of the labels' type, and the other way round.

    >>> volumes = np.array([[[[5, 0, 7]]]])
    >>> low, high = beside(volumes, np.array([1, 2, 3], np.int32), dimensions=2, count=3)
    >>> low[1], high[1], low[0] > high[0]
    (np.int64(5), np.int64(7), np.True_)
    """
    limits = np.iinfo(volumes.dtype)
    low, high = np.full(count, limits.max, volumes.dtype), np.full(count, limits.min, volumes.dtype)
    _meet(np.ascontiguousarray(volumes), local, _steps(dimensions)[:dimensions], low, high)
    return low, high


def _steps(dimensions: int) -> Steps:
    """Steps (z, y, x) back to the neighbours before a pixel in the raster, as many across faces as axes connect first.

    The one along the outermost axis comes before the others.
    """
    steps = [step for step in itertools.product((0, 1), (-1, 0, 1), (-1, 0, 1)) if step > (0, 0, 0)]
    steps = [step for step in reversed(steps) if dimensions == 3 or not step[0]]
    return np.array(sorted(steps, key=lambda step: sum(map(abs, step))), np.intp)


@njit(cache=True, nogil=True)
def _linked(volumes: Labels, steps: Steps, faces: int) -> Local:
    """Of each pixel, a pixel before it of the same component; of a component's first pixel, itself."""
    parent = np.arange(volumes.size).astype(np.int32)
    here = -1
    for v, z, y, x in np.ndindex(volumes.shape):
        here += 1
        value = volumes[v, z, y, x]
        for k in range(len(steps) if value != 0 else faces):
            dz, dy, dx = steps[k]
            if z < dz or not 0 <= y - dy < volumes.shape[2] or not 0 <= x - dx < volumes.shape[3]:
                continue
            if volumes[v, z - dz, y - dy, x - dx] == value:
                _join(parent, here, here - (dz * volumes.shape[2] + dy) * volumes.shape[3] - dx)
                if k == 0 and value != 0:
                    break  # the other neighbours are neighbours of this one too
    return parent


@njit(cache=True, nogil=True)
def _join(parent: Local, one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@njit(cache=True, nogil=True)
def _root(parent: Local, at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@njit(cache=True, nogil=True)
def _numbered(parent: Local) -> tuple[Local, Local]:
    """Component numbers 1 … n in raster order, in place of the parents; and the first pixel of each."""
    starts = np.flatnonzero(parent == np.arange(parent.size)).astype(np.int32)
    count = 0
    for at in range(parent.size):
        if count < len(starts) and starts[count] == at:
            count += 1
            parent[at] = count
        else:
            parent[at] = parent[parent[at]]  # lies before, and so bears its number by now
    return parent, starts


@njit(cache=True, nogil=True)
def _meet(volumes: Labels, local: Local, steps: Steps, low: Labels, high: Labels) -> None:
    """Lower and raise the least and largest id beside each component, across the given steps."""
    here = -1
    for v, z, y, x in np.ndindex(volumes.shape):
        here += 1
        for k in range(len(steps)):
            dz, dy, dx = steps[k]
            if z < dz or y < dy or x < dx:
                continue
            there = here - (dz * volumes.shape[2] + dy) * volumes.shape[3] - dx
            one, other = volumes[v, z, y, x], volumes[v, z - dz, y - dy, x - dx]
            if one != other:
                _widen(low, high, local[here] - 1, other)
                _widen(low, high, local[there] - 1, one)


@njit(cache=True, nogil=True)
def _widen(low: Labels, high: Labels, at: int, value: Any) -> None:
    if value != 0:
        low[at], high[at] = min(low[at], value), max(high[at], value)
