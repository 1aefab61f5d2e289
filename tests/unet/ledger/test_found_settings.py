"""What was found with a model stands in recipes as numbers, so that only a number that changed makes stale."""

import pytest

from unet.dataset.folder import Dataset
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import KEY, found_with, untuned
from unet.ledger.recipes import segment_recipe
from unet.ledger.results import model_of
from unet.ledger.stamp import Recipe
from unet.settings.segment import Segment, SegmentNumbers

FOUND = {"threshold": 0.7, "min_size": 32, "declump_depth": 0.0, "metric": "seg", "value": 0.9}


@pytest.fixture
def dataset(tmp_path):
    """A dataset with a model of which nothing was found."""
    place = Dataset(str(tmp_path / "dataset"))
    result = model_of(place, "unet")
    result.commit(result.begin(Recipe("train", 1, {}, {}), {}), {"channels": ["0"]})
    return place


def numbers_of(dataset, model, settings):
    (numbers,) = segmented_classes(dataset, model, settings).numbers
    return numbers


def test_a_model_without_any_keeps_the_usual_ones_and_says_so(dataset):
    assert found_with(dataset, "unet") is None
    assert numbers_of(dataset, "unet", Segment(min_size=3)) == SegmentNumbers(min_size=3)
    assert untuned(dataset, "unet", Segment(min_size=3)) == "threshold 0.5, declump_depth 0"
    assert untuned(dataset, "unet", SegmentNumbers()) == ""


def test_what_is_found_later_changes_the_model_in_nothing_else(dataset):
    before, stamp = model_of(dataset, "unet").attributes(), model_of(dataset, "unet").stamp()
    model_of(dataset, "unet").amend({}, more={KEY: FOUND})
    assert model_of(dataset, "unet").attributes() == before | {KEY: FOUND}
    assert model_of(dataset, "unet").stamp() == stamp
    assert numbers_of(dataset, "unet", Segment()) == SegmentNumbers(threshold=0.7, min_size=32)
    assert untuned(dataset, "unet", Segment()) == ""


def test_segments_are_stale_exactly_where_a_number_changed(dataset):
    def recipe(**settings):
        return segment_recipe(dataset, "unet", "a", Segment(**settings))

    before, given = recipe(), recipe(threshold=0.4, min_size=16)
    model_of(dataset, "unet").amend({}, more={KEY: FOUND | {"min_size": 16}})
    assert before.changes(recipe()) == ["threshold 0.5 → 0.7"]
    assert recipe(threshold=0.4, min_size=16) == given
    model_of(dataset, "unet").amend({}, more={KEY: FOUND | {"min_size": 16, "metric": "iou", "value": 0.1}})
    assert before.changes(recipe()) == ["threshold 0.5 → 0.7"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (FOUND | {"threshold": 7}, "threshold must be .* got 7"),
        (FOUND | {"threshold": "high"}, "not supported"),
        ([1], "'list' object has no attribute 'get'"),
    ],
)
def test_a_damaged_entry_is_told_and_numbers_do_without_it(dataset, entry, told):
    model_of(dataset, "unet").amend({}, more={KEY: entry})
    with pytest.raises(
        ValueError, match=rf"model.json is damaged: its segment: .*{told}.*; give threshold, min_size, "
    ):
        numbers_of(dataset, "unet", Segment())
    assert numbers_of(dataset, "unet", Segment(0.5, min_size=3, declump_depth=0)).min_size == 3
