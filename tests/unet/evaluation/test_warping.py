"""The warping error against slow oracles: pixels one by one, planes labelled anew for each of them."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.measure import label

from unet.evaluation import metrics, warping
from unet.evaluation.warping import warping_error

bits = st.integers(0, 1)


@st.composite
def pairs(draw, side):
    """Masks of truth and prediction of one random shape, alike but for some pixels."""
    masks = arrays(np.int64, draw(array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=side)), elements=bits)
    truth, differ, often = draw(masks), draw(masks), draw(masks)
    return truth, truth ^ (differ & often)


def blobs(seed):
    """Cells of irregular outline, parted by background; 4-connected."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(48, 48)), 3)
    return label(noise > 0.15 * noise.std(), connectivity=1)


def slow_simple(patch):
    """Whether the middle of 3 x 3 pixels is simple: one 4-component touches it by an edge, and background is around."""
    ring = patch.copy()
    ring[1, 1] = False
    touching = set(label(ring, connectivity=1)[[0, 1, 1, 2], [1, 0, 2, 1]]) - {0}
    return len(touching) == 1 and np.count_nonzero(ring) < 8


def slow_warped(white, scores, threshold):
    plane = np.pad(white, 1)
    differ = [(y, x) for x in range(white.shape[1]) for y in range(white.shape[0])]
    differ = [p for p in differ if white[p] != (scores[p] > threshold)]
    differ.sort(key=lambda p: -abs(scores[p] - white[p]))
    flipped = True
    while flipped:
        flipped = False
        for y, x in list(differ):
            if slow_simple(plane[y : y + 3, x : x + 3]):
                plane[y + 1, x + 1] ^= True
                differ.remove((y, x))
                flipped = True
    return plane, differ


def slow_splits_and_mergers(plane, differ):
    """Each pixel classified in words of the board, the whole plane labelled anew where one is taken out."""

    def around(plane, y, x):
        return set(np.delete(label(plane, connectivity=1)[y : y + 3, x : x + 3], 4))

    count = 0
    for y, x in differ:
        if len(around(plane, y, x)) > 2:
            count += 1
        elif plane[y + 1, x + 1]:
            without = plane.copy()
            without[y + 1, x + 1] = False
            count += len(around(without, y, x)) > 2
    return count


@settings(deadline=None, max_examples=80)
@given(pairs(side=7), st.sampled_from([0.0, 0.4, 0.5, 0.9]), st.data())
def test_warping_as_slow_oracle(pair, threshold, data):
    truth, prediction = pair
    blur = data.draw(arrays(float, truth.shape, elements=st.sampled_from([0.0, 0.1, 0.2, 0.25])))
    scores = prediction * 0.75 + blur
    plane, differ = slow_warped(truth > 0, scores, threshold)
    assert np.array_equal(warping._warped(truth > 0, scores, threshold), plane)
    assert warping_error(truth, scores, threshold) == pytest.approx(len(differ) / truth.size)
    board = slow_splits_and_mergers(plane, differ) / truth.size
    assert warping_error(truth, scores, threshold, "splits and mergers") == pytest.approx(board)


@settings(deadline=None, max_examples=60)
@given(pairs(side=9))
def test_a_warped_truth_has_the_topology_of_the_truth(pair):
    truth, prediction = pair
    warped = warping._warped(truth > 0, prediction.astype(float), 0.5)
    for before, after, connectivity in ((truth > 0, warped, 1), (np.pad(truth, 1) == 0, ~warped, 2)):
        assert label(before, connectivity=connectivity).max() == label(after, connectivity=connectivity).max()


def test_232_of_the_512_patches_are_simple():
    patches = [np.array(bits).reshape(3, 3) for bits in product([False, True], repeat=9)]
    simple = [warping._runs(patch, 1, 1) == 1 for patch in patches]
    assert simple == [slow_simple(patch) for patch in patches]
    assert sum(simple) == 232


def test_labels_and_their_scores_warp_alike():
    truth, labels = blobs(5), blobs(6)
    for counted in ("pixels", "splits and mergers"):
        by_scores = warping_error(truth, (labels > 0).astype(np.float32), 0.2, counted)
        assert warping_error(truth, labels, 0.9, counted) == by_scores > 0


def test_splits_and_mergers_are_told_from_holes():
    ring = np.pad(np.zeros((3, 3), int), 1, constant_values=1)
    filled, split = np.ones((5, 5), int), np.array([[1, 1, 1, 0, 1, 1, 1]] * 3)
    merged = split.copy()
    merged[1, 3] = 1
    board = {"counted": "splits and mergers"}
    assert warping_error(ring, filled) == 1 / 25  # the hole shrinks to one pixel and stays
    assert warping_error(ring, filled, **board) == 0
    assert warping_error(split, merged) == warping_error(split, merged, **board) == 1 / 21
    assert warping_error(merged, split) == warping_error(merged, split, **board) == 1 / 21


def test_warping_refuses_what_is_no_score():
    truth = np.ones((1, 2), int)
    for scores in ([[0.5, 1.5]], [[-0.1, 0.5]], [[0.5, math.nan]]):
        with pytest.raises(ValueError, match="scores must lie between 0 and 1"):
            warping_error(truth, np.array(scores))
    with pytest.raises(ValueError, match="0 ≤ threshold < 1, got 1"):
        warping_error(truth, np.ones((1, 2)), 1)
    with pytest.raises(ValueError, match="'pixels' or 'splits and mergers', got 'holes'"):
        warping_error(truth, truth, counted="holes")


def test_it_is_one_of_the_metrics():
    assert metrics.warping_error is warping_error
