"""Laws of the settings of segment: a number wins, what is auto is what was found, and nothing is auto in numbers."""

from dataclasses import asdict

import pytest

from unet.settings.record import Record, plain
from unet.settings.segment import AUTOMATIC, UNTUNED, Segment, SegmentNumbers

FOUND = {"threshold": 0.7, "min_size": 32, "declump_depth": 1.5, "metric": "seg", "value": 0.9}


def test_by_default_all_three_are_what_was_found():
    assert Segment().automatic == list(AUTOMATIC)
    numbers = Segment().numbers(FOUND)
    assert (numbers.threshold, numbers.min_size, numbers.declump_depth) == (0.7, 32, 1.5)


def test_where_nothing_was_found_they_are_the_usual_ones():
    assert Segment().numbers() == SegmentNumbers()
    assert {name: getattr(SegmentNumbers(), name) for name in AUTOMATIC} == UNTUNED


@pytest.mark.parametrize(("name", "value"), [("threshold", 0.6), ("min_size", 0), ("declump_depth", 0.0)])
def test_a_number_wins(name, value):
    numbers = Record.read({"segment": {name: value, "max_hole_size": 9}}).segment.numbers(FOUND)
    assert asdict(numbers) == asdict(Segment().numbers(FOUND)) | {name: value, "max_hole_size": 9}


def test_numbers_have_numbers_already():
    numbers = Segment(threshold=0.3, classes=(2,)).numbers(FOUND)
    assert numbers.automatic == []
    assert numbers.numbers(UNTUNED) == numbers
    assert set(plain(numbers)) == set(plain(Segment()))


def test_a_high_threshold_below_what_was_found_says_nothing_any_more():
    assert Segment(high_threshold=0.8).numbers(FOUND).high_threshold == 0.8
    assert Segment(high_threshold=0.7).numbers(FOUND).high_threshold is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"threshold": "best"}, "segment.threshold: must be a number, auto, or these by class, got 'best'"),
        ({"min_size": 2.5}, "segment.min_size: must be a number of pixels, auto, or these by class, got 2.5"),
        ({"declump_depth": "deep"}, "segment.declump_depth: must be a number, auto, or these by class, got 'deep'"),
    ],
)
def test_what_is_neither_a_number_nor_auto_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        Record.read({"segment": values})
