"""Laws of scores: classes are chosen and added, and a threshold means the same in either type."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.labels.scores import chosen, of_any, reaching


@given(st.integers(0, 255), st.floats(0.001, 1))
def test_uint8_reaches_a_threshold_where_its_probability_does(score, threshold):
    found = reaching(np.array([score], np.uint8), threshold)[0]
    assert found == (score >= np.ceil(255 * threshold))


def test_scores_of_classes_are_added_up_to_certainty():
    float32 = np.array([[0.25, 0.75], [0.5, 0.75]], np.float32)
    assert of_any(float32).tolist() == [0.75, 1]
    assert of_any(float32).dtype == np.float32
    assert of_any(np.full((300, 1), 255, np.uint8)).tolist() == [255]


@pytest.mark.parametrize(("classes", "expected"), [(None, (1, 2, 3)), ((3, 1), (1, 3)), ((2,), (2,))])
def test_classes_are_those_that_were_named_in_order(classes, expected):
    assert chosen(classes, "tczyx", (5, 3, 7, 9, 9), "unet") == expected


def test_a_class_without_scores_is_refused():
    with pytest.raises(ValueError, match=r"segment\.classes must be among 1…3 of unet, got 4"):
        chosen((1, 4), "cyx", (3, 9, 9), "unet")
