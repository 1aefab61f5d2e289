"""Statistics of a whole stack, however it was cut into blocks, against numpy and the definition of a percentile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.images import normalisation
from unet.images.channel_statistics import CLIP, GreyRange, Statistics, own_range
from unet.images.grey_values import normalise_image
from unet.images.normalisation import Gathering, normalise, plain_statistics, statistics_of

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


def telling_planes(stack):
    """Planes that are not of one grey value; all, where there are no others."""
    telling = [plane for plane in stack if (plane == plane.max()).mean() <= 0.9]
    return np.array(telling or list(stack))


@few
@given(stacks(), percentiles)
def test_as_numpy(stack, asked):
    found = gathered([stack], *asked)
    assert (found.low, found.high) == tuple(slow_percentile(telling_planes(stack), p) for p in asked)
    assert (found.min, found.max) == (stack.min(), stack.max())
    assert found.mean == pytest.approx(stack.mean(dtype=np.float64), rel=1e-9, abs=1e-9)
    assert found.std == pytest.approx(stack.std(dtype=np.float64), rel=1e-9, abs=1e-6)


@few
@given(stacks(), percentiles)
def test_plane_by_plane_equals_the_whole(stack, asked):
    assert gathered(stack, *asked) == gathered([stack], *asked)
    assert gathered(stack[::-1], *asked) == gathered([stack], *asked)


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
        assert sum(block.size for block in gathering.pixels.thinned.kept) <= 5000
    found = gathering.finish(1, 99)
    assert gathering.pixels.thinned.stride == 121
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
    span = found.high - found.low
    expected = (stack - np.float64(found.low)) / span if span else np.zeros(stack.shape)
    np.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-6 * max(1, abs(found.low) / span if span else 0))


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


@pytest.mark.parametrize(("dtype", "offset"), [(np.uint32, 3_000_000_000), (np.float64, 3e9), (np.int64, -(2**40))])
def test_a_large_offset_costs_no_precision(dtype, offset):
    plain = np.random.default_rng(0).integers(0, 200, (1, 40, 50))
    shifted = plain.astype(dtype) + np.dtype(dtype).type(offset)
    known = statistics_of(shifted)[0]
    assert known.std == pytest.approx(plain.std())
    assert known.mean == pytest.approx(plain.mean() + offset, abs=1e-3)
    np.testing.assert_array_equal(normalise_image(shifted), normalise_image(plain.astype(np.uint8)))


def test_what_is_normalised_is_clipped_where_the_range_says_so():
    pixels = np.array([[[0, 10, 20, 65535]]], np.uint16)
    np.testing.assert_array_equal(normalise(pixels, [GreyRange(10, 20, (-0.5, 3))]), [[[-0.5, 0, 1, 3]]])


def test_a_float_beyond_float32_is_clipped_and_an_infinite_one_is_0():
    pixels = np.array([[[1e300, -1e300, np.inf, np.nan, 3]]])
    np.testing.assert_array_equal(normalise(pixels, [GreyRange(1, 5, (-1, 3))]), [[[3, -1, 0, 0, 0.5]]])


@pytest.mark.parametrize("unit", [1e-50, 1e-42, 1e40])
def test_a_span_that_float32_cannot_hold_is_mapped_like_any_other(unit):
    plain = np.random.default_rng(0).integers(0, 200, (1, 40, 50)).astype(np.float64)
    np.testing.assert_allclose(normalise_image(plain * unit), normalise_image(plain), atol=1e-6)


def image_of_discs(fraction, seed=0, side=128):
    """Noise (mean 100, σ 4) with discs of 400 that cover so much of it, more or less."""
    rng = np.random.default_rng(seed)
    image, (y, x) = rng.normal(100, 4, (side, side)), np.indices((side, side))
    for cy, cx in rng.uniform(8, side - 8, (round(fraction * side**2 / 113), 2)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < 36] += 300
    return image


affine = st.tuples(st.floats(0.01, 100), st.floats(-1000, 1000))


@few
@given(affine, st.sampled_from([0.0, 0.007, 0.02, 0.2]), st.integers(0, 5))
def test_another_gain_and_offset_give_the_same_image(change, fraction, seed):
    gain, offset = change
    image = image_of_discs(fraction, seed)
    np.testing.assert_allclose(normalise_image(gain * image + offset), normalise_image(image), atol=1e-4)


@few
@given(stacks())
def test_every_image_gives_finite_values_within_the_clip(stack):
    scaled = normalise_image(stack)
    assert np.isfinite(scaled).all()
    assert scaled.min() >= CLIP[0]
    assert scaled.max() <= CLIP[1]


def test_discs_are_as_bright_however_few_they_are():
    """Percentile 99.8 alone would be noise in the sparsest, and make discs of 14 spans."""
    images = [image_of_discs(count * 113 / 512**2, side=512) for count in (1, 3, 10, 30, 100)]
    levels = [np.median(normalise_image(image)[image[None] > 300]) for image in images]
    assert levels == pytest.approx([1] * 5, abs=0.05)


def test_a_hot_pixel_changes_nothing_but_itself():
    image = image_of_discs(0.1).round().astype(np.uint16)
    hot = image.copy()
    hot[60, 60] = 65535
    before, after = (normalise_image(each)[0] for each in (image, hot))
    assert after[60, 60] == CLIP[1]
    after[60, 60] = before[60, 60]
    np.testing.assert_allclose(before, after, atol=0.01)  # a percentile of 16,384 pixels moves by one of them


def test_a_hot_pixel_on_zeros_is_no_object():
    hot = np.zeros((64, 64), np.uint16)
    hot[30, 30] = 65535
    assert not normalise_image(hot).any()


@pytest.mark.parametrize("value", [0, 255])
def test_planes_of_one_grey_value_do_not_count(value):
    plane = image_of_discs(0.1).clip(0, 255).astype(np.uint8)
    blank = np.full_like(plane, value)
    blank[:3] = min(value, 7)
    stack = np.stack([blank, plane, blank, blank])
    known, alone = (gathered([each]) for each in (stack, plane[None]))
    assert own_range(known) == own_range(alone)
    assert (known.min, known.max) == (min(7, value), 255)


def test_an_image_in_memory_is_normalised_as_its_stack_would_be():
    image = np.random.default_rng(0).integers(0, 4000, (2, 30, 40)).astype(np.uint16)
    gatherings = [Gathering(), Gathering()]
    for gathering, channel in zip(gatherings, image, strict=True):
        gathering.add(channel)
    statistics = [gathering.finish(1.0, 99.8) for gathering in gatherings]
    assert statistics_of(image) == statistics
    np.testing.assert_array_equal(normalise_image(image), normalise(image, [own_range(each) for each in statistics]))
    np.testing.assert_array_equal(normalise_image(image[0])[0], normalise_image(image)[0])
