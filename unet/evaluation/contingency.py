"""Truth and segments side by side: which object shares how many pixels with which segment, in one sparse table.

Every measure but those of topology is computed of this table, so that a plane's pixels are gone through once. Tables of
blocks in which an id means the same object add up to the table of the whole: memory is bounded by a block.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Indices, Mask

LabelsOrMask = NDArray[Any]
"""Labels of any integer type; a boolean mask is one object."""

FEW = 8
"""Possible values for each one that is there up to which a table of all of them is quicker than sorting."""
GATHERED = 64
"""Tables after which those that came so far are added up."""


def require_labels(truth: LabelsOrMask, prediction: LabelsOrMask, plane: bool = False) -> None:
    """ValueError unless both hold labels ≥ 0 of one shape; of one y x plane, if asked."""
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype.kind not in "biu":
            raise ValueError(f"{name} must hold integer labels, got {labels.dtype}; make labels of scores first")
        if labels.min(initial=0) < 0:
            raise ValueError(f"{name} must hold labels ≥ 0, got {labels.min()}; set what is no object to 0")
    if truth.shape != prediction.shape:
        raise ValueError(
            f"truth and prediction must have one shape, got {truth.shape}, {prediction.shape}; crop or pad one"
        )
    if plane and truth.ndim != 2:
        raise ValueError(f"truth must be one y x plane, got shape {truth.shape}; measure plane by plane")


def ratio(part: SupportsFloat, whole: SupportsFloat) -> float:
    """A part of a whole; NaN of nothing."""
    return float(part) / float(whole) if whole else math.nan


class Contingency(NamedTuple):
    """Contingency table of truth objects (rows) and segments (columns), sparse; background is in neither."""

    row: Indices
    """Object of each overlap, by its place in `object_ids`."""
    column: Indices
    """Segment of each overlap, by its place in `segment_ids`."""
    shared: Indices
    """Pixels of each overlap."""
    objects: Indices
    """Pixels of each truth object, those on predicted background among them."""
    segments: Indices
    """Pixels of each segment, those on truth background among them."""
    object_ids: LabelsOrMask
    """Ids of the truth objects, ascending."""
    segment_ids: LabelsOrMask
    """Ids of the segments, ascending."""
    pixels: int
    """Judged pixels, those of background among them."""

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each overlap's object and segment."""
        return self.shared / (self.objects[self.row] + self.segments[self.column] - self.shared)

    @property
    def covered(self) -> Mask:
        """Whether each overlap is more than half of its object."""
        return 2 * self.shared > self.objects[self.row]

    @property
    def enclosed(self) -> Mask:
        """Whether each overlap is more than half of its segment."""
        return 2 * self.shared > self.segments[self.column]

    def of(self, objects: Mask, segments: Mask) -> "Contingency":
        """The table of these objects and these segments alone, by their places; the others are background."""
        kept = objects[self.row] & segments[self.column]
        row, column = (np.cumsum(which)[at[kept]] - 1 for which, at in ((objects, self.row), (segments, self.column)))
        sizes, ids = (self.objects[objects], self.segments[segments]), (self.object_ids, self.segment_ids)
        return Contingency(row, column, self.shared[kept], *sizes, ids[0][objects], ids[1][segments], self.pixels)


def contingency(truth: LabelsOrMask, prediction: LabelsOrMask, judged: Mask | None = None) -> Contingency:
    """Contingency table of two arrays of labels of one shape, over the pixels that were judged; default: all.

    What is predicted where nobody judged changes nothing, and an object or a segment is what of it was judged: it ends
    there as it would at the edge of the image.

    >>> contingency(np.array([7, 7, 7, 0]), np.array([0, 4, 4, 4])).shared.tolist()
    [2]
    """
    pair = [labels.view(np.uint8) if labels.dtype == bool else labels for labels in (truth, prediction)]
    objects, segments = [labels.ravel() if judged is None else labels[judged] for labels in pair]
    starts = _run_starts(objects, segments)
    return _table(objects[starts], segments[starts], np.diff(starts, append=objects.size), objects.size)


