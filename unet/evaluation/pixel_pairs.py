"""Scores of pairs of truth foreground pixels, together or apart, and of the bits that objects and segments share.

All read the table over the truth foreground alone, in which each pixel of predicted background is a segment of its own.
Their parts say what is wrong: the split score falls where objects are cut, the merge score where they leak together.
`unet.evaluation.metrics` offers them beside the other measures, and says where they are NaN.

Names are a trap: Fiji calls the merge score precision, scikit-image the split score.

Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142, with squares rather than n·(n − 1)/2.
"""

import math
from typing import NamedTuple

import numpy as np

from unet.evaluation.contingency import Contingency, ratio
from unet.evaluation.measure import of_table, of_thinned_table
from unet.images.array_types import Indices


@of_table
def rand_error(table: Contingency) -> float:
    """Adapted Rand error, 0 to 1: 1 − `rand_f`.

    The ISBI 2012 board took this of 4-connected components, pooled over the stack, at the best of 11 thresholds.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_error(truth, prediction), 6)
    0.2
    """
    return 1 - rand_f.of_table(table)


@of_table
def rand_f(table: Contingency) -> float:
    """Adapted Rand F, 0 to 1, over all pairs of truth foreground pixels, together or apart.

    F is the harmonic mean of the split score Σn²/Σt² and the merge score Σn²/Σs²; t, s and n are the pixels of an
    object, of a segment and of their overlap. Each pixel of predicted background is a segment of its own; truth
    background is dropped, whatever is predicted there. NaN where truth has no object.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_f(truth, prediction), 6)  # Σn² = Σs² = 1 + 1 + 1 + 9, Σt² = 9 + 9: F = 24/30
    0.8
    """
    shared, objects, segments = _squares(_foreground(table))
    return ratio(2 * shared, objects + segments)


@of_table
def rand_split(table: Contingency) -> float:
    """Split score of `rand_f`, 0 to 1: of pairs of pixels of one object, how many are in one segment; Σn²/Σt².

    >>> rand_split(np.array([1, 1, 1, 1]), np.array([7, 7, 9, 9])), rand_split(np.array([1, 2]), np.array([7, 7]))
    (0.5, 1.0)
    """
    shared, objects, _ = _squares(_foreground(table))
    return ratio(shared, objects)


@of_table
def rand_merge(table: Contingency) -> float:
    """Merge score of `rand_f`, 0 to 1: of pairs of pixels of one segment, how many are of one object; Σn²/Σs².

    >>> rand_merge(np.array([1, 1, 2, 2]), np.array([7, 7, 7, 7])), rand_merge(np.array([1, 1]), np.array([7, 8]))
    (0.5, 1.0)
    """
    shared, _, segments = _squares(_foreground(table))
    return ratio(shared, segments)


@of_table
def info_split(table: Contingency) -> float:
    """Bits that objects and segments share, as a part of the segments' own, 0 to 1; 1 where nothing is split.

    I/H(S), of the truth foreground: I is the mutual information of objects T and segments S, H their entropies. Each
    pixel of predicted background is a segment of its own. NaN where truth has no object.

    >>> info_split(np.array([1, 1, 2, 2]), np.array([1, 2, 3, 4]))  # I = H(T) = 1 bit, H(S) = 2 bits
    0.5
    """
    bits = _entropies(_foreground(table))
    return _kept(bits.whole - bits.objects, bits.segments) if table.objects.size else math.nan


@of_table
def info_merge(table: Contingency) -> float:
    """Bits that objects and segments share, as a part of the objects' own, 0 to 1; 1 where nothing is merged: I/H(T).

    >>> info_merge(np.array([1, 1, 2, 2]), np.array([1, 2, 3, 4]))
    1.0
    """
    bits = _entropies(_foreground(table))
    return _kept(bits.whole - bits.segments, bits.objects) if table.objects.size else math.nan


