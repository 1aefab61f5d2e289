"""Laws of recipes and digests: changes are said where there are some, and digests survive JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.ledger.stamp import Recipe, digest

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


settings_ = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 0, 1, "x", [1], {"k": 2}]))


inputs = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "3f2a", "9c1b"]))


recipes = st.builds(Recipe, st.just("weigh"), st.integers(1, 2), settings_, inputs)


@given(recipes, recipes)
def test_a_recipe_has_changed_exactly_where_words_say_so(before, now):
    assert (before.changes(now) == []) == (before == now)


def test_changes_in_words():
    before = Recipe("train", 1, {"rate": 0.1, "tile": 256}, {"a image": "1", "b image": "2"})
    now = Recipe("train", 2, {"rate": 0.2, "tile": 256}, {"a image": "3", "c image": "4"})
    assert before.changes(now) == [
        "train is version 2, was 1",
        "rate 0.1 → 0.2",
        "a image changed",
        "b image is gone",
        "c image is new",
    ]


@given(values)
def test_a_digest_survives_json(value):
    assert digest(value) == digest(json.loads(json.dumps(value)))
    assert len(digest(value)) == 12


DAMAGED = [None, [], "x", {}, {"stage": "weigh"}, {"stage": [], "version": 1, "settings": {}, "inputs": {}}]


@pytest.mark.parametrize(
    "values", [*DAMAGED, {"stage": "weigh", "version": 1, "settings": [], "inputs": {}}, {"stage": 1, "more": 2}]
)
def test_damaged_values_are_no_recipe_and_are_told(values):
    with pytest.raises(ValueError, match="a recipe must have stage, version, settings and inputs"):
        Recipe.of(values)
    assert not Recipe("weigh", 1, {}, {}).is_of(values)
