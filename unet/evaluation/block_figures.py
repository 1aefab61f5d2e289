"""Figures of a plane, or of a block of planes whose objects go on along z, in the memory that a window of one needs.

Windows come one after the other. Their tables add up to that of the block, whose figures are those of 3-D objects. What
is of y x planes alone is the mean over the block's planes that have a value; of a plane of several windows thinning and
warping end at the edges of each, so that at these a border may lie a pixel elsewhere.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from unet.evaluation.contingency import (
    Contingency,
    LabelsOrMask,
    contingency,
    merge_tables,
    ratio,
    require_labels,
)
from unet.evaluation.measure import thinned_table
from unet.evaluation.metrics import METRICS
from unet.images.array_types import Mask


class WindowPixels(NamedTuple):
    """Truth and segments of a window of a plane, background where nobody judged."""

    truth: LabelsOrMask
    segments: LabelsOrMask
    judged: Mask | None = None
    """Where truth says something; None: everywhere."""


Subject = Callable[[WindowPixels], WindowPixels]
"""Makes background of what is not looked at, as of all objects and segments of other classes."""


class BlockFigures(NamedTuple):
    """What was measured on a block."""

    table: Contingency
    """Of all objects and segments."""
    of_planes: list[dict[str, float]]
    """Figures of y x planes, of each subject."""


def block_figures(
    planes: Iterable[Iterable[WindowPixels]], names: Sequence[str], subjects: Sequence[Subject]
) -> BlockFigures:
    """The table of a block of planes, each given by its windows, and of each subject the metrics that it does not tell.

    Args:
        planes: windows of each plane, which must not overlap.
        names: metrics that are asked for.
        subjects: what is looked at, one after the other.
    """
    of_planes = [_PlaneFigures(names) for _ in subjects]

    def tables() -> Iterator[Contingency]:
        for windows in planes:
            for window in windows:
                require_labels(window.truth, window.segments)
                for subject, figures in zip(subjects, of_planes, strict=True):
                    if figures.values:
                        figures.add(subject(window))
                yield contingency(*window)
            for figures in of_planes:
                figures.end_plane()

    return BlockFigures(merge_tables(tables()), [figures.means() for figures in of_planes])


def figures_of(table: Contingency, of_planes: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Values of metrics, by name, of a block's table and what it does not tell.

    >>> import numpy as np
    >>> figures_of(contingency(np.array([1, 1, 0]), np.array([1, 0, 0])), {"v_rand": 0.9}, ["seg", "v_rand"])
    {'seg': 0.0, 'v_rand': 0.9}
    """
    return {name: of_planes[name] if name in of_planes else METRICS[name].of_table(table) for name in names}


class _PlaneFigures:
    """Metrics of y x planes, gathered window by window."""

    def __init__(self, names: Sequence[str]) -> None:
        self.of_thinned = [name for name in names if METRICS[name].reads == "thinned"]
        self.of_pixels = [name for name in names if METRICS[name].reads == "pixels"]
        self.values: dict[str, list[float]] = {name: [] for name in (*self.of_thinned, *self.of_pixels)}
        self.begin_plane()

    def begin_plane(self) -> None:
        self.tables, self.judged = list[Contingency](), list[int]()
        self.wrong: dict[str, list[float]] = {name: [] for name in self.of_pixels}

    def add(self, window: WindowPixels) -> None:
        truth, segments, judged = window
        if self.of_thinned:
            self.tables.append(thinned_table(truth, segments, judged))
        self.judged.append(truth.size if judged is None else int(judged.sum()))
        for name in self.of_pixels if self.judged[-1] else ():
            self.wrong[name].append(METRICS[name].value(truth, segments, judged=judged) * self.judged[-1])

    def end_plane(self) -> None:
        thinned = merge_tables(self.tables) if self.of_thinned else None
        if thinned is not None:
            for name in self.of_thinned:
                self.values[name].append(METRICS[name].of_table(thinned))
        for name in self.of_pixels:
            self.values[name].append(ratio(sum(self.wrong[name]), sum(self.judged)))
        self.begin_plane()

    def means(self) -> dict[str, float]:
        return {name: _mean(of_planes) for name, of_planes in self.values.items()}


def _mean(values: Sequence[float]) -> float:
    """Mean of those that are defined; NaN where none is."""
    defined = [value for value in values if math.isfinite(value)]
    return ratio(sum(defined), len(defined))
