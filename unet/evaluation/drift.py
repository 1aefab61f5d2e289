"""How far a stack differs from those that a model was trained on: its grey values, its sharpness, its objects.

Each is one number of a stack, told by what its stamps keep: nothing is computed again, and nothing heavy is imported.
The training stacks give a range: from the 2nd to the 98th percentile of theirs, so that one odd stack among many does
not widen it. A stack differs where it lies outside of that range by more than a tolerance: the larger of one that
stands below for each kind, which also holds where there is but one training stack, and twice the robust spread of the
training stacks, less where they are many and have shown how far they spread; beside it what chance does where few
objects were counted. Kinds that are factors, as gain is, are compared as logarithms.

The laws: a training stack alone is like training; what is multiplied by a factor alike in all stacks differs in none;
a wider range never tells more.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from unet.sources.stack_names import shortened

Json = dict[str, Any]

ALIKE, HIGHER, LOWER, UNKNOWN = "like training", "higher", "lower", "not measured"
"""Verdicts of a row."""
TAILS = 0.02
"""Share of the training stacks at either end that the range leaves out."""
SPREADS, CHANCE = 2.0, 2.0
"""Robust spreads of the training stacks, and standard errors of a count, that are tolerated."""
MANY = 8
"""Training stacks from which on their spread adds less, by the root of their number."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution in its median absolute deviations."""
NOTHING = -1000.0
"""Position of what is zero where factors are compared."""


class Kind(NamedTuple):
    """How one kind of number is compared."""

    is_factor: bool
    tolerance: float
    """Factor, or difference, from the range up to which a stack is like training."""
    told: tuple[str, ...] = (HIGHER, LOWER)
    """Directions in which it is told."""

    def position(self, value: float) -> float:
        """Where a value lies on the scale that is compared on.

        >>> KINDS["sharpness"].position(1.0), KINDS["certainty"].position(0.9)
        (0.0, 0.9)
        """
        if not self.is_factor:
            return value
        return math.log(value) if value > 0 else NOTHING

    @property
    def width(self) -> float:
        """The tolerance on that scale."""
        return math.log(self.tolerance) if self.is_factor else self.tolerance


KINDS = {
    "grey spread": Kind(True, 1.6),
    "grey level": Kind(False, 0.5),
    "grey balance": Kind(False, 0.25),
    "noise": Kind(True, 2.5, (HIGHER,)),
    "sharpness": Kind(True, 1.12),
    "polarity": Kind(False, 0.3),
    "objects": Kind(True, 2.0),
    "object size": Kind(True, 1.7),
    "certainty": Kind(False, 0.1, (LOWER,)),
}
"""What is compared: grey values between the darkest and what stands out; the darkest, against that spread; where the
middle lies between both; noise, in spreads; contrast over 2 pixels, as a share of that over 16; whether details are
bright or dark (see `unet.images.detail`); objects on an area; the middle object's size; the middle object's score."""


class Measured(NamedTuple):
    """One number of a stack."""

    kind: str
    value: float
    error: float = 0.0
    """What chance does to it, on the scale that is compared on."""
    scale: float = 1.0
    """What a difference is divided by."""

    @property
    def position(self) -> float:
        """Where it lies on the scale that is compared on."""
        return KINDS[self.kind].position(self.value)


class DriftRow(NamedTuple):
    """One number of a stack beside those of the training stacks."""

    stack: str
    what: str
    value: float | None
    range: tuple[float, float] | None
    """Of the training stacks."""
    verdict: str

    @property
    def is_drift(self) -> bool:
        """Whether the stack is unlike those of training in this."""
        return self.verdict in (HIGHER, LOWER)


