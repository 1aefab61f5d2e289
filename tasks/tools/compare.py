"""Two models side by side, on the planes that neither was trained on, as their reports have them."""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from unet.dataset.folder import Dataset, Json
from unet.evaluation.metrics import METRICS
from unet.evaluation.paired import BETTER, SAME, WORSE, Difference, paired_difference
from unet.ledger.contents import CONTENTS
from unet.ledger.made_of import changes, made_of
from unet.ledger.results import PLANES, labels_of, model_of, report_of
from unet.sources.stack_names import shortened

HELD_OUT = ("test", "validation", "new")
"""Parts of the data that trained no parameter of a model."""


class Place(NamedTuple):
    """What was scored: a plane; a whole stack where the report does not tell of planes."""

    stack: str
    plane: str


@dataclass(frozen=True)
class Figures:
    """What a report has of one plane, or stack."""

    part: str
    objects: float
    values: Mapping[str, float]


Scores = dict[Place, Figures]


@dataclass(frozen=True)
class Comparison:
    """What two models, A and B, score on what neither was trained on."""

    a: str
    b: str
    parts: dict[str, int]
    """How many planes, or stacks, are of which part of the data."""
    stacks: int
    is_of_planes: bool
    """Whether figures are of planes; of whole stacks where a report of before has no others."""
    metrics: dict[str, Difference]
    """The most telling first."""
    changes: list[str]
    notes: list[str]

    @property
    def telling(self) -> str:
        """The metric by which the verdict is given."""
        return next(iter(self.metrics))

    @property
    def verdict(self) -> str:
        """What B is beside A."""
        return self.metrics[self.telling].verdict

    @property
    def is_surely_worse(self) -> bool:
        """Whether all of the interval is on the side where B is worse, be it by ever so little."""
        found = self.metrics[self.telling]
        return found.high < 0 if METRICS[self.telling].better == "higher" else found.low > 0

    def plain(self) -> Json:
        """Plain values for a script."""
        found = {name: _finite(of) for name, of in self.metrics.items()}
        return {**vars(self), "metrics": found, "by": self.telling, "verdict": self.verdict}


def _finite(difference: Difference) -> Json:
    values = difference._asdict()
    return {key: None if isinstance(of, float) and not math.isfinite(of) else of for key, of in values.items()}


def compare_models(dataset: Dataset, a: str, b: str) -> Comparison:
    """Model B beside model A.

    Raises:
        LookupError: a model or its report is not there, or nothing is held out of both.
    """
    for model in (a, b):
        require_report(dataset, model)
    notes = [note for model in (a, b) for note in outdated(dataset, model)]
    pairs, changed = _pairs(dataset, a, b)
    if changed:
        notes.append(f"left out, as their truth changed between the two reports: {shortened(changed)}")
    if not pairs:
        raise LookupError(
            f"{a} and {b} must both have a report of stacks that neither was trained on, got none in common; train "
            "them with the same train.validation, or draw truth that is new to both"
        )
    stacks = {place.stack for place in pairs}
    metrics = {name: found for name in METRICS if (found := _difference(name, pairs)) is not None}
    if not metrics:
        raise LookupError(f"{a} and {b} must have figures of the same planes, got none that both define")
    parts = Counter(_part_words(a, b, *both) for both in pairs.values())
    said = changes(made_of(dataset, a), made_of(dataset, b))
    return Comparison(a, b, dict(parts), len(stacks), any(place.plane for place in pairs), metrics, said, notes)


def require_model(dataset: Dataset, model: str) -> None:
    """Refuse a model that is not there."""
    known = [name for name in dataset.members("models") if model_of(dataset, name).known_stamp()]
    if model not in known:
        raise LookupError(f"a model of {dataset.url} must be named, got {model!r}; known: {', '.join(known) or 'none'}")


def require_report(dataset: Dataset, model: str) -> None:
    """Refuse a model that is not there, or has no report."""
    require_model(dataset, model)
    if report_of(dataset, model).known_stamp() is None:
        raise LookupError(f"{model} must have a report, got none; run `{_report_command(dataset, model)}`")


def _report_command(dataset: Dataset, model: str) -> str:
    return f"unet-flows reprocess {dataset.url} --set predict.model={model}"


def outdated(dataset: Dataset, model: str) -> list[str]:
    """What is to be said where a report is of an earlier model of that name, or of other segments than are there."""
    report = report_of(dataset, model)
    told, inputs = report.known_attributes().get("digests", {}).get("model"), report.committed().recipe.inputs
    there = {f"{name} segments": labels_of(dataset, name, model).known_stamp() for name in dataset.stacks()}
    of = f"an earlier {model}" if told not in (None, model_of(dataset, model).committed().identity) else ""
    if not of and any(stamp and stamp.identity != inputs.get(key, stamp.identity) for key, stamp in there.items()):
        of = "segments that were made anew since"
    return [f"the report of {model} is of {of}; `{_report_command(dataset, model)}` makes it anew"] if of else []


