"""Laws of truth with classes: each pixel has the class that its value, or its id, stands for."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from tests.unet.labels.test_truth_values import LAST
from unet.labels.classed_truth import open_kept
from unet.sources.stacks import Stack

planes_of = arrays(np.uint8, (2, 6, 7), elements=st.integers(0, 3))
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def kept(file, foreground="classes", classes=(), **how):
    """What is kept of a file of truth, z y x: truth, ids, and the class of each pixel that was judged."""
    stack = Stack("a", (), None, None, (str(file),), foreground, tuple(dict(classes).items()), **how)
    with open_kept(stack, {"z": 2, "y": 6, "x": 7}) as truth:
        found = np.stack(list(truth.planes))
    known = truth.classes.found() if truth.classes else None
    return truth, found, known and known.of(np.where(found == LAST, 0, found))


def written(folder, values):
    tifffile.imwrite(folder / "a.tif", values, photometric="minisblack", metadata={"axes": "ZYX"}, ome=True)
    return folder / "a.tif"


@in_one_folder
@given(planes_of)
def test_objects_are_the_connected_parts_of_each_class_plane_by_plane(tmp_path_factory, values):
    file = written(tmp_path_factory.mktemp("a"), values)
    truth, found, classes = kept(file, classes={1: "nucleus", 2: "mitosis", 3: "ignore"})
    np.testing.assert_array_equal(classes, np.where(values == 3, 0, values))
    assert (truth.ignore, truth.dtype) == (LAST, np.uint32)
    assert ((found == LAST) == (values == 3)).all()
    expected = [label(np.where(plane == 3, 0, plane), background=0, connectivity=1) for plane in values]
    assert len(np.setdiff1d(found, [0, LAST])) == sum(plane.max() for plane in expected)
    for plane, other in zip(found, expected, strict=True):
        pairs = np.unique(np.stack([plane[plane != LAST], other[plane != LAST]]), axis=1)
        assert len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]


@in_one_folder
@given(planes_of)
def test_a_mask_of_one_class_is_the_same_as_a_mask_without_a_name(tmp_path_factory, values):
    file = written(tmp_path_factory.mktemp("a"), np.uint8(255) * (values == 2))
    one, ids, classes = kept(file, classes={255: "nucleus"})
    mask, expected, _ = kept(file, 255)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(classes, values == 2)
    assert (one.dtype, one.ignore, one.notes) == (mask.dtype, mask.ignore, mask.notes)


@in_one_folder
@given(planes_of, st.permutations([1, 2, 3]))
def test_other_values_for_the_same_names_change_nothing(tmp_path_factory, values, order):
    names = {1: "nucleus", 2: "mitosis", 3: "debris"}
    moved = np.array([0, *order], np.uint8)[values]
    table = {order[value - 1]: name for value, name in names.items()}
    _, ids, classes = kept(written(tmp_path_factory.mktemp("a"), values), classes=names)
    _, others, of_others = kept(written(tmp_path_factory.mktemp("b"), moved), classes=table)
    by_name = np.array([0, *(list(table.values()).index(names[n]) + 1 for n in (1, 2, 3))])
    np.testing.assert_array_equal(of_others, by_name[classes])
    np.testing.assert_array_equal(others == 0, ids == 0)


@in_one_folder
@given(planes_of, st.lists(st.sampled_from(["nucleus", "mitosis", "ignore", "background"]), min_size=3, max_size=3))
def test_ids_have_the_classes_of_their_lines_or_of_their_pixels(tmp_path_factory, values, names):
    folder = tmp_path_factory.mktemp("a")
    ids = written(folder, values)
    present = [value for value in (1, 2, 3) if (values == value).any()]
    (folder / "a.csv").write_text("id,class\n" + "".join(f"{value},{names[value - 1]}\n" for value in present))
    keys = {"nucleus": 11, "mitosis": 12, "ignore": 13, "background": 14}
    (folder / "of").mkdir()
    of = written(folder / "of", np.array([0, *(keys[name] for name in names)], np.uint8)[values])
    table = {key: name for name, key in keys.items()}
    expected = np.array([0, *({"nucleus": 1, "mitosis": 2}.get(name, 0) for name in names)])[values]
    judged = np.array([True, *(name != "ignore" for name in names)])[values]
    for file in (of, folder / "a.csv"):
        stack = Stack("a", (), None, None, (str(ids), str(file)), "ids", tuple(table.items()), class_of=(str(file),))
        with open_kept(stack, {"z": 2, "y": 6, "x": 7}) as truth:
            found = np.stack(list(truth.planes))
        np.testing.assert_array_equal(truth.classes.found().of(np.where(judged, found, 0)), expected)
        np.testing.assert_array_equal(found == LAST, ~judged)
        np.testing.assert_array_equal(found[expected > 0], values[expected > 0])
        assert truth.ignore == LAST


@in_one_folder
@given(st.lists(st.sampled_from(["nucleus", "ignore", "background"]), min_size=3, max_size=3))
def test_what_a_table_of_ids_calls_ignored_is_so_without_a_value_for_it(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("a")
    values = np.tile(np.arange(4, dtype=np.uint8)[:, None], (2, 2, 7))[:, :6]
    ids, table = written(folder, values), folder / "a.csv"
    table.write_text("id,class\n" + "".join(f"{number},{name}\n" for number, name in enumerate(names, 1)))
    stack = Stack("a", (), None, None, (str(ids), str(table)), "ids", ((1, "nucleus"),), class_of=(str(table),))
    with open_kept(stack, {"z": 2, "y": 6, "x": 7}) as truth:
        found = np.stack(list(truth.planes))
    ignored = np.array([False, *(name == "ignore" for name in names)])[values]
    np.testing.assert_array_equal(found == LAST, ignored)
    assert truth.ignore == (LAST if ignored.any() else None)


def test_minus_one_is_what_nobody_judged_unless_the_table_says_otherwise(tmp_path):
    values = np.zeros((2, 6, 7), np.int16)
    values[0, 0, 0], values[1, 0, 0] = -1, 1
    file = written(tmp_path, values)
    truth, found, _ = kept(file, classes={1: "nucleus"})
    assert (found[0, 0, 0], truth.ignore, len(truth.notes)) == (LAST, LAST, 1)
    truth, found, classes = kept(file, classes={1: "nucleus", -1: "debris"})
    assert (found[0, 0, 0], truth.ignore, truth.notes, classes[0, 0, 0]) == (1, None, (), 2)
    truth, found, _ = kept(file, classes={1: "nucleus", -1: "debris"}, ignore=1)
    assert (found[1, 0, 0], truth.ignore) == (LAST, LAST)


def test_planes_without_an_object_are_ignored_where_the_source_says_so(tmp_path):
    values = np.zeros((2, 6, 7), np.uint8)
    values[1, 0, 0] = 2
    values[0, 0, 0] = 9
    how = {"classes": {2: "nucleus", 9: "background"}, "empty_planes": "ignore"}
    truth, found, _ = kept(written(tmp_path, values), **how)
    assert (found[0] == LAST).all()
    assert (found[1, 0, 0], truth.ignore) == (1, LAST)
    assert truth.notes == ("planes of truth without an object are ignored, as its source says: z 0",)


def test_a_jpeg_keeps_no_classes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(np.zeros((6, 7), np.uint8)))
    with pytest.raises(ValueError, match="that keeps its ids, got a JPEG"):
        kept(tmp_path / "a.jpg", classes={1: "nucleus"})
