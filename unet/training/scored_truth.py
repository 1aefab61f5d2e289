"""Scores beside truth: how well the objects that some settings of segment make of them agree with it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from unet.evaluation import metrics
from unet.evaluation.contingency import Contingency, contingency, ratio
from unet.evaluation.measure import Measure
from unet.evaluation.object_scores import matched_sizes
from unet.images.array_types import Labels, Mask
from unet.labels.segmentation import segments_of_scores
from unet.settings.segment import SegmentNumbers, TuningMetric

METRICS: dict[str, Measure] = {name: getattr(metrics, name) for name in get_args(TuningMetric)}
"""What may say which settings are best, by name."""
OF_PLANES = tuple(name for name, measure in METRICS.items() if measure.reads == "thinned")
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


class Served(NamedTuple):
    """How well one setting serves some planes."""

    values: NDArray[np.float64]
    """The metric of each plane; NaN where it is not defined."""
    weights: NDArray[np.float64]
    """What each plane counts in the mean: SEG is one over objects."""
    size_ratio: float
    """Pixels of segments ÷ those of the true objects that they match; NaN where none does."""

    @property
    def mean(self) -> float:
        """Mean of the metric over the planes that have it; NaN where none has."""
        defined = np.isfinite(self.values)
        return ratio(np.dot(self.values[defined], self.weights[defined]), self.weights[defined].sum())

    def gain(self, other: "Served") -> tuple[float, float]:
        """How much better than the other it is, plane by plane, in the mean; and that mean's standard error.

        >>> one, other = (Served(np.array(v), np.ones(3), 1.0) for v in ([0.5, 0.7, 0.9], [0.5, 0.5, 0.5]))
        >>> [round(float(part), 4) for part in one.gain(other)]
        [0.2, 0.1155]
        """
        gains = self.values - other.values
        gains = gains[np.isfinite(gains)]
        return (gains.mean(), gains.std(ddof=1) / math.sqrt(gains.size)) if gains.size > 1 else (gains.sum(), 0.0)


def served(blocks: Iterable[ScoredTruth], settings: SegmentNumbers, metric: str) -> Served:
    """How well one setting serves some planes by a metric."""
    values, weights, ours, theirs = list[float](), list[float](), 0, 0
    for block in blocks:
        segments = segments_of_scores(block.scores, settings, block.spacing)
        table = contingency(block.truth, segments, block.judged)
        values.append(_value(block, segments, table, metric))
        weights.append(table.objects.size if metric == "seg" else 1)
        matched = matched_sizes(table)
        ours, theirs = ours + int(matched[0].sum()), theirs + int(matched[1].sum())
    return Served(np.array(values, float), np.array(weights, float), ratio(ours, theirs))


def _value(block: ScoredTruth, segments: Labels, table: Contingency, metric: str) -> float:
    measure = METRICS[metric]
    if measure.reads == "table":
        return measure.of_table(table)
    if block.truth.ndim == 2:
        return measure(block.truth, segments, judged=block.judged)
    judged = [None] * len(segments) if block.judged is None else block.judged
    found = [measure(*plane, judged=here) for *plane, here in zip(block.truth, segments, judged, strict=True)]
    defined = [value for value in found if math.isfinite(value)]
    return ratio(sum(defined), len(defined))
