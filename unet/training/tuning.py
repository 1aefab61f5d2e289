"""The settings of segment that serve scores with truth best: threshold, least size and declumping depth.

A search over some 60 settings, each time with the best of what came before:

    1. thresholds by 0.05 without declumping; by 0.1, and 0.05 around the best, with a usual depth
    2. depths of declumping, and whether declumping serves at all
    3. least sizes, up to that of all but 1 % of the true objects
    4. thresholds by 0.05, and by 0.01 around the best

What is a hair worse than the best, or no worse than chance has it (one standard error of the planes' differences), is
as good: of such settings the more robust one is taken. That is the depth nearest to a usual one, and declumping rather
than none where objects have ids, as those that touch are what goes wrong most (on held-out nuclei it halved the merged
ones, and AP rose, also where the few planes that chose could not tell); the largest least size up to half of that of
nearly all true objects, as specks may be elsewhere that the validation part does not show; and from the middle of the
plateau of thresholds the one whose segments are of the size of the objects. What is found is never worse than `UNTUNED`
on the same planes, but by a hair or by chance.

What is best is said by one metric: AP over IoU 0.5 to 0.95, the mean over planes. Where truth was drawn as a mask and
more than half of it is object, what is drawn are membranes: then it is V_rand, since ids are then only what the mask
connects, and a cell of two pixels counts for AP as much as a whole neurite.

Rejected: the product of all three (20 times the work; depth and size hardly move the best threshold once they are near
their own).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from unet.settings.segment import UNTUNED, DeclumpBy, Segment
from unet.training.scored_truth import METRICS, OF_PLANES, ScoredTruth, Served, fitting_metric, served

HAIR = 0.002
"""A difference in the metric that is none: less than what other images would change."""
COARSE, FINE, FINER = 0.1, 0.05, 0.01
"""Steps of thresholds."""
LOWEST, HIGHEST = 0.1, 0.95
DEPTHS: dict[DeclumpBy, tuple[float, ...]] = {
    "distance": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
    "scores": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    "both": (0.25, 0.35, 0.5, 0.6, 0.8, 1.0, 1.5),
}
"""Depths of declumping that are tried, by what falls; the one in the middle is a usual one."""
SPARED = 1.0
"""Percent of the true objects that a least size may drop."""


class Trial(NamedTuple):
    """Settings, and how well they serve."""

    threshold: float
    min_size: int
    declump_depth: float
    value: float
    """Mean of the metric over planes; NaN where it is defined on none."""
    size_ratio: float
    """Pixels of segments ÷ those of the true objects that they match; NaN where none does."""


@dataclass(frozen=True)
class Found:
    """What a search found."""

    metric: str
    best: Trial
    untuned: Trial
    """The settings of a model without any."""
    curve: list[Trial]
    """Thresholds in ascending order, the other settings as in `best`."""


def find_settings(blocks: Sequence[ScoredTruth], settings: Segment, metric: str | None = None) -> Found | None:
    """The settings that serve these planes best; None where they hold no object, or the metric says nothing of them.

    Args:
        blocks: planes with scores and truth.
        settings: of segment; what may be `auto` is looked for whatever it is there, all else holds.
        metric: name in `METRICS`; default: as the planes' truth asks for.
    """
    search = _Search(blocks, settings, metric or fitting_metric(blocks))
    if not search.spared:
        return None
    untuned = search.trial(UNTUNED["threshold"], int(UNTUNED["min_size"]), UNTUNED["declump_depth"])
    best, curve = search.run()
    best = untuned if math.isnan(best.value) or search.is_better(untuned, best) else best
    return None if math.isnan(best.value) else Found(search.metric, best, untuned, curve)


class _Search:
    """The settings tried so far, each once."""

    def __init__(self, blocks: Sequence[ScoredTruth], settings: Segment, metric: str) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
        automatic: Any = dict.fromkeys(UNTUNED, "auto")
        self.blocks, self.settings, self.metric = blocks, replace(settings, **automatic), metric
        self.depths = DEPTHS[settings.declump_by]
        self.usual_depth = self.depths[len(self.depths) // 2]
        self.tried: dict[tuple[float, int, float], Trial] = {}
        self.served: dict[tuple[float, int, float], Served] = {}

    def trial(self, threshold: float, min_size: int, declump_depth: float) -> Trial:
        key = (round(threshold, 2), min_size, declump_depth)
        if key not in self.tried:
            numbers = self.settings.numbers(dict(zip(UNTUNED, key, strict=True)))
            self.served[key] = found = served(self.blocks, numbers, self.metric)
            self.tried[key] = Trial(*key, found.mean, found.size_ratio)
        return self.tried[key]

    def run(self) -> tuple[Trial, list[Trial]]:
        """The settings that serve best, and the curve over the thresholds that they are on."""
        usual = max(size for size in self.sizes if size <= UNTUNED["min_size"])
        whole = best_of(self.trial(at, usual, 0.0) for at in self.thresholds(FINE))
        rough = best_of(self.trial(at, usual, self.usual_depth) for at in self.thresholds(COARSE))
        near = [at for at in self.thresholds(FINE) if abs(at - rough.threshold) <= FINE + FINER / 2]
        parted = self.best_depth(best_of(self.trial(at, usual, self.usual_depth) for at in near))
        parts = self.is_better(parted, whole) if self.metric in OF_PLANES else not self.is_better(whole, parted)
        found = self.best_size(parted if parts else whole)
        curve = self.curve(found)
        return middle_of_plateau(curve), curve

    def is_better(self, one: Trial, other: Trial) -> bool:
        """Whether a trial is better than another by more than a hair, and by more than chance."""
        gain, error = self.served[one[:3]].gain(self.served[other[:3]])
        return one.value > other.value + HAIR and gain > error

    def best_depth(self, like: Trial) -> Trial:
        """Of the depths that are as good as any the one nearest to a usual one."""
        tried = [self.trial(like.threshold, like.min_size, depth) for depth in self.depths]
        good = [trial for trial in tried if not self.is_better(best_of(tried), trial)]
        return min(good, key=lambda trial: abs(math.log(trial.declump_depth / self.usual_depth)))

    def best_size(self, like: Trial) -> Trial:
        """Of the sizes that are as good as any the largest up to half of `spared`, else the least."""
        tried = [self.trial(like.threshold, size, like.declump_depth) for size in self.sizes]
        good = _as_good_as_the_best(tried) or [like]
        return max((trial for trial in good if trial.min_size <= self.spared / 2), key=_min_size, default=good[0])

    def curve(self, like: Trial) -> list[Trial]:
        """Trials over all thresholds, in ascending order, finer around the best of them."""
        steps = [self.trial(at, like.min_size, like.declump_depth) for at in self.thresholds(FINE)]
        best, fine = best_of(steps).threshold, self.thresholds(FINER)
        near = [at for at in fine if abs(at - best) < FINE]
        steps += [self.trial(at, like.min_size, like.declump_depth) for at in near]
        return [trial for _, trial in sorted({trial.threshold: trial for trial in steps}.items())]

    def thresholds(self, step: float) -> list[float]:
        """Thresholds by so much, below the high threshold."""
        below = min(HIGHEST, (self.settings.high_threshold or 2) - FINER)
        count = int((below - LOWEST) / step + 1e-6) + 1
        return [round(LOWEST + step * n, 2) for n in range(count)] or [round(below, 2)]

    @cached_property
    def spared(self) -> float:
        """Pixels that all but a few of the true objects have; 0 without any."""
        sizes = np.concatenate(
            [np.empty(0), *(np.unique(block.truth[block.truth > 0], return_counts=True)[1] for block in self.blocks)]
        )
        return float(np.percentile(sizes, SPARED)) if sizes.size else 0.0

    @cached_property
    def sizes(self) -> list[int]:
        """Least sizes that are tried: 0, 4, 8, 16 … `spared`."""
        return [0, *(4 << n for n in range(20) if 4 << n <= self.spared)]


def middle_of_plateau(curve: Sequence[Trial]) -> Trial:
    """Of the thresholds around the best that are as good, the one whose segments are of the objects' size.

    Only the middle half of that plateau is looked at, as its edges are where other images fall off.

    >>> curve = [Trial(t, 0, 0, v, 1.5 - t) for t, v in ((0.3, 0.5), (0.4, 0.9), (0.5, 0.9), (0.6, 0.9), (0.7, 0.4))]
    >>> middle_of_plateau(curve).threshold
    0.5
    """
    at = curve.index(best_of(curve))
    low = high = at
    good = _as_good_as_the_best(curve)
    while low > 0 and curve[low - 1] in good:
        low -= 1
    while high + 1 < len(curve) and curve[high + 1] in good:
        high += 1
    middle = (curve[low].threshold + curve[high].threshold) / 2
    inner = (curve[high].threshold - curve[low].threshold) / 4 + 1e-9
    half = [trial for trial in curve[low : high + 1] if abs(trial.threshold - middle) <= inner]
    nearest = min(curve[low : high + 1], key=lambda trial: abs(trial.threshold - middle))
    return min(half, key=lambda trial: _off_size(trial, middle), default=nearest)


def _off_size(trial: Trial, middle: float) -> tuple[float, float]:
    """How far segments are from the objects' size, and the threshold from the middle."""
    off = abs(math.log(trial.size_ratio)) if trial.size_ratio > 0 else math.inf
    return round(off, 3), abs(trial.threshold - middle)


def best_of(trials: Iterable[Trial]) -> Trial:
    """The trial of the highest value; the first of several."""
    return max(trials, key=lambda trial: -math.inf if math.isnan(trial.value) else trial.value)


def _as_good_as_the_best(trials: Sequence[Trial]) -> list[Trial]:
    best = best_of(trials).value
    return [trial for trial in trials if trial.value >= best - HAIR]


def _min_size(trial: Trial) -> int:
    return trial.min_size
