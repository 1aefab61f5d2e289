"""The table of an array in memory is the one that the stage makes of blocks, and data frames take it."""

import numpy as np
import pyarrow as pa
import pytest
import skimage.measure

from unet.images.synthetic import draw_stack
from unet.labels.connected import connected_segments
from unet.labels.measures import measure_block, merge_measures
from unet.labels.segment_table import Kinds, segment_table, table_columns

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


def test_a_table_in_memory_names_classes():
    labels, scores = np.array([[1, 1, 0, 2]]), np.array([[[0.9, 0.7, 0, 0.1]], [[0.1, 0.2, 0, 0.8]]])
    columns = segment_table(labels, scores=scores, classes=("nucleus", "mitosis"))
    assert columns["class"].tolist() == [1, 2]
    assert columns["class_name"].tolist() == ["nucleus", "mitosis"]
    np.testing.assert_allclose(columns["score_nucleus"], [0.8, 0.1])
    np.testing.assert_allclose(columns["score_mean"], [0.95, 0.9])
    assert "class_name" not in segment_table(labels, scores=scores[0])
    assert pa.table(segment_table(labels * 0, scores=scores, classes=("a", "b")))["class_name"].type == pa.string()
    with pytest.raises(ValueError, match="classes must be 2 names"):
        segment_table(labels, scores=scores, classes=("nucleus",))


def test_the_class_of_a_segment_is_the_one_with_the_largest_sum_and_the_lowest_of_equal_ones():
    labels = np.array([[1, 1, 2, 2, 3, 3]])
    classes = np.array([[[9, 1, 0, 9, 5, 0]], [[5, 4, 9, 8, 5, 0]], [[5, 5, 9, 8, 0, 0]]], np.uint8)
    total = classes.sum(axis=0, dtype=np.uint8)
    blocks = [
        measure_block(labels[w], np.zeros((0, 1, 3)), total[w], (0, w[1].start), classes[(slice(None), *w)])
        for w in ((slice(0, 1), slice(0, 3)), (slice(0, 1), slice(3, 6)))
    ]
    measures = merge_measures(blocks)
    columns = table_columns(measures, "yx", {}, {}, [], labels.shape, kinds=Kinds.by_scores(measures, (1, 3, 4)))
    assert list(columns)[:2] == ["id", "class"]
    assert columns["class"].tolist() == [1, 3, 1]


def test_first_and_last_plane_are_no_border_unless_linked():
    labels = np.zeros((1, 3, 3), int)
    labels[0, 1, 1] = 5
    measures = measure_block(labels, np.ones((0, 1, 3, 3)))
    assert not table_columns(measures, "zyx", {}, {}, [], labels.shape, 2)["touches_border"].any()
    assert table_columns(measures, "zyx", {}, {}, [], labels.shape, 3)["touches_border"].all()


def test_ids_and_origins_beyond_32_bits():
    labels = np.array([[2**40, 2**40, 0, 2**33]])
    measures = measure_block(labels, np.zeros((0, 1, 4)), origin=(2**31, 2**35))
    columns = table_columns(measures, "yx", {}, {}, [], (2**31 + 1, 2**36))
    assert columns["id"].tolist() == [2**33, 2**40]
    assert columns["centroid_x"].tolist() == [2**35 + 3, 2**35 + 0.5]
    assert columns["touches_border"].tolist() == [True, True]


@pytest.mark.parametrize(
    ("spacing", "units", "column"),
    [
        (SPACING, UNITS, {"area_um2"}),
        (SPACING, {"y": "furlong", "x": "furlong"}, {"area_furlong2"}),
        ({"x": 1.0}, UNITS, set()),
        (SPACING, {"x": "micrometer"}, set()),
        (SPACING, {"y": "nanometer", "x": "micrometer"}, set()),
        ({}, {}, set()),
    ],
)
def test_physical_size_needs_sizes_and_one_unit(spacing, units, column):
    measures = measure_block(np.ones((2, 2), int), np.ones((1, 2, 2)))
    names = set(table_columns(measures, "yx", spacing, units, ["a"], (2, 2)))
    assert {name for name in names if name.startswith("area")} == {"area_px"} | column


def test_constant_intensities_have_no_spread():
    measures = measure_block(np.ones((30, 30), int), np.full((1, 30, 30), 0.1, np.float32))
    assert table_columns(measures, "yx", {}, {}, ["a"], (30, 30))["intensity_std_a"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("axes", "channels", "shape", "dimensions", "says"),
    [
        ("yx", ["a"], (2, 2), 2, "must name 3 axes"),
        ("tyx", ["a"], (2, 2), 2, "must name 3 axes"),
        ("tyx", ["a"], (1, 2, 2), 3, "dimensions must be 2 with"),
        ("zyx", ["a"], (1, 2, 2), 1, "dimensions must be 2 with"),
        ("zyx", ["a", "b"], (1, 2, 2), 2, "channels must be 1 different names"),
        ("zyx", [], (1, 2, 2), 2, "channels must be 1 different names"),
    ],
)
def test_tables_that_are_refused(axes, channels, shape, dimensions, says):
    measures = measure_block(np.ones((1, 2, 2), int), np.ones((1, 1, 2, 2)))
    with pytest.raises(ValueError, match=says):
        table_columns(measures, axes, {}, {}, channels, shape, dimensions)
