from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from unet.reports.pictures import (
    BOTH_COLOUR,
    EMBEDDED,
    SEGMENTS_COLOUR,
    TRUTH_COLOUR,
    outlines,
    png,
    sample_sheet,
    stretch,
    thumbnail,
    tint,
)

FRAME = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


def decode(data):
    with Image.open(BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def square(value=1, at=10):
    labels = np.zeros(FRAME.shape, np.int32)
    labels[at : at + 12, at : at + 12] = value
    return labels


@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_stretching_keeps_the_order_of_grey_values(plane):
    grey = stretch(plane).ravel().astype(int)
    order = np.argsort(plane.ravel(), kind="stable")
    assert (np.diff(grey[order]) >= 0).all()


def test_a_few_bright_pixels_do_not_darken_the_rest():
    plane = FRAME.astype(float)
    plane[0, 0] = 1e9
    assert 120 < np.median(stretch(plane)) < 135


@pytest.mark.parametrize("value", [0, 7, -2.5])
def test_a_constant_frame_is_black(value):
    assert not stretch(np.full((5, 5), value)).any()


def test_one_bright_pixel_in_a_dark_frame_is_seen():
    plane = np.zeros((64, 64))
    plane[3, 4] = 1
    assert stretch(plane)[3, 4] == 255


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_black_and_hide_nothing(value):
    plane = FRAME.astype(float)
    plane[:5] = value
    shown = stretch(plane)
    assert not shown[:5].any()
    np.testing.assert_array_equal(shown[5:], stretch(plane[5:]))
    assert not stretch(np.full((5, 5), value)).any()


def test_equal_outlines_are_white_whatever_the_ids():
    picture = outlines(FRAME, square(3), square(70000))
    edge = (picture == BOTH_COLOUR).all(axis=-1)
    assert edge.sum() == 12 * 12 - 10 * 10
    assert not ((picture == SEGMENTS_COLOUR).all(axis=-1) | (picture == TRUTH_COLOUR).all(axis=-1)).any()


def test_outlines_of_one_side_have_its_colour():
    picture = outlines(FRAME, segments=square(at=5), truth=square(at=30))
    assert picture[5, 5].tolist() == list(SEGMENTS_COLOUR)
    assert picture[30, 30].tolist() == list(TRUTH_COLOUR)
    assert np.array_equal(outlines(FRAME), outlines(FRAME, square(0), square(0)))


def test_tint_colours_the_objects_and_nothing_else():
    picture, plain = tint(FRAME, square()), outlines(FRAME)
    coloured = (picture != plain).any(axis=-1)
    assert np.array_equal(coloured, square() > 0)
    assert np.array_equal(tint(FRAME, square(9) > 0), picture)


@pytest.mark.parametrize("draw", [outlines, tint])
def test_labels_of_another_shape_are_refused(draw):
    with pytest.raises(ValueError, match=r"one y x plane each, got \(64, 48\) and \(3, 64, 48\)"):
        draw(FRAME, np.zeros((3, 64, 48)))


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_png_is_exact_with_and_without_a_palette(colours, seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (colours, 3), np.uint8)[rng.integers(0, colours, (20, 31))]
    assert np.array_equal(decode(png(rgb)), rgb)


def test_pictures_of_frames_fit_a_palette():
    for picture in (outlines(FRAME, square(), square(at=15)), tint(FRAME, square())):
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= 256


@pytest.mark.parametrize(("shape", "expected"), [((900, 300), (128, 43)), ((40, 60), (40, 60))])
def test_a_thumbnail_keeps_its_form_and_is_never_enlarged(shape, expected):
    assert decode(thumbnail(np.zeros((*shape, 3), np.uint8), 128)).shape == (*expected, 3)


def test_even_noise_makes_a_thumbnail_that_a_database_can_hold():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    assert len(thumbnail(noise, 900)) < EMBEDDED


def test_a_sheet_of_samples_outlines_objects_and_tells_what_is_ignored():
    image = np.full((3, 9, 9), 0.5)
    classes = np.zeros((3, 7, 7), int)
    classes[0, 2:5, 2:5], classes[1, 0, 0] = 1, 255
    sheet = sample_sheet(image, classes, columns=2)
    assert sheet.shape == (22, 22, 3)
    assert sheet.dtype == np.uint8
    first, second = sheet[:9, :9], sheet[:9, 11:20]
    outline = (first == TRUTH_COLOUR).all(-1)
    assert sorted(map(tuple, np.argwhere(outline))) == [
        (y, x) for y in (3, 4, 5) for x in (3, 4, 5) if (y, x) != (4, 4)
    ]
    assert np.argwhere((second == SEGMENTS_COLOUR).all(-1)).tolist() == [[1, 1]]
    assert first[0, 0].tolist() == [47] * 3  # the context is half as bright as 94, which is 0.5
    assert first[4, 4].tolist() == [94] * 3
    assert (sheet[11:, 11:] == 255).all()  # no fourth sample