def _pairs(dataset: Dataset, a: str, b: str) -> tuple[dict[Place, tuple[Figures, Figures]], list[str]]:
    """What is held out of both models, with the figures of both; and stacks whose truth was another for each."""
    first, second = _planes(dataset, a), _planes(dataset, b)
    if first is None or second is None:
        first, second = _stacks(dataset, a), _stacks(dataset, b)
    truth = [report_of(dataset, model).committed().recipe.inputs for model in (a, b)]
    names = {place.stack for place in first.keys() & second.keys()}
    changed = sorted(name for name in names if truth[0].get(f"{name} truth") != truth[1].get(f"{name} truth"))
    common = [place for place in first if place in second and place.stack not in changed]
    both = {place: (first[place], second[place]) for place in common}
    return {place: of for place, of in both.items() if {each.part for each in of} <= {*HELD_OUT}}, changed


def _planes(dataset: Dataset, model: str) -> Scores | None:
    """Figures of each plane; None where the report has no table of them."""
    report, stamp = report_of(dataset, model), report_of(dataset, model).committed()
    table, kept = f"{stamp.generation}/{PLANES}", stamp.facts.get("contents")
    if kept and {table, f"{stamp.generation}/{CONTENTS}"} & set(report.contents(stamp.generation).damage(kept)):
        raise ValueError(
            f"{(report.folder / table).url} must be as it was made, and is not; run `{_report_command(dataset, model)}`"
        )
    content = (report.folder / table).read()
    if content is None:
        return None
    rows = csv.DictReader(io.StringIO(content.decode()))
    return {Place(row["stack"], row["plane"]): _figures(row["part"], row["objects"], row) for row in rows}


def _stacks(dataset: Dataset, model: str) -> Scores:
    """Figures of each stack, which reports of before have alone."""
    stacks = report_of(dataset, model).attributes().get("stacks", {})
    return {Place(name, ""): _figures(str(of.get("part")), of.get("objects", 1), of) for name, of in stacks.items()}


def _figures(part: str, objects: object, row: Mapping[str, object]) -> Figures:
    values = {name: float(str(row[name])) for name in METRICS if row.get(name) not in (None, "")}
    return Figures(part, float(str(objects or 0)), values)


def _difference(metric: str, pairs: Mapping[Place, tuple[Figures, Figures]]) -> Difference | None:
    """One metric of both models where it is defined for both; None where it is nowhere, or neither way is better."""
    of, better = {p: both for p, both in pairs.items() if all(metric in f.values for f in both)}, METRICS[metric].better
    shares = [both[0].objects if METRICS[metric].by_objects else 1.0 for both in of.values()]
    if not better or not sum(shares):
        return None
    of = {place: both for (place, both), share in zip(of.items(), shares, strict=True) if share}
    first, second = ([both[k].values[metric] for both in of.values()] for k in (0, 1))
    return paired_difference(first, second, [s for s in shares if s], [place.stack for place in of], better)


def _part_words(a: str, b: str, first: Figures, second: Figures) -> str:
    """Which part of the data a plane is of, to both models."""
    return first.part if first.part == second.part else f"{first.part} of {a}, {second.part} of {b}"


def verdict_words(comparison: Comparison) -> str:
    """The verdict in a sentence."""
    found, what = comparison.metrics[comparison.telling], difference_words(comparison)
    if found.verdict in (BETTER, WORSE):
        return f"{comparison.b} is {found.verdict} than {comparison.a}: {what}"
    is_sure = found.verdict == SAME and not found.low <= 0 <= found.high
    anyhow = ", as two trainings by one recipe may anyhow" if is_sure else ""
    return f"{comparison.b} beside {comparison.a}, {found.verdict}: {what}{anyhow}"


def difference_words(comparison: Comparison) -> str:
    """The difference by which the verdict is given, with its interval."""
    found, name = comparison.metrics[comparison.telling], METRICS[comparison.telling].label
    interval = f" ({found.low:+.3f} to {found.high:+.3f})" if math.isfinite(found.low) else ""
    return f"{name} {found.value:+.3f}{interval}"


def count_words(comparison: Comparison) -> str:
    """Of how many planes and stacks it is, and which part of the data they are."""
    n, stacks = sum(comparison.parts.values()), _counted(comparison.stacks, "stack")
    of = f"{_counted(n, 'plane')} of {stacks}" if comparison.is_of_planes else stacks
    listed = ", ".join(f"{count} {part}" for part, count in comparison.parts.items())
    alike = "; planes of one stack are alike, so that the intervals are too narrow" * (comparison.stacks == 1 < n)
    return f"{of} that neither was trained on: {listed}{alike}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
