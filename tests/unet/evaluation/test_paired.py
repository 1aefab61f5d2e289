"""Laws of paired differences, an oracle beside them, and the words that a difference gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.evaluation.paired import BETTER, FEW, SAME, WORSE, paired_difference

figures = st.floats(0, 1).map(lambda value: round(value, 3))
planes = st.lists(
    st.tuples(figures, figures, st.integers(1, 9), st.sampled_from("abcdefgh")), min_size=1, max_size=20
)  # fmt: skip
TURNED = {BETTER: WORSE, WORSE: BETTER, SAME: SAME, FEW: FEW}


def compared(a, b, stacks=None, shares=None, better="higher", **how):
    return paired_difference(a, b, shares or [1] * len(a), stacks or list(range(len(a))), better, **how)


@given(planes, st.sampled_from(["higher", "lower"]))
def test_turned_round_everything_is_turned(rows, better):
    a, b, shares, stacks = zip(*rows, strict=True)
    one, other = compared(a, b, stacks, shares, better), compared(b, a, stacks, shares, better)
    assert other.value == pytest.approx(-one.value, abs=1e-12)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)
    left = 1 - max(one.a, one.b) if better == "higher" else min(one.a, one.b)
    near = min(abs(one.low), abs(one.high), abs(abs(one.value) - min(left / 3, 0.05))) < 1e-9
    assert other.verdict == TURNED[one.verdict] or near


@given(planes)
def test_the_difference_is_that_of_the_means_and_lies_in_its_interval(rows):
    a, b, shares, stacks = zip(*rows, strict=True)
    found = compared(a, b, stacks, shares)
    assert found.value == pytest.approx(np.average(b, weights=shares) - np.average(a, weights=shares), abs=1e-12)
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9


@given(planes)
def test_a_model_differs_in_nothing_from_itself(rows):
    a, _, shares, stacks = zip(*rows, strict=True)
    found = compared(a, a, stacks, shares)
    assert found.value == 0
    assert found.verdict in (SAME, FEW)


def slow_interval(a, b, stacks, resamples=2000):
    """Bootstrap by stacks, one draw after the other."""
    draw, names, means = np.random.default_rng(1), sorted(set(stacks)), []
    planes_of = {name: [y - x for x, y, of in zip(a, b, stacks, strict=True) if of == name] for name in names}
    for _ in range(resamples):
        drawn = draw.choice(names, len(names))
        means.append(np.mean([plane for name in drawn for plane in planes_of[name]]))
    return np.quantile(means, [0.025, 0.975])


def test_of_many_stacks_the_interval_is_that_of_drawing_stacks():
    chance = np.random.default_rng(0)
    stacks = [f"s{n % 40:02}" for n in range(120)]
    a = chance.uniform(0.5, 0.9, 120)
    b = a + 0.05 + chance.normal(0, 0.05, 40)[[n % 40 for n in range(120)]]
    found = compared(a, b, stacks)
    assert (found.low, found.high) == pytest.approx(tuple(slow_interval(a, b, stacks)), abs=0.005)
    assert found.n == 40


def test_planes_of_one_stack_are_drawn_by_themselves_and_of_several_never():
    a, b = [0.5] * 8, [0.55, 0.65] * 4
    assert compared(a, b, ["a"] * 8).n == 8
    assert compared(a, b, ["a", "b"] * 4).n == 2


@pytest.mark.parametrize(
    ("b", "word"),
    [
        ([0.95] * 6, BETTER),
        ([0.5] * 6, WORSE),
        ([0.84] * 6, SAME),
        ([0.7, 0.9, 0.75, 0.86, 0.8, 0.79], SAME),
        ([0.7, 0.9], FEW),
        ([0.9], FEW),
        ([0.4, 0.42, 0.41], WORSE),
        ([0.74] * 6, WORSE),  # though of many errors a third is more
    ],
)
def test_words(b, word):
    assert compared([0.8] * len(b), b).verdict == word
    errors = compared([0.2] * len(b), [1 - value for value in b], better="lower")
    assert errors.verdict == word


def test_of_few_stacks_the_interval_is_not_narrower_than_students():
    found = compared([0.5, 0.5], [0.6, 0.7])
    assert found.low == pytest.approx(0.15 - 12.706 * 0.05, abs=1e-3)


def test_two_models_of_one_quality_are_hardly_ever_told_apart():
    told = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        hard = chance.uniform(0.5, 0.9, 6)
        a, b = hard + chance.normal(0, 0.03, 6), hard + chance.normal(0, 0.03, 6)
        told.append(compared(a, b).verdict)
    assert sum(word in (BETTER, WORSE) for word in told) <= 14
