"""How well a prediction agrees with truth: one number a measure, from two arrays of labels.

Labels are integers of any size, 0 = background; a boolean mask is one object. Truth comes first. Where a measure is 0/0
it is NaN: whoever averages leaves such planes out and says how many.

| measure             | perfect | symmetric | looks at                         | NaN where                           |
|---------------------|---------|-----------|----------------------------------|-------------------------------------|
| `pixel_error`       | 0       | yes       | foreground                       | there is no pixel                   |
| `iou`               | 1       | yes       | foreground                       | neither has foreground              |
| `dice`              | 1       | yes       | foreground                       | neither has foreground              |
| `rand_error`        | 0       | no        | pairs of truth foreground pixels | truth has no object                 |
| `v_rand`            | 1       | no        | the same, prediction thinned     | truth has no object                 |
| `v_info`            | 1       | no        | bits that one tells of the other | that, or one object, one segment    |
| `warping_error`     | 0       | no        | topology of the foreground       | there is no pixel                   |
| `seg`               | 1       | no        | overlap of each truth object     | truth has no object                 |
| `det`               | 1       | no        | objects found, merged, made up   | truth has no object                 |
| `average_precision` | 1       | yes       | objects found, made up           | neither has an object               |
| `panoptic_quality`  | 1       | yes       | objects found and their overlap  | neither has an object               |

`v_rand`, `v_info` and `warping_error` are of one y x plane. The others take any shape: a stack whose ids are unique
over its planes gives the value pooled over them, which is not the mean of the planes' values.

The measures of objects read one sparse table, `unet.evaluation.contingency`; `warping_error` has a module of its own.
"""

import math

import numpy as np
from skimage.segmentation import watershed

from unet.evaluation.contingency import Contingency, LabelsOrMask, contingency, dense, ratio, require_labels
from unet.evaluation.warping import warping_error
from unet.images.array_types import Indices

__all__ = [
    "average_precision",
    "det",
    "dice",
    "iou",
    "panoptic_quality",
    "pixel_error",
    "rand_error",
    "rand_f",
    "seg",
    "v_info",
    "v_rand",
    "warping_error",
]


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


def rand_error(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Adapted Rand error, 0 to 1: 1 − `rand_f`.

    The ISBI 2012 board took this of 4-connected components, pooled over the stack, at the best of 11 thresholds.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_error(truth, prediction), 6)
    0.2
    """
    return 1 - rand_f(truth, prediction)


def rand_f(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Adapted Rand F, 0 to 1, over all pairs of truth foreground pixels, together or apart.

    F is the harmonic mean of the split score Σn²/Σt² and the merge score Σn²/Σs²; t, s and n are the pixels of an
    object, of a segment and of their overlap. Each pixel of predicted background is a segment of its own; truth
    background is dropped, whatever is predicted there. NaN where truth has no object.

    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142, with squares rather than n·(n − 1)/2.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_f(truth, prediction), 6)  # Σn² = Σs² = 1 + 1 + 1 + 9, Σt² = 9 + 9: F = 24/30
    0.8
    """
    require_labels(truth, prediction)
    return _rand_f(_foreground_table(truth, prediction))


def v_rand(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Foreground-restricted Rand score V_rand of a y x plane, 0 to 1: the F of `rand_error`, prediction thinned.

    Predicted background is flooded from the segments until a line of one pixel is left between them, so that wide
    borders cost nothing. A plane without segments becomes one segment. NaN where truth has no object.

    The ISBI 2012 board takes the mean over planes, then the best threshold. Rejected: thinning to a skeleton, which
    retracts from the plane's edge, so that cells leak together.
    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> v_rand(truth, prediction)  # thinned to 7 7 0 9 9 9: Σn² = Σs² = 4 + 1 + 9, Σt² = 9 + 9: 28/32
    0.875
    """
    require_labels(truth, prediction, plane=True)
    return _rand_f(_foreground_table(truth, _thinned(prediction)))


def v_info(truth: LabelsOrMask, prediction: LabelsOrMask) -> float:
    """Information theoretic score V_info of a y x plane, 0 to 1: 2·I/(H(S) + H(T)), prediction thinned as in `v_rand`.

    I is the mutual information of objects T and segments S over the truth foreground, H their entropies; the base of
    the logarithm cancels. NaN where truth has no object, and where one object meets one segment (0/0; the official
    code gives 0 there, although they agree).
    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142.

    >>> v_info(np.array([[1, 1, 2, 2]]), np.array([[1, 2, 3, 4]]))  # I = H(T) = 1 bit, H(S) = 2 bits
    0.6666666666666666
    """
    require_labels(truth, prediction, plane=True)
    table = _foreground_table(truth, _thinned(prediction))
    apart = _entropy(table.segments) + _entropy(table.objects)
    return ratio(2 * max(0.0, apart - _entropy(table.shared)), apart)


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


def _foreground_table(truth: LabelsOrMask, prediction: LabelsOrMask) -> Contingency:
    """Table of the truth foreground alone, in which each pixel of predicted background is a segment of its own."""
    inside = truth > 0
    segments = dense(prediction[inside])
    border = segments == 0
    segments[border] = segments.size + np.arange(1, np.count_nonzero(border) + 1)
    return contingency(truth[inside], segments)


def _rand_f(table: Contingency) -> float:
    shared, objects, segments = (
        np.square(pixels, dtype=float).sum() for pixels in (table.shared, table.objects, table.segments)
    )
    return ratio(2 * shared, objects + segments)


def _entropy(pixels: Indices) -> float:
    """Entropy in nats of a partition into parts of so many pixels; summed exactly, so that their order is no matter."""
    fractions = pixels / pixels.sum()
    return -math.fsum(fractions * np.log(fractions))


def _thinned(prediction: LabelsOrMask) -> LabelsOrMask:
    """Segments grown over the background until lines of one pixel part them; one segment where there is none.

    Segments that touch already stay as they are, and where they do a line may end early.

    >>> _thinned(np.array([[3, 0, 0, 0, 4]]))
    array([[1, 1, 0, 2, 2]])
    """
    segments = dense(prediction).reshape(prediction.shape)
    if not segments.any():
        return np.ones_like(segments)
    thinned: LabelsOrMask = watershed(segments == 0, segments, connectivity=1, watershed_line=True)
    return thinned
