"""Whether a network may predict in half precision: what that changes of the scores and the objects of some planes.

Measured as a training ends and as a model is brought in, and before the first prediction on a kind of device that has
something faster than float32 and of which nothing is known yet. It lies in `model.json`, beside what the model is: no
part of its identity, nor of a recipe, so that measuring it makes nothing stale. What was chosen stands in the numeric
plan of the scores; a prediction that goes on keeps it.

By kind of device, since a GPU's sums are others than a CPU's. Rejected: today's rule where nothing is known (float16 on
every GPU), as nobody has looked at what it does to that model; and a choice by AP alone, which a few objects that did
not change would pass, or by scores alone, which says nothing of an object that hangs on one pixel.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, Self

from unet.dataset.folder import Json
from unet.network.numeric_plan import Precision
from unet.settings.predict import Predict

KEY = "parity"
"""Where model.json has it."""
STEP = 1 / 255
"""A step of scores that are kept as uint8."""
CLOSE = 2 * STEP
"""Difference of scores that is none."""
CLOSE_SHARE = 0.999
"""Share of the scores that must be that close."""
VALUE_LOST = 0.001
"""Difference in AP, or in V_rand of membranes, that is none."""
How = Literal["arithmetic", "rounding"]
"""`arithmetic`: the device's own; `rounding`: float32 with all values rounded, where a CPU has none."""
METRIC_NAMES = {"mean_average_precision": "AP", "v_rand": "V_rand"}


@dataclass(frozen=True, kw_only=True)
class ScoreParity:
    """What differs between the scores of two precisions."""

    pixels: int
    largest: float | None
    """Largest difference of two scores, 0 … 1; None where a score is not finite."""
    close: float
    """Share of the scores that differ by at most 2/255."""
    segments: int
    """Of the float32 scores."""
    changed: int
    """Segments of either scores of which the other has none that covers the same pixels, by an IoU above 0.9."""
    objects: int = 0
    """Of truth: of few, a difference in AP says little."""
    metric: str | None = None
    """Name of what is measured with truth: `mean_average_precision`, or of membranes `v_rand`."""
    in_float32: float | None = None
    in_half: float | None = None
    """The metric of either."""


