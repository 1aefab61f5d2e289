"""Laws of intervals: they hold their mean, stacks are drawn whole, and weights count as repetitions do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.evaluation.intervals import MeanInterval, bootstrap_interval

ROWS = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9), st.sampled_from("abcd")), min_size=1, max_size=12)


def interval(values, shares=None, stacks=None, confidence=0.95):
    ones = [1] * len(values)
    draw = np.random.default_rng(0)
    return bootstrap_interval(values, shares or ones, stacks or ["a"] * len(values), 200, confidence, draw)


def slow_interval(values, shares, stacks, confidence):
    """Stacks drawn one by one, all their values put together each time."""
    draw, names = np.random.default_rng(0), sorted(set(stacks))
    groups = [[i for i, of in enumerate(stacks) if of == name] for name in names]
    groups = groups if len(names) > 1 else [[i] for i in range(len(values))]
    means = []
    for chosen in draw.integers(0, len(groups), (200, len(groups))):
        drawn = [i for group in chosen for i in groups[group]]
        means.append(sum(values[i] * shares[i] for i in drawn) / sum(shares[i] for i in drawn))
    return np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])


@given(ROWS, st.sampled_from([0.5, 0.9, 0.95]))
def test_intervals_as_slow_oracles(rows, confidence):
    values, shares, stacks = map(list, zip(*rows, strict=True))
    found = interval(values, shares, stacks, confidence)
    np.testing.assert_allclose([found.low, found.high], slow_interval(values, shares, stacks, confidence), atol=1e-9)


@given(ROWS)
def test_the_mean_is_the_weighted_one_and_no_bound_leaves_the_values(rows):
    values, shares, stacks = map(list, zip(*rows, strict=True))
    found = interval(values, shares, stacks)
    assert found.value == pytest.approx(np.average(values, weights=shares))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert (found.n, found.stacks) == (len(values), len(set(stacks)))


def test_a_higher_level_is_wider_and_more_values_are_narrower():
    few, many = [0.2, 0.9, 0.6, 0.4], [0.2, 0.9, 0.6, 0.4] * 20
    wide, narrow, certain = interval(few), interval(many), interval(few, confidence=0.5)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert wide.high - wide.low > certain.high - certain.low


def test_planes_that_are_alike_make_an_interval_of_stacks_no_narrower():
    """Ten copies of each plane tell nothing new: of stacks the interval stays, of planes it shrinks to a third."""
    values = [0.2, 0.9, 0.6, 0.4]
    copies, stacks = [value for value in values for _ in range(10)], [name for name in "abcd" for _ in range(10)]
    single, by_stack, by_plane = (
        interval(values, stacks=list("abcd")),
        interval(copies, stacks=stacks),
        interval(copies),
    )
    assert (by_stack.low, by_stack.high) == pytest.approx((single.low, single.high))
    assert by_plane.high - by_plane.low < 0.5 * (by_stack.high - by_stack.low)


def test_of_nothing_there_is_no_mean_and_nothing_is_drawn():
    draw = np.random.default_rng(0)
    assert bootstrap_interval([], [], [], 200, 0.95, draw) == MeanInterval(None, None, None, 0, 0)
    assert draw.random() == np.random.default_rng(0).random()
