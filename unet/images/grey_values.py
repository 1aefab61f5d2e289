"""Which grey values of a stack become 0 and 1 for a model: its rule, and the training stacks that it knows.

A network knows objects by how bright they are against 1, and noise by how faint it is. `auto`, the default: a stack's
own grey values (`own_range`), but never so stretched that its noise is stronger than that of the training stacks; where
nothing stands out it may be somewhat stronger, and is then darkened further. So an empty noisy well stays dark, what
lies in it is found, and images like those of training are as ever. Measured: from 3 % of a span on, the noise of the
drawn cells, noise beside four cells becomes up to a thousand segments, and cells are found down to a fifth of their
brightness. What differs from training is told by `unet.evaluation.drift`, of all that is measured of a stack.

Tried beside it on nuclei, drawn cells and EM sections, by models trained on each:
- percentiles alone (`stack`): right where objects cover a percent of the image; of an empty noisy well it makes up to
  thousands of segments, and loses a few cells on zeros, where both percentiles are 0;
- one pair of values for all (`source`, or two numbers): right on all that is exposed like the training stacks; at half
  or twice the exposure a sixth to a quarter of the objects are lost;
- the background's mode, and the training stacks' span: as that, at half the exposure;
- the shape of the histogram, (high − median) / (median − low): tells an empty well from nuclei, which are mostly
  background, and not from confluent cells, which are not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.channel_statistics import (
    CLIP,
    LEAST_NOISE,
    GreyRange,
    Statistics,
    is_empty,
    noise_in,
    own_range,
    unheld,
)
from unet.images.normalisation import normalise, statistics_of
from unet.settings.ingest import Ingest

Json = dict[str, Any]

AUTO, STACK, SOURCE, FIXED = "auto", "stack", "source", "fixed"
"""Rules of networks trained here; see `Train.grey_values`."""
PERCENTILES, DIVIDE = "percentiles", "divide"
"""Rules of networks trained before there were those: percentiles, not clipped; of some imported ones: a divisor."""
ALIKE = (1.5, 2.5)
"""Noise, against the noisiest training stack, to which a stack in which nothing stands out is left as it is: where
squares hold none of the span, and where they hold it, as objects may cover most of it. Beyond, it darkens steeply."""
ODD = 2.0
"""Noise, against the middle training stack, above which one is odd: empty wells are trained on as well."""


@dataclass(frozen=True)
class StackStatistics:
    """What a rule is made of: a training stack, the source it came from, and the statistics of its channels."""

    name: str
    source: str
    channels: Sequence[Statistics]


@dataclass(frozen=True)
class Seen:
    """One channel of the training stacks."""

    least_span: float
    most_span: float
    most_noise: float
    """Of pixels in quiet blocks, in spans."""

    @classmethod
    def of(cls, channel: Iterable[Statistics]) -> "Seen":
        """What there is to know of one channel of all training stacks; constant ones say nothing."""
        ranges = [(known, own_range(known)) for known in channel]
        spans = [of.high - of.low for _, of in ranges if of.high > of.low] or [0.0]
        noises = [noise_in(known, of.high - of.low) for known, of in ranges if of.high > of.low] or [0.0]
        return cls(min(spans), max(spans), max(min(max(noises), ODD * median(noises)), LEAST_NOISE))


def rule_of_training(way: str | tuple[float, float], stacks: Sequence[StackStatistics]) -> Json:
    """The rule by which a model is trained on some stacks and predicts, as plain values for its model.json."""
    if not isinstance(way, str):
        return {"rule": FIXED, "low": way[0], "high": way[1], "clip": list(CLIP)}
    by_channel = list(zip(*(stack.channels for stack in stacks), strict=True))
    rule: Json = {"rule": way, "clip": list(CLIP), "trained_on": [asdict(Seen.of(channel)) for channel in by_channel]}
    if way == SOURCE:
        by_source = defaultdict[str, list[StackStatistics]](list)
        for stack in stacks:
            by_source[stack.source].append(stack)
        rule |= {"sources": {name: _pooled(of) for name, of in by_source.items()}, "pooled": _pooled(stacks)}
    return rule


def _pooled(stacks: Sequence[StackStatistics]) -> list[list[float]]:
    """The middle low and the middle high of each channel over some stacks; constant ones count where all are so."""
    by_channel = zip(*(map(own_range, stack.channels) for stack in stacks), strict=True)
    telling = [[of for of in channel if of.high > of.low] or channel for channel in by_channel]
    return [[median(of.low for of in channel), median(of.high for of in channel)] for channel in telling]


def by_rule(rule: Mapping[str, Any], statistics: Sequence[Statistics], stack: str, source: str = "") -> list[GreyRange]:
    """What becomes 0 and 1 of each channel of a stack, by a model's rule.

    `{"rule": "divide", "by": 255}` is for stacks whose brightest pixel lies above 1 and does not exceed the divisor:
    others are of another range, and the network would see nothing, or far too much.

    >>> by_rule({"rule": "divide", "by": 255}, [Statistics(10, 20, 10, 30, 15, 5)], "a")[0].high
    255.0
    """
    try:
        return _ranges(rule, statistics, stack, source)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{stack}: its model's rule of normalisation must be whole, got {dict(rule)} ({error!r}); copy the model "
            "again, or train it"
        ) from error


def _ranges(rule: Mapping[str, Any], statistics: Sequence[Statistics], stack: str, source: str) -> list[GreyRange]:
    clip: Any = tuple(rule.get("clip", ())) or None
    match rule.get("rule"):
        case "auto":
            seen = [Seen(**each) for each in rule["trained_on"]]
            return [_held_to(*each, clip) for each in zip(statistics, seen, strict=True)]
        case "stack":
            return [own_range(known) for known in statistics]
        case "source":
            pairs = rule["sources"].get(source, rule["pooled"])
            pooled = [GreyRange(low, high, clip) for low, high in pairs]  # its own, where it was constant in training
            return [of if of.high > of.low else own_range(known) for of, known in zip(pooled, statistics, strict=True)]
        case "fixed":
            return [GreyRange(rule["low"], rule["high"], clip)] * len(statistics)
        case "percentiles":
            return [GreyRange(known.low, known.high) for known in statistics]
        case "divide":
            return _divided(float(rule["by"]), statistics, stack)
    known_rules = ", ".join((AUTO, STACK, SOURCE, FIXED, PERCENTILES))
    raise ValueError(f"a rule of normalisation must be {known_rules} or {DIVIDE}, got {rule}; import the model again")


def normalise_image(
    image: NDArray[Any], settings: Ingest | None = None, rule: Mapping[str, Any] | None = None
) -> NDArray[np.float32]:
    """An image in memory as networks trained here take it: (channels, y, x) of float32.

    Give it the whole image and not a part, which would be mapped differently. For a stack of many planes take the
    statistics of all: `normalise(plane, by_rule(model.normalisation, statistics_of(stack), "stack"))`.

    Args:
        image: grey values, y x, or channels y x.
        settings: which percentiles are taken.
        rule: `model.normalisation`; default: the image's own grey values, of which a model may know better.

    >>> normalise_image(np.array([[10, 20, 30]])).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    channels = image[None] if image.ndim == 2 else image
    return normalise(channels, by_rule(rule or {"rule": STACK}, statistics_of(channels, settings), "the image"))


def _divided(divisor: float, statistics: Sequence[Statistics], stack: str) -> list[GreyRange]:
    most = max(s.max for s in statistics)
    if most > divisor or 0 < most <= 1:
        raise ValueError(
            f"{stack} must hold grey values of 0 to {divisor:g}, by which its model divides, got {most:g} as the "
            "brightest; convert the images to that range"
        )
    return [GreyRange(0.0, divisor)] * len(statistics)


def _held_to(known: Statistics, seen: Seen, clip: tuple[float, float]) -> GreyRange:
    """The range of a channel, widened where its noise is stronger than that of the training stacks."""
    own = own_range(known)
    span = own.high - own.low
    return GreyRange(own.low, own.low + span * _widening(known, span, seen), clip)


def _widening(known: Statistics, span: float, seen: Seen) -> float:
    """Factor by which a span is widened, 1 where the noise is like that of training; continuous, and never below 1."""
    excess = noise_in(known, span) / seen.most_noise
    share = unheld(known, span)
    alike = ALIKE[0] * share + ALIKE[1] * (1 - share)
    return max(excess / alike, 1.0) ** 3 if is_empty(known) else max(excess, 1.0)
