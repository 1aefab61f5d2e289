"""Laws of tables: sizes in units where they are known, borders along linked axes, and what is refused."""

import numpy as np
import pytest

from unet.labels.measures import measure_block, merge_measures
from unet.labels.tables import table_columns

SPACING = {"z": 2.5, "y": 0.5, "x": 0.25}
UNITS = dict.fromkeys("zyx", "micrometer")


def test_the_class_of_a_segment_is_the_one_with_the_largest_sum_and_the_lowest_of_equal_ones():
    labels = np.array([[1, 1, 2, 2, 3, 3]])
    classes = np.array([[[9, 1, 0, 9, 5, 0]], [[5, 4, 9, 8, 5, 0]], [[5, 5, 9, 8, 0, 0]]], np.uint8)
    total = classes.sum(axis=0, dtype=np.uint8)
    blocks = [
        measure_block(labels[w], np.zeros((0, 1, 3)), total[w], (0, w[1].start), classes[(slice(None), *w)])
        for w in ((slice(0, 1), slice(0, 3)), (slice(0, 1), slice(3, 6)))
    ]
    columns = table_columns(merge_measures(blocks), "yx", {}, {}, [], labels.shape, classes=(1, 3, 4))
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
