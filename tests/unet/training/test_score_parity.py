"""Laws of two precisions side by side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from unet.labels.segmentation import segments_of_scores
from unet.network.parity import CLOSE
from unet.settings.segment import SegmentNumbers
from unet.training.score_parity import ScoredTwice, as_bytes, changed_segments, compare_scores
from unet.training.scored_truth import METRICS, ScoredTruth

NUMBERS = SegmentNumbers(threshold=0.5, min_size=4)


def scores_of(seed, classes=1, shape=(60, 50)):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(classes, *shape)), (0, 3, 3))
    return np.clip(0.5 + 0.35 * noise / noise.std(), 0, 1).astype(np.float32)


def drawn(scores):
    return ScoredTruth(as_bytes(scores[0]), segments_of_scores(as_bytes(scores[0]), NUMBERS))


def slowly_changed(ones, others):
    """Each pair looked at by itself."""
    same = 0
    for one in range(1, ones.max() + 1):
        for other in range(1, others.max() + 1):
            both = np.count_nonzero((ones == one) & (others == other))
            same += both / np.count_nonzero((ones == one) | (others == other)) > 0.9
    return max(ones.max(), others.max()) - same


@given(st.integers(0, 999), st.floats(0, 0.2))
def test_differences_and_changed_segments_are_those_that_are_counted_one_by_one(seed, noise):
    windows = [
        ScoredTwice(scores, np.clip(scores + noise * np.random.default_rng(seed).normal(size=scores.shape), 0, 1))
        for scores in (scores_of(seed, 2), scores_of(seed + 1, 2))
    ]
    found = compare_scores(windows, NUMBERS)
    apart = [np.abs(each.scores.astype(float) - each.others).max(axis=0) for each in windows]
    assert found.pixels == 2 * 60 * 50
    assert found.largest == pytest.approx(max(each.max() for each in apart), abs=1e-6)
    assert found.close == pytest.approx(np.mean([each <= CLOSE for each in apart]), abs=1e-3)
    assert found.changed >= 0
    assert (found.objects, found.metric) == (0, None)


@given(st.integers(0, 99), st.floats(0, 0.1))
def test_changed_segments_equal_the_oracle(seed, noise):
    ones, others = scores_of(seed)[0], scores_of(seed)[0] + np.float32(noise) * scores_of(seed + 1)[0]
    labels = [segments_of_scores(as_bytes(np.clip(each, 0, 1)), NUMBERS) for each in (ones, others)]
    assert changed_segments(*labels) == changed_segments(*labels[::-1]) == slowly_changed(*labels)


def test_equal_scores_are_at_parity_and_the_metric_is_that_of_the_stage():
    scores = scores_of(3)
    found = compare_scores([ScoredTwice(scores, scores, drawn(scores_of(4)))], NUMBERS)
    assert (found.largest, found.close, found.changed) == (0, 1, 0)
    expected = METRICS["mean_average_precision"](
        drawn(scores_of(4)).truth, segments_of_scores(as_bytes(scores[0]), NUMBERS)
    )
    assert found.metric == "mean_average_precision"
    assert found.in_float32 == found.in_half == pytest.approx(expected, abs=1e-6)
    assert found.objects == drawn(scores_of(4)).truth.max()


def test_each_precision_is_judged_by_its_own_scores():
    scores, others = scores_of(3), scores_of(5)
    found = compare_scores([ScoredTwice(scores, others, drawn(scores))], NUMBERS)
    assert found.in_float32 == 1 > found.in_half


def test_scores_that_are_not_finite_are_no_parity_at_all():
    scores = scores_of(3)
    others = scores.copy()
    others[0, 0, 0] = np.nan
    found = compare_scores([ScoredTwice(scores, others, drawn(scores))], NUMBERS)
    assert (found.largest, found.close, found.metric) == (None, 0, None)


def test_truth_without_an_object_measures_nothing():
    scores = scores_of(3)
    empty = ScoredTruth(as_bytes(scores[0]), np.zeros((60, 50), np.int32))
    assert compare_scores([ScoredTwice(scores, scores, empty)], NUMBERS).metric is None


def test_bytes_are_those_that_are_kept():
    np.testing.assert_array_equal(as_bytes(np.array([0, 0.5, 1], np.float32)), [0, 128, 255])
