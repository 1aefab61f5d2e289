"""Law of loading: plain values, or one sentence that names the file; never a hang, a bomb or a thing that is run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.faults.limits import within
from unet.dataset.safe_load import LARGEST_JSON, LARGEST_YAML, MOST_VALUES, load_json, load_yaml


def laughs(levels):
    """Aliases of aliases: nine to the power of `levels` values in a few hundred bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "aliases": (laughs(30), "more than 200,000 values, aliases followed"),
    "merged": ("a: &a {x: 1}\nb: &b {<<: *a, y: *b}", r"an alias \*b of what is not whole before it"),
    "circle": ("a: &a [*a]", r"an alias \*a of what is not whole before it"),
    "lists": ("[" * 100_000, "lists and mappings more than 32 deep"),
    "mappings": ("{a: " * 100_000, "lists and mappings more than 32 deep"),
    "blocks": ("- " * 1000 + "a", "lists and mappings more than 32 deep"),
    "long": ("#" * (LARGEST_YAML + 1), "524,289 characters, of 524,288 at most"),
    "digits": ("9" * 9000, "Exceeds the limit"),
    "date": ("2026-99-99", "month must be in 1..12"),
    "bytes": ("!!binary x", "failed to decode base64 data"),
    "object": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("yaml", [None, YAML], ids=["safe", "round-trip"])
def test_bombs_are_told_in_a_sentence(bomb, yaml):
    text, why = BOMBS[bomb]
    if bomb == "object" and yaml:
        assert load_yaml(text, "dataset.yaml", yaml()) == ["ls"]  # a list that bears a tag, and runs nothing
        return
    with within(30), pytest.raises(ValueError, match=f"dataset.yaml must be YAML, got .*{why}"):
        load_yaml(text, "dataset.yaml", yaml and yaml())


def test_aliases_that_people_write_are_followed():
    assert load_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}", "a") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }
    names = [f"day{n}__position_{n}" for n in range(10_000)]
    assert load_yaml(f"exclude: {json.dumps(names)}", "a") == {"exclude": names}
    assert len(names) < MOST_VALUES


@pytest.mark.parametrize("content", [b"[" * 10**6, b"{", b"", b"\xff", b"9" * 9000, b" " * (LARGEST_JSON + 1)])
def test_json_that_is_none_is_told_in_a_sentence(content):
    with within(30), pytest.raises(ValueError, match=r"a\.json must hold JSON, got "):
        load_json(content, "a.json")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-: ", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_what_json_holds_is_what_was_written(values):
    assert load_json(json.dumps(values).encode(), "a.json") == values


def test_an_anchor_that_is_set_again_is_the_last_one():
    assert load_yaml("{a: &x 1, b: &x 2, c: *x}", "a record") == {"a": 1, "b": 2, "c": 2}
