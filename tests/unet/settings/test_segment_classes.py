"""Laws of classes that are segmented: by name or number alike, each by its own numbers; one class is as ever."""

import pytest

from unet.settings.record import Record, plain
from unet.settings.segment import UNTUNED, Segment
from unet.settings.segment_classes import SegmentedClasses, UnlearntError, require_learnt_classes

LEARNT = ("nucleus", "mitosis", "debris")
FOUND = {"threshold": 0.7, "min_size": 32, "declump_depth": 1.5, "by_class": {"mitosis": {"threshold": 0.4}}}


def read(**values):
    return Record.read({"segment": values}).segment


def of(settings, learnt=LEARNT, found=UNTUNED):
    return SegmentedClasses.of(settings, "net", learnt, found)


@pytest.mark.parametrize("given", [["mitosis", "debris"], [3, 2], ["debris", 2], ["3", "mitosis"]])
def test_classes_are_chosen_by_name_or_number(given):
    classes = of(read(classes=given))
    assert (classes.chosen, classes.names, len(classes.numbers)) == ((2, 3), ("mitosis", "debris"), 2)


def test_each_class_has_what_was_found_for_it_then_what_was_found_for_all_then_the_usual():
    numbers = of(Segment(), found=FOUND).numbers
    assert [each.threshold for each in numbers] == [0.7, 0.4, 0.7]
    assert [each.min_size for each in numbers] == [32] * 3
    assert [each.threshold for each in of(Segment()).numbers] == [0.5] * 3


def test_numbers_by_class_win_and_those_that_are_auto_are_found():
    settings = read(threshold={"nucleus": 0.6, 2: "auto", "debris": 0.9}, min_size=8, high_threshold=0.95)
    numbers = of(settings, found=FOUND).numbers
    assert [(each.threshold, each.min_size, each.high_threshold) for each in numbers] == [
        (0.6, 8, 0.95), (0.4, 8, 0.95), (0.9, 8, 0.95)
    ]  # fmt: skip
    assert settings.automatic == ["threshold", "declump_depth"]


def test_one_class_is_made_by_the_recipe_of_before():
    for settings in (Segment(), Segment(classes=(1,)), Segment(threshold=0.3, min_size=4)):
        before = {name: value for name, value in plain(settings.numbers(FOUND)).items() if name != "mix_classes"}
        assert of(settings, ("object",), FOUND).recipe() == before
    assert of(Segment(classes=("nucleus",)), ("nucleus",)).recipe()["classes"] == [1]
    assert of(read(threshold={"nucleus": 0.2}), ("nucleus",)).numbers[0].threshold == 0.2
    assert of(Segment(classes=(3, 2)), ("1",)).chosen == (3, 2)  # as its scores have it
    assert of(Segment(mix_classes=True), ("object",)).recipe() == of(Segment(), ("object",)).recipe()


def test_a_recipe_tells_names_and_numbers_of_each_class_however_they_were_given():
    recipe = of(read(threshold={"nucleus": 0.6, "mitosis": 0.5}, classes=["mitosis", 1])).recipe()
    assert recipe["classes"] == {"1": "nucleus", "2": "mitosis"}
    assert recipe["threshold"] == {"nucleus": 0.6, "mitosis": 0.5}
    assert recipe == of(read(threshold={2: 0.5, 1: 0.6}, classes=[1, 2])).recipe()
    mixed = of(Segment(mix_classes=True)).recipe()
    assert (mixed["mix_classes"], mixed["threshold"]) == (True, 0.5)
    assert of(Segment(mix_classes=True, classes=(2,))).recipe() == of(Segment(classes=(2,))).recipe()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"classes": ["cell"]},
            r"segment.classes must be among .* 1 \(nucleus\), 2 \(mitosis\), 3 .*, got cell",
        ),
        ({"classes": [4]}, r"segment.classes must be among the classes that net has learnt, 1 .*, got 4; name one"),
        ({"classes": [1, "nucleus"]}, "segment.classes must name each class once, got 1 and nucleus, which are one"),
        ({"threshold": {"cell": 0.5}}, "segment.threshold must be among the classes .*, got cell"),
        (
            {"min_size": {"nucleus": 9}},
            "segment.min_size must say something .*, got nothing of mitosis, debris;",
        ),
        ({"declump_depth": {"nucleus": 1, 1: 2}}, "segment.declump_depth must name each class once"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(values, says):
    settings = read(**values)
    for refuse in (of, lambda settings: require_learnt_classes(settings, "net", LEARNT)):
        with pytest.raises(UnlearntError, match=says):
            refuse(settings)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"classes": ["nucleus", "nucleus"]}, "classes must be one class or more, each once"),
        ({"threshold": {"nucleus": 1.5}}, "threshold must be 0 < threshold ≤ 1, got 1.5"),
        ({"threshold": {"nucleus": "best"}}, "segment.threshold: must be a number, auto, or these by class"),
        ({"min_size": {"nucleus": -1}}, "min_size must be ≥ 0 pixels, got -1"),
        ({"threshold": {"nucleus": 0.5}, "high_threshold": 0.5}, "high_threshold must be threshold < high_threshold"),
        (
            {"threshold": {"nucleus": 0.5}, "mix_classes": True},
            "threshold must be one for all where mix_classes",
        ),
    ],
)
def test_nonsense_by_class_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        read(**values)
