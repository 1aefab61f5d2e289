"""The boards of the ISBI 2012 challenge: figures of scores, each at the best of eleven thresholds, over all sections.

| figure          | of                                                | over sections      | best |
|-----------------|---------------------------------------------------|--------------------|------|
| `v_rand`        | segments, thinned                                 | mean               | most |
| `v_info`        | segments, thinned                                 | mean               | most |
| `rand_error`    | segments as they are, the board's of 2012         | pairs summed up    | least|
| `pixel_error`   | 1 − F1 of pixels of cells, the board's            | pixels summed up   | least|
| `warping_error` | pixels that split or merge cells, the board's     | pixels summed up   | least|

Scores are the probability of cell, 0 to 1: white is cell, black membrane. A section's counts add up with those of
others, so that blocks which several trainings predicted make one board: one threshold for all, as the challenge took.

Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142; thresholds and classes of errors as in Fiji's
Trainable Segmentation.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from unet.evaluation.contingency import contingency, ratio
from unet.evaluation.metrics import v_info, v_rand, warping_error
from unet.images.array_types import Labels, Mask

THRESHOLDS = tuple(accumulate([0.0] + [0.1] * 10))
"""Added up in double precision, as the challenge's program does: the last is 0.9999999999999999."""

Counts = Mapping[str, list[float]]
"""What was counted, by name: a number for each threshold."""


class BoardFigure(NamedTuple):
    """A figure at the threshold that serves it best."""

    value: float
    threshold: float


def board_counts(cells: Mask, scores: NDArray[Any]) -> Counts:
    """What one section adds to the boards, at each threshold.

    Args:
        cells: y x, whether truth is cell; membrane elsewhere.
        scores: y x, probability of cell.

    >>> cells = np.array([[1, 1, 0, 1, 1]], bool)
    >>> board_counts(cells, np.array([[0.9, 0.9, 0.35, 0.9, 0.9]]))["hits"][3:5]
    [4.0, 4.0]
    """
    truth, _ = ndimage.label(cells)  # 4-connected
    rows = [_at(cells, truth, scores, threshold) for threshold in THRESHOLDS]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _at(cells: Mask, truth: Labels, scores: NDArray[Any], threshold: float) -> dict[str, float]:
    white = scores > threshold
    segments, _ = ndimage.label(white)
    of_cells, of_bits = v_rand(truth, segments), v_info(truth, segments)
    together = _squares(truth, segments)
    topology = warping_error(truth, scores, threshold, "splits and mergers") if threshold < THRESHOLDS[-1] else math.nan
    return {
        "v_rand": 0.0 if math.isnan(of_cells) else of_cells,
        "v_rand_sections": float(not math.isnan(of_cells)),
        "v_info": 0.0 if math.isnan(of_bits) else of_bits,
        "v_info_sections": float(not math.isnan(of_bits)),
        "shared": together[0],
        "objects": together[1],
        "segments": together[2],
        "hits": float(np.count_nonzero(white & cells)),
        "white": float(np.count_nonzero(white)),
        "cells": float(np.count_nonzero(cells)),
        "topology": topology * cells.size,
        "pixels": float(cells.size),
    }


def _squares(truth: Labels, segments: Labels) -> tuple[float, float, float]:
    """Summed squares of the pixels of overlaps, objects and segments, over truth foreground; border pixels count 1."""
    inside = truth > 0
    found = segments[inside]
    table, alone = contingency(truth[inside], found), np.count_nonzero(found == 0)
    shared, objects, segmented = (
        float(np.square(pixels, dtype=float).sum()) for pixels in (table.shared, table.objects, table.segments)
    )
    return shared + alone, objects, segmented + alone


def summed(counts: Iterable[Counts]) -> Counts:
    """Counts of several sections, or of blocks of them, added up.

    >>> summed([{"hits": [1, 2]}, {"hits": [3, 4]}])
    {'hits': [4, 6]}
    """
    listed = list(counts)
    return {name: [sum(numbers) for numbers in zip(*(of[name] for of in listed), strict=True)] for name in listed[0]}


def board_figures(counts: Counts) -> dict[str, BoardFigure]:
    """The boards' figures, by name; NaN where nothing was to be judged."""
    at = [{name: numbers[place] for name, numbers in counts.items()} for place in range(len(THRESHOLDS))]
    return {
        "v_rand": _best(max, [ratio(of["v_rand"], of["v_rand_sections"]) for of in at]),
        "v_info": _best(max, [ratio(of["v_info"], of["v_info_sections"]) for of in at]),
        "rand_error": _best(min, [1 - ratio(2 * of["shared"], of["objects"] + of["segments"]) for of in at]),
        "pixel_error": _best(min, [1 - ratio(2 * of["hits"], of["white"] + of["cells"]) for of in at]),
        "warping_error": _best(min, [ratio(of["topology"], of["pixels"]) for of in at]),
    }


def _best(choose: Any, values: list[float]) -> BoardFigure:
    """The best of values, the first of equals; those that are not defined are left out."""
    known = [BoardFigure(value, at) for value, at in zip(values, THRESHOLDS, strict=True) if not math.isnan(value)]
    return choose(known, key=lambda figure: figure.value) if known else BoardFigure(math.nan, math.nan)
