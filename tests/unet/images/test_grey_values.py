"""What becomes 0 and 1 by each rule."""

from dataclasses import asdict
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from unet.images.channel_statistics import CLIP, GreyRange, Statistics, noise_in, own_range
from unet.images.grey_values import Seen, StackStatistics, by_rule, rule_of_training
from unet.images.normalisation import normalise, statistics_of
from unet.images.synthetic import draw_stack
from unet.labels.connected import connected_segments

few = settings(deadline=None, max_examples=60)
SEEN = Seen(least_span=900, most_span=1200, most_noise=0.03)
AUTO = {"rule": "auto", "clip": list(CLIP), "trained_on": [asdict(SEEN)]}


def channel(low=100.0, high=1100.0, noise=20.0, **others):
    """Statistics of a channel that is like those of training."""
    return Statistics(
        low,
        high,
        low,
        high,
        low,
        1,
        **({"background": low, "noise": noise, "level": low, "coarse": high - low} | others),
    )


def stack(name, *channels, source="plate"):
    return StackStatistics(name, source, channels)


def brightest(*values):
    return [Statistics(3, 5, 0, value, 4, 1) for value in values]


def test_auto_leaves_a_stack_like_those_of_training_as_it_is():
    assert by_rule(AUTO, [channel()], "a") == [own_range(channel())] == [GreyRange(100, 1100, CLIP)]


def test_auto_lets_no_noise_be_stronger_than_in_training():
    (found,) = by_rule(AUTO, [channel(50, 150, noise=20, level=150)], "a")
    assert 20 / (found.high - found.low) == pytest.approx(0.03)


def test_auto_makes_an_empty_noisy_well_darker_still():
    (found,) = by_rule(AUTO, [channel(50, 150, noise=20, coarse=10)], "a")
    assert 20 / (found.high - found.low) < 0.03 / 4


def test_auto_leaves_a_crowded_stack_that_is_a_little_noisier_as_it_is():
    (found,) = by_rule(AUTO, [channel(noise=74)], "a")
    assert found.high == 1100


def test_auto_makes_a_stack_in_which_nothing_is_to_be_seen_0():
    (found,) = by_rule(AUTO, [channel(7, 7, noise=0)], "a")
    assert not normalise(np.full((1, 4, 4), 7), [found]).any()


@few
@given(st.floats(0.001, 0.5), st.floats(1.0, 1.01), st.sampled_from([100.0, 1100.0]))
def test_auto_has_no_step(noise, more, level):
    """A little more noise is a little less contrast."""
    spans = [by_rule(AUTO, [channel(noise=1000 * each, level=level)], "a")[0] for each in (noise, noise * more)]
    one, other = (each.high - each.low for each in spans)
    assert 1000 <= one <= other * (1 + 1e-12)
    assert other <= one * 1.01**3 * (1 + 1e-12)


@few
@given(st.floats(0.01, 100), st.floats(-1e4, 1e4), st.floats(0, 0.3))
def test_auto_follows_gain_and_offset(gain, offset, noise):
    rng = np.random.default_rng(0)
    image = rng.normal(0, noise + 1e-3, (1, 64, 64))
    image[0, 8:24, 8:24] += 1
    changed = gain * image + offset
    one, other = (normalise(each, by_rule(AUTO, statistics_of(each), "a")) for each in (image, changed))
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_noise_that_is_alike_in_neighbours_is_noise():
    """Half of its standard deviation is not to be seen within blocks of 4 × 4 pixels."""
    image = gaussian_filter(np.random.default_rng(0).normal(100, 50, (1, 256, 256)), (0, 1, 1))
    (known,) = statistics_of(image)
    span = known.high - known.low
    assert noise_in(known, span) * span == pytest.approx(image.std(), rel=0.1)
    assert known.noise < 0.6 * image.std()


