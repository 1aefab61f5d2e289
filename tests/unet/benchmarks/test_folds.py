"""Laws of the folds: all is tested once, by what never trained on it nor on its neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.benchmarks.folds import GAP, blocks, folds_of
from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.published import BENCHMARKS

SECTIONS = [BenchmarkUnit("sections", ("a.tif",), ("b.tif",))]


@given(st.integers(2, 200), st.integers(2, 12))
def test_blocks_are_all_planes_in_order_and_even(planes, count):
    found = blocks(planes, count)
    assert [plane for block in found for plane in block] == list(range(planes))
    assert max(map(len, found)) - min(map(len, found)) <= 1


@given(st.integers(6, 60), st.integers(2, 6))
def test_each_section_is_tested_once_and_its_neighbours_never_train(planes, count):
    count = min(count, planes // 2)
    folds = folds_of(BENCHMARKS["isbi2012"], SECTIONS, {"sections": planes}, str(count))
    tested = [plane for fold in folds for part in fold.tested for plane in part.planes]
    assert tested == list(range(planes))
    for fold in folds:
        near = {plane + step for plane in fold.tested[0].planes for step in range(-GAP, GAP + 1)}
        assert near.isdisjoint(fold.training[0].planes)
        assert fold.training[0].planes
        assert near | {*fold.training[0].planes} >= set(range(planes))


@given(st.integers(2, 60), st.integers(2, 12))
def test_each_picture_is_tested_once_and_trains_in_all_other_folds(pictures, count):
    if count > pictures:
        return
    units = [BenchmarkUnit(f"{n:03d}", (f"{n:03d}.tif",)) for n in range(pictures)]
    folds = folds_of(BENCHMARKS["dsb2018"], units, dict.fromkeys((unit.name for unit in units), 1), str(count))
    tested = sorted(part.unit for fold in folds for part in fold.tested)
    assert tested == [unit.name for unit in units]
    for fold in folds:
        assert sorted(part.unit for part in (*fold.training, *fold.tested)) == tested
        assert len({part.stack for part in (*fold.training, *fold.tested)}) == pictures


def sequences(silver):
    truth = {3: "c", 5: "d"}
    return [
        BenchmarkUnit(
            name, ("a",) * 4, frames=(2, 3, 4, 5), gold=truth, silver=dict.fromkeys((2, 3, 4, 5), "s") if silver else {}
        )
        for name in ("01", "02")
    ]


@pytest.mark.parametrize(("silver", "trains"), [(False, (1, 3)), (True, (0, 1, 2, 3))])
def test_sequences_are_tested_in_full_by_the_frames_with_truth_of_the_other(silver, trains):
    folds = folds_of(BENCHMARKS["phc-u373"], sequences(silver), {"01": 4, "02": 4})
    assert [(fold.tested[0].unit, fold.tested[0].planes) for fold in folds] == [
        ("01", (0, 1, 2, 3)),
        ("02", (0, 1, 2, 3)),
    ]
    assert [(fold.training[0].unit, fold.training[0].planes) for fold in folds] == [("02", trains), ("01", trains)]
    assert folds[0].training[0].stack != folds[0].tested[0].stack


def test_some_folds_alone_are_named_as_among_all():
    folds = folds_of(BENCHMARKS["isbi2012"], SECTIONS, {"sections": 30}, "2,4/5")
    assert [fold.name for fold in folds] == ["fold-2-of-5", "fold-4-of-5"]
    assert folds[0].tested[0].planes == tuple(range(6, 12))


REFUSED = {
    "0": "≥ 2",
    "1": "≥ 2",
    "6/5": "≥ 2",
    "0/5": "≥ 2",
    "two": "≥ 2",
    ",/5": "≥ 2",
    "40": "15 at most",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_folds_that_cannot_be_are_refused(asked):
    with pytest.raises(ValueError, match=REFUSED[asked]):
        folds_of(BENCHMARKS["isbi2012"], SECTIONS, {"sections": 30}, asked)


def test_sequences_have_two_folds():
    with pytest.raises(ValueError, match="one a sequence"):
        folds_of(BENCHMARKS["phc-u373"], sequences(False), {"01": 4, "02": 4}, "3")


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_too_few_sections_for_folds_are_told_by_their_number(planes):
    with pytest.raises(ValueError, match="must be of 4 sections at least for folds, got fewer"):
        folds_of(BENCHMARKS["isbi2012"], SECTIONS, {"sections": planes})
    with pytest.raises(ValueError, match="must be of 2 pictures at least"):
        folds_of(BENCHMARKS["dsb2018"], SECTIONS, {"sections": 1})
