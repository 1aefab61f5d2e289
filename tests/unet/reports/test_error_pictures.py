"""Pictures of errors: each kind has its colour and, but for what is found, its sign; bars are as long as they say."""

import numpy as np
import pytest

from unet.evaluation.contingency import contingency
from unet.evaluation.object_errors import KINDS, object_errors
from unet.reports.error_pictures import (
    LOOKS,
    SIDE,
    Kinds,
    PixelSize,
    picture_of_certainty,
    picture_of_errors,
    round_length,
    telling_part,
)
from unet.reports.pictures import png


def square(labels, id_, y, x, side=20):
    labels[y : y + side, x : x + side] = id_


def drawn(truth, segments, size=PixelSize()):  # noqa: B008  # it is frozen
    table = contingency(truth, segments)
    ids = table.object_ids, table.segment_ids
    return picture_of_errors(np.zeros(truth.shape), truth, segments, ids, object_errors(table), size)


def count(picture, kind):
    return int((picture.pixels == np.array(LOOKS[kind].colour)).all(axis=-1).sum())


@pytest.fixture
def pair():
    """One object of each kind."""
    truth, segments = np.zeros((2, 160, 160), np.int32)
    square(truth, 3, 10, 10)
    square(segments, 8, 10, 10)  # found
    square(truth, 4, 10, 60)  # missed
    square(segments, 9, 10, 110)  # invented
    square(truth, 5, 60, 10)
    square(truth, 6, 60, 30)
    segments[60:80, 10:50] = 10  # merged
    truth[110:130, 60:100] = 7
    segments[110:130, 60:79] = 11
    segments[110:130, 81:100] = 12  # split
    return truth, segments


def test_each_kind_is_drawn_in_its_colour(pair):
    picture = drawn(*pair)
    assert {kind: count(picture, kind) > 100 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert count(picture, "uncertain") == 0


def test_errors_have_a_sign_at_their_middle_and_what_is_found_has_none(pair):
    picture = drawn(*pair).pixels
    large = picture.shape[0] // 160
    for kind, (y, x) in {"missed": (20, 70), "invented": (20, 120), "merged": (70, 20), "split": (120, 80)}.items():
        middle = picture[large * y - 4 : large * y + 4, large * x - 4 : large * x + 4].reshape(-1, 3)
        assert (middle == LOOKS[kind].colour).all(axis=1).any(), kind
    middle = picture[large * 20 - 4 : large * 20 + 4, large * 20 - 4 : large * 20 + 4]
    assert not (middle == LOOKS["found"].colour).all(axis=-1).any()


def test_signs_and_colours_differ():
    signs = [look.sign for kind, look in LOOKS.items() if kind not in ("found", "certain")]
    assert len(set(signs)) == len(signs)
    assert len({look.colour for kind, look in LOOKS.items() if kind in KINDS}) == len(KINDS)


def test_truth_is_dashed_and_segments_are_not(pair):
    truth, segments = pair
    missed, invented = drawn(truth, np.zeros_like(segments)), drawn(np.zeros_like(truth), truth)
    assert 0 < count(missed, "missed") < 0.8 * count(invented, "invented")


@pytest.mark.parametrize(
    ("size", "length"), [(PixelSize(), 20), (PixelSize(0.325, "µm"), 10), (PixelSize(2e-3, "mm"), 0.05)]
)
def test_the_scale_bar_is_as_long_as_it_says(pair, size, length):
    picture = drawn(*pair, size).pixels
    large = picture.shape[0] // 160
    white = (picture[-17] == 255).all(axis=-1).sum()  # a row through the bar
    assert white == pytest.approx(length / size.value * large, abs=2)


def test_of_a_large_plane_the_part_with_most_errors_is_shown_and_a_small_one_whole():
    kinds = np.zeros((2000, 1500), np.uint8)
    kinds[1800:1830, 1200:1230] = 2
    kinds[100:400, 100:400] = 1
    y, x = telling_part(kinds)
    assert (y.stop - y.start, x.stop - x.start) == (SIDE, SIDE)
    assert y.start <= 1800
    assert 1830 <= y.stop <= 2000
    assert x.start <= 1200
    assert 1230 <= x.stop <= 1500
    kinds[kinds == 2] = 0
    y, x = telling_part(kinds)
    assert y.start <= 100
    assert x.start <= 100
    assert telling_part(kinds[:300, :200]) == (slice(0, 300), slice(0, 200))


def test_segments_of_a_low_score_are_marked():
    _, segments = np.zeros((2, 100, 100), np.int32)
    square(segments, 3, 10, 10)
    square(segments, 8, 60, 60)
    picture = picture_of_certainty(np.zeros((100, 100)), segments, np.array([3, 8]), np.array([0.4, 0.9]), PixelSize())
    assert count(picture, "uncertain") > 100
    assert count(picture, "certain") > 100
    nothing = picture_of_certainty(np.zeros((9, 9)), np.zeros((9, 9), int), np.array([]), np.array([]), PixelSize())
    assert count(nothing, "certain") == 0


def test_a_picture_has_few_colours_and_so_is_exact_and_small(pair):
    picture = drawn(*pair).pixels
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= 256
    assert len(png(picture)) < 60_000


@pytest.mark.parametrize("most", [0.0123, 0.99, 1, 4.9, 5, 7, 3333])
def test_a_round_length_is_no_longer_and_more_than_a_third(most):
    assert most / 2.5 <= round_length(most) <= most


@pytest.mark.parametrize("far", [1, 2**40])
def test_kinds_of_pixels_are_those_of_their_ids_however_large_these_are(far):
    labels = np.array([[0, 3, 8], [8, 5, 0]]) * far
    kinds = Kinds(np.array([3, 8]) * far, np.array([2, 0], np.uint8))
    assert kinds.of_pixels(labels).tolist() == [[0, 3, 1], [1, 0, 0]]
