"""Drift: drawn stacks that are unlike those of training are told, images taken again are not; and the laws."""

from dataclasses import asdict
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from unet.evaluation.drift import (
    ALIKE,
    HIGHER,
    KINDS,
    LOWER,
    DriftRow,
    Measured,
    TrainingRange,
    compare,
    drift_lines,
    training_ranges,
)
from unet.evaluation.stamped_values import image_values, object_values
from unet.images.normalisation import Gathering
from unet.images.synthetic import draw_stack


def values_of(image, truth):
    """All that stamps would tell of a stack whose segments are its truth."""
    gathering = Gathering()
    gathering.add(image)
    detail = gathering.detail.finish()
    facts = {
        "channels": ["cells"],
        "statistics": [asdict(gathering.finish(1, 99.8))],
        "detail": [detail and detail._asdict()],
        "axes": "zyx",
        "shape": image.shape,
        "spacing": {},
        "units": {},
    }
    sizes = np.unique(truth[truth > 0], return_counts=True)[1]
    middle = float(np.median(sizes)) if sizes.size else None
    return image_values(facts) | object_values(facts, 2, sizes.size, middle, 0.9)


@cache
def drawn(seed):
    return draw_stack(1, 256, seed)


@cache
def trained_on(count):
    return training_ranges(values_of(*drawn(seed)) for seed in range(1, count + 1))


def camera(light):
    return np.clip(light, 0, 65535).astype(np.uint16)


def doubled(image, truth, _):
    return camera(2.0 * image), truth


def blurred(image, truth, _):
    return camera(gaussian_filter(image.astype(float), (0, 3, 3))), truth


def inverted(image, truth, _):
    return camera(np.percentile(image, 1) + np.percentile(image, 99.8) - image), truth


def membranes(image, truth, chance):
    """Another stain: seams glow, cells do not."""
    seams = (truth != np.roll(truth, 1, 1)) | (truth != np.roll(truth, 1, 2))
    light = gaussian_filter(seams.astype(float), (0, 1.2, 1.2))
    return camera(100 + 12 * chance.poisson(90 * light / light.max() + 5)), truth


def sparse(image, truth, chance):
    """Another stain: one cell in six has it."""
    kept = np.isin(truth, np.unique(truth)[1::6])
    dark = np.percentile(image, 2) + chance.normal(0, 60, image.shape)
    return camera(np.where(kept, image, dark)), np.where(kept, truth, 0)


def empty(image, truth, chance):
    return camera(100 + 12 * chance.poisson(5, image.shape) + chance.normal(0, 25, image.shape)), 0 * truth


def again(image, truth, chance):
    """The same field of view on another day: other noise, somewhat brighter or darker."""
    noise = chance.uniform(0, 0.06) * np.ptp(np.percentile(image, [1, 99.8]))
    return camera(image * chance.uniform(0.85, 1.2) + chance.normal(0, noise, image.shape)), truth


UNLIKE = [(doubled, 4), (blurred, 4), (inverted, 4), (membranes, 3), (sparse, 2), (empty, 3)]


@pytest.mark.parametrize("count", [1, 5])
def test_of_forty_drawn_stacks_nearly_all_are_told_right(count):
    cases = [(make, seed, True) for make, number in UNLIKE for seed in range(11, 11 + number)]
    cases += [(again, seed, False) for seed in (*range(1, 11), *range(21, 31))]
    wrong = []
    for make, seed, is_unlike in cases:
        values = values_of(*make(*drawn(seed), np.random.default_rng(seed)))
        told = [row.what for row in compare("a", values, trained_on(count)) if row.is_drift]
        wrong += [(make.__name__, seed, told)] if bool(told) != is_unlike else []
    assert len(cases) == 40
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("make", [make for make, _ in UNLIKE])
def test_what_is_told_is_what_was_changed(make):
    wanted = {
        doubled: "grey spread",
        blurred: "sharpness",
        inverted: "polarity",
        membranes: "polarity",
        sparse: "objects per megapixel",
        empty: "objects per megapixel",
    }
    values = values_of(*make(*drawn(12), np.random.default_rng(12)))
    assert wanted[make] in [row.what for row in compare("a", values, trained_on(5)) if row.is_drift]


