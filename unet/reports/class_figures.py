"""What a report says of several classes of objects: figures of each, their mean, counts, and which was taken for which.

A class is measured on its own objects and segments alone. Means over classes count each of them alike, however rare;
one that neither truth nor segments have is left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from unet.dataset.folder import Json
from unet.evaluation.confusion import Confusion
from unet.evaluation.metrics import METRICS
from unet.settings.classes import class_colour

Figures = Mapping[str, Mapping[str, Any]]
"""Of each metric by name its value, low, high and n."""


class ClassRow(NamedTuple):
    """A row of a table by class."""

    name: str
    colour: str
    """As web pages write it; empty of what is no class."""
    cells: list[str]


@dataclass(frozen=True, eq=False)
class ClassFigures:
    """The figures of each class, in the order of their numbers."""

    names: tuple[str, ...]
    metrics: Mapping[str, Figures]
    """Of each class by name."""
    confusion: Confusion
    left_out: tuple[str, ...] = ()
    """Classes of which nothing is segmented, as `segment.classes` has it: they count in no mean."""

    @property
    def mean(self) -> dict[str, Json]:
        """Mean of each metric over the classes that have a value, and their number."""
        return {metric: self._mean_of(metric) for metric in self.measured}

    @property
    def measured(self) -> list[str]:
        """The metrics that there are, in the order of a report."""
        return [metric for metric in METRICS if all(metric in figures for figures in self.metrics.values())]

    def _mean_of(self, metric: str) -> Json:
        there = [name for name, of in self.counts.items() if any(of.values()) and name not in self.left_out]
        values = [self.metrics[name][metric]["value"] for name in there]
        known = [value for value in values if value is not None]
        return {"value": sum(known) / len(known) if known else None, "n": len(known)}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """True objects and segments of each class, counted plane by plane."""
        both = zip(self.names, self.confusion.objects.tolist(), self.confusion.segments.tolist(), strict=True)
        return {name: {"objects": objects, "segments": segments} for name, objects, segments in both}

    def plain(self) -> Json:
        """As `metrics.json` holds them."""
        table, named = self.confusion, self.names
        rows = zip(named, table.matched.tolist(), strict=True)
        return {
            "classes": {name: dict(figures) for name, figures in self.metrics.items()},
            "mean_over_classes": self.mean,
            "class_counts": self.counts,
            "confusion": {
                "matched": {name: dict(zip(named, row, strict=True)) for name, row in rows},
                "missed": dict(zip(named, table.missed.tolist(), strict=True)),
                "invented": dict(zip(named, table.invented.tolist(), strict=True)),
                "confused": None if math.isnan(table.confused) else table.confused,
            },
        }

    def metric_rows(self) -> tuple[list[str], list[ClassRow]]:
        """Head and rows of the table of metrics: a row a class, and their mean."""
        head = ["class", "true objects", "segments", *(METRICS[metric].label for metric in self.measured)]
        counts = {name: [*map(_count, both.values())] for name, both in self.counts.items()}
        rows = [
            ClassRow(self._said(name), class_colour(number), [*counts[name], *self._values(self.metrics[name], name)])
            for number, name in enumerate(self.names, 1)
        ]
        both = [int(each.sum()) for each in (self.confusion.objects, self.confusion.segments)]
        return head, [*rows, ClassRow("mean over classes", "", [*map(_count, both), *self._values(self.mean)])]

    def _said(self, name: str) -> str:
        return f"{name} (not segmented)" if name in self.left_out else name

    def _values(self, figures: Figures, name: str = "") -> list[str]:
        values = [None if name in self.left_out else figures[metric]["value"] for metric in self.measured]
        return ["–" if value is None else f"{value:.3f}" for value in values]

    def confusion_rows(self) -> tuple[list[str], list[ClassRow]]:
        """Head and rows of the confusion: a row a true class, and what was made up."""
        table, head = self.confusion, ["truth \\ found", *self.names, "missed"]
        rows = [
            ClassRow(name, class_colour(number), [_count(count) for count in [*row, missed]])
            for number, (name, row, missed) in enumerate(
                zip(self.names, table.matched.tolist(), table.missed.tolist(), strict=True), 1
            )
        ]
        return head, [*rows, ClassRow("made up", "", [*map(_count, table.invented.tolist()), ""])]

    def sentence(self) -> str:
        """How many objects were taken for another class, in words."""
        table = self.confusion
        matched, wrong = int(table.matched.sum()), int(table.matched.sum() - table.matched.trace())
        if not matched:
            return "No object was found, of whatever class."
        share = f" ({100 * table.confused:.2g} %)" if wrong else ""
        return f"Of {matched:,} objects that were found, {wrong:,}{share} were taken for another class."


def _count(number: int) -> str:
    return f"{number:,}"


def compared_names(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Names of a model's classes, then those of truth that it has not learnt; none where they share none.

    >>> compared_names(("nucleus", "mitosis"), ("debris", "nucleus")), compared_names(("nucleus",), ("object",))
    (('nucleus', 'mitosis', 'debris'), ())
    """
    return tuple(dict.fromkeys((*names, *others))) if set(names) & set(others) else ()