@dataclass(frozen=True, kw_only=True)
class Parity(ScoreParity):
    """A precision beside float32, on the same planes."""

    device: str
    """Kind of device: `cpu` or `cuda`."""
    precision: Precision
    by: How
    part: str
    """What the planes are to the model: validation, training, test, new; `images`: they have no truth."""
    planes: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Parity of plain values, those that are known; TypeError or ValueError where they are none."""
        found = cls(**{each.name: values[each.name] for each in fields(cls) if each.name in values})
        numbers = [found.planes, found.pixels, found.close, found.segments, found.changed, found.objects]
        maybe = [each for each in (found.largest, found.in_float32, found.in_half) if each is not None]
        if not all(math.isfinite(each) for each in (*numbers, *maybe)):
            raise ValueError("numbers of a parity must be finite")
        return found

    @property
    def plain(self) -> Json:
        """Plain values for `model.json`."""
        return asdict(self)

    @property
    def fits(self) -> bool:
        """Whether the precision may stand in for float32."""
        lost = self.value_lost
        return self.largest is not None and self.close >= CLOSE_SHARE and (lost is None or abs(lost) <= VALUE_LOST)

    @property
    def value_lost(self) -> float | None:
        """How much smaller the metric is than in float32; None where there is no truth."""
        if self.metric is None or self.in_float32 is None or self.in_half is None:
            return None
        return round(self.in_float32 - self.in_half, 6)

    @property
    def words(self) -> str:
        """What was found, for people.

        >>> what = dict(pixels=196608, largest=0.012, close=0.9998, segments=40, changed=1)
        >>> one = Parity(device="cpu", precision="bf16", by="rounding", part="validation", planes=3, **what)
        >>> one.words
        'scores differ by ≤ 2/255 on 99.98 % of 196,608 pixels (validation, 3 planes), by 0.012 at most; 1 of 40 \
segments changed'
        """
        if self.largest is None:
            return f"not all scores are finite ({self.part}, {self.planes} planes)"
        share = f"{self._close_percent} % of {self.pixels:,} pixels"
        where = f"({self.part}, {self.planes:,} planes)"
        said = f"scores differ by ≤ 2/255 on {share} {where}, by {self.largest:.2g} at most"
        return f"{said}; {self.changed:,} of {self.segments:,} segments changed{self._with_truth}"

    @property
    def _with_truth(self) -> str:
        if self.metric is None or self.in_float32 is None or self.in_half is None:
            return ""
        name = METRIC_NAMES.get(self.metric, self.metric)
        return f"; {name} {self.in_float32:.4f} → {self.in_half:.4f} (n = {self.objects:,} objects)"

    @property
    def word(self) -> str:
        """How many scores stay what they are, in a word, such as `99.98 % alike in bf16`."""
        return f"{self._close_percent} % alike in {self.precision}"

    @property
    def _close_percent(self) -> str:
        """Never more than it is: nearly all are not all."""
        return f"{math.floor(self.close * 10000) / 100:g}"

    @property
    def line(self) -> str:
        """All of it in one sentence."""
        how = ", by rounding" if self.by == "rounding" else ""
        verdict = f"{'as' if self.fits else 'not as'} good in {self.precision}"
        return f"{verdict} as in float32 on a {_kind(self.device)}{how}: {self.words}"


class Choice(NamedTuple):
    """The precision that a model predicts in, and why."""

    precision: Precision
    why: str
    """Goes on after `because`."""


def known_parity(metadata: Mapping[str, Any]) -> list[Parity]:
    """What a model's metadata tells; of damaged entries nothing."""
    found, entries = list[Parity](), metadata.get(KEY)
    for entry in entries if isinstance(entries, list) else ():
        try:
            found.append(Parity.of(entry))
        except (TypeError, ValueError, AttributeError, KeyError):
            continue
    return found


def of_device(known: Iterable[Parity], device: str) -> dict[Precision, Parity]:
    """What is known of each precision on a kind of device; the last of several counts."""
    return {one.precision: one for one in known if one.device == device}


def merged(known: Sequence[Parity], more: Sequence[Parity]) -> list[Json]:
    """What was known and what was found, as `model.json` has it: one of a kind of device and precision."""
    of_each = {(one.device, one.precision): one.plain for one in (*known, *more)}
    return [of_each[key] for key in sorted(of_each)]


def is_automatic(settings: Predict) -> bool:
    """Whether what is measured may choose the precision: where scores are kept as float32 it must not."""
    return settings.precision == "auto" and settings.dtype != "float32"


def choose_precision(settings: Predict, device: str, faster: Sequence[Precision], known: Sequence[Parity]) -> Choice:
    """The precision that a model predicts in on a kind of device.

    Args:
        settings: what is asked for.
        device: kind of device, `cpu` or `cuda`.
        faster: precisions that are faster there than float32, the fastest first.
        known: what is known of the model.

    >>> choose_precision(Predict(), "cpu", [], [])
    Choice(precision='float32', why='nothing is faster on this CPU')
    """
    if settings.precision != "auto":
        return Choice(settings.precision, "predict.precision asks for it")
    if settings.dtype == "float32":
        return Choice("float32", "scores are kept as float32")
    found = of_device(known, device)
    for precision in faster:
        if precision in found and found[precision].fits:
            return Choice(precision, f"it is faster on this {_kind(device)} and as good: {found[precision].words}")
    if not faster:
        return Choice("float32", f"nothing is faster on this {_kind(device)}")
    return Choice("float32", "; ".join(_refused(precision, found.get(precision)) for precision in faster))


def _refused(precision: Precision, found: Parity | None) -> str:
    if found is None:
        return f"{precision} was never compared with it: set predict.precision to {precision} to take it all the same"
    return f"{precision} is not as good: {found.words}"


def _kind(device: str) -> str:
    """Kind of device for people.

    >>> _kind("cuda")
    'GPU'
    """
    return "GPU" if device == "cuda" else "CPU"
