"""Clumps: an object that is several, parted where it is narrow between two centres.

A centre is where the distance to the background is largest; two stay apart if on every way from one to the other that
distance falls by at least `declump_depth` below the lower of them (its *dynamics*, the h-maxima of that h). From the
centres the object is flooded, the deepest pixels first (a seeded watershed on the distance).

Ties: of equal distances along a summit the centre is the first pixel in raster order; centres are numbered in raster
order; and pixels of one level go to whichever centre reaches them first, those reached at once to the one that was
there before, as `skimage.segmentation.watershed` has it.

An object is parted by itself, from its own pixels and whether the array goes on around them; so the result does not
depend on the blocks it was read in.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from unet.images.array_types import Ids, Indices, Mask
from unet.labels.components import root
from unet.labels.seams import Connectivity


def part_clump(
    mask: Mask, declump_depth: float, connectivity: Connectivity = "faces", spacing: Sequence[float] | None = None
) -> Ids:
    """Parts 1 … n of one object, 0 = background; n = 1 where it is no clump.

    Args:
        mask: the object's pixels, y x or z y x. Beyond its edges nothing is known: background that is there must be in.
        declump_depth: how far the distance must fall between two centres, in units of `spacing`; > 0.
        connectivity: how the object is connected.
        spacing: steps along each axis; default 1.

    >>> clump = np.zeros((5, 11), bool)
    >>> clump[1:4, 1:4] = clump[2, 4:7] = clump[1:4, 7:10] = True
    >>> print(part_clump(clump, declump_depth=1))
    [[0 0 0 0 0 0 0 0 0 0 0]
     [0 1 1 1 0 0 0 2 2 2 0]
     [0 1 1 1 1 1 2 2 2 2 0]
     [0 1 1 1 0 0 0 2 2 2 0]
     [0 0 0 0 0 0 0 0 0 0 0]]
    """
    from skimage.segmentation import watershed

    if declump_depth <= 0:
        raise ValueError(f"declump_depth must be > 0, got {declump_depth}; leave the object whole instead")
    if mask.all():
        return mask.astype(np.int32)
    distance = ndimage.distance_transform_edt(mask, spacing)
    if distance.max() <= declump_depth:  # it cannot fall by so much and stay above the background's 0
        return mask.astype(np.int32)
    seeds = centres(distance, declump_depth, connectivity)
    if seeds.size < 2:
        return mask.astype(np.int32)
    markers = np.zeros(mask.shape, np.int32)
    markers.ravel()[seeds] = np.arange(1, seeds.size + 1)
    reach = 1 if connectivity == "faces" else mask.ndim
    parts: Ids = watershed(-distance, markers, connectivity=reach, mask=mask)
    return parts


def centres(distance: NDArray[np.float64], declump_depth: float, connectivity: Connectivity) -> Indices:
    """Raster indices of the centres of the object whose pixels have a `distance` above 0.

    >>> centres(np.array([[0, 2, 1, 2, 1.5, 2, 0]]), 1, "faces")
    array([1, 3])
    """
    flat = distance.ravel()
    inside = np.flatnonzero(flat)
    order = inside[np.argsort(-flat[inside], kind="stable")]
    depth, height, width = (1, 1, *distance.shape)[-3:]
    return np.flatnonzero(_summits(flat, order, (depth, height, width), declump_depth, connectivity == "full"))


@njit(cache=True, nogil=True)
def _summits(
    distance: NDArray[np.float64], order: Indices, shape: tuple[int, int, int], declump_depth: float, full: bool
) -> Mask:
    """Which pixels are centres: the water falls, lakes meet, and the lower of two summits counts if it is high enough.

    A lake is a tree whose root is its summit, the pixel that came first.
    """
    parent = np.full(distance.size, -1, np.int64)
    found = np.zeros(distance.size, np.bool_)
    for at in order:
        parent[at] = at
        found[at] = True
        for beside in _around(at, shape, full):
            if parent[beside] >= 0:
                _join_lakes(parent, found, distance, (at, beside), declump_depth)
    return found


@njit(cache=True, nogil=True)
def _join_lakes(
    parent: Indices, found: Mask, distance: NDArray[np.float64], pair: tuple[int, int], declump_depth: float
) -> None:
    """Make one lake of those of two pixels; the lower summit is a centre if it stands high enough above this pass.

    high          ▲  the root, stays a centre
    low     ▲     │  stays one too if distance[low] − distance[pair[0]] ≥ declump_depth
    pair[0] └─────┘  here the two meet
    """
    one, other = root(parent, pair[0]), root(parent, pair[1])
    if one == other:
        return
    ahead = distance[one] > distance[other] or (distance[one] == distance[other] and one < other)
    high, low = (one, other) if ahead else (other, one)
    parent[low] = high
    found[low] = distance[low] - distance[pair[0]] >= declump_depth


@njit(cache=True, nogil=True)
def _around(at: int, shape: tuple[int, int, int], full: bool) -> list[Any]:
    """Raster indices of the pixels that touch one."""
    z, y, x = at // (shape[1] * shape[2]), at // shape[2] % shape[1], at % shape[2]
    found = [at for _ in range(0)]
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                steps = abs(dz) + abs(dy) + abs(dx)
                inside = 0 <= z + dz < shape[0] and 0 <= y + dy < shape[1] and 0 <= x + dx < shape[2]
                if inside and steps > 0 and (full or steps == 1):
                    found.append(at + (dz * shape[1] + dy) * shape[2] + dx)
    return found
