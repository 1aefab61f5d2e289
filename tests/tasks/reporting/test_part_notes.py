"""Laws of what is said of parts: who chose by them, and whether intervals are of stacks or of planes that are alike."""

import pytest

from tasks.reporting.comparison import Scored
from tasks.reporting.part_notes import CHOSEN, TUNED, about_parts
from unet.training.split import PlaneRange


def scored(stack, use, planes=2, **errors):
    return [Scored(PlaneRange(stack, 0, planes, use), n, {}, 3, errors=errors, segments=4) for n in range(planes)]


def test_counts_are_summed_by_part():
    planes = [*scored("a", "training", found=2, missed=1), *scored("b", "test", 3, found=3, missed=0)]
    assert about_parts(planes, {}, []).metrics["counts"] == {
        "test": {"objects": 9, "segments": 12, "found": 9, "missed": 0},
        "training": {"objects": 6, "segments": 8, "found": 4, "missed": 2},
    }


def test_where_a_part_is_of_one_stack_its_interval_is_said_to_be_too_narrow():
    planes = [*scored("a", "training"), *scored("b", "training"), *scored("c", "test"), *scored("d", "new", 1)]
    about = about_parts(planes, {}, [])
    assert about.metrics["resampled"] == {"test": "planes", "training": "stacks"}  # none of one plane
    assert about.notes == [
        "Intervals of test come from planes of one stack: neighbouring planes are alike, so these intervals are "
        "narrower than stacks would differ."
    ]


VALIDATED = {"images": [{"use": "validation"}]}


@pytest.mark.parametrize(
    ("metadata", "use", "says"),
    [
        ({}, "validation", [CHOSEN]),
        ({}, "test", []),
        ({}, "new", []),
        ({}, "training", []),
        ({"came_from": "there"}, "validation", [TUNED, "The model was brought in from there."]),
        ({"came_from": "there", "seen": VALIDATED}, "validation", [CHOSEN, "The model was brought in from there."]),
    ],
)
def test_what_chose_is_said_of_the_headline(metadata, use, says):
    assert about_parts([*scored("a", use), *scored("b", use)], metadata, []).notes == says


def test_overlaps_are_told_on_the_page_and_in_metrics():
    about = about_parts(scored("a", "new"), {}, ["a is b."])
    assert about.metrics["overlaps"] == ["a is b."]
    assert about.notes[-1] == "a is b."


def test_what_is_scored_as_a_whole_is_a_plane_or_a_volume():
    assert about_parts(scored("a", "test", 1), {}, []).metrics["unit"] == "plane"
    assert about_parts(scored("a", "test", 3), {}, []).metrics["unit"] == "plane"
    frames = [Scored(PlaneRange("a", 0, 10, "test"), start, {}, 3) for start in (0, 5)]
    assert about_parts(frames, {}, []).metrics["unit"] == "volume"