numbers = st.lists(st.floats(0.01, 1e4), min_size=1, max_size=30)
kinds = st.sampled_from(sorted(KINDS))


@given(kinds, st.floats(0.01, 1e4), st.floats(0, 1))
def test_one_training_stack_is_like_training(kind, value, error):
    measured = Measured(kind, value, error)
    assert TrainingRange.of([measured]).verdict(measured) == ALIKE


@given(kinds, numbers, st.floats(0.01, 1e4))
def test_what_lies_within_the_range_is_like_training(kind, values, value):
    of = TrainingRange.of([Measured(kind, each) for each in values])
    assert of.verdict(Measured(kind, min(max(value, of.low), of.high))) == ALIKE


@given(numbers, st.floats(0.01, 1e4), st.floats(0.01, 100))
def test_a_factor_that_is_common_to_all_changes_nothing(values, value, factor):
    def verdict(by):
        of = TrainingRange.of([Measured("grey spread", by * each) for each in values])
        return of.verdict(Measured("grey spread", by * value * 1.0001)), of.verdict(Measured("grey spread", by * value))

    one, other = verdict(1.0), verdict(factor)
    assert one == other or len({*one, *other}) == 2  # at the very edge rounding decides


@given(numbers, st.floats(0.01, 1e4), st.floats(0, 3))
def test_chance_never_makes_more_of_a_difference(values, value, error):
    of = TrainingRange.of([Measured("objects", each) for each in values])
    if of.verdict(Measured("objects", value)) == ALIKE:
        assert of.verdict(Measured("objects", value, error)) == ALIKE


@given(numbers, st.floats(1.001, 1e3))
def test_the_further_off_the_surer(values, factor):
    of = TrainingRange.of([Measured("sharpness", each) for each in values])
    if of.verdict(Measured("sharpness", factor * of.high)) == HIGHER:
        assert of.verdict(Measured("sharpness", 2 * factor * of.high)) == HIGHER


def test_one_odd_stack_of_many_does_not_widen_the_range():
    ranges = training_ranges([{"grey spread": Measured("grey spread", v)} for v in (*range(900, 1100, 2), 50_000)])
    (row,) = compare("a", {"grey spread": Measured("grey spread", 40_000)}, ranges)
    assert row.verdict == HIGHER


def test_noise_is_told_where_there_is_more_and_certainty_where_there_is_less():
    for kind, low, high in (("noise", 0.001, 10), ("certainty", 0.0, 2.0)):
        of = TrainingRange.of([Measured(kind, 0.9)])
        said = [of.verdict(Measured(kind, value)) for value in (low, high)]
        assert said == ([ALIKE, HIGHER] if kind == "noise" else [LOWER, ALIKE])


def test_a_constant_channel_is_told_unless_it_was_constant_in_training():
    of = TrainingRange.of([Measured("grey spread", 900.0)])
    assert of.verdict(Measured("grey spread", 0.0)) == LOWER
    assert TrainingRange.of([Measured("grey spread", 0.0)]).verdict(Measured("grey spread", 0.0)) == ALIKE


def test_many_stacks_that_differ_alike_have_one_line():
    rows = [DriftRow(f"p{n}", "grey spread", 2000.0 + n, (900.0, 1200.0), HIGHER) for n in range(40)]
    rows += [DriftRow("x", "sharpness", 0.02, (0.04, 0.05), LOWER), DriftRow("y", "noise", 1, (1, 1), ALIKE)]
    assert drift_lines(rows, "unet") == [
        "p0, p1, p2, p3, p4 and 35 more: unlike what unet was trained on: grey spread 2,000–2,039 (900–1,200 in "
        "training)",
        "x: unlike what unet was trained on: sharpness 0.02 (0.04–0.05 in training)",
    ]