def test_rare_single_counts_are_noise_and_a_mask_is_none():
    counts = (np.random.default_rng(0).random((1, 256, 256)) < 0.02).astype(np.uint8)
    mask = np.zeros_like(counts)
    mask[0, 50:90, 60:120] = 1
    (of_counts,), (of_mask,) = statistics_of(counts), statistics_of(mask)
    assert noise_in(of_counts, 1) > 0.2
    assert noise_in(of_mask, 1) < 0.01


def test_a_rule_knows_the_spans_and_the_noise_of_its_training_stacks():
    rule = rule_of_training(
        "auto", [stack("a", channel(0, 1000, 20)), stack("b", channel(0, 500, 20, background=0, level=0, coarse=500))]
    )
    assert rule == {
        "rule": "auto",
        "clip": list(CLIP),
        "trained_on": [{"least_span": 500, "most_span": 1000, "most_noise": 0.04}],
    }


def test_training_stacks_without_noise_have_a_little():
    (seen,) = rule_of_training("auto", [stack("a", channel(noise=0)), stack("b", channel(5, 5, noise=0))])["trained_on"]
    assert seen["most_noise"] == 0.03
    assert (seen["least_span"], seen["most_span"]) == (1000, 1000)


def test_an_empty_well_among_the_training_stacks_is_no_measure_of_noise():
    wells = [*(stack(name, channel(noise=30)) for name in "abc"), stack("d", channel(50, 150, noise=20))]
    (seen,) = rule_of_training("auto", wells)["trained_on"]
    assert seen["most_noise"] == 0.06


def test_each_channel_is_held_to_its_own():
    rule = rule_of_training("auto", [stack("a", channel(0, 1000, 10), channel(0, 100, 10))])
    one, other = by_rule(rule, [channel(0, 50, 5), channel(0, 50, 5)], "a")
    assert other.high == 50 < one.high


def test_stack_is_the_stacks_own():
    rule = rule_of_training("stack", [stack("a", channel())])
    noisy = channel(0, 100, 20)
    assert by_rule(rule, [noisy], "a") == [GreyRange(0, 100, CLIP)]


def test_a_source_has_one_pair_and_an_unknown_one_that_of_all():
    training = [
        stack("a", channel(0, 100), source="p"),
        stack("b", channel(20, 300), source="p"),
        stack("c", channel(1000, 2000), source="q"),
    ]
    rule = rule_of_training("source", training)
    assert by_rule(rule, [channel()], "x", "p") == [GreyRange(10, 200, CLIP)]
    assert by_rule(rule, [channel()], "x", "q") == [GreyRange(1000, 2000, CLIP)]
    assert by_rule(rule, [channel()], "x", "r") == [GreyRange(20, 300, CLIP)]


def test_blank_wells_of_a_source_do_not_make_its_others_zeros():
    blank, cells = (statistics_of(np.array([[[0, high]] * 8])) for high in (0, 600))
    plate = [StackStatistics(str(n), "plate", blank if n else cells) for n in range(4)]
    assert by_rule(rule_of_training("source", plate), cells, "a", "plate") == [GreyRange(0, 600, CLIP)]
    assert by_rule(rule_of_training("source", plate[1:]), cells, "a", "plate") == [GreyRange(0, 600, CLIP)]


def test_two_grey_values_are_taken_as_they_are():
    rule = rule_of_training((90.0, 900.0), [stack("a", channel())])
    assert by_rule(rule, [channel(), channel()], "a") == [GreyRange(90, 900, CLIP)] * 2


def test_bytes_divided_by_255_are_what_a_division_gives():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    scaled = normalise(pixels, by_rule({"rule": "divide", "by": 255}, brightest(255), "a"))
    np.testing.assert_array_equal(scaled, (pixels / 255).astype(np.float32))


def test_models_made_before_have_percentiles_and_nothing_clipped():
    sparse = channel(0, 10, level=5000)
    assert by_rule({"rule": "percentiles"}, [sparse], "a") == [GreyRange(0, 10, None)]


