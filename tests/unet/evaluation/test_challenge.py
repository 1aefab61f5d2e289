"""Laws of the ISBI 2012 boards: counts add up to the figures of the whole, which a slow oracle has too."""

import math

import numpy as np
import pytest
from skimage.measure import label

from tests.drawn_benchmarks import drawn, membranes
from unet.evaluation.challenge import THRESHOLDS, board_counts, board_figures, summed
from unet.evaluation.metrics import rand_f, v_info, v_rand, warping_error

SIDE = 40


@pytest.fixture(scope="module")
def sections():
    """Cells of three sections, and scores that blur them."""
    _, ids = drawn(3, side=64)
    cells = membranes(ids)[:, :SIDE, :SIDE] > 0
    noise = np.random.default_rng(0).random(cells.shape)
    return cells, np.clip(0.6 * cells + 0.4 * noise, 0, 1)


@pytest.fixture(scope="module")
def figures(sections):
    return board_figures(summed(map(board_counts, *sections)))


def unique(masks):
    """4-connected components of each plane, with ids of their own."""
    labels, count = np.zeros(masks.shape, int), 0
    for plane, mask in enumerate(masks):
        found = label(mask, connectivity=1)
        labels[plane], count = np.where(found > 0, found + count, 0), count + found.max()
    return labels


def test_thresholds_are_those_of_the_challenges_program():
    assert len(THRESHOLDS) == 11
    assert THRESHOLDS[-1] == 0.9999999999999999


def test_the_rand_error_is_that_of_the_whole_stack_at_its_best_threshold(sections, figures):
    cells, scores = sections
    errors = [1 - rand_f(unique(cells), unique(scores > t)) for t in THRESHOLDS]
    assert figures["rand_error"].value == pytest.approx(min(errors), abs=1e-12)
    assert figures["rand_error"].threshold == THRESHOLDS[int(np.argmin(errors))]


def test_the_rand_error_is_that_of_all_pairs_of_pixels():
    """The definition, pair by pair: two pixels of truth foreground are together or apart."""
    cells = np.array([[1, 1, 0, 1, 1, 1]], bool)
    scores = np.array([[0.9, 0.45, 0.0, 0.9, 0.9, 0.9]])
    truth, found = unique(cells[None])[0], unique((scores > 0.5)[None])[0]
    inside = np.flatnonzero(truth)
    pairs = [(a, b) for a in inside for b in inside]
    true = {(a, b) for a, b in pairs if truth.flat[a] == truth.flat[b]}
    same = {(a, b) for a, b in pairs if a == b or found.flat[a] == found.flat[b] > 0}
    f = 2 * len(true & same) / (len(true) + len(same))
    counts = board_counts(cells, scores)
    at = 5
    assert 2 * counts["shared"][at] / (counts["objects"][at] + counts["segments"][at]) == pytest.approx(f)


@pytest.mark.parametrize(("name", "measure"), [("v_rand", v_rand), ("v_info", v_info)])
def test_thinned_scores_are_means_over_sections_at_the_best_threshold(sections, figures, name, measure):
    cells, scores = sections
    means = [
        np.mean(
            [
                measure(label(c, connectivity=1), label(s > t, connectivity=1))
                for c, s in zip(cells, scores, strict=True)
            ]
        )
        for t in THRESHOLDS
    ]
    assert figures[name].value == pytest.approx(max(means), abs=1e-12)


def test_the_pixel_error_is_one_less_the_best_f1_of_cells_over_all_sections(sections, figures):
    cells, scores = sections
    best = 0.0
    for t in THRESHOLDS:
        hits = missed = made_up = 0
        for true, score in zip(cells.ravel(), scores.ravel(), strict=True):
            hits, missed, made_up = (
                hits + (true and score > t),
                missed + (true and score <= t),
                made_up + (not true and score > t),
            )
        best = max(best, 2 * hits / (2 * hits + missed + made_up))
    assert figures["pixel_error"].value == pytest.approx(1 - best)


def test_the_warping_error_counts_splits_and_mergers_at_ten_thresholds(sections, figures):
    cells, scores = sections
    means = [
        np.mean([warping_error(c, s, t, "splits and mergers") for c, s in zip(cells, scores, strict=True)])
        for t in THRESHOLDS[:-1]
    ]
    assert figures["warping_error"].value == pytest.approx(min(means))


def test_counts_of_blocks_add_up_to_those_of_all(sections, figures):
    cells, scores = sections
    blocks = [summed([board_counts(cells[0], scores[0])]), summed(map(board_counts, cells[1:], scores[1:]))]
    again = board_figures(summed(blocks))
    assert {name: of.value for name, of in again.items()} == pytest.approx({k: of.value for k, of in figures.items()})


def test_perfect_scores_are_perfect(sections):
    cells, _ = sections
    figures = board_figures(summed(board_counts(c, c.astype(float)) for c in cells))
    assert {name: round(of.value, 12) for name, of in figures.items() if "error" in name} == {
        "rand_error": 0,
        "pixel_error": 0,
        "warping_error": 0,
    }
    assert figures["v_rand"].value > 0.97  # its dams are thinner than the membranes of truth, which are not judged
    assert figures["v_info"].value > 0.97


def test_all_membrane_has_no_warping_error_and_says_so_of_nothing_else(sections):
    cells, _ = sections
    figures = board_figures(board_counts(cells[0], np.zeros(cells[0].shape)))
    assert figures["warping_error"].value == 0
    assert figures["pixel_error"].value == 1


def test_sections_without_cells_are_left_out():
    empty = np.zeros((5, 5), bool)
    figures = board_figures(board_counts(empty, np.full((5, 5), 0.5)))
    assert math.isnan(figures["v_rand"].value)
    assert math.isnan(figures["rand_error"].threshold)
