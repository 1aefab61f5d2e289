"""Statistics of a whole stack, however it was cut into blocks, against numpy and the definition of a percentile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.images import normalisation
from unet.images.normalisation import (
    Gathering,
    Statistics,
    by_rule,
    normalise,
    normalise_image,
    plain_statistics,
    statistics_of,
)

few = settings(deadline=None, max_examples=60)
types = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.float32, np.float64])
percentiles = st.tuples(st.sampled_from([0, 1, 3, 12.5]), st.sampled_from([50, 99, 99.8, 100]))


@st.composite
def stacks(draw, types=types):
    """Planes z y x of any numeric type, of few values or of many, the extremes of the type among them."""
    dtype = np.dtype(draw(types))
    if dtype.kind == "f":
        elements = st.floats(-1000, 1000, width=32)
    else:
        limits = np.iinfo(dtype)
        elements = st.integers(limits.min, limits.max) | st.sampled_from([limits.min, limits.max, 3])
    return draw(arrays(dtype, st.tuples(*[st.integers(1, 6)] * 3), elements=elements))


def gathered(blocks, low=1, high=99.8):
    gathering = Gathering()
    for block in blocks:
        gathering.add(block)
    return gathering.finish(low, high)


def slow_percentile(pixels, percent):
    """The least value that so many percent of the pixels do not exceed."""
    return min(v for v in pixels.flat if 100 * np.count_nonzero(pixels <= v) >= percent * pixels.size)


@few
@given(stacks(), percentiles)
def test_as_numpy(stack, asked):
    found = gathered([stack], *asked)
    assert (found.low, found.high) == tuple(slow_percentile(stack, p) for p in asked)
    assert (found.min, found.max) == (stack.min(), stack.max())
    assert found.mean == pytest.approx(stack.mean(dtype=np.float64), rel=1e-9, abs=1e-9)
    assert found.std == pytest.approx(stack.std(dtype=np.float64), rel=1e-9, abs=1e-6)


@few
@given(stacks(), percentiles)
def test_plane_by_plane_equals_the_whole(stack, asked):
    assert gathered(stack, *asked) == gathered([stack], *asked)
    assert gathered(stack[::-1], *asked) == gathered([stack], *asked)


def test_blocks_larger_than_what_is_counted_at_a_time(monkeypatch):
    monkeypatch.setattr(normalisation, "COUNTED", 7)
    stack = np.random.default_rng(0).integers(-9, 9, (3, 5, 4)).astype(np.int8)
    assert gathered([stack]).mean == pytest.approx(stack.mean())


def test_pixels_that_are_not_finite_are_left_out():
    plane = np.array([[np.nan, 1, 2], [3, np.inf, -np.inf]], np.float32)
    assert gathered([plane], 0, 100) == gathered([np.array([1.0, 2, 3])], 0, 100)


@pytest.mark.parametrize("blocks", [[], [np.full((2, 2), np.nan)], [np.empty((0, 4), np.uint8)]])
def test_a_channel_without_pixels_is_refused(blocks):
    with pytest.raises(ValueError, match="at least one finite pixel, got none; look at the source file"):
        gathered(blocks)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_what_is_kept_of_a_large_stack_is_bounded_and_fair(monkeypatch, dtype):
    """The columns of an image differ: of a width that is a power of two, every 64th pixel would see one of them."""
    monkeypatch.setattr(normalisation, "MOST_KEPT", 5000)
    stack = np.broadcast_to(np.arange(64), (50, 64, 64)).astype(dtype)
    gathering = Gathering()
    for plane in stack:
        gathering.add(plane)
        assert sum(block.size for block in gathering.kept) <= 5000
    found = gathering.finish(1, 99)
    assert gathering.stride == 121
    assert (found.min, found.low, found.high, found.max) == (0, 0, 63, 63)
    assert found.mean == pytest.approx(31.5, abs=0.5)


@few
@given(stacks(st.just(np.float32)), st.integers(1, 50))
def test_what_is_kept_does_not_hang_on_how_a_stack_was_cut(stack, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalisation, "MOST_KEPT", limit)
        assert gathered(stack) == gathered([stack])


def test_more_blocks_than_pixels_that_may_be_kept(monkeypatch):
    monkeypatch.setattr(normalisation, "MOST_KEPT", 20)
    assert gathered(np.arange(100.0)[:, None]).max > 80


@few
@given(stacks(st.sampled_from([np.uint8, np.int16, np.float32])))
def test_low_becomes_0_and_high_becomes_1(stack):
    found = gathered([stack], 0, 100)
    scaled = normalise(stack, [found] * len(stack))
    assert scaled.dtype == np.float32
    span = found.max - found.min
    expected = (stack - np.float64(found.min)) / span if span else np.zeros(stack.shape)
    np.testing.assert_allclose(scaled, expected, atol=1e-6 * max(1, abs(found.min) / span if span else 0))


def test_each_channel_by_its_own_statistics_and_nothing_clipped():
    two = [Statistics(10, 20, 0, 0, 0, 0), Statistics(0, 100, 0, 0, 0, 0)]
    scaled = normalise(np.array([[[5, 20]], [[50, 200]]], np.uint8), two)
    np.testing.assert_array_equal(scaled, np.float32([[[-0.5, 1]], [[0.5, 2]]]))


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_a_constant_channel_gives_zeros(value):
    pixels = np.full((1, 3, 3), value, np.float32)
    np.testing.assert_array_equal(normalise(pixels, [Statistics(7, 7, 7, 7, 7, 0)]), np.zeros((1, 3, 3)))


def test_no_pixel_that_is_not_finite_reaches_the_network():
    pixels = np.array([[[np.nan, np.inf, -np.inf, 3]]])
    np.testing.assert_array_equal(normalise(pixels, [Statistics(1, 5, 1, 5, 3, 1)]), [[[0, 0, 0, 0.5]]])


def test_the_stamp_gives_the_statistics_back():
    found = gathered([np.arange(9, dtype=np.uint8)])
    assert [Statistics(**plain) for plain in plain_statistics([found])] == [found]


def brightest(*values):
    return [Statistics(3, 5, 0, value, 4, 1) for value in values]


def test_bytes_divided_by_255_are_what_a_division_gives():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    scaled = normalise(pixels, by_rule({"rule": "divide", "by": 255}, brightest(255), "a"))
    np.testing.assert_array_equal(scaled, (pixels / 255).astype(np.float32))


def test_the_rule_of_percentiles_is_the_stacks_own():
    assert by_rule({"rule": "percentiles"}, brightest(7, 70_000), "a") == brightest(7, 70_000)


@pytest.mark.parametrize("most", [(0,), (2,), (255, 1), (0, 0, 200)])
def test_stacks_of_the_divisors_range_are_taken(most):
    assert [(s.low, s.high) for s in by_rule({"rule": "divide", "by": 255}, brightest(*most), "a")] == [(0, 255)] * len(
        most
    )


@pytest.mark.parametrize(("most", "got"), [((4095,), "4095"), ((1, 0), "1"), ((0.7,), "0.7"), ((3, 256), "256")])
def test_stacks_of_another_range_are_refused(most, got):
    with pytest.raises(
        ValueError, match=f"a must hold grey values of 0 to 255, .* got {got} as the brightest; convert"
    ):
        by_rule({"rule": "divide", "by": 255}, brightest(*most), "a")


@pytest.mark.parametrize("rule", [{}, {"rule": "z-score"}])
def test_a_rule_that_is_unknown_is_refused(rule):
    with pytest.raises(ValueError, match="must be percentiles or divide, got"):
        by_rule(rule, brightest(7), "a")


def test_an_image_in_memory_is_normalised_as_its_stack_would_be():
    image = np.random.default_rng(0).integers(0, 4000, (2, 30, 40)).astype(np.uint16)
    gatherings = [Gathering(), Gathering()]
    for gathering, channel in zip(gatherings, image, strict=True):
        gathering.add(channel)
    statistics = [gathering.finish(1.0, 99.8) for gathering in gatherings]
    assert statistics_of(image) == statistics
    np.testing.assert_array_equal(normalise_image(image), normalise(image, statistics))
    np.testing.assert_array_equal(normalise_image(image[0])[0], normalise_image(image)[0])
