"""Laws of intervals: they hold their mean, shrink with more values, and weights count as repetitions do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.evaluation.intervals import MeanInterval, bootstrap_interval

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def interval(values, shares=None, confidence=0.95):
    return bootstrap_interval(values, shares or [1] * len(values), 200, confidence, np.random.default_rng(0))


@given(VALUES, st.data())
def test_the_mean_is_the_weighted_one_and_no_bound_leaves_the_values(values, data):
    shares = data.draw(st.lists(st.integers(1, 9), min_size=len(values), max_size=len(values)))
    found = interval(values, shares)
    assert found.value == pytest.approx(np.average(values, weights=shares))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found.n == len(values)


def test_a_higher_level_is_wider_and_more_values_are_narrower():
    few, many = [0.2, 0.9, 0.6, 0.4], [0.2, 0.9, 0.6, 0.4] * 20
    wide, narrow, certain = interval(few), interval(many), interval(few, confidence=0.5)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert wide.high - wide.low > certain.high - certain.low


def test_of_nothing_there_is_no_mean_and_nothing_is_drawn():
    draw = np.random.default_rng(0)
    assert bootstrap_interval([], [], 200, 0.95, draw) == MeanInterval(None, None, None, 0)
    assert draw.random() == np.random.default_rng(0).random()
