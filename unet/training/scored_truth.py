"""Scores beside truth: how well the objects that some settings of segment make of them agree with it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from unet.evaluation import metrics
from unet.evaluation.contingency import Contingency, contingency, ratio
from unet.images.array_types import Labels, Mask
from unet.labels.segmentation import segments_of_scores
from unet.settings.segment import SegmentNumbers, TuningMetric

METRICS: dict[str, Callable[[Any, Any], float]] = {name: getattr(metrics, name) for name in get_args(TuningMetric)}
"""What may say which settings are best, by name."""
OF_PLANES = ("v_rand", "v_info")
"""Metrics of y x planes alone."""


@dataclass(frozen=True, eq=False)
class ScoredTruth:
    """A plane, or a block of planes that are linked, with its scores and its truth."""

    scores: NDArray[Any]
    """Of being an object, as they are stored; y x or z y x."""
    truth: Labels
    """Ids of objects as people drew them; what nobody judged is 0."""
    judged: Mask | None = None
    """Where truth says something; None: everywhere."""
    spacing: tuple[float, ...] | None = None
    """Steps along the axes where objects go on along z."""
    is_mask: bool = False
    """Whether truth was drawn as a mask, so that ids are what it connects."""


def fitting_metric(blocks: Sequence[ScoredTruth]) -> str:
    """Name of the metric for such truth: `v_rand` for masks of membranes, else `mean_average_precision`.

    >>> cells = np.array([[1, 1, 0, 2, 2]])
    >>> [fitting_metric([ScoredTruth(cells, cells, is_mask=drawn)]) for drawn in (True, False)]
    ['v_rand', 'mean_average_precision']
    """
    judged = sum(block.truth.size if block.judged is None else np.count_nonzero(block.judged) for block in blocks)
    objects = sum(np.count_nonzero(block.truth) for block in blocks)
    masks = sum(block.is_mask for block in blocks)
    return "v_rand" if 2 * objects > judged and 2 * masks > len(blocks) else "mean_average_precision"


def values_of(blocks: Iterable[ScoredTruth], settings: SegmentNumbers, metric: str) -> tuple[float, float]:
    """Mean of a metric over planes, and segments' pixels ÷ matched objects', for one setting."""
    values, weights, ours, theirs = list[float](), list[float](), 0, 0
    for block in blocks:
        segments = segments_of_scores(block.scores, settings, block.spacing)
        segments = segments if block.judged is None else segments * block.judged
        table = contingency(block.truth, segments)
        value = metrics.ten_overlaps(table) if metric == "mean_average_precision" else _value(block, segments, metric)
        if math.isfinite(value):
            values.append(value)
            weights.append(table.objects.size if metric == "seg" else 1)
        matched = _matched_pixels(table)
        ours, theirs = ours + matched[0], theirs + matched[1]
    return ratio(np.dot(values, weights), sum(weights)), ratio(ours, theirs)


def _value(block: ScoredTruth, segments: Labels, metric: str) -> float:
    measure = METRICS[metric]
    if metric not in OF_PLANES or block.truth.ndim == 2:
        return measure(block.truth, segments)
    found = [measure(truth, plane) for truth, plane in zip(block.truth, segments, strict=True)]
    defined = [value for value in found if math.isfinite(value)]
    return ratio(sum(defined), len(defined))


def _matched_pixels(table: Contingency) -> tuple[int, int]:
    """Pixels of the segments that match an object, and of those objects."""
    pairs = table.iou > 0.5
    return int(table.segments[table.column[pairs]].sum()), int(table.objects[table.row[pairs]].sum())
