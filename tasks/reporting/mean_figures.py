"""Figures of planes → what a report says of them together: means with intervals, of all objects and of each class."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.reporting.comparison import Scored
from unet.dataset.folder import Json
from unet.evaluation.confusion import no_confusion
from unet.evaluation.intervals import bootstrap_interval
from unet.evaluation.metrics import METRICS
from unet.evaluation.parts import PARTS
from unet.reports.class_figures import ClassFigures
from unet.settings.evaluate import Evaluate


def mean_figures(scored: Sequence[Scored], settings: Evaluate) -> dict[str, Json]:
    """Mean of each metric over planes, with a bootstrap interval over stacks, or over planes where there is one stack.

    Planes where a metric is undefined are left out. SEG is a mean over objects, as the challenge has it: planes count
    by their true objects.
    """
    draw, means = np.random.default_rng(0), dict[str, Json]()
    for name in metrics_of(scored):
        defined = [one for one in scored if math.isfinite(one.values[name])]
        values, shares = [one.values[name] for one in defined], [one.objects for one in defined]
        counted = shares if METRICS[name].by_objects else [1] * len(defined)
        stacks = [one.part.stack for one in defined]
        mean = bootstrap_interval(values, counted, stacks, settings.bootstrap_resamples, settings.confidence, draw)
        means[name] = mean._asdict()
    return means


def counts(scored: Sequence[Scored]) -> dict[str, int]:
    """Objects, segments, and what became of them, over planes."""
    errors = Counter[str]()
    for one in scored:
        errors.update(one.errors)
    return {"objects": sum(o.objects for o in scored), "segments": sum(o.segments for o in scored), **errors}


def class_figures(
    scored: Sequence[Scored], names: tuple[str, ...], settings: Evaluate, left_out: Sequence[str] = ()
) -> ClassFigures | None:
    """Figures of each class over planes whose truth names classes; None where there is none."""
    told = [one for one in scored if one.confusion is not None]
    if not told:
        return None
    metrics = {name: mean_figures([one.by_class[name] for one in told], settings) for name in names}
    counted = sum((one.confusion for one in told if one.confusion), no_confusion(len(names)))
    return ClassFigures(names, metrics, counted, tuple(left_out))


def stack_means(scored: Sequence[Scored]) -> dict[str, dict[str, Any]]:
    """Part, mean figures and number of true objects of each stack, by name."""
    by_stack = defaultdict[str, list[Scored]](list)
    for one in scored:
        by_stack[one.part.stack].append(one)
    return {name: _of_stack(of_it) for name, of_it in by_stack.items()}


def _of_stack(scored: Sequence[Scored]) -> dict[str, Any]:
    uses, names = [part for part in PARTS if any(s.part.use == part for s in scored)], metrics_of(scored)
    figures = {name: _mean_of(name, scored) for name in names}
    return {"part": " and ".join(uses), **figures, "objects": sum(s.objects for s in scored)}


def metrics_of(scored: Sequence[Scored]) -> list[str]:
    """Names of the metrics that planes were scored by, the most telling first."""
    return [name for name in METRICS if any(name in one.values for one in scored)]


def _mean_of(name: str, scored: Sequence[Scored]) -> float | None:
    """Mean of a metric over the planes that have it, by the weights of `mean_figures`; None where none has."""
    defined = [one for one in scored if math.isfinite(one.values[name])]
    shares = [one.objects if METRICS[name].by_objects else 1 for one in defined]
    total = sum(shares)
    return sum(one.values[name] * share for one, share in zip(defined, shares, strict=True)) / total if total else None
