"""Laws of measurements: merged from blocks they are the whole's, and those of scikit-image."""

import itertools

import numpy as np
import pytest
import skimage.measure
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.labels.measures import measure_block, merge_measures
from unet.labels.runs import id_runs
from unet.labels.segment_table import table_columns

few = settings(deadline=None, max_examples=40)
SPACING = {"z": 2.5, "y": 0.5, "x": 0.25}
UNITS = dict.fromkeys("zyx", "micrometer")
PROPERTIES = [
    "label",
    "area",
    "centroid",
    "bbox",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
]


@st.composite
def measured(draw):
    """Labels (where axes are not linked an id lies in one plane), image, scores; axes, and how many are linked."""
    axes, dimensions = draw(st.sampled_from([("yx", 2), ("zyx", 3), ("tyx", 2), ("zyx", 2), ("tzyx", 2), ("tzyx", 3)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(random.integers(1, 21 if len(axes) == 2 else 7, len(axes)))
    labels = random.integers(0, draw(st.integers(1, 7)), shape)
    planes = np.arange(np.prod(shape[:-dimensions], dtype=int)).reshape(*shape[:-dimensions], *[1] * dimensions)
    labels[labels > 0] += np.broadcast_to(10 * planes, shape)[labels > 0]
    image = random.integers(0, 2**16, (2, *shape)).astype(draw(st.sampled_from([np.uint16, np.float32])))
    scores = random.integers(0, 256, shape).astype(np.uint8)
    return labels, image, draw(st.sampled_from([scores, scores / 255])), axes, dimensions


def blocks(shape, sides):
    """Windows of a grid over an array."""
    for corner in itertools.product(*[range(0, n, side) for n, side in zip(shape, sides, strict=True)]):
        yield tuple(slice(c, min(c + side, n)) for c, side, n in zip(corner, sides, shape, strict=True))


def slow_table(labels, image, scores, axes, dimensions):
    """Plane by plane with scikit-image."""
    rows = []
    for plane in np.ndindex(labels.shape[:-dimensions]):
        if not labels[plane].any():
            continue
        pixels = np.stack([*image[(slice(None), *plane)], scores[plane]], axis=-1).astype(float)
        found = skimage.measure.regionprops_table(labels[plane], pixels, PROPERTIES)
        edge = np.ones(labels[plane].shape, bool)
        edge[(slice(1, -1),) * dimensions] = False
        found["touches"] = np.isin(found["label"], labels[plane][edge])
        rows += [dict(zip(found, row, strict=True), plane=plane) for row in zip(*found.values(), strict=True)]
    return sorted(rows, key=lambda row: row["label"])


@few
@given(measured())
def test_the_whole_equals_scikit_image(drawn):
    labels, image, scores, axes, dimensions = drawn
    measures = measure_block(labels, image, scores)
    columns = table_columns(measures, axes, SPACING, UNITS, ["a", "b"], labels.shape, dimensions)
    expected = slow_table(*drawn)
    assert columns["id"].tolist() == [row["label"] for row in expected]
    size, physical = ("area", "area_um2") if dimensions == 2 else ("volume", "volume_um3")
    voxel = 0.125 if dimensions == 2 else 0.3125
    scale = {"mean": 255, "std": 1, "min": 1, "max": 1}
    for i, row in enumerate(expected):
        got = {name: column[i] for name, column in columns.items()}
        assert got[f"{size}_px"] == row["area"]
        assert got[physical] == row["area"] * voxel
        assert [got[axis] for axis in axes[:-dimensions]] == list(row["plane"])
        for k, axis in enumerate(axes[-dimensions:]):
            assert got[f"centroid_{axis}"] == pytest.approx(row[f"centroid-{k}"])
            assert got[f"bbox_lo_{axis}"] == row[f"bbox-{k}"]
            assert got[f"bbox_hi_{axis}"] == row[f"bbox-{k + dimensions}"]
        for k, channel in enumerate("ab"):
            for what in scale:
                assert got[f"intensity_{what}_{channel}"] == pytest.approx(row[f"intensity_{what}-{k}"], abs=1e-3)
        assert got["score_mean"] == pytest.approx(row["intensity_mean-2"] / (255 if scores.dtype == np.uint8 else 1))
        assert got["touches_border"] == row["touches"]


@few
@given(measured(), st.data())
def test_merged_blocks_equal_the_whole(drawn, data):
    labels, image, scores, axes, _ = drawn
    sides = [data.draw(st.integers(1, 8)) for _ in axes]
    parts = [
        measure_block(labels[w], image[(slice(None), *w)], scores[w], tuple(s.start for s in w))
        for w in blocks(labels.shape, sides)
    ]
    merged, whole = merge_measures(parts[::-1]), measure_block(labels, image, scores)
    for name, values in vars(whole).items():
        assert getattr(merged, name).dtype == values.dtype
        if name in ("score", "votes"):
            np.testing.assert_allclose(getattr(merged, name), values)
        else:  # sums of integers, exact
            np.testing.assert_array_equal(getattr(merged, name), values)


@few
@given(st.sampled_from([np.uint8, np.int8, np.uint16, np.int16]), st.integers(0, 2**32 - 1))
def test_small_integers_are_measured_exactly_as_wide_ones(dtype, seed):
    random = np.random.default_rng(seed)
    labels, limits = random.integers(0, 4, (9, 11)), np.iinfo(dtype)
    image = random.integers(limits.min, limits.max, (2, 9, 11), endpoint=True).astype(dtype)
    small, wide = measure_block(labels, image), measure_block(labels, image.astype(np.int64))
    for name, values in vars(wide).items():
        np.testing.assert_array_equal(getattr(small, name), values)


def test_runs_that_are_known_are_not_looked_for():
    labels, image = np.array([[7, 7, 0, 3]]), np.array([[[1, 4, 9, 5]]], np.uint8)
    known = measure_block(np.zeros_like(labels), image, known=id_runs(labels))
    for name, values in vars(measure_block(labels, image)).items():
        np.testing.assert_array_equal(getattr(known, name), values)


@pytest.mark.parametrize(("dtype", "offset"), [(np.uint32, 3_000_000_000), (np.float64, 1e12)])
def test_a_large_offset_costs_no_spread(dtype, offset):
    plain = np.random.default_rng(0).integers(0, 5, (1, 20, 30)).astype(dtype)
    labels = np.ones((20, 30), int)
    parts = [
        measure_block(labels[w], (plain + dtype(offset))[(slice(None), *w)], None, tuple(s.start for s in w))
        for w in blocks(labels.shape, (7, 11))
    ]
    columns = table_columns(merge_measures(parts), "yx", {}, {}, ["a"], labels.shape)
    assert columns["intensity_std_a"] == pytest.approx(plain.std(), rel=1e-4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.inf, (np.inf, 1, np.inf, np.nan)), (-np.inf, (-np.inf, -np.inf, 1, np.nan)), (np.nan, (np.nan,) * 4)],
)
def test_a_pixel_that_is_not_finite_is_told_of_its_segment_alone(value, expected):
    labels, image = np.array([[1, 1, 0, 2]]), np.array([[[value, 1, 7, 3]]])
    merged = merge_measures([measure_block(labels, image), measure_block(labels, image)])
    columns = table_columns(merged, "yx", {}, {}, ["a"], labels.shape)
    for what, one in zip(("mean", "min", "max", "std"), expected, strict=True):
        assert columns[f"intensity_{what}_a"].tolist() == pytest.approx([one, 0 if what == "std" else 3], nan_ok=True)


def test_without_segments_there_are_no_rows():
    measures = measure_block(np.zeros((3, 4), np.uint8), np.zeros((1, 3, 4)), np.zeros((3, 4)))
    columns = table_columns(merge_measures([measures, measures]), "yx", {}, {}, ["a"], (3, 4))
    assert all(column.shape == (0,) for column in columns.values())
    assert list(columns)[:3] == ["id", "class", "area_px"]
    assert list(columns)[-2:] == ["score_mean", "touches_border"]


@pytest.mark.parametrize(
    ("labels", "image", "scores", "says"),
    [
        (np.ones((2, 2)), np.ones((1, 2, 2)), None, "labels must be integers"),
        (np.full((2, 2), -1), np.ones((1, 2, 2)), None, "labels must be integers"),
        (np.ones((2, 2), int), np.ones((2, 2)), None, "image must be channels, then"),
        (np.ones((2, 2), int), np.ones((1, 2, 2)), np.ones((2, 3)), "scores must have the shape of labels"),
        (np.ones((2, 2), int), np.ones((1, 2, 2)), np.ones((2, 2), int), "scores must be uint8 or floats"),
    ],
)
def test_blocks_that_are_refused(labels, image, scores, says):
    with pytest.raises(ValueError, match=says):
        measure_block(labels, image, scores)
