"""What stands out of a channel, and its noise, measured on blocks of 4 × 4 pixels.

Percentiles of pixels cannot tell a few cells from noise, or from hot pixels. In blocks noise averages out, objects do
not, and a hot pixel vanishes, as the brightest pixel of a block is left out of its mean.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 4
"""Pixels of a block's side."""
MOST_SQUARES = 2**18
"""Squares of 2 × 2 blocks of a channel that are kept, at most; then every `STRIDE`-th alone, and so on."""
STRIDE = 11
"""What a subsample is thinned by; an odd prime that hardly ever divides an image's width."""
SPREADS = 6.0
"""Robust standard deviations above the median from which a block stands out."""
FEWEST = 3
"""Blocks that must stand out: fewer are dirt."""
LEVEL, QUIET = 0.8, 0.1
"""Fraction of the blocks that stand out which `level` is not below; of the blocks that vary, for `noise`."""
COARSE = (0.01, 0.998)
"""Quantiles that the span of squares is taken between."""
AT_ONCE = 2**14
"""Squares that are measured at a time, as numpy widens their pixels to 8 bytes each."""
NORMAL = 0.6745
"""Distance from median to quartile of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class BlockStatistics:
    """What the blocks of a channel tell, in its own grey values."""

    background: float
    """Median of the blocks' means."""
    noise: float
    """Standard deviation of the pixels within a quiet block, one that nine in ten of those that vary exceed."""
    level: float
    """Grey value of what stands out of the background; `background` where nothing does."""
    coarse: float
    """Span between percentiles 1 and 99.8 of the means of squares of 8 × 8 pixels: of noise it is small."""


@dataclass
class Thinned:
    """Rows of numbers: all up to `most`, of more every 11th, then every 121st, however they were cut into parts."""

    most: int
    kept: list[NDArray[Any]] = field(default_factory=list)
    stride: int = 1
    seen: int = 0

    def due(self) -> slice:
        """Which of the next rows are to be given."""
        return slice(-self.seen % self.stride, None, self.stride)

    def add(self, rows: NDArray[Any], of: int) -> None:
        """Take in the rows that were due, of so many that were there."""
        self.kept.append(rows)
        self.seen += of
        while self.seen > self.most * self.stride:
            self.stride *= STRIDE
            self.kept = [np.concatenate(self.kept)[::STRIDE].copy()]


@dataclass
class BlockGathering:
    """The block statistics of a channel in the making."""

    rows: Thinned = field(default_factory=lambda: Thinned(MOST_SQUARES))
    """Of each square of 2 × 2 blocks the four means without the brightest pixel, then the standard deviations."""

    def add(self, plane: NDArray[Any]) -> None:
        """Take in a plane or a part of one; squares with pixels that are not finite are left out."""
        height, width = (size // (2 * SIDE) for size in plane.shape)
        cut = plane[: height * 2 * SIDE, : width * 2 * SIDE].reshape(height, 2, SIDE, width, 2, SIDE)
        squares, due = cut.transpose(0, 3, 1, 4, 2, 5), np.arange(height * width)[self.rows.due()]
        parts = (due[start : start + AT_ONCE] for start in range(0, due.size, AT_ONCE))
        rows = [_rows(squares[part // width, part % width].reshape(-1, 4, SIDE * SIDE)) for part in parts]
        self.rows.add(np.concatenate([np.empty((0, 8)), *rows]), height * width)

    def finish(self) -> BlockStatistics | None:
        """Statistics of all blocks; None where there were none."""
        rows = np.concatenate([np.empty((0, 8)), *self.rows.kept])
        rows = rows[np.isfinite(rows).all(1)]
        if not rows.size:
            return None
        means, spreads, coarse = rows[:, :4].ravel(), rows[:, 4:].ravel(), rows[:, :4].mean(1)
        lower, median = np.quantile(means, [0.25, 0.5])
        typical = np.median(spreads)
        outstanding = means[means > median + SPREADS * max((median - lower) / NORMAL, typical / SIDE)]
        level = np.quantile(outstanding, LEVEL) if outstanding.size >= FEWEST else median
        varying = spreads[spreads > 0]
        quiet = min(np.quantile(varying, QUIET), typical) if varying.size else 0.0
        return BlockStatistics(float(median), float(quiet), float(level), float(np.ptp(np.quantile(coarse, COARSE))))


def _rows(blocks: NDArray[Any]) -> NDArray[np.float64]:
    """Trimmed means and standard deviations of each square's blocks, which are given by their pixels (n, 4, 16)."""
    exact = blocks.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite ones, which are left out
        trimmed = (exact.sum(2) - exact.max(2)) / (SIDE * SIDE - 1)
        return np.concatenate([trimmed, exact.std(2, ddof=1)], 1)
