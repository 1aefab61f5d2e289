"""Statistics of a channel of a stack, as its stamp keeps them, and what they say of its grey values and its noise.

Numbers alone, and nothing heavy: what `status` says of a stack follows from them. How they are gathered is in
`normalisation`.
"""

import math
import sys
from dataclasses import dataclass
from typing import ClassVar

CLIP = (-1.0, 3.0)
"""What normalised grey values are clipped to: a hot pixel of hundreds would change the scores up to 94 px around it."""
TOLERATED = 0.5
"""Spans by which what stands out may exceed percentile 99.8 before it is what becomes 1: a bright texture does."""
LEAST_NOISE = 0.03
"""Noise in spans that training stacks have at least: some were made without, and augmentation adds some."""
HELD = (0.4, 0.6)
"""Share of the span that squares hold: up to here it is noise, from here on it is not."""
SIGMAS_BELOW = 2.33
"""Standard deviations from the median to percentile 1 of noise."""
STEP_NOISE = 1 / math.sqrt(12)
"""Standard deviation of rounding to steps of 1."""


@dataclass(frozen=True)
class GreyRange:
    """The grey values of a channel that become 0 and 1, and what normalised ones are clipped to."""

    low: float
    high: float
    clip: tuple[float, float] | None = None


@dataclass(frozen=True)
class Statistics:
    """Statistics of one channel in its own grey values; percentiles `low` and `high`."""

    clip: ClassVar[None] = None

    low: float
    high: float
    min: float
    max: float
    mean: float
    std: float
    background: float = -sys.float_info.max
    """Median of the means of blocks of 4 × 4 pixels; see `block_statistics`."""
    noise: float = 0.0
    """Standard deviation of the pixels within quiet blocks."""
    level: float = -sys.float_info.max
    """Grey value of what stands out of the background; `background` where nothing does."""
    coarse: float = 0.0
    """Span of the means of squares of 8 × 8 pixels: far below `high` − `low` where that is noise."""
    step: float = 0.0
    """Least difference of two grey values that occur."""


def own_range(known: Statistics) -> GreyRange:
    """What a channel's own grey values map to 0 and 1: its percentiles, or what stands out far beyond the upper one.

    Where objects cover more than some percent of the pixels, the percentile lies among them and decides. The rule has
    no step: an image a little sparser than another is hardly darker or brighter.

    >>> dense, sparse = Statistics(10, 90, 0, 99, 40, 20, level=80), Statistics(10, 20, 0, 99, 15, 5, level=85)
    >>> own_range(dense).high, own_range(sparse).high
    (90, 80.0)
    """
    span = known.high - known.low
    return GreyRange(known.low, max(known.high, known.level - TOLERATED * span), CLIP)


def noise_in(known: Statistics, span: float) -> float:
    """Noise of a channel in spans.

    Two kinds are not to be seen within blocks; both are known by squares of 8 × 8 pixels, which do not hold the span:
    rare single counts, of which rounding is the noise, and noise that is alike in neighbouring pixels, such as that of
    an image that was filtered or compressed. Of it the lower percentile tells, where nothing stands out.

    >>> noise_in(Statistics(0, 50, 0, 60, 10, 5, background=25, noise=2, level=40, coarse=50, step=1), 50)
    0.04
    """
    held = min(max(known.coarse, known.level - known.low) / span, 1) if span > 0 else 1
    of_rounding = STEP_NOISE * known.step * (1 - held)
    noise = math.hypot(known.noise, of_rounding) / span if span > 0 else 0.0
    if not is_empty(known):
        return noise
    below = (known.background - known.low) / (SIGMAS_BELOW * span) if span > 0 else 0.0
    return noise + unheld(known, span) * max(below - noise, 0)


def unheld(known: Statistics, span: float) -> float:
    """1 where squares hold so little of the span that it is noise, 0 where they hold it."""
    return min(max((HELD[1] - known.coarse / span) / (HELD[1] - HELD[0]), 0), 1) if span > 0 else 0


def is_empty(known: Statistics) -> bool:
    """Whether nothing stands out: of empty stacks, and where objects cover most of them."""
    return known.level <= known.background