@dataclass(frozen=True)
class TrainingRange:
    """What training stacks have of one number."""

    kind: str
    low: float
    high: float
    tolerance: float
    """Beyond `low` and `high`, on the scale that is compared on."""
    n: int

    @classmethod
    def of(cls, measured: Sequence[Measured]) -> "TrainingRange":
        """The range of some training stacks, at least one.

        >>> TrainingRange.of([Measured("certainty", 0.9), Measured("certainty", 0.94)])
        TrainingRange(kind='certainty', low=0.9008, high=0.9392, tolerance=0.1, n=2)
        """
        kind = KINDS[measured[0].kind]
        positions = sorted(each.position for each in measured)
        values = sorted(each.value for each in measured)
        middle = median(positions)
        spread = NORMAL * median(abs(each - middle) for each in positions) * min(1, math.sqrt(MANY / len(measured)))
        floor = kind.width * median(each.scale for each in measured)
        chance = CHANCE * median(each.error for each in measured) / math.sqrt(len(measured))
        tolerance = math.hypot(max(floor, SPREADS * spread), chance)
        low, high = (round(_quantile(values, share), 12) for share in (TAILS, 1 - TAILS))
        return cls(measured[0].kind, low, high, tolerance, len(measured))

    def verdict(self, measured: Measured) -> str:
        """How a stack's number compares: `like training`, `higher` or `lower`."""
        kind = KINDS[self.kind]
        allowed = self.tolerance + CHANCE * measured.error
        below, above = kind.position(self.low) - measured.position, measured.position - kind.position(self.high)
        found = HIGHER if above > allowed else LOWER if below > allowed else ALIKE
        return found if found in kind.told else ALIKE


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of numbers in ascending order, between two of them where need be.

    >>> _quantile([1, 2, 4], 0.5), _quantile([1, 2, 4], 0.75)
    (2, 3.0)
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below]) if place > below else ordered[below]


def training_ranges(stacks: Iterable[Mapping[str, Measured]]) -> dict[str, TrainingRange]:
    """Ranges of all that was measured of training stacks, by what it is called."""
    found: dict[str, list[Measured]] = {}
    for values in stacks:
        for what, measured in values.items():
            found.setdefault(what, []).append(measured)
    return {what: TrainingRange.of(measured) for what, measured in found.items()}


def compare(stack: str, values: Mapping[str, Measured], ranges: Mapping[str, TrainingRange]) -> list[DriftRow]:
    """A row for each number that is known of a stack, or of the training stacks.

    >>> ranges = training_ranges([{"sharpness": Measured("sharpness", 0.04)}])
    >>> [row.verdict for row in compare("a", {"sharpness": Measured("sharpness", 0.02)}, ranges)]
    ['lower']
    >>> [row.verdict for row in compare("a", {}, ranges)]
    ['not measured']
    """
    rows = list[DriftRow]()
    for what in dict.fromkeys([*ranges, *values]):
        known, measured = ranges.get(what), values.get(what)
        verdict = known.verdict(measured) if known and measured else UNKNOWN
        limits = (known.low, known.high) if known else None
        rows.append(DriftRow(stack, what, measured.value if measured else None, limits, verdict))
    return rows


def drift_lines(rows: Iterable[DriftRow], model: str) -> list[str]:
    """What is to be said of stacks that are unlike those of training, a line for all that differ in the same way.

    >>> drift_lines([DriftRow("a", "sharpness", 0.02, (0.04, 0.05), "lower")], "unet")
    ['a: unlike what unet was trained on: sharpness 0.02 (0.04–0.05 in training)']
    """
    by_stack: dict[str, list[DriftRow]] = {}
    for row in rows:
        if row.is_drift:
            by_stack.setdefault(row.stack, []).append(row)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for stack, of in by_stack.items():
        alike.setdefault(tuple((row.what, row.verdict) for row in of), []).append(stack)
    return [
        f"{shortened(stacks)}: unlike what {model} was trained on: {_words([by_stack[stack] for stack in stacks])}"
        for stacks in alike.values()
    ]


def _words(stacks: Sequence[Sequence[DriftRow]]) -> str:
    """In what stacks that differ in the same way do, with the numbers of all."""
    said = list[str]()
    for rows in zip(*stacks, strict=True):
        values = [row.value for row in rows if row.value is not None]
        said.append(f"{rows[0].what} {_span(min(values), max(values))} ({range_words(rows[0])} in training)")
    return ", ".join(said)


def range_words(row: DriftRow) -> str:
    """The training stacks' range of a row, as people read it; "–" where it is not known."""
    return _span(*row.range) if row.range else "–"


def number_words(value: float | None) -> str:
    """A number as people read it, of three digits.

    >>> number_words(12345.6), number_words(0.04217), number_words(0), number_words(None)
    ('12,346', '0.0422', '0', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _span(low: float, high: float) -> str:
    """Two numbers from one to the other, a dash between them where it is no minus.

    >>> _span(0.39, 0.423), _span(-0.562, -0.496), _span(1, 1)
    ('0.39–0.423', '-0.562 to -0.496', '1')
    """
    first, last = number_words(low), number_words(high)
    return first if first == last else f"{first}{'–' if low >= 0 else ' to '}{last}"
