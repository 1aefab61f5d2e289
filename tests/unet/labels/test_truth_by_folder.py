"""Laws of classes that lie apart: each pixel has the class of its folder, ids of a class go on where others end."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unet.labels.test_truth_values import LAST
from unet.formats.stack import Opened
from unet.labels.truth_by_folder import FolderOfClass, kept_by_folder
from unet.sources.stacks import Stack


def kept(values, names=("nucleus", "mitosis", "debris"), **how):
    """What is kept of truth of these values by class, z y x: truth, planes and the class of each pixel."""
    stack = Stack("a", (), None, None, ("a.tif",), **{"foreground": "ids", **how})
    parts = [
        FolderOfClass(name, stack, Opened("zyx", of.shape, of.dtype, {}, {}, ("0",), lambda index, of=of: of[index]))
        for name, of in values.items()
    ]
    whole = Stack("a", (), None, None, ("a.tif",), classes=tuple((n, n) for n in names), **{"foreground": "ids", **how})
    truth = kept_by_folder(whole, parts)
    found = np.stack(list(truth.planes))
    return truth, found, truth.classes.found()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=12, max_size=12))
def test_each_pixel_has_the_class_of_its_folder(pixels):
    owner, ids = np.array(pixels, np.uint8).T.reshape(2, 2, 2, 3)
    names = ("nucleus", "mitosis", "debris")
    values = {name: np.where(owner == number, ids, 0).astype(np.uint8) for number, name in enumerate(names, 1)}
    truth, found, classes = kept(values)
    np.testing.assert_array_equal(classes.of(found), owner)
    assert truth.ignore is None
    np.testing.assert_array_equal(found[owner == 1], ids[owner == 1])  # of the first class as they are
    for number in (1, 2, 3):  # objects are the same, whatever they are called
        pairs = {*zip(found[owner == number].tolist(), ids[owner == number].tolist(), strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_pixel_of_two_classes_is_told_with_its_place():
    first = np.zeros((2, 3, 4), np.uint8)
    first[1, 1:, 2] = 7
    says = "of one class, got nucleus and mitosis on 2 pixels of a plane, the first at z 1 y 1 x 2; draw it as one"
    with pytest.raises(ValueError, match=re.escape(says)):
        kept({"nucleus": first, "mitosis": first})


def test_what_is_not_judged_in_one_folder_is_so_where_no_other_has_an_object():
    nucleus, mitosis = np.array([[[1, -1, -1, 0]]]), np.array([[[0, 3, 0, 0]]])
    truth, found, classes = kept({"nucleus": nucleus, "mitosis": mitosis})
    assert (found.tolist(), truth.ignore) == ([[[1, 4, LAST, 0]]], LAST)
    truth, found, classes = kept({"nucleus": abs(nucleus), "ignore": mitosis * 0 + [[[0, 0, 0, 5]]]})
    assert (found.tolist(), truth.ignore) == ([[[1, 1, 1, LAST]]], LAST)
    assert classes.names == ("nucleus", "mitosis", "debris")


def test_planes_without_an_object_of_any_class_are_ignored_where_the_source_says_so():
    nucleus, mitosis = np.zeros((2, 3, 1, 2), np.uint8)
    nucleus[0], mitosis[1] = 1, 1
    truth, found, _ = kept({"nucleus": nucleus, "mitosis": mitosis}, empty_planes="ignore")
    assert (found.tolist(), truth.ignore) == ([[[1, 1]], [[2, 2]], [[LAST, LAST]]], LAST)


def test_folders_of_other_shapes_and_too_many_ids_are_refused():
    one = np.ones((1, 2, 2), np.uint32)
    with pytest.raises(ValueError, match="of class mitosis, must have the image's shape"):
        kept({"nucleus": one, "mitosis": one[:, 1:]})
    with pytest.raises(ValueError, match="must hold ids < 4294967295 in all classes, got 4294967296"):
        kept({"nucleus": one * (2**31 - 1), "mitosis": one * (2**31 + 1)})