@of_thinned_table
def v_rand(table: Contingency) -> float:
    """Foreground-restricted Rand score V_rand of a y x plane, 0 to 1: `rand_f`, prediction thinned.

    Predicted background is flooded from the segments until a line of one pixel is left between them, so that wide
    borders cost nothing. A plane without segments becomes one segment. NaN where truth has no object.

    The ISBI 2012 board takes the mean over planes, then the best threshold. Rejected: thinning to a skeleton, which
    retracts from the plane's edge, so that cells leak together.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> v_rand(truth, prediction)  # thinned to 7 7 0 9 9 9: Σn² = Σs² = 4 + 1 + 9, Σt² = 9 + 9: 28/32
    0.875
    """
    return rand_f.of_table(_one_segment_at_least(table))


@of_thinned_table
def v_rand_split(table: Contingency) -> float:
    """Split score of `v_rand`, 0 to 1: `rand_split`, prediction thinned."""
    return rand_split.of_table(_one_segment_at_least(table))


@of_thinned_table
def v_rand_merge(table: Contingency) -> float:
    """Merge score of `v_rand`, 0 to 1: `rand_merge`, prediction thinned."""
    return rand_merge.of_table(_one_segment_at_least(table))


@of_thinned_table
def v_info(table: Contingency) -> float:
    """Information theoretic score V_info of a y x plane, 0 to 1: 2·I/(H(S) + H(T)), prediction thinned as in `v_rand`.

    I is the mutual information of objects T and segments S over the truth foreground, H their entropies; the base of
    the logarithm cancels. NaN where truth has no object, and where one object meets one segment (0/0; the official
    code gives 0 there, although they agree).

    >>> v_info(np.array([[1, 1, 2, 2]]), np.array([[1, 2, 3, 4]]))  # I = H(T) = 1 bit, H(S) = 2 bits
    0.6666666666666666
    """
    bits = _entropies(_foreground(_one_segment_at_least(table)))
    apart = bits.objects + bits.segments
    return ratio(2 * max(0.0, apart - bits.whole), apart)


@of_thinned_table
def v_info_split(table: Contingency) -> float:
    """Split score of `v_info`, 0 to 1: `info_split`, prediction thinned."""
    return info_split.of_table(_one_segment_at_least(table))


@of_thinned_table
def v_info_merge(table: Contingency) -> float:
    """Merge score of `v_info`, 0 to 1: `info_merge`, prediction thinned."""
    return info_merge.of_table(_one_segment_at_least(table))


class _Foreground(NamedTuple):
    """Pixels of the truth foreground: of overlaps, objects and segments, and of those that lie on no segment."""

    shared: Indices
    objects: Indices
    segments: Indices
    lone: int


class _Entropies(NamedTuple):
    """Entropies in nats: of objects, of segments, and of their overlaps."""

    objects: float
    segments: float
    whole: float


def _foreground(table: Contingency) -> _Foreground:
    segments = np.bincount(table.column, table.shared)
    return _Foreground(table.shared, table.objects, segments, int(table.objects.sum() - table.shared.sum()))


def _squares(of: _Foreground) -> tuple[float, float, float]:
    """Summed squares of overlaps, objects and segments."""
    shared, objects, segments = (float(np.square(pixels, dtype=float).sum()) for pixels in of[:3])
    return shared + of.lone, objects, segments + of.lone


def _entropies(of: _Foreground) -> _Entropies:
    return _Entropies(_entropy(of.objects), _entropy(of.segments, of.lone), _entropy(of.shared, of.lone))


def _kept(lost: float, of: float) -> float:
    """Share of some bits that is not lost; 1 where there are none."""
    return max(0.0, 1 - lost / of) if of else 1.0


def _entropy(pixels: Indices, lone: int = 0) -> float:
    """Entropy of a partition into parts of so many pixels and of one; summed exactly, so that order is no matter."""
    whole = pixels.sum() + lone
    fractions = pixels[pixels > 0] / whole
    return -math.fsum([*(fractions * np.log(fractions)), -lone / whole * math.log(whole)] if whole else ())


def _one_segment_at_least(table: Contingency) -> Contingency:
    """The table where a plane without any segment is one segment: there is no border then."""
    if table.segments.size:
        return table
    row = np.arange(table.objects.size)
    one, all_pixels = np.ones(1, table.segment_ids.dtype), np.array([table.pixels])
    return table._replace(
        row=row, column=np.zeros_like(row), shared=table.objects, segments=all_pixels, segment_ids=one
    )
