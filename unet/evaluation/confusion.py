"""Objects of several classes: which class was found for each true object, which were missed, which were made up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.evaluation.contingency import Contingency, ratio
from unet.images.array_types import Indices

MATCHED = 0.5
"""Overlap (IoU) above which an object and a segment match, whatever their classes; neither has another partner then."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of objects by their class, from 1, less 1."""

    matched: Indices
    """Objects that a segment matches: class of the object × class of the segment."""
    missed: Indices
    """Objects of each class that no segment matches."""
    invented: Indices
    """Segments of each class that match no object."""

    def __add__(self, other: "Confusion") -> "Confusion":
        """Counts of both."""
        return Confusion(self.matched + other.matched, self.missed + other.missed, self.invented + other.invented)

    @property
    def objects(self) -> Indices:
        """Objects of each class."""
        return np.asarray(self.matched.sum(axis=1) + self.missed)

    @property
    def segments(self) -> Indices:
        """Segments of each class."""
        return np.asarray(self.matched.sum(axis=0) + self.invented)

    @property
    def confused(self) -> float:
        """Share of the matched objects whose segment is of another class, 0 to 1; NaN where none is matched."""
        return ratio(self.matched.sum() - np.trace(self.matched), self.matched.sum())


def confusion(table: Contingency, true_class: NDArray[Any], found_class: NDArray[Any], count: int) -> Confusion:
    """The confusion of objects and segments that match by an overlap (IoU) above one half, whatever their classes.

    Args:
        table: objects and segments.
        true_class: class of each object, 1 to `count`, in the order of the table.
        found_class: class of each segment.
        count: number of classes.

    >>> from unet.evaluation.contingency import contingency
    >>> table = contingency(np.array([1, 1, 0, 2, 2, 3]), np.array([7, 7, 7, 0, 0, 9]))
    >>> all_of = confusion(table, np.array([1, 2, 2]), np.array([2, 2]), 2)
    >>> all_of.matched.tolist(), all_of.missed.tolist(), all_of.invented.tolist(), all_of.confused
    ([[0, 1], [0, 1]], [0, 1], [0, 0], 0.5)
    """
    objects, segments = (of.astype(np.intp) - 1 for of in (true_class, found_class))
    hits = table.iou > MATCHED
    matched = np.zeros((count, count), np.int64)
    np.add.at(matched, (objects[table.row[hits]], segments[table.column[hits]]), 1)
    missed = np.bincount(objects, minlength=count) - matched.sum(axis=1)
    return Confusion(matched, missed, np.bincount(segments, minlength=count) - matched.sum(axis=0))


def no_confusion(count: int) -> Confusion:
    """Counts of nothing, to add others to."""
    none = np.zeros(count, np.int64)
    return Confusion(np.zeros((count, count), np.int64), none, none)
