"""Statistics of each channel of a whole stack, gathered plane by plane, and the normalisation that uses them.

The rule: never per tile, or a tile of empty background would have its noise blown up, neighbours would be mapped
differently, and seams would appear whatever the network. Integers of up to 16 bits have an exact histogram. Of other
types all pixels are kept up to `MOST_KEPT`; beyond it every 11th alone, then every 121st and so on: memory stays
bounded on stacks of any size. Rejected: every 64th pixel, which in an image 512 px wide is the same eight columns of
each row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.settings.ingest import Ingest

MOST_KEPT = 2**22
"""Pixels of a channel that are kept where there is no histogram, at most."""
STRIDE = 11
"""What a subsample is thinned by; an odd prime that hardly ever divides an image's width."""
PERCENTILES, DIVIDE = "percentiles", "divide"
"""Rules of normalisation: between two percentiles of the stack, as the networks trained here; by a fixed divisor, as
some imported ones."""
COUNTED = 2**20
"""Pixels counted at a time, as numpy widens them to 8 bytes each."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of one channel in its own grey values; `low` and `high` are what normalisation maps to 0 and 1."""

    low: float
    high: float
    min: float
    max: float
    mean: float
    std: float


@dataclass
class Gathering:
    """The statistics of one channel in the making; all blocks added must have one type."""

    counts: NDArray[np.int64] | None = None
    """Histogram of an integer type of up to 16 bits, from its least value on."""
    least: int = 0
    """The value that the histogram begins at."""
    kept: list[NDArray[Any]] = field(default_factory=list)
    """Pixels of any other type, every `stride`-th of all that were seen."""
    stride: int = 1
    seen: int = 0
    """Pixels of any other type that were seen."""

    def add(self, pixels: NDArray[Any]) -> None:
        """Take in a plane or block; pixels that are not finite are left out."""
        if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
            self._count(pixels.ravel())
        else:
            self._keep(pixels.ravel())

    def finish(self, low: float, high: float) -> Statistics:
        """Statistics with the percentiles `low` and `high`: the least value that so many percent do not exceed.

        >>> gathering = Gathering()
        >>> gathering.add(np.arange(101, dtype=np.uint8))
        >>> gathering.finish(1, 99).low, gathering.finish(1, 99).high
        (1.0, 99.0)
        """
        values, counts = self._histogram()
        if not counts.size:
            raise ValueError("a channel must have at least one finite pixel, got none; look at the source file")
        upto = np.cumsum(counts)
        total = upto[-1]
        mean = float((values * counts).sum() / total)
        spread = float(np.sqrt(((values - mean) ** 2 * counts).sum() / total))
        lowest, highest = (float(values[np.searchsorted(100 * upto, p * total)]) for p in (low, high))
        return Statistics(lowest, highest, float(values[0]), float(values[-1]), mean, spread)

    def _count(self, pixels: NDArray[Any]) -> None:
        limits = np.iinfo(pixels.dtype)
        bins = int(limits.max) - int(limits.min) + 1
        self.least = int(limits.min)
        self.counts = np.zeros(bins, np.int64) if self.counts is None else self.counts
        for start in range(0, pixels.size, COUNTED):
            part = pixels[start : start + COUNTED].astype(np.intp) - self.least
            self.counts += np.bincount(part, minlength=bins)

    def _keep(self, pixels: NDArray[Any]) -> None:
        self.kept.append(pixels[-self.seen % self.stride :: self.stride].copy())
        self.seen += pixels.size
        while self.seen > MOST_KEPT * self.stride:
            self.stride *= STRIDE
            self.kept = [np.concatenate(self.kept)[::STRIDE].copy()]

    def _histogram(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Values that occur, in ascending order, and how often."""
        if self.counts is not None:
            seen = np.flatnonzero(self.counts)
            return (seen + self.least).astype(np.float64), self.counts[seen]
        kept = np.concatenate([np.empty(0), *self.kept])
        values, counts = np.unique(kept[np.isfinite(kept)], return_counts=True)
        return values, counts


def normalise(pixels: NDArray[Any], statistics: list[Statistics]) -> NDArray[np.float32]:
    """Pixels (channels, y, x) as float32 with `low` → 0 and `high` → 1, not clipped.

    A constant channel gives zeros, and so do pixels that are not finite: one NaN would spread over the network's reach.

    >>> normalise(np.array([[[10, 30]]]), [Statistics(10, 20, 10, 30, 15, 5)]).tolist()
    [[[0.0, 2.0]]]
    """
    scaled = pixels.astype(np.float32)  # then in place: regions are large
    for channel, known in enumerate(statistics):
        span = np.float32(known.high - known.low)
        scaled[channel] -= np.float32(known.low)
        scaled[channel] /= span if span > 0 else np.float32(np.inf)
    if pixels.dtype.kind == "f":
        scaled[~np.isfinite(scaled)] = 0
    return scaled


def statistics_of(image: NDArray[Any], settings: Ingest | None = None) -> list[Statistics]:
    """Statistics of each channel of an image in memory (channels, then its other axes), by ingest's percentiles.

    >>> statistics_of(np.array([[[10, 20, 30]]]))[0].high
    30.0
    """
    asked, found = settings or Ingest(), []
    for channel in image:
        gathering = Gathering()
        gathering.add(channel)
        found.append(gathering.finish(asked.percentile_low, asked.percentile_high))
    return found


def normalise_image(image: NDArray[Any], settings: Ingest | None = None) -> NDArray[np.float32]:
    """An image in memory as networks trained here take it: (channels, y, x) of float32, by its own percentiles.

    Give it the whole image and not a part: a part of empty background would have its noise blown up. For a stack of
    many planes take the statistics of all: `normalise(plane, statistics_of(stack))`.

    >>> normalise_image(np.array([[10, 20, 30]])).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    channels = image[None] if image.ndim == 2 else image
    return normalise(channels, statistics_of(channels, settings))


def by_rule(rule: Mapping[str, Any], statistics: Sequence[Statistics], stack: str) -> list[Statistics]:
    """Statistics of a stack's channels whose `low` and `high` are what a model's rule maps to 0 and 1.

    `{"rule": "divide", "by": 255}` is for stacks whose brightest pixel lies above 1 and does not exceed the divisor:
    others are of another range, and the network would see nothing, or far too much.

    >>> by_rule({"rule": "divide", "by": 255}, [Statistics(10, 20, 10, 30, 15, 5)], "a")[0].high
    255.0
    """
    if rule.get("rule") == PERCENTILES:
        return list(statistics)
    if rule.get("rule") != DIVIDE:
        raise ValueError(
            f"a rule of normalisation must be {PERCENTILES} or {DIVIDE}, got {rule}; import the model again"
        )
    most, divisor = max(s.max for s in statistics), float(rule["by"])
    if most > divisor or 0 < most <= 1:
        raise ValueError(
            f"{stack} must hold grey values of 0 to {divisor:g}, by which its model divides, got {most:g} as the "
            "brightest; convert the images to that range"
        )
    return [replace(s, low=0.0, high=divisor) for s in statistics]


def plain_statistics(statistics: list[Statistics]) -> list[dict[str, float]]:
    """Plain values for a stamp."""
    return [asdict(s) for s in statistics]
