"""The table of an array in memory is the one that the stage makes of blocks, and data frames take it."""

import numpy as np
import pyarrow as pa
import pytest
import skimage.measure

from unet.images.synthetic import draw_stack
from unet.labels.connected import connected_segments
from unet.labels.segment_table import segment_table

SPACING, UNITS = {"z": 1.5, "y": 0.5, "x": 0.5}, dict.fromkeys("zyx", "micrometer")


@pytest.fixture(scope="module")
def drawn():
    image, truth = draw_stack(planes=2, side=64, seed=1)
    return image, connected_segments(truth > 0)


def test_it_equals_scikit_image(drawn):
    image, segments = drawn
    found = segment_table(segments[0], image[0], SPACING, UNITS, ["dna"])
    slow = skimage.measure.regionprops_table(segments[0], image[0], ["label", "area", "centroid", "intensity_mean"])
    np.testing.assert_array_equal(found["id"], slow["label"])
    np.testing.assert_array_equal(found["area_px"], slow["area"])
    np.testing.assert_allclose(found["area_um2"], slow["area"] * 0.25)
    np.testing.assert_allclose(found["centroid_x"], slow["centroid-1"])
    np.testing.assert_allclose(found["intensity_mean_dna"], slow["intensity_mean"])


def test_planes_are_told_and_volumes_measured(drawn):
    image, segments = drawn
    found = segment_table(segments, image, SPACING, UNITS)
    assert set(found["z"].tolist()) == {0, 1}
    solid = connected_segments(segments > 0, dimensions=3)
    volumes = segment_table(solid, image, SPACING, UNITS, dimensions=3)
    assert volumes["volume_px"].sum() == (segments > 0).sum()
    np.testing.assert_allclose(volumes["volume_um3"], volumes["volume_px"] * 1.5 * 0.25)


def test_without_an_image_there_are_no_intensities_and_with_scores_their_mean(drawn):
    _, segments = drawn
    assert [name for name in segment_table(segments) if name.startswith("intensity")] == []
    assert set(segment_table(segments, scores=(segments > 0).astype(np.float32))["score_mean"].tolist()) == {1.0}


def test_a_data_frame_takes_it(drawn):
    image, segments = drawn
    columns = segment_table(segments, np.stack([image, image]))
    frame = pa.table(columns)
    assert frame.num_rows == segments.max()
    assert {"intensity_mean_0", "intensity_mean_1"} <= set(frame.column_names)


def test_what_is_no_stack_of_planes_is_refused():
    with pytest.raises(ValueError, match="y x with at most z and t before it, got 1 axes"):
        segment_table(np.array([1, 2]))
