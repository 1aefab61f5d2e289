"""Truth and prediction side by side: what must hold of the two, and the pixels that their labels share.

Ids are renamed densely before anything is computed, so that their size and order change nothing.
"""

import math
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Indices, Mask

LabelsOrMask = NDArray[Any]
"""Labels of any integer type; a boolean mask is one object."""

FEW = 8
"""Possible values for each pixel up to which a table of all of them is quicker than sorting the pixels."""


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
    """Object of each overlap."""
    column: Indices
    """Segment of each overlap."""
    shared: Indices
    """Pixels of each overlap."""
    objects: Indices
    """Pixels of each truth object, those on predicted background among them."""
    segments: Indices
    """Pixels of each segment, those on truth background among them."""

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each overlap's object and segment."""
        return self.shared / (self.objects[self.row] + self.segments[self.column] - self.shared)

    @property
    def covered(self) -> Mask:
        """Whether each overlap is more than half of its object."""
        return 2 * self.shared > self.objects[self.row]


def contingency(truth: LabelsOrMask, prediction: LabelsOrMask) -> Contingency:
    """Contingency table of two arrays of labels of one shape.

    >>> contingency(np.array([7, 7, 7, 0]), np.array([0, 4, 4, 4])).shared.tolist()
    [2]
    """
    rows, columns = dense(truth), dense(prediction)
    objects, segments = np.bincount(rows)[1:], np.bincount(columns)[1:]
    both = (rows > 0) & (columns > 0)
    pairs, shared = _counted((rows[both] - 1) * segments.size + columns[both] - 1, objects.size * segments.size)
    row, column = np.divmod(pairs, max(segments.size, 1))
    return Contingency(row, column, shared, objects, segments)


def dense(labels: LabelsOrMask) -> Indices:
    """Labels renamed 1, 2, … in the order of their ids, 0 kept; flat.

    >>> dense(np.array([[7, 0], [2**40, 7]]))
    array([1, 0, 2, 1])
    """
    flat = labels.ravel()
    highest = int(flat.max(initial=0))
    if highest > FEW * flat.size:
        with_background = np.concatenate([np.zeros(1, labels.dtype), flat])
        return np.unique(with_background, return_inverse=True)[1][1:]
    ids, present = flat.astype(np.intp), np.zeros(highest + 1, bool)
    present[ids[ids > 0]] = True
    renamed: Indices = np.cumsum(present)[ids]
    return renamed


def _counted(codes: Indices, count: int) -> tuple[Indices, Indices]:
    """Codes below `count` that occur, in order, and how often each does."""
    if count > FEW * codes.size:
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes, minlength=1)
    found = np.flatnonzero(counts)
    return found, counts[found]
