"""Laws of segmentation in memory; that the stage writes the same is said beside the stage."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unet.labels.connected import connected_segments
from unet.labels.segmentation import segments_of_scores
from unet.settings.segment import Segment


def blobs(*shape):
    noise = gaussian_filter(np.random.default_rng(3).normal(size=shape), 3)
    return np.clip(128 + 90 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_without_declumping_they_are_the_connected_pixels_that_reach_the_threshold(dimensions):
    scores, settings = blobs(6, 60, 70), Segment(threshold=0.6, min_size=9, max_hole_size=5, dimensions=dimensions)
    expected = connected_segments(scores >= 153, dimensions, min_size=9, max_hole_size=5)
    assert expected.max() > 1
    np.testing.assert_array_equal(segments_of_scores(scores, settings), expected)
    np.testing.assert_array_equal(segments_of_scores(scores / np.float32(255), settings), expected)


def test_only_objects_that_reach_the_high_threshold_stay():
    found = segments_of_scores(np.array([[0.5, 0.6, 0, 0.5, 0.9]]), Segment(high_threshold=0.8, min_size=0))
    assert found.tolist() == [[0, 0, 0, 1, 1]]


def test_planes_are_segmented_by_themselves_and_ids_go_on():
    scores, settings = blobs(3, 60, 70), Segment(declump_depth=1)
    found, count = segments_of_scores(scores, settings), 0
    for plane, whole in zip(scores, found, strict=True):
        alone = segments_of_scores(plane, settings)
        np.testing.assert_array_equal(whole, np.where(alone, alone + count, 0))
        count += alone.max()
    assert count > connected_segments(scores >= 128, min_size=16).max()
