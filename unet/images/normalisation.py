"""Statistics of each channel of a whole stack, gathered plane by plane, and the normalisation that uses them.

The rule: never per tile, or a tile of empty background would have its noise blown up, neighbours would be mapped
differently, and seams would appear whatever the network. Integers of up to 16 bits have an exact histogram. Of other
types all pixels are kept up to `MOST_KEPT`; beyond it every 11th alone, then every 121st and so on: memory stays
bounded on stacks of any size. Rejected: every 64th pixel, which in an image 512 px wide is the same eight columns of
each row.

Of a few cells in a wide background percentile 99.8 is background. So what stands out of the background counts too
(`own_range`); what a model adds, which knows the grey values that it was trained on, is in `grey_values`. Planes of one
grey value, saturated or blank, tell nothing and are left out of the percentiles, unless there are no others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.block_statistics import BlockGathering, BlockStatistics, Thinned
from unet.images.channel_statistics import GreyRange, Statistics
from unet.images.detail import DetailGathering
from unet.images.value_counts import Counted, count
from unet.settings.ingest import Ingest

MOST_KEPT = 2**22
"""Pixels of a channel that are kept where there is no histogram, at most."""
BLANK = 0.9
"""Fraction of a plane's pixels at its greatest value above which it is of one grey value."""
SINGLE = np.finfo(np.float32)


@dataclass
class Histogram:
    """How often each value occurs, in the making: exactly for integers of up to 16 bits, else of a subsample."""

    counts: NDArray[np.int64] | None = None
    """Of an integer type of up to 16 bits, from its least value on."""
    least: int = 0
    """The value that `counts` begins at."""
    thinned: Thinned = field(default_factory=lambda: Thinned(MOST_KEPT))
    """Pixels of any other type."""

    def add(self, plane: NDArray[Any], counted: Counted | None) -> None:
        """Take in a plane, which `counted` is the histogram of where its type has one."""
        if counted is None:
            self.thinned.add(plane.ravel()[self.thinned.due()].copy(), plane.size)
        elif self.counts is None:
            self.counts, self.least = counted.counts, counted.least
        else:
            self.counts += counted.counts

    def finish(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Values that occur, finite and in ascending order, and how often."""
        if self.counts is not None:
            seen = np.flatnonzero(self.counts)
            return (seen + self.least).astype(np.float64), self.counts[seen]
        kept = np.concatenate([np.empty(0), *self.thinned.kept])
        values, counts = np.unique(kept[np.isfinite(kept)], return_counts=True)
        return values, counts


@dataclass
class Gathering:
    """The statistics of one channel in the making; all blocks added must have one type."""

    pixels: Histogram = field(default_factory=Histogram)
    """Of all planes but blank ones."""
    blank: Histogram = field(default_factory=Histogram)
    """Of planes of one grey value."""
    blocks: BlockGathering = field(default_factory=BlockGathering)
    detail: DetailGathering = field(default_factory=DetailGathering)

    def add(self, pixels: NDArray[Any]) -> None:
        """Take in planes, or a part of one; pixels that are not finite are left out."""
        if not pixels.size:
            return
        for plane in np.atleast_2d(pixels).reshape(-1, *np.atleast_2d(pixels).shape[-2:]):
            counted = count(plane)
            most = np.count_nonzero(plane == plane.max()) if counted is None else counted.of_greatest
            is_blank = most > BLANK * plane.size
            (self.blank if is_blank else self.pixels).add(plane, counted)
            if not is_blank:
                self.blocks.add(plane)
                self.detail.add(plane)

    def finish(self, low: float, high: float) -> Statistics:
        """Statistics with the percentiles `low` and `high`: the least value that so many percent do not exceed.

        >>> gathering = Gathering()
        >>> gathering.add(np.arange(101, dtype=np.uint8))
        >>> gathering.finish(1, 99).low, gathering.finish(1, 99).high
        (1.0, 99.0)
        """
        telling, blank = self.pixels.finish(), self.blank.finish()
        values, counts = _joined(telling, blank)
        if not counts.size:
            raise ValueError("a channel must have at least one finite pixel, got none; look at the source file")
        mean = float(values[0] + ((values - values[0]) * counts).sum() / counts.sum())
        spread = float(np.sqrt(((values - mean) ** 2 * counts).sum() / counts.sum()))
        lowest, highest = (_percentile(*(telling if telling[0].size else blank), p) for p in (low, high))
        blocks = self.blocks.finish() or BlockStatistics(lowest, 0.0, lowest, highest - lowest)
        step = float(np.diff(values).min()) if values.size > 1 else 0.0
        whole = Statistics(lowest, highest, float(values[0]), float(values[-1]), mean, spread, step=step)
        return replace(whole, **asdict(blocks))


def _joined(
    one: tuple[NDArray[np.float64], NDArray[np.int64]], other: tuple[NDArray[np.float64], NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two histograms as one."""
    values, place = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    counts = np.zeros(values.size, np.int64)
    np.add.at(counts, place, np.concatenate([one[1], other[1]]))
    return values, counts


def _percentile(values: NDArray[np.float64], counts: NDArray[np.int64], percent: float) -> float:
    upto = np.cumsum(counts)
    return float(values[np.searchsorted(100 * upto, percent * upto[-1])])


def normalise(pixels: NDArray[Any], ranges: Sequence[GreyRange | Statistics]) -> NDArray[np.float32]:
    """Pixels (channels, y, x) as float32 with `low` → 0 and `high` → 1, clipped where the range says so.

    A constant channel gives zeros, and so do pixels that are not finite: one NaN would spread over the network's reach.
    `low` is subtracted before grey values of more than 24 bits are rounded, and a span that float32 cannot hold, of
    10⁻⁵⁰ or 10⁵⁰, is divided by before that.

    >>> normalise(np.array([[[10, 30]]]), [GreyRange(10, 20), GreyRange(10, 20, (-1, 1.5))][:1]).tolist()
    [[[0.0, 2.0]]]
    """
    scaled = np.empty(pixels.shape, np.float32)  # then in place: regions are large
    exact = np.float32 if pixels.dtype.kind == "f" or pixels.dtype.itemsize <= 2 else np.float64
    exact = np.float64 if pixels.dtype.itemsize > 4 else exact
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, and then clipped
        for out, channel, known in zip(scaled, pixels, ranges, strict=True):
            low, span = np.float64(known.low), np.float64(known.high - known.low)
            if span > 0 and not SINGLE.tiny <= span <= SINGLE.max:
                channel, low, span = channel / span, low / span, np.float64(1)  # noqa: PLW2901
            np.subtract(channel, low, out=out, dtype=exact, casting="unsafe")
            np.divide(out, np.float32(span if span > 0 else np.inf), out=out)
            if known.clip is not None:
                np.clip(out, *known.clip, out=out)
    if pixels.dtype.kind == "f":
        scaled[~np.isfinite(pixels)] = 0
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


def plain_statistics(statistics: list[Statistics]) -> list[dict[str, float]]:
    """Plain values for a stamp."""
    return [asdict(s) for s in statistics]
