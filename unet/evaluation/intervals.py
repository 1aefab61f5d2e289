"""Intervals: how far a mean could lie from what it is, had other stacks of the same kind been measured.

Planes of one stack are alike, so what is drawn again are stacks, each with all its planes: with `k` of them in a draw
the mean of a draw is the sum over its planes by the number of these. Drawing planes one by one, as if each was another
field of view, makes intervals as narrow as if there were that many stacks. Where there is one stack there is no other
way; who shows such an interval says that it is too narrow.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class MeanInterval(NamedTuple):
    """A mean with its interval, and of how many values and stacks it is; no numbers where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    stacks: int


def bootstrap_interval(  # what is known of each value, and how it is drawn
    values: Sequence[float],
    shares: Sequence[float],
    stacks: Sequence[str],
    resamples: int,
    confidence: float,
    draw: np.random.Generator,
) -> MeanInterval:
    """Weighted mean of some values, with the interval that resampling them gives, at a level between 0 and 1.

    Percentiles of the means of `resamples` draws with replacement (Efron 1979): of stacks with all their values, as of
    clusters (Davison and Hinkley 1997, 3.8); of values where all are of one stack. Draws are made of `draw`, and none
    where there are no values.

    >>> drawn = 100, 0.9, np.random.default_rng(0)
    >>> bootstrap_interval([0.5, 1.0], [1, 3], ["a", "a"], *drawn)
    MeanInterval(value=0.875, low=0.5, high=1.0, n=2, stacks=1)
    >>> bootstrap_interval([0.25, 0.5, 0.75], [1, 1, 1], ["a", "a", "b"], *drawn)
    MeanInterval(value=0.5, low=0.375, high=0.75, n=3, stacks=2)
    """
    if not len(values):
        return MeanInterval(None, None, None, 0, 0)
    numbers, weights = np.array(values, np.float64), np.array(shares, np.float64)
    names, of_stack = np.unique(np.array(stacks), return_inverse=True)
    groups = of_stack if names.size > 1 else np.arange(numbers.size)
    means = _drawn_means(np.bincount(groups, numbers * weights), np.bincount(groups, weights), resamples, draw)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    mean = float(np.average(numbers, weights=weights))
    return MeanInterval(mean, float(low), float(high), numbers.size, names.size)


def _drawn_means(
    sums: NDArray[Any], weights: NDArray[Any], resamples: int, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Means of draws of as many groups as there are, given each one's weighted sum and weight."""
    chosen = draw.integers(0, sums.size, (resamples, sums.size))
    means: NDArray[np.float64] = sums[chosen].sum(axis=1) / weights[chosen].sum(axis=1)
    return means
