"""Laws of the split: every plane has one use, something trains, and what validated never trains."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.settings.train import Every, Last
from unet.training.split import PlaneRange, extend, split

names = st.text("abcdefgh", min_size=1, max_size=2)
stacks_ = st.dictionaries(names, st.integers(1, 60), min_size=1, max_size=12)
rules = st.builds(Every, st.integers(2, 70)) | st.builds(Last, st.floats(0.001, 0.999))


def uses(parts):
    """Use of each plane; fails where one has two."""
    planes = Counter((part.stack, plane) for part in parts for plane in range(part.start, part.stop))
    assert set(planes.values()) <= {1}
    return {(part.stack, plane): part.use for part in parts for plane in range(part.start, part.stop)}


def all_planes(stacks):
    return {(name, plane) for name, planes in stacks.items() for plane in range(planes)}


@given(stacks_, rules)
def test_every_plane_is_in_exactly_one_part_and_some_train(stacks, rule):
    of = uses(split(stacks, rule))
    assert set(of) == all_planes(stacks)
    assert "training" in of.values()
    assert "validation" in of.values() or sum(stacks.values()) == 1


@given(stacks_, rules)
def test_several_stacks_are_never_cut_and_a_single_one_is_cut_once(stacks, rule):
    parts = split(stacks, rule)
    if len(stacks) > 1:
        assert sorted((part.stack, part.start, part.stop) for part in parts) == sorted(
            (name, 0, planes) for name, planes in stacks.items()
        )
    else:
        assert [part.use for part in parts] == ["training", "validation"][: len(parts)]


@given(stacks_, rules)
def test_the_split_does_not_depend_on_the_order_of_the_stacks(stacks, rule):
    assert split(dict(reversed(stacks.items())), rule) == split(stacks, rule)


@pytest.mark.parametrize(
    ("rule", "validation"),
    [
        (Every(2), "bdfhj"),
        (Every(5), "ej"),
        (Every(10), "j"),
        (Every(99), "j"),
        (Last(0.2), "ij"),
        (Last(0.05), "j"),
        (("c", "a"), "ac"),
        ((), ""),
    ],
)
def test_which_stacks_validate(rule, validation):
    parts = split(dict.fromkeys("abcdefghij", 3), rule)
    assert "".join(part.stack for part in parts if part.use == "validation") == validation


@pytest.mark.parametrize(("planes", "rule", "kept"), [(98, Every(49), 2), (10, Every(5), 2), (2, Last(0.9), 1)])
def test_how_many_planes_of_a_single_stack_validate(planes, rule, kept):
    assert split({"a": planes}, rule)[-1] == PlaneRange("a", planes - kept, planes, "validation")


def test_one_plane_alone_trains():
    assert split({"a": 1}, Every(5)) == [PlaneRange("a", 0, 1, "training")]


@given(stacks_, rules, stacks_)
def test_what_came_since_trains_and_what_validated_never_does(before, rule, now):
    parts = split(before, rule)
    if set(now) <= {part.stack for part in parts if part.use == "validation" and part.start == 0}:
        with pytest.raises(ValueError, match="must leave a stack to train on"):
            extend(parts, now)
        return
    of = uses(extend(parts, now))
    assert set(of) == all_planes(now)
    for plane, use in uses(parts).items():
        assert of.get(plane, use) == use
    for name in set(now) - set(before):
        assert {of[name, plane] for plane in range(now[name])} == {"training"}
    for name in set(now) & {part.stack for part in parts if part.use == "validation" and part.start == 0}:
        assert {of[name, plane] for plane in range(now[name])} == {"validation"}


@given(stacks_, rules)
def test_extending_by_nothing_changes_nothing(stacks, rule):
    parts = split(stacks, rule)
    assert extend(parts, stacks) == parts


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: split({"a": 3, "b": 3}, ["a", "b"]), "must leave a stack to train on, got all of them"),
        (lambda: split({"a": 3}, ["a"]), "must leave a stack to train on, got all of them"),
        (lambda: split({"a": 3, "b": 3}, ["c"]), "must name stacks with truth, got 'c'; known: a, b"),
        (
            lambda: extend([PlaneRange("a", 0, 1, "validation"), PlaneRange("b", 0, 1, "training")], {"a": 1}),
            "must leave a stack",
        ),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=f"train.validation {says}"):
        call()


def test_a_stack_that_grew_is_one_part_still():
    parts = [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 2, "validation"), PlaneRange("c", 0, 4, "training")]
    assert extend(parts, {"a": 3, "b": 3, "c": 2}) == [
        PlaneRange("a", 0, 3, "training"),
        PlaneRange("b", 0, 3, "validation"),
        PlaneRange("c", 0, 2, "training"),
    ]
    cut = [PlaneRange("a", 0, 8, "training"), PlaneRange("a", 8, 10, "validation")]
    assert extend(cut, {"a": 12}) == [*cut, PlaneRange("a", 10, 12, "training")]
