"""Laws of what is kept of truth: whole numbers are ids whatever their type, one id is of what nobody judged."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.formats.stack import Opened
from unet.labels.truth_values import IGNORED, has_smoothed_edges, kept_truth
from unet.sources.stacks import Stack

LAST = int(IGNORED)


def kept(values, **how):
    """What is kept of truth of these values, z y x."""
    values = np.asarray(values)
    opened = Opened("zyx", values.shape, values.dtype, {}, {}, ("0",), lambda index: values[index])
    truth = kept_truth(opened, Stack("a", (), None, None, ("a.tif",), **{"foreground": "ids", **how}))
    found = np.stack(list(truth.planes))
    assert found.dtype == truth.dtype
    return truth, found.tolist()


@given(st.lists(st.integers(0, 200), min_size=1), st.sampled_from("bBhHiIlLfd"))
def test_whole_numbers_of_any_type_are_ids(ids, code):
    values = np.minimum(np.array([[ids]]), 127 if code == "b" else 200).astype(code)
    truth, found = kept(values)
    assert found == values.astype(int).tolist()
    assert (truth.ignore, truth.notes) == (None, ())
    assert truth.dtype == (IGNORED.dtype if code in "fd" else values.dtype)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64", "float32"])
@pytest.mark.parametrize("ignore", [None, -1])
def test_minus_one_marks_what_nobody_judged(dtype, ignore):
    truth, found = kept(np.array([[[0, 1, -1]], [[0, 37, 1]]], dtype), ignore=ignore)
    assert found == [[[0, 1, LAST]], [[0, 37, 1]]]
    assert truth.ignore == LAST
    assert len(truth.notes) == (ignore is None)
    truth, found = kept(np.array([[[0, 1, -1, 1]]], dtype), ignore=ignore, foreground=255)
    assert (found, truth.ignore) == ([[[0, 1, LAST, 2]]], LAST)


def test_another_value_that_is_ignored_is_kept_as_it_is():
    truth, found = kept(np.array([[[0, 9, 1]]], np.uint8), ignore=9)
    assert (found, truth.ignore, truth.dtype) == ([[[0, 9, 1]]], 9, np.uint8)


@pytest.mark.parametrize(
    ("values", "how", "says"),
    [
        (
            np.array([[[0, 0.5, 0.5]]]),
            {},
            "must hold whole numbers, got 0.5 on 2 pixels; if it is a mask with smoothed",
        ),
        (
            np.array([[[0, 0.5, 8.0]]]),
            {},
            "threshold it (object where > 4), save it as 0 and 255, and set its source's",
        ),
        (np.array([[[0, 0.3, 0.4, 0.9]]]), {"foreground": 255}, "threshold it (object where > 0.45), save it as 0 and"),
        (np.array([[[0, np.nan]]]), {}, "must hold whole numbers, got nan on 1 pixels; save an id an object, 0"),
        (np.array([[[0, 2.0**40]]]), {}, "must hold ids < 4294967295, got 1099511627776; renumber it"),
        (np.array([[[0, -3, -1]]]), {}, "must hold ids ≥ 0, got -3; renumber it"),
        (np.array([[[0, -1]]]), {"ignore": 9}, "must hold ids ≥ 0, got -1; renumber it"),
        (
            np.array([[[0, 1, 2]]]),
            {"foreground": 255},
            "must hold 0 and one other value, got 0, 1, 2; set its source's",
        ),
        (
            np.array([[[0, np.nan]]]),
            {"foreground": 255},
            "must hold 0 and one other value, got nan on 1 pixels; save it",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(values, how, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        kept(values, **how)


@pytest.mark.parametrize(("white", "dtype"), [(255, "uint8"), (65535, "uint16"), (1, "float32")])
@pytest.mark.parametrize("foreground", [255, 0])
def test_smoothed_edges_of_a_mask_are_no_ids(white, dtype, foreground):
    values = np.array([[[0] * 50 + [0.2 * white, 0.6 * white] + [white] * 48]]).astype(dtype)
    with pytest.raises(ValueError, match=r"2 grey levels up to .* on 2\.0% of its plane, .*; threshold it") as error:
        kept(values, foreground=foreground)
    assert "foreground to ids" not in str(error.value)
    assert has_smoothed_edges(values)


@pytest.mark.parametrize(("foreground", "on"), [("ids", 3), (255, 3), (0, 0)])
def test_planes_that_nobody_drew_on_are_ignored_where_the_source_says_so(foreground, on):
    values = np.full((3, 1, 3), 0 if on else 7, np.uint8)
    values[1, 0, 0] = on
    object_id = 3 if foreground == "ids" else 1
    _, found = kept(values, foreground=foreground)
    assert found == [[[0, 0, 0]], [[object_id, 0, 0]], [[0, 0, 0]]]
    truth, found = kept(values, foreground=foreground, empty_planes="ignore")
    assert found == [[[LAST] * 3], [[object_id, 0, 0]], [[LAST] * 3]]
    assert truth.ignore == LAST
    assert truth.notes == ("planes of truth without an object are ignored, as its source says: z 0, z 2",)
    _, found = kept(np.full_like(values, 0 if on else 7), foreground=foreground, empty_planes="ignore")
    assert not np.any(found)  # where nobody drew anywhere, nothing tells that it was not looked at