@pytest.mark.parametrize("most", [(0,), (2,), (255, 1), (0, 0, 200)])
def test_stacks_of_the_divisors_range_are_taken(most):
    found = by_rule({"rule": "divide", "by": 255}, brightest(*most), "a")
    assert found == [GreyRange(0, 255)] * len(most)


@pytest.mark.parametrize(("most", "got"), [((4095,), "4095"), ((1, 0), "1"), ((0.7,), "0.7"), ((3, 256), "256")])
def test_stacks_of_another_range_are_refused(most, got):
    with pytest.raises(
        ValueError, match=f"a must hold grey values of 0 to 255, .* got {got} as the brightest; convert"
    ):
        by_rule({"rule": "divide", "by": 255}, brightest(*most), "a")


@pytest.mark.parametrize("rule", [{}, {"rule": "z-score"}])
def test_a_rule_that_is_unknown_is_refused(rule):
    with pytest.raises(ValueError, match="must be auto, stack, source, fixed, percentiles or divide, got"):
        by_rule(rule, brightest(7), "a")


FIELD = (512, 512)


@cache
def drawn(seed):
    """A dense image as training has it, and its truth."""
    image, truth = draw_stack(1, 256, seed)
    return image, truth[0]


@cache
def rule_of_drawn():
    return rule_of_training("auto", [stack(str(n), *statistics_of(drawn(n)[0])) for n in (1, 3)])


def noisy(sigma=20.0, mean=100.0):
    return np.random.default_rng(0).normal(mean, sigma, FIELD)


def with_cells(field):
    """Four cells of a dense image, cut out and put far apart into a field."""
    (image,), truth = drawn(2)
    result, sizes = field.copy(), np.bincount(truth.ravel())
    for n, k in enumerate(np.argsort(sizes[1:])[-4:] + 1):
        y, x = np.nonzero(truth == k)
        result[y - y.min() + 40 + 240 * (n // 2), x - x.min() + 40 + 240 * (n % 2)] += image[y, x]
    return result


def count(image):
    """What a network that knows objects by their brightness finds: smooth areas above a fifth."""
    scaled = normalise(image[None], by_rule(rule_of_drawn(), statistics_of(image[None]), "a"))[0]
    return connected_segments(gaussian_filter(scaled, 1) > 0.2, min_size=60).max()


ZEROS = np.zeros(FIELD)
HOT = np.zeros(FIELD)
HOT[5, 5] = 60_000
SLOPE = np.linspace(0, 30, 512)[None]
UNKNOWN = np.where(np.indices(FIELD)[0] < 16, np.nan, 0.0)


@pytest.mark.parametrize(
    "field",
    [ZEROS, noisy(), noisy(5, 20), HOT, noisy() + HOT, noisy() + SLOPE, UNKNOWN, noisy() + 3e9, 0 * ZEROS + 7],
    ids=["zeros", "noise", "faint noise", "hot", "noise and hot", "slope", "nan", "offset", "constant"],
)
@pytest.mark.parametrize("exposure", [0.5, 1, 2])
def test_four_cells_are_found_wherever_they_lie_and_none_where_they_do_not(field, exposure):
    assert count(with_cells(field) * exposure) == 4
    assert count(field * exposure) == 0


@pytest.mark.parametrize("field", [np.random.default_rng(0).poisson(rate, FIELD) for rate in (0.02, 0.2, 2)])
def test_single_counts_are_no_objects(field):
    assert count(field.astype(np.uint16)) == 0


DAMAGED = [{"rule": "auto"}, {"rule": "fixed", "low": 3}, {"rule": "auto", "trained_on": [{"a": 1}]}]


@pytest.mark.parametrize("rule", DAMAGED)
def test_a_rule_that_is_not_whole_is_told_with_the_stack(rule):
    with pytest.raises(ValueError, match=r"monday: its model's rule of normalisation must be whole, got .*; copy the"):
        by_rule(rule, [Statistics(0, 1, 0, 1, 0, 0)], "monday")
