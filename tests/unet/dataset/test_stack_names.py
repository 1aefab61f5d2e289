"""Laws of names: safe everywhere, in the order that people have them."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unet.dataset.stack_names import natural_order, safe_name, shortened


@given(st.text())
def test_safe_names_are_stable_safe_and_never_leave_the_folder(path):
    name = safe_name(path)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", name)
    assert safe_name(name) == name
    assert (Path("/dataset/images") / f"{name}.ome.zarr").parent == Path("/dataset/images")


def test_long_names_differ_by_a_digest():
    one, two = safe_name("x" * 300 + "1"), safe_name("x" * 300 + "2")
    assert len(one) == len(two) == 200
    assert one != two


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_order_is_the_order_of_the_numbers(numbers):
    assert sorted((f"z{n}.tif" for n in numbers), key=natural_order) == [f"z{n}.tif" for n in sorted(numbers)]


@given(st.lists(st.text(alphabet="a1.é２0", max_size=6)))
def test_natural_order_is_total(words):
    backwards = words[::-1]
    assert sorted(words, key=natural_order) == sorted(backwards, key=natural_order)


@given(st.lists(st.sampled_from("abc"), max_size=9), st.integers(1, 9))
def test_of_many_names_the_first_few_and_the_number_of_the_others_are_told(names, shown):
    told = shortened(names, shown)
    assert told.startswith(", ".join(names[:shown]))
    assert ("more" in told) == (len(names) > shown)
