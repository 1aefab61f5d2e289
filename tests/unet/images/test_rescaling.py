"""Laws of rescaling: a window is that of the whole, and a picture keeps its shapes and its mean."""

import numpy as np
import pytest
import skimage.transform
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.planes import Plane
from unet.images.rescaling import covering, inverse, reading, rescaled, scale_to
from unet.images.units import pixel_size
from unet.images.windows import Window

few = settings(deadline=None, max_examples=60)
scales = st.tuples(*[st.sampled_from([0.25, 0.5, 0.77, 1.0, 1.3, 2.0, 3.1])] * 2)
windows = st.builds(Window, st.integers(-9, 30), st.integers(-9, 30), st.integers(1, 12), st.integers(1, 12))


def made(image, window, scale):
    plane = Plane(image[None], ((0,),))
    return rescaled(plane.read(reading(window, scale)), window, scale)[0]


@few
@given(scales, windows)
def test_a_window_is_that_of_the_whole_bit_for_bit(scale, window):
    image = np.random.default_rng(0).random((23, 31))
    whole = Window(-20, -20, 80, 80)
    expected = made(image, whole, scale)[window.within(whole).slices]
    np.testing.assert_array_equal(made(image, window, scale), expected)


@few
@given(scales, windows)
def test_covering_is_enough_for_the_way_back(scale, window):
    image = np.random.default_rng(1).random((23, 31))
    needed = covering(window, scale)
    there = made(image, needed, scale)
    back = rescaled(there[None], window, inverse(scale))
    assert back.shape == (1, window.height, window.width)


def test_smooth_pictures_come_back():
    y, x = np.mgrid[:64, :96] / 10
    image = np.sin(y) + np.cos(x)
    window, scale = Window(0, 0, 64, 96), (0.5, 0.8)
    needed = covering(window, scale)
    back = rescaled(made(image, needed, scale)[None], window, inverse(scale))[0]
    assert np.abs(back - image).max() < 0.12
    assert np.abs(back - image).mean() < 0.01


def test_larger_pixels_are_those_of_an_antialiased_resize():
    image = np.random.default_rng(2).random((64, 64))
    ours = made(image, Window(0, 0, 32, 32), (0.5, 0.5))
    theirs = skimage.transform.downscale_local_mean(image, (2, 2))
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.85
    assert ours.mean() == pytest.approx(image.mean(), abs=0.01)
    assert ours.std() < image.std()


def test_a_scale_of_one_changes_nothing():
    image = np.random.default_rng(3).random((9, 7)).astype(np.float32)
    np.testing.assert_array_equal(made(image, Window(0, 0, 9, 7), (1.0, 1.0)), image)


def test_sizes_that_are_not_known_are_none():
    micrometre = {"y": "micrometer", "x": "micrometer"}
    assert pixel_size({"spacing": {}, "units": {}}) is None
    assert pixel_size({"spacing": {"y": 1.0, "x": 1.0}, "units": {"y": "micrometer"}}) is None
    assert pixel_size({"spacing": {"y": 1.0, "x": 1.0}, "units": {"y": "second", "x": "second"}}) is None
    inch = pixel_size({"spacing": {"y": 1.0, "x": 2.0}, "units": dict.fromkeys("yx", "inch")})
    assert scale_to(pixel_size({"spacing": {"y": 25.4, "x": 25.4}, "units": micrometre}), inch) == (1000, 2000)
