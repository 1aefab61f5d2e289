"""Scores of the ISBI 2012 challenge: pairs of truth foreground pixels, together or apart, and bits that labels share.

All read one table of objects and segments over the truth foreground, in which each pixel of predicted background is a
segment of its own. `unet.evaluation.metrics` offers them beside the other measures, and says where they are NaN.
"""

import math

import numpy as np
from skimage.segmentation import watershed

from unet.evaluation.contingency import Contingency, LabelsOrMask, contingency, dense, ratio, require_labels
from unet.images.array_types import Indices


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


def _foreground_table(truth: LabelsOrMask, prediction: LabelsOrMask) -> Contingency:
    """Table over the truth foreground alone; each pixel of predicted background is a segment of its own."""
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