def merge_tables(tables: Iterable[Contingency]) -> Contingency:
    """The table of a whole, of those of its blocks; an id must mean the same object in all of them.

    No more than some of the tables are held at once, where they are made one after the other.

    >>> one, other = (contingency(np.array(t), np.array(s)) for t, s in (([7, 7], [4, 0]), ([7, 0], [4, 4])))
    >>> merge_tables([one, other]).shared.tolist(), merge_tables([one, other]).segments.tolist()
    ([2], [3])
    """
    rest = iter(tables)
    whole = _merged(list(islice(rest, GATHERED)))
    while more := list(islice(rest, GATHERED)):
        whole = _merged([whole, *more])
    return whole


def _merged(tables: Sequence[Contingency]) -> Contingency:
    if len(tables) == 1:
        return tables[0]
    parts = [part for table in tables for part in _parts(table)]
    objects, segments, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _table(objects, segments, counts, sum(table.pixels for table in tables))


def pool_tables(tables: Sequence[Contingency]) -> Contingency:
    """The table of planes in which no object is another plane's, numbered anew: its figures are pooled, no means.

    >>> one = contingency(np.array([1, 1, 0]), np.array([1, 1, 1]))
    >>> pool_tables([one, one]).objects.tolist(), pool_tables([one, one]).pixels
    ([2, 2], 6)
    """
    starts = np.cumsum([(1, 1), *((table.objects.size, table.segments.size) for table in tables)], axis=0)
    return merge_tables(
        table._replace(
            object_ids=np.arange(table.objects.size) + start[0], segment_ids=np.arange(table.segments.size) + start[1]
        )
        for table, start in zip(tables, starts, strict=False)
    )


def _run_starts(objects: LabelsOrMask, segments: LabelsOrMask) -> Indices:
    """Where pixels begin that have the same two ids as the pixel before: there are far fewer of them than pixels."""
    differs = np.ones(objects.size, bool)
    np.not_equal(objects[1:], objects[:-1], out=differs[1:])
    differs[1:] |= segments[1:] != segments[:-1]
    return np.flatnonzero(differs)


def _table(objects: LabelsOrMask, segments: LabelsOrMask, counts: Indices, pixels: int) -> Contingency:
    """The table of so many pixels of each pair of ids; a pair may come several times, and 0 is background."""
    counts = np.concatenate([counts, np.zeros(1, np.intp)])
    object_ids, row = numbered(np.concatenate([objects, np.zeros(1, objects.dtype)]))
    segment_ids, column = numbered(np.concatenate([segments, np.zeros(1, segments.dtype)]))
    both = (row > 0) & (column > 0)
    pairs, at = numbered((row[both] - 1) * (segment_ids.size - 1) + column[both] - 1)
    sizes = (_summed(row, counts)[1:], _summed(column, counts)[1:])
    return Contingency(
        *np.divmod(pairs, max(segment_ids.size - 1, 1)),
        _summed(at, counts[both], pairs.size),
        *sizes,
        object_ids[1:],
        segment_ids[1:],
        pixels,
    )


def _parts(table: Contingency) -> Iterator[tuple[LabelsOrMask, LabelsOrMask, Indices]]:
    """Ids of object and segment and their pixels: of the overlaps, of what is left of the objects, of the segments."""
    yield table.object_ids[table.row], table.segment_ids[table.column], table.shared
    lone = table.objects - _summed(table.row, table.shared, table.objects.size)
    yield table.object_ids, np.zeros(lone.size, table.segment_ids.dtype), lone
    lone = table.segments - _summed(table.column, table.shared, table.segments.size)
    yield np.zeros(lone.size, table.object_ids.dtype), table.segment_ids, lone


def _summed(places: Indices, counts: Indices, size: int = 0) -> Indices:
    """Sum of the counts at each place."""
    return np.bincount(places, counts, size).astype(np.intp)  # floats are exact up to 2⁵³ pixels


def numbered(values: LabelsOrMask) -> tuple[LabelsOrMask, Indices]:
    """Distinct values, ascending, and the place among them of each value.

    >>> numbered(np.array([7, 0, 2**40, 7]))
    (array([            0,             7, 1099511627776]), array([1, 0, 2, 1]))
    """
    highest = int(values.max(initial=0))
    if highest > FEW * values.size:
        return np.unique(values, return_inverse=True)
    present = np.zeros(highest + 1, bool)
    present[values] = True
    places: Indices = np.cumsum(present)[values] - 1
    return np.flatnonzero(present).astype(values.dtype), places
