"""Laws of the picture of weights: its window has the most weight, its pixels keep their colours, whatever the plane."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unet.reports.pictures import TRUTH_COLOUR
from unet.settings.classes import class_colour
from unet.weight_maps.picture import IGNORED_COLOUR, PlaneView, telling_window, weights_picture


def decode(data):
    with Image.open(BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def slow_best(weights, side):
    """The most weight of any window on the grid, one by one."""
    step = max(side // 8, 1)
    height, width = (min(side, size) for size in weights.shape)
    rows, columns = ([*range(0, max(size - side, 0) + 1, step), max(size - side, 0)] for size in weights.shape)
    return max(weights[y : y + height, x : x + width].sum() for y in rows for x in columns)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_no_window_on_the_grid_has_more_weight(height, width, side, seed):
    weights = np.random.default_rng(seed).integers(0, 9, (height, width)).astype(np.float32)
    window = telling_window(weights, side)
    assert weights[window].shape == (min(side, height), min(side, width))
    assert weights[window].sum() == slow_best(weights, side)


def test_a_small_frame_is_its_own_window_and_equal_ones_give_the_foremost():
    assert telling_window(np.zeros((30, 20))) == (slice(0, 30), slice(0, 20))
    assert telling_window(np.zeros((900, 2000))) == (slice(0, 512), slice(0, 512))


def nearly(picture, colour):
    """Pixels of a colour, up to what a palette of 256 costs."""
    return (np.abs(picture.astype(int) - colour) <= 6).all(axis=-1).sum()


def test_objects_and_ignored_pixels_have_colours_of_their_own():
    truth = np.zeros((60, 60), np.int32)
    truth[10:30, 10:30], truth[10:30, 30:50] = 3, 70000
    classes = (truth > 0).astype(np.uint8)
    border = np.zeros(truth.shape, np.float32)
    shown = decode(weights_picture(truth, classes, border, 10))
    assert nearly(shown, TRUTH_COLOUR) > 1000
    assert nearly(shown, IGNORED_COLOUR) == 0
    classes[40:] = 255
    assert nearly(decode(weights_picture(truth, classes, border, 10)), IGNORED_COLOUR) > 1000


def test_the_scale_ends_at_w0_in_every_picture():
    truth, classes = np.zeros((40, 40), np.int32), np.zeros((40, 40), np.uint8)
    bright, dim = (decode(weights_picture(truth, classes, np.full((40, 40), w, np.float32), 10)) for w in (10, 1))
    assert bright.mean() > dim.mean() + 10


@pytest.mark.parametrize(
    ("shape", "pixel"),
    [((1, 1), None), ((1, 1), 130.0), ((5, 512), 0.004), ((512, 5), 0.004), ((512, 5), 130.0), ((512, 512), 130.0)],
)
def test_any_frame_makes_a_small_picture_and_always_the_same(shape, pixel):
    random = np.random.default_rng(0)
    truth = np.kron(random.integers(0, 90, (64, 64)), np.ones((8, 8), int))[: shape[0], : shape[1]]
    border = random.random(shape).astype(np.float32)
    plane = PlaneView(100, 2000, pixel, "micrometer")
    data = weights_picture(truth, (truth > 0).astype(np.uint8), border, 0.0, plane)
    assert len(data) < 500_000
    assert data == weights_picture(truth, (truth > 0).astype(np.uint8), border, 0.0, plane)


def test_several_classes_have_colours_and_names_of_their_own():
    classes = np.repeat(np.array([0, 1, 2, 255], np.uint8), 10)[None].repeat(40, axis=0)
    border = np.zeros(classes.shape, np.float32)
    shown = decode(weights_picture(classes.astype(int), classes, border, 10, names=("nucleus", "mitosis")))
    for number in (1, 2):
        assert nearly(shown, list(bytes.fromhex(class_colour(number)[1:]))) > 1000
    assert nearly(shown, IGNORED_COLOUR) < 1000
