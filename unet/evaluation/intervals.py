"""Intervals: how far a mean could lie from what it is, had other planes of the same kind been measured."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class MeanInterval(NamedTuple):
    """A mean with its interval, and of how many values it is; no numbers where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def bootstrap_interval(
    values: Sequence[float], shares: Sequence[float], resamples: int, confidence: float, draw: np.random.Generator
) -> MeanInterval:
    """Weighted mean of some values, with the interval that resampling them gives, at a level between 0 and 1.

    Percentiles of the means of `resamples` draws with replacement (Efron 1979). Draws are made of `draw`, and none
    where there are no values.

    >>> bootstrap_interval([0.5, 1.0], [1, 3], 100, 0.9, np.random.default_rng(0))
    MeanInterval(value=0.875, low=0.5, high=1.0, n=2)
    """
    if not len(values):
        return MeanInterval(None, None, None, 0)
    numbers, weights = np.array(values), np.array(shares, np.float64)
    chosen = draw.integers(0, len(numbers), (resamples, len(numbers)))
    means = (numbers[chosen] * weights[chosen]).sum(axis=1) / weights[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return MeanInterval(float(np.average(numbers, weights=weights)), float(low), float(high), len(numbers))
