"""Laws of semantic truth: each value stands for its class, whatever its type, and none that nobody named does."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.formats.stack import CLEAR
from unet.labels.class_values import ClassValues

NAMES = ("nucleus", "mitosis", "ignore", "background")
NUMBERS = {"nucleus": 1, "mitosis": 2, "ignore": 255, "background": 0}


def numbered(table):
    """Numbers by value, by the order in which names of objects stand in a table."""
    objects = [name for name in dict.fromkeys(table.values()) if name in NAMES[:2]]
    return {key: objects.index(name) + 1 if name in objects else NUMBERS[name] for key, name in table.items()}


@given(
    st.dictionaries(st.integers(1, 120), st.sampled_from(NAMES), min_size=1, max_size=6),
    st.sampled_from("bBhHiIlLfd"),
    st.data(),
)
def test_each_value_stands_for_its_class(table, code, data):
    values = np.array([[0, *data.draw(st.lists(st.sampled_from(sorted(table)), max_size=8))]]).astype(code)
    expected = [[{0: 0, **numbered(table)}[int(value)] for value in row] for row in values]
    assert ClassValues(table, "a").of(values).tolist() == expected


@given(st.dictionaries(st.integers(0, 2**24 - 1), st.sampled_from(NAMES), min_size=1, max_size=6), st.data())
def test_each_colour_stands_for_its_class(table, data):
    colours = {f"#{value:06x}": name for value, name in table.items()}
    values = np.array([[CLEAR, *data.draw(st.lists(st.sampled_from(sorted(table)), max_size=8))]], np.uint32)
    expected = [[{CLEAR: 0, **numbered(table)}[value] for value in row] for row in values.tolist()]
    assert ClassValues(colours, "a").of(values).tolist() == expected


@pytest.mark.parametrize(
    ("table", "values", "says"),
    [
        ({1: "a"}, np.array([[0, 2, 2, 3]]), "(1), got 2 on 2 pixels, 3 on 1 pixels; name them there"),
        ({1: "a"}, np.array([[0.5, 1.0]]), "got 0.5 on 1 pixels; name it there, as background or ignore"),
        ({1: "a"}, np.array([[np.nan, np.inf, -np.inf]]), "got -inf on 1 pixels, inf on 1 pixels, nan on 1 pixels"),
        ({1: "a"}, np.array([[-7, 2**40]]), "got -7 on 1 pixels, 1.09951e+12 on 1 pixels"),
        ({1: "a"}, np.arange(9), "2 on 1 pixels, 3 on 1 pixels, 4 on 1 pixels, 5 on 1 pixels and 3 more"),
        ({"#ff0000": "a"}, np.array([[0xFF8800]], np.uint32), "(#ff0000), got #ff8800 on 1 pixels"),
    ],
)
def test_a_value_that_nobody_named_is_refused_with_its_number(table, values, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        ClassValues(table, "a").of(values)
