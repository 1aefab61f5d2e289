"""Laws of a model's classes: names come from model.json, settings that do not fit it make no recipe that holds."""

import pytest

from unet.ledger.class_settings import segmented_classes
from unet.ledger.recipes import segment_recipe
from unet.ledger.results import model_of
from unet.ledger.stamp import Recipe
from unet.settings.segment import Segment
from unet.settings.segment_classes import UnlearntError


@pytest.fixture
def dataset(make):
    return make({})


def put(dataset, **metadata):
    result = model_of(dataset, "net")
    result.commit(result.begin(Recipe("train", 1, {"made": len(metadata)}, {}), {}), metadata, {})


def test_what_was_found_for_a_class_is_read_by_its_name(dataset):
    found = {"threshold": 0.6, "min_size": 8, "declump_depth": 0.0, "by_class": {"mitosis": {"threshold": 0.3}}}
    put(dataset, classes=["background", "nucleus", "mitosis"], segment=found)
    classes = segmented_classes(dataset, "net", Segment())
    assert classes.names == ("nucleus", "mitosis")
    assert [numbers.threshold for numbers in classes.numbers] == [0.6, 0.3]
    assert segment_recipe(dataset, "net", "a", Segment()).settings["threshold"] == {"nucleus": 0.6, "mitosis": 0.3}


def test_a_class_that_is_called_otherwise_now_makes_its_segments_stale(dataset):
    put(dataset, classes=["background", "nucleus", "mitosis"])
    before = segment_recipe(dataset, "net", "a", Segment())
    model_of(dataset, "net").amend({}, more={"classes": ["background", "nucleus", "dividing"]})
    (why, *_) = before.changes(segment_recipe(dataset, "net", "a", Segment()))
    assert "dividing" in why


def test_settings_that_do_not_fit_the_model_have_a_recipe_that_nothing_is_made_by(dataset):
    put(dataset, classes=["background", "object"])
    settings = Segment(classes=("nucleus",))
    with pytest.raises(UnlearntError):
        segmented_classes(dataset, "net", settings)
    assert segment_recipe(dataset, "net", "a", settings).settings["classes"] == ["nucleus"]


def test_damaged_numbers_of_a_class_are_told(dataset):
    put(dataset, classes=["background", "a", "b"], segment={"threshold": 0.5, "by_class": {"a": {"threshold": "high"}}})
    with pytest.raises(ValueError, match=r"model.json is damaged: its segment: .*; give threshold, min_size"):
        segmented_classes(dataset, "net", Segment())
