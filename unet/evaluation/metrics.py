"""How well a prediction agrees with truth: one number a measure, from two arrays of labels.

Labels are integers of any size, 0 = background; a boolean mask is one object. Truth comes first. Where a measure is 0/0
it is NaN: whoever averages leaves such planes out and says how many.

| measure             | perfect | symmetric | looks at                         | NaN where                           |
|---------------------|---------|-----------|----------------------------------|-------------------------------------|
| `pixel_error`       | 0       | yes       | foreground                       | there is no pixel                   |
| `iou`               | 1       | yes       | foreground                       | neither has foreground              |
| `dice`              | 1       | yes       | foreground                       | neither has foreground              |
| `rand_error`        | 0       | no        | pairs of truth foreground pixels | truth has no object                 |
| `rand_f`            | 1       | no        | the same, 1 − `rand_error`       | truth has no object                 |
| `v_rand`            | 1       | no        | the same, prediction thinned     | truth has no object                 |
| `v_info`            | 1       | no        | bits that one tells of the other | that, or one object, one segment    |
| `warping_error`     | 0       | no        | topology of the foreground       | there is no pixel                   |
| `seg`               | 1       | no        | overlap of each truth object     | truth has no object                 |
| `det`               | 1       | no        | objects found, merged, made up   | truth has no object                 |
| `average_precision` | 1       | yes       | objects found, made up           | neither has an object               |
| `mean_average_precision` | 1  | yes       | the same at ten overlaps         | neither has an object               |
| `panoptic_quality`  | 1       | yes       | objects found and their overlap  | neither has an object               |

`v_rand`, `v_info` and `warping_error` are of one y x plane. The others take any shape: a stack whose ids are unique
over its planes gives the value pooled over them, which is not the mean of the planes' values.

The measures of objects read one sparse table, `unet.evaluation.contingency`; `unet.evaluation.pixel_pairs` has those of
pairs of pixels, `unet.evaluation.warping` the one of topology.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from unet.evaluation.contingency import Contingency, LabelsOrMask, contingency, ratio, require_labels
from unet.evaluation.pixel_pairs import rand_error, rand_f, v_info, v_rand
from unet.evaluation.warping import warping_error

__all__ = [
    "average_precision",
    "det",
    "dice",
    "iou",
    "mean_average_precision",
    "panoptic_quality",
    "pixel_error",
    "rand_error",
    "rand_f",
    "seg",
    "v_info",
    "v_rand",
    "warping_error",
]

OVERLAPS = np.array([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
"""IoUs that `mean_average_precision` is taken over."""


def pixel_error(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Fraction of pixels, 0 to 1, that are foreground in one and background in the other.

    NaN without pixels. The "pixel error" of the ISBI 2012 board is another number: 1 − F1 of the foreground.

    >>> pixel_error(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))
    0.25
    """
    require_labels(truth, prediction)
    return ratio(np.count_nonzero((truth > 0) != (prediction > 0)), truth.size)


def iou(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Intersection over union of the two foregrounds, 0 to 1; ids are not looked at.

    NaN where neither has foreground. The "IOU" of Ronneberger et al. 2015 is `seg`, a measure of objects.

    >>> iou(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))  # 2 pixels of 3
    0.6666666666666666
    """
    require_labels(truth, prediction)
    true, predicted = truth > 0, prediction > 0
    return ratio(np.count_nonzero(true & predicted), np.count_nonzero(true | predicted))


def dice(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Twice the intersection over the summed sizes of the two foregrounds, 0 to 1: F1 of their pixels, 2·iou/(1 + iou).

    NaN where neither has foreground.
    Source: Dice 1945, Ecology 26:297; the Dice score of milesial/Pytorch-UNet adds 1e-6 above and below.

    >>> dice(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))  # 2·2 pixels of 3 + 2
    0.8
    """
    require_labels(truth, prediction)
    true, predicted = truth > 0, prediction > 0
    return ratio(2 * np.count_nonzero(true & predicted), np.count_nonzero(true) + np.count_nonzero(predicted))


