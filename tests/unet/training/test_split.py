"""Laws of the split: every plane has one use, something trains, what was kept out never does, and blocks lie apart."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from unet.settings.train import Every, Last
from unet.training.split import Extent, PlaneRange, chosen_stacks, extend, split

names = st.text("abcdefgh", min_size=1, max_size=2)
extents = st.builds(
    lambda steps, step, gap: Extent(steps * step, step, gap), st.integers(1, 60), st.integers(1, 4), st.integers(0, 9)
)
stacks_ = st.dictionaries(names, extents, min_size=1, max_size=12)
rules = st.builds(Every, st.integers(2, 70)) | st.builds(Last, st.floats(0.001, 0.999))
tests_ = st.none() | rules
KEPT_OUT = {"validation", "test"}


def uses(parts):
    """Use of each plane; fails where one has two."""
    planes = Counter((part.stack, plane) for part in parts for plane in range(part.start, part.stop))
    assert set(planes.values()) <= {1}
    return {(part.stack, plane): part.use for part in parts for plane in range(part.start, part.stop)}


def all_planes(stacks):
    return {(name, plane) for name, extent in stacks.items() for plane in range(extent.planes)}


@given(stacks_, rules, tests_)
def test_every_plane_is_in_exactly_one_part_and_some_train(stacks, rule, test):
    of = uses(split(stacks, rule, test))
    assert set(of) == all_planes(stacks)
    assert "training" in of.values()
    steps = sum(extent.planes // extent.step for extent in stacks.values())
    assert ("test" in of.values()) == (test is not None and steps > 1)
    if test is None:
        assert "validation" in of.values() or steps == 1


@given(stacks_, rules, tests_)
def test_blocks_lie_a_gap_apart_and_frames_are_never_cut(stacks, rule, test):
    parts = split(stacks, rule, test)
    for name, extent in stacks.items():
        mine = [part for part in parts if part.stack == name]
        assert [mine[0].start, *(part.stop for part in mine)] == [0, *(part.start for part in mine[1:]), extent.planes]
        assert all(part.start % extent.step == 0 for part in mine)
        blocks = [part for part in mine if part.use != "gap"]
        assert [part.use for part in blocks] in (
            [
                ["training"],
                ["test"],
                ["validation"],
                ["training", "validation"],
                ["training", "test"],
                ["training", "validation", "test"],
            ]
        )
        for one, other in pairwise(blocks):
            gap = (other.start - one.stop) // extent.step
            assert gap <= extent.gap
            before = sum(part.stop - part.start for part in mine if part.stop <= other.start) // extent.step
            assert gap == min(extent.gap, before // 2)


@given(stacks_, rules, tests_)
def test_a_single_stack_alone_is_cut(stacks, rule, test):
    parts = split(stacks, rule, test)
    cut = {part.stack for part in parts if part.stop - part.start < stacks[part.stack].planes}
    whole = len(stacks) - len(cut)
    assert len(cut) <= 1
    assert (
        not cut
        or not whole
        or (whole and test is not None and {p.use for p in parts if p.stack not in cut} == {"test"})
    )


@given(stacks_, rules, tests_)
def test_the_split_does_not_depend_on_the_order_of_the_stacks(stacks, rule, test):
    assert split(dict(reversed(stacks.items())), rule, test) == split(stacks, rule, test)


@given(st.sets(names, min_size=4, max_size=20), rules, rules)
def test_the_test_is_taken_first_and_validation_among_the_rest(found, rule, test):
    stacks = dict.fromkeys(found, Extent(3))
    assume(len(chosen_stacks(sorted(found), test)) < len(found) - 1)
    parts = split(stacks, rule, test)
    tested = {part.stack for part in parts if part.use == "test"}
    assert tested == chosen_stacks(sorted(found), test)
    assert {p.stack for p in parts if p.use == "validation"} == chosen_stacks(sorted(found - tested), rule)


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
    parts = split(dict.fromkeys("abcdefghij", Extent(3)), rule)
    assert "".join(part.stack for part in parts if part.use == "validation") == validation


def test_which_stacks_test_and_validate():
    parts = split(dict.fromkeys("abcdefghij", Extent(3)), Every(5), Every(5))
    assert {part.stack: part.use for part in parts if part.use != "training"} == {
        "e": "test",
        "j": "test",
        "f": "validation",
    }


@pytest.mark.parametrize(
    ("planes", "rule", "gap", "kept"),
    [(98, Every(49), 1, 2), (10, Every(5), 3, 2), (2, Last(0.9), 0, 1), (4, Every(5), 1, 1)],
)
def test_how_many_planes_of_a_single_stack_validate(planes, rule, gap, kept):
    *_, last = parts = split({"a": Extent(planes, gap=9 if gap == 3 else 1)}, rule)
    assert last == PlaneRange("a", planes - kept, planes, "validation")
    assert planes - kept - parts[0].stop == (4 if gap == 3 else gap)


def test_a_single_stack_has_three_blocks_where_it_is_tested():
    found = split({"a": Extent(30, gap=2)}, Last(0.2), Last(0.2))
    assert [(part.start, part.stop, part.use) for part in found] == [
        (0, 16, "training"),
        (16, 18, "gap"),
        (18, 22, "validation"),
        (22, 24, "gap"),
        (24, 30, "test"),
    ]


def test_of_two_stacks_one_tests_and_the_other_is_cut():
    parts = split({"a": Extent(10), "b": Extent(10)}, Every(5), ["b"])
    assert [(p.stack, p.start, p.use) for p in parts] == [
        ("a", 0, "training"),
        ("a", 7, "gap"),
        ("a", 8, "validation"),
        ("b", 0, "test"),
    ]


def test_of_a_stack_over_time_whole_frames_are_cut_off():
    found = split({"a": Extent(5 * 6, step=6)}, Every(5))
    assert [(part.start, part.stop, part.use) for part in found] == [
        (0, 18, "training"),
        (18, 24, "gap"),
        (24, 30, "validation"),
    ]


def test_one_plane_alone_trains():
    assert split({"a": Extent(1)}, Every(5), Every(5)) == [PlaneRange("a", 0, 1, "training")]


@given(stacks_, rules, tests_, stacks_)
@example({"a": Extent(9, gap=3)}, Every(3), Every(3), {"a": Extent(11, gap=3)})
def test_what_came_since_trains_and_what_was_kept_out_never_does(before, rule, test, now):
    parts = split(before, rule, test)
    whole = {part.stack: part.use for part in parts if part.use in KEPT_OUT and part.start == 0}
    if set(now) <= set(whole):
        with pytest.raises(ValueError, match="must leave a stack to train on"):
            extend(parts, now)
        return
    after = extend(parts, now)
    of = uses(after)
    assert set(of) == all_planes(now)
    for plane, use in uses(parts).items():
        assert of.get(plane, use) == use
    for name in set(now) - set(before):
        assert {of[name, plane] for plane in range(now[name].planes)} == {"training"}
    for name in set(now) & set(whole):
        assert {of[name, plane] for plane in range(now[name].planes)} == {whole[name]}
    for name in set(now) & {part.stack for part in parts if part.use in KEPT_OUT and part.start > 0}:
        new = [of[name, plane] for plane in range(before[name].planes, now[name].planes)]
        width = min(now[name].gap * now[name].step, len(new))
        assert new == ["gap"] * width + ["training"] * (len(new) - width)


@given(stacks_, rules, tests_, st.lists(st.integers(0, 30), max_size=4))
def test_a_stack_that_grows_step_by_step_is_split_as_one_that_grew_at_once(stacks, rule, test, steps):
    once = again = split(stacks, rule, test)
    for grown in steps:
        stacks = {name: Extent(of.planes + grown, of.step, of.gap) for name, of in stacks.items()}
        again = extend(again, stacks)
    once = extend(once, stacks)
    assert uses(again) == uses(once)


@given(stacks_, rules, tests_)
def test_extending_by_nothing_changes_nothing(stacks, rule, test):
    parts = split(stacks, rule, test)
    assert extend(parts, stacks) == parts


FOUR = dict.fromkeys("abcd", Extent(3))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: split({"a": Extent(3), "b": Extent(3)}, ["a", "b"]),
            "validation must leave a stack to train on, got all of them",
        ),
        (lambda: split({"a": Extent(3)}, ["a"]), "validation must leave a stack to train on, got all of them"),
        (lambda: split({"a": Extent(3)}, Every(5), ["a"]), "test must leave a stack to train on, got all of them"),
        (lambda: split(FOUR, ["c", "d"], ["a", "b"]), "test and train.validation must leave a stack to train on"),
        (lambda: split(FOUR, ["e"]), "validation must name stacks with truth, got 'e'; known: a, b, c, d"),
        (lambda: split(FOUR, Every(5), ["e"]), "test must name stacks with truth, got 'e'; known: a, b, c, d"),
        (
            lambda: split(FOUR, ["d"], Every(4)),
            "validation must name stacks that train.test leaves, got 'd'; name others",
        ),
        (
            lambda: extend([PlaneRange("a", 0, 1, "validation"), PlaneRange("b", 0, 1, "training")], {"a": Extent(1)}),
            "validation must leave a stack",
        ),
        (
            lambda: split({"a": Extent(24, gap=20, is_gap_given=True)}, Last(0.2)),
            "gap must leave a plane of a to train on, got 20: of 24 planes 4 are kept out .train.validation.; lower it",
        ),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=f"train.{says}"):
        call()


def test_a_gap_that_was_asked_for_is_kept():
    found = split({"a": Extent(24, gap=15, is_gap_given=True)}, Last(0.2))
    assert [part.stop - part.start for part in found] == [5, 15, 4]
    assert [p.use for p in split({"a": Extent(24, gap=0, is_gap_given=True)}, Last(0.2))] == ["training", "validation"]


def test_a_stack_that_grew_is_one_part_still():
    parts = [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 2, "validation"), PlaneRange("c", 0, 4, "training")]
    assert extend(parts, {"a": Extent(3), "b": Extent(3), "c": Extent(2)}) == [
        PlaneRange("a", 0, 3, "training"),
        PlaneRange("b", 0, 3, "validation"),
        PlaneRange("c", 0, 2, "training"),
    ]


def test_blocks_that_touch_as_they_were_made_before_there_were_gaps_stay():
    cut = [PlaneRange("a", 0, 8, "training"), PlaneRange("a", 8, 10, "validation")]
    assert extend(cut, {"a": Extent(10)}) == cut
    assert extend(cut, {"a": Extent(11)}) == [*cut, PlaneRange("a", 10, 11, "gap")]
    assert extend(cut, {"a": Extent(13)}) == [*cut, PlaneRange("a", 10, 11, "gap"), PlaneRange("a", 11, 13, "training")]
