"""Figures window by window are those of whole planes and volumes; cells that are one along z are no longer right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.evaluation.block_figures import WindowPixels, block_figures, figures_of
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import METRICS

STACK = (3, 8, 9)
LABELS = arrays(np.int64, STACK, elements=st.sampled_from([0, 0, 1, 2, 2, 7]))


def everything(window):
    return window


def windows(truth, segments, judged, side):
    """Of each plane, in squares of `side` pixels."""
    for plane in zip(truth, segments, judged, strict=True):
        places = [(y, x) for y in range(0, truth.shape[1], side) for x in range(0, truth.shape[2], side)]
        yield [WindowPixels(*(of[y : y + side, x : x + side] for of in plane)) for y, x in places]


def figures(truth, segments, judged, side=999, names=tuple(METRICS)):
    found = block_figures(windows(truth * judged, segments * judged, judged, side), names, [everything])
    return figures_of(found.table, found.of_planes[0], names)


def slow_mean(name, truth, segments, judged):
    values = [METRICS[name].value(*plane) for plane in zip(truth, segments, judged, strict=True)]
    return np.mean([value for value in values if math.isfinite(value)] or [math.nan])


def same(one, other):
    return one == pytest.approx(other, abs=1e-12, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(LABELS, LABELS, arrays(bool, STACK))
def test_of_a_volume_tables_tell_the_whole_and_the_others_are_means_over_planes(truth, segments, judged):
    found = figures(truth, segments, judged)
    for name, metric in METRICS.items():
        whole = metric.reads == "table"
        expected = metric.value(truth, segments, judged) if whole else slow_mean(name, truth, segments, judged)
        assert same(found[name], expected), name


@settings(deadline=None, max_examples=40)
@given(LABELS, LABELS, arrays(bool, STACK), st.integers(1, 5))
def test_however_planes_are_cut_into_windows_tables_tell_the_same(truth, segments, judged, side):
    names = [name for name, metric in METRICS.items() if metric.reads == "table"]
    assert same(figures(truth, segments, judged, side, names), figures(truth, segments, judged, names=names))


def test_thinned_window_by_window_borders_lie_elsewhere_at_most_beside_the_cuts():
    truth = np.kron(np.arange(1, 65).reshape(8, 8), np.ones((32, 32), int))[None]
    gap = np.arange(256) % 32
    inside = (gap > 2) & (gap < 29)
    segments = truth * (inside[:, None] & inside)
    segments[segments == 10] = 11
    judged = np.ones(truth.shape, bool)
    names = ["v_rand", "v_info", "warping_error"]
    whole = figures(truth, segments, judged, names=names)
    assert 0.5 < whole["v_rand"] < 0.99
    for name, value in figures(truth, segments, judged, 100, names).items():  # cut through cells
        assert value == pytest.approx(whole[name], abs=3e-3)
    for name, value in figures(truth, segments, judged, 99, names).items():  # three rows of a border left to each
        assert value == pytest.approx(whole[name], abs=0.05)


def test_two_cells_that_are_one_along_z_are_right_in_no_plane():
    truth = np.zeros((4, 8, 8), int)
    truth[:2, 1:6, 1:6], truth[2:, 1:6, 1:6] = 1, 2
    segments, judged = (truth > 0) * 5, np.ones(truth.shape, bool)
    assert slow_mean("average_precision", truth, segments, judged) == 1  # plane by plane nothing is wrong
    found = figures(truth, segments, judged)
    assert found["average_precision"] == found["panoptic_quality"] == 0
    assert found["det"] == 1 - 5 / 20
    assert found["seg"] == 0.5  # the segment covers both, and its overlap with each is one half
    assert found["dice"] == 1
    assert found["rand_merge"] == 0.5


def test_by_hand_in_three_dimensions():
    """An object of 2 × 2 × 2 of which the segment has 6, and one that is missed."""
    truth, segments = np.zeros((2, 4, 6), int), np.zeros((2, 4, 6), int)
    truth[:, :2, :2], truth[:, 2:, 4:] = 3, 9
    segments[:, :2, :2] = 4
    segments[1, 1] = 0
    found = figures(truth, segments, np.ones(truth.shape, bool))
    assert found["average_precision"] == 0.5
    assert found["mean_average_precision"] == 0.5 * 5 / 10  # IoU 0.75: above 0.5, 0.55, 0.6, 0.65 and 0.7
    assert found["seg"] == 0.75 / 2
    assert found["det"] == 1 - 10 / 20
    assert found["panoptic_quality"] == pytest.approx(0.75 / 1.5)
    assert found["size_ratio"] == 0.75
    assert found["dice"] == pytest.approx(2 * 6 / (16 + 6))
    assert found["pixel_error"] == 10 / 48
    assert found["rand_split"] == pytest.approx((36 + 10) / (64 + 64))


def test_each_subject_has_its_own_figures_of_planes():
    truth, segments = np.array([[[1, 1, 0, 2, 2]]]), np.array([[[5, 5, 0, 6, 0]]])

    def first(window):
        return WindowPixels(window.truth * (window.truth == 1), window.segments * (window.segments == 5), window.judged)

    found = block_figures(windows(truth, segments, truth < 9, 9), ["v_rand", "seg"], [everything, first])
    assert [sorted(of) for of in found.of_planes] == [["v_rand"], ["v_rand"]]
    assert found.table.shared.tolist() == contingency(truth, segments).shared.tolist()


def test_nothing_judged_has_no_value():
    found = figures(np.ones(STACK, int), np.ones(STACK, int), np.zeros(STACK, bool))
    assert all(math.isnan(value) for value in found.values())
