"""Statistics of each channel of a whole stack, gathered plane by plane, and the one normalisation that uses them.

The rule: never per tile, or a tile of empty background would have its noise blown up, neighbours would be mapped
differently, and seams would appear whatever the network. Integers of up to 16 bits have an exact histogram; of other
types a fixed subsample of every 64th pixel is kept.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUBSAMPLE = 64


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
    """What has been seen of one channel so far."""

    values: dict[float, int] = field(default_factory=dict)

    def add(self, pixels: NDArray[Any]) -> None:
        """Take in a plane or block; pixels that are not finite are left out."""
        if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
            pixels = pixels.ravel()[::SUBSAMPLE]
            pixels = pixels[np.isfinite(pixels)]
        for value, count in zip(*(a.tolist() for a in np.unique(pixels, return_counts=True)), strict=True):
            self.values[value] = self.values.get(value, 0) + count

    def finish(self, low: float, high: float) -> Statistics:
        """Statistics with the percentiles `low` and `high`: the least value that so many percent do not exceed.

        >>> gathering = Gathering()
        >>> gathering.add(np.arange(101, dtype=np.uint8))
        >>> gathering.finish(1, 99).low, gathering.finish(1, 99).high
        (1.0, 99.0)
        """
        if not self.values:
            raise ValueError("a channel must have at least one finite pixel, got none; look at the source file")
        values, counts = (
            np.array(column, dtype=np.float64) for column in zip(*sorted(self.values.items()), strict=True)
        )
        total, share = counts.sum(), np.cumsum(counts) / counts.sum()
        mean = float((values * counts).sum() / total)
        spread = float(np.sqrt(((values - mean) ** 2 * counts).sum() / total))
        lowest, highest = (values[np.searchsorted(share, p / 100)] for p in (low, high))
        return Statistics(float(lowest), float(highest), float(values[0]), float(values[-1]), mean, spread)


def normalise(pixels: NDArray[Any], statistics: list[Statistics]) -> NDArray[np.float32]:
    """Pixels (channels, y, x) as float32 with `low` → 0 and `high` → 1, not clipped; a constant channel gives zeros.

    >>> normalise(np.array([[[10, 30]]]), [Statistics(10, 20, 10, 30, 15, 5)]).tolist()
    [[[0.0, 2.0]]]
    """
    low = np.array([s.low for s in statistics], np.float32)[:, None, None]
    span = np.array([s.high - s.low for s in statistics], np.float32)[:, None, None]
    return np.where(span > 0, (pixels.astype(np.float32) - low) / np.where(span > 0, span, 1), 0).astype(np.float32)


def plain_statistics(statistics: list[Statistics]) -> list[dict[str, float]]:
    """Plain values for a stamp."""
    return [asdict(s) for s in statistics]