def seg(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Mean over the truth objects of the IoU with their segment, 0 to 1; an object without one counts 0.

    An object's segment covers more than half of it, so there is at most one; a segment may have several objects.
    Segments without object cost nothing. NaN where truth has no object. The challenge pools a sequence's planes.
    Source: Cell Tracking Challenge, Maška et al. 2014, Bioinformatics 30:1609.

    >>> seg(np.array([1, 1, 1, 1, 0, 2, 2]), np.array([5, 5, 5, 0, 0, 0, 2]))  # 3/4 and 0: half is not enough
    0.375
    """
    require_labels(truth, prediction)
    table = contingency(truth, prediction)
    return ratio(table.iou[table.covered].sum(), table.objects.size)


def det(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Detection score, 0 to 1: 1 − (5·NS + 10·FN + FP)/(10·objects), and 0 where that is negative.

    Objects and segments match as in `seg`. FN: objects without segment; FP: segments without object; NS: splits needed,
    the objects of each segment beyond its first. NaN where truth has no object. The challenge pools the planes of a
    sequence, and its truth here are the markers of the tracks.
    Source: Cell Tracking Challenge, Matula et al. 2015, PLoS ONE 10:e0144959.

    >>> det(np.array([1, 1, 0, 2, 2]), np.array([7, 7, 7, 7, 7]))  # one split needed for two objects: 1 − 5/20
    0.75
    """
    require_labels(truth, prediction)
    table = contingency(truth, prediction)
    objects, matches = table.objects.size, int(np.count_nonzero(table.covered))
    matched_segments = np.unique(table.column[table.covered]).size
    splits, missed, made_up = matches - matched_segments, objects - matches, table.segments.size - matched_segments
    return 1 - ratio(min(5 * splits + 10 * missed + made_up, 10 * objects), 10 * objects)


def average_precision(truth: LabelsOrMask, prediction: LabelsOrMask, threshold: float = 0.5) -> float:
    """Fraction TP/(TP + FP + FN) of objects and segments, 0 to 1, that pair off with an IoU above `threshold`.

    Above, not at: half of an object is no match at 0.5. From 0.5 on nothing has two partners, so that no assignment is
    sought; lower thresholds are refused. NaN where neither has an object, 0 where only one has. In spite of its name it
    is no area under a curve. The competition takes the mean over thresholds 0.50, 0.55 … 0.95, then over images.
    Source: Data Science Bowl 2018, Caicedo et al. 2019, Nat Methods 16:1247.

    >>> truth, prediction = np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])
    >>> average_precision(truth, prediction), average_precision(truth, prediction, 0.75)
    (0.5, 0.0)
    """
    require_labels(truth, prediction)
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold must be an IoU of 0.5 ≤ threshold < 1, got {threshold}")
    table = contingency(truth, prediction)
    hits = np.count_nonzero(table.iou > threshold)
    return ratio(hits, table.objects.size + table.segments.size - hits)


def mean_average_precision(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Mean of `average_precision` over the overlaps 0.50, 0.55 … 0.95, 0 to 1: how many objects, and how exactly.

    NaN where neither has an object, 0 where only one has. The competition then takes the mean over images.
    Source: Data Science Bowl 2018, Caicedo et al. 2019, Nat Methods 16:1247.

    >>> truth, prediction = np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])  # an IoU of 3/4: above 5 of 10
    >>> mean_average_precision(truth, prediction)
    0.25
    """
    require_labels(truth, prediction)
    return ten_overlaps(contingency(truth, prediction))


def ten_overlaps(table: Contingency) -> float:
    """`mean_average_precision` of a table that is there already."""
    hits = np.count_nonzero(table.iou[:, None] > OVERLAPS, axis=0)
    both = table.objects.size + table.segments.size
    return float(np.mean(hits / (both - hits))) if both else math.nan


def panoptic_quality(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Sum of the IoU of all pairs above 0.5, divided by the mean number of objects and segments, 0 to 1.

    This is Σ IoU/(TP + FP/2 + FN/2), of one class. NaN where neither has an object, 0 where only one has.
    Source: Kirillov et al. 2019, CVPR, arXiv 1801.00868.

    >>> panoptic_quality(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0]))  # 3/4 over (2 + 1)/2
    0.5
    """
    require_labels(truth, prediction)
    table = contingency(truth, prediction)
    return ratio(2 * table.iou[table.iou > 0.5].sum(), table.objects.size + table.segments.size)


class Metric(NamedTuple):
    """A metric of the report: how it is measured, what it is called, and how it is read."""

    function: Callable[[LabelsOrMask, LabelsOrMask], float] | None
    """Of truth and prediction; None where a report is of a metric that is not known here."""
    label: str
    explanation: str
    """What it says in half a sentence."""
    better: Literal["higher", "lower", ""]
    undefined: str
    """When it has no value."""
    by_objects: bool = False
    """Whether its mean counts planes by their true objects; else all planes count alike."""


METRICS = {
    metric.function.__name__: metric
    for metric in (
        Metric(
            average_precision,
            "average precision",
            "objects found, as a share of those found, missed and made up; found means an overlap (IoU) above 0.5",
            "higher",
            "neither truth nor segments have an object",
        ),
        Metric(
            seg,
            "SEG",
            "overlap (IoU) of each true object with the segment that covers more than half of it, 0 where none does",
            "higher",
            "truth has no object",
            by_objects=True,
        ),
        Metric(
            rand_f,
            "Rand F",
            "whether pairs of object pixels are rightly together or apart, which splits and mergers spoil",
            "higher",
            "truth has no object",
        ),
        Metric(
            iou,
            "IoU",
            "overlap of object pixels with those of truth, whichever object they belong to",
            "higher",
            "neither truth nor segments have an object",
        ),
        Metric(
            pixel_error,
            "pixel error",
            "pixels that are object in one and background in the other, as a share of all",
            "lower",
            "there is no pixel to compare",
        ),
    )
    if metric.function
}
"""Every metric of a report by the name of its function, the most telling first: the order of figures and columns.

A new one is a function here, a line in `__all__` and an entry in this list; raise `Evaluate.VERSION` with it."""
