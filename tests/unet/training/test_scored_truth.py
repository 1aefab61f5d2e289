"""Laws of how well settings serve: the mean over planes of the metric of what the stage would make."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unet.labels.segmentation import segments_of_scores
from unet.settings.segment import SegmentNumbers
from unet.training.scored_truth import METRICS, ScoredTruth, fitting_metric, served

SETTINGS = SegmentNumbers(threshold=0.55, min_size=6)


def block(seed, *shape, judged=None, is_mask=False):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    scores = np.clip(128 + 80 * noise / noise.std(), 0, 255).astype(np.uint8)
    truth = segments_of_scores(scores, SegmentNumbers(min_size=0))
    return ScoredTruth(scores, truth if judged is None else truth * judged, judged, is_mask=is_mask)


@pytest.mark.parametrize("metric", METRICS)
def test_the_value_is_the_mean_over_planes_and_of_seg_over_objects(metric):
    blocks = [block(seed, 60, 50) for seed in range(3)]
    values = [METRICS[metric](one.truth, segments_of_scores(one.scores, SETTINGS)) for one in blocks]
    weights = [one.truth.max() if metric == "seg" else 1 for one in blocks]
    found = served(blocks, SETTINGS, metric)
    assert found.mean == pytest.approx(np.average(values, weights=weights))
    assert 0 < found.size_ratio < 1  # a higher threshold than that of the truth


def test_the_size_ratio_is_that_of_the_objects_that_are_matched():
    truth = np.array([[1, 1, 1, 1, 0, 0, 2, 2, 2, 2, 0, 3]])
    scores = np.array([[1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0]], float)  # 3 of 4 pixels, and 5 for 4; one is missed
    assert served([ScoredTruth(scores, truth)], SegmentNumbers(min_size=0), "iou").size_ratio == pytest.approx(8 / 8)
    assert math.isnan(served([ScoredTruth(scores * 0, truth)], SegmentNumbers(), "iou").size_ratio)


def test_what_nobody_judged_is_looked_at_in_neither():
    judged = np.ones((60, 50), bool)
    judged[:20] = False
    one = block(4, 60, 50, judged=judged)
    segments = segments_of_scores(one.scores, SETTINGS) * judged
    assert served([one], SETTINGS, "seg").mean == pytest.approx(METRICS["seg"](one.truth, segments))


def test_planes_without_a_value_are_left_out():
    empty = ScoredTruth(np.zeros((5, 5)), np.zeros((5, 5), int))
    some = block(1, 60, 50)
    assert served([some, empty], SETTINGS, "dice").mean == served([some], SETTINGS, "dice").mean
    assert math.isnan(served([empty], SETTINGS, "mean_average_precision").mean)


def test_metrics_of_planes_are_the_mean_over_those_of_a_block():
    settings, solid = SegmentNumbers(dimensions=3), block(2, 4, 40, 50)
    segments = segments_of_scores(solid.scores, settings)
    planes = [METRICS["v_rand"](*pair) for pair in zip(solid.truth, segments, strict=True)]
    assert served([solid], settings, "v_rand").mean == pytest.approx(np.mean(planes))


def test_membranes_are_what_was_drawn_as_a_mask_that_covers_more_than_half():
    dense, sparse = np.array([[1, 1, 0, 2]]), np.array([[1, 0, 0, 0]])

    def metric(*truths, **more):
        return fitting_metric([ScoredTruth(truth, truth, **more) for truth in truths])

    assert metric(dense, is_mask=True) == "v_rand"
    assert metric(dense) == metric(sparse, is_mask=True) == metric(dense, sparse, is_mask=True)
    assert metric(dense) == "mean_average_precision"
    assert metric(sparse, judged=np.array([[1, 0, 0, 0]], bool), is_mask=True) == "v_rand"
