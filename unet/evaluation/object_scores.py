"""Measures of objects: which ones have a segment, and how well the two agree."""

import math

import numpy as np
from numpy.typing import NDArray

from unet.evaluation.contingency import Contingency, ratio
from unet.evaluation.measure import of_table
from unet.images.array_types import Indices

OVERLAPS = np.array([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
"""IoUs that `mean_average_precision` is taken over."""
SIZE_RATIOS = 2.0 ** np.linspace(-1, 1, 21)
"""Edges of the histogram of size ratios: where the overlap is above one half all of them lie between 1/2 and 2."""


@of_table
def seg(table: Contingency) -> float:
    """Mean over the truth objects of the IoU with their segment, 0 to 1; an object without one counts 0.

    An object's segment covers more than half of it, so there is at most one; a segment may have several objects.
    Segments without object cost nothing. NaN where truth has no object. The challenge pools a sequence's planes.
    Source: Cell Tracking Challenge, Maška et al. 2014, Bioinformatics 30:1609.

    >>> seg(np.array([1, 1, 1, 1, 0, 2, 2]), np.array([5, 5, 5, 0, 0, 0, 2]))  # 3/4 and 0: half is not enough
    0.375
    """
    return ratio(table.iou[table.covered].sum(), table.objects.size)


@of_table
def det(table: Contingency) -> float:
    """Detection score, 0 to 1: 1 − (5·NS + 10·FN + FP)/(10·objects), and 0 where that is negative.

    Objects and segments match as in `seg`. FN: objects without segment; FP: segments without object; NS: splits needed,
    the objects of each segment beyond its first. NaN where truth has no object. The challenge pools the planes of a
    sequence, and its truth here are the markers of the tracks.
    Source: Cell Tracking Challenge, Matula et al. 2015, PLoS ONE 10:e0144959.

    >>> det(np.array([1, 1, 0, 2, 2]), np.array([7, 7, 7, 7, 7]))  # one split needed for two objects: 1 − 5/20
    0.75
    """
    objects, matches = table.objects.size, int(np.count_nonzero(table.covered))
    matched_segments = np.unique(table.column[table.covered]).size
    splits, missed, made_up = matches - matched_segments, objects - matches, table.segments.size - matched_segments
    return 1 - ratio(min(5 * splits + 10 * missed + made_up, 10 * objects), 10 * objects)


@of_table
def average_precision(table: Contingency, threshold: float = 0.5) -> float:
    """Fraction TP/(TP + FP + FN) of objects and segments, 0 to 1, that pair off with an IoU above `threshold`.

    Above, not at: half of an object is no match at 0.5. From 0.5 on nothing has two partners, so that no assignment is
    sought; lower thresholds are refused. NaN where neither has an object, 0 where only one has. In spite of its name it
    is no area under a curve. The competition takes the mean over thresholds 0.50, 0.55 … 0.95, then over images.
    Source: Data Science Bowl 2018, Caicedo et al. 2019, Nat Methods 16:1247.

    >>> truth, prediction = np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])
    >>> average_precision(truth, prediction), average_precision(truth, prediction, 0.75)
    (0.5, 0.0)
    """
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold must be an IoU of 0.5 ≤ threshold < 1, got {threshold}")
    return float(average_precisions(table, np.array([threshold]))[0])


@of_table
def mean_average_precision(table: Contingency) -> float:
    """Mean of `average_precision` over the overlaps 0.50, 0.55 … 0.95, 0 to 1: how many objects, and how exactly.

    NaN where neither has an object, 0 where only one has. The competition then takes the mean over images.
    Source: Data Science Bowl 2018, Caicedo et al. 2019, Nat Methods 16:1247.

    >>> truth, prediction = np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])  # an IoU of 3/4: above 5 of 10
    >>> mean_average_precision(truth, prediction)
    0.25
    """
    return float(average_precisions(table).mean())


def average_precisions(table: Contingency, overlaps: NDArray[np.float64] = OVERLAPS) -> NDArray[np.float64]:
    """`average_precision` at each of some overlaps (IoU); NaN where there is no object and no segment."""
    hits = np.searchsorted(np.sort(-table.iou), -overlaps)  # overlaps above each
    both = table.objects.size + table.segments.size
    precisions: NDArray[np.float64] = hits / (both - hits) if both else np.full(len(overlaps), math.nan)
    return precisions


@of_table
def panoptic_quality(table: Contingency) -> float:
    """Sum of the IoU of all pairs above 0.5, divided by the mean number of objects and segments, 0 to 1.

    This is Σ IoU/(TP + FP/2 + FN/2), of one class. NaN where neither has an object, 0 where only one has.
    Source: Kirillov et al. 2019, CVPR, arXiv 1801.00868.

    >>> panoptic_quality(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0]))  # 3/4 over (2 + 1)/2
    0.5
    """
    return ratio(2 * table.iou[table.iou > 0.5].sum(), table.objects.size + table.segments.size)


@of_table
def size_ratio(table: Contingency) -> float:
    """Pixels of the segments that match an object (IoU above 0.5) ÷ those of these objects; 1 is right.

    Above 1 segments are too large, as with a threshold that is too low. NaN where none matches.

    >>> size_ratio(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0]))
    0.75
    """
    segments, objects = matched_sizes(table)
    return ratio(segments.sum(), objects.sum())


def matched_sizes(table: Contingency) -> tuple[Indices, Indices]:
    """Pixels of each segment that matches an object (IoU above 0.5), and those of its object: their ratio tells bias.

    >>> from unet.evaluation.contingency import contingency
    >>> segments, objects = matched_sizes(contingency(np.array([1, 1, 1, 0, 2, 2]), np.array([5, 5, 0, 0, 6, 6])))
    >>> (segments / objects).round(2).tolist()
    [0.67, 1.0]
    """
    matched = table.iou > 0.5
    return table.segments[table.column[matched]], table.objects[table.row[matched]]


def size_ratio_counts(table: Contingency) -> Indices:
    """Histogram of the size of each segment that matches an object ÷ that object's, over `SIZE_RATIOS`.

    >>> from unet.evaluation.contingency import contingency
    >>> counts = size_ratio_counts(contingency(np.array([1, 1, 1, 0, 2, 2]), np.array([5, 5, 0, 0, 6, 6])))
    >>> counts.nonzero()[0].tolist()  # 2/3, and 1
    [4, 10]
    """
    segments, objects = matched_sizes(table)
    return np.histogram(segments / objects, SIZE_RATIOS)[0]
