"""New ids once clumps are parted: an object's parts are known only when it was looked at, so all ids are given anew.

The law: objects that are no clumps, and the parts of those that are, get the ids 1, 2, … in the raster order of their
first pixels; parts of fewer than `min_size` pixels are dropped, as objects are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unet.images.array_types import Indices, Labels
from unet.labels.merging import Merged


@dataclass(frozen=True, eq=False)
class Clump:
    """An object of several parts."""

    id: int
    """Id of the object, before it was parted."""
    first: Indices
    """Of each part, the index of its first pixel in the raster of the whole array."""
    size: Indices
    """Pixels of each part."""


@dataclass(frozen=True, eq=False)
class FinalIds:
    """Final ids of the objects, and of the parts of clumps."""

    ids: Labels
    """Of each object 0 … n its final id; 0 for the background, and for clumps."""
    parts: Mapping[int, Labels]
    """Of each clump, the final ids of its parts 1 … k; 0 for those that were dropped."""
    count: int
    """Segments there are in the end."""


def renumber(merged: Merged, clumps: Sequence[Clump], min_size: int) -> FinalIds:
    """Final ids of the objects and of the parts of the clumps among them.

    >>> merged = Merged({}, 3, np.array([0, 7, 20]), np.zeros((3, 2, 0), int))
    >>> final = renumber(merged, [Clump(1, np.array([0, 9]), np.array([5, 4]))], min_size=1)
    >>> final.ids.tolist(), final.parts[1].tolist(), final.count
    ([0, 0, 2, 4], [1, 3], 4)
    """
    whole = np.ones(merged.count + 1, np.bool_)
    whole[[0, *(clump.id for clump in clumps)]] = False
    objects = np.flatnonzero(whole)
    first = np.concatenate([merged.first[objects - 1], *(clump.first for clump in clumps)])
    kept = np.concatenate([np.ones(objects.size, np.bool_), *(clump.size >= min_size for clump in clumps)])
    rows = np.flatnonzero(kept)
    final: Labels = np.zeros(first.size, np.int32 if rows.size < 2**31 else np.int64)
    final[rows[np.argsort(first[rows])]] = np.arange(1, rows.size + 1)
    ids = np.zeros(merged.count + 1, final.dtype)
    ids[objects] = final[: objects.size]
    ends = objects.size + np.cumsum([0, *(clump.first.size for clump in clumps)])
    spans = zip(clumps, ends, ends[1:], strict=False)
    parts = {clump.id: final[a:b] for clump, a, b in spans}
    return FinalIds(ids, parts, rows.size)


def numbered_on(ids: Labels, before: int) -> Labels:
    """Ids after those that other classes have already; 0 stays.

    >>> numbered_on(np.array([0, 1, 2], np.int32), 10)
    array([ 0, 11, 12], dtype=int32)
    """
    if before == 0:
        return ids
    kind = ids.dtype if ids.size == 0 or before + int(ids.max()) < 2**31 else np.dtype(np.int64)
    return np.where(ids > 0, ids.astype(kind) + kind.type(before), kind.type(0))
