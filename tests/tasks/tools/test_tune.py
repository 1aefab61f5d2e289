"""Settings found again from scores on disk: the best there is, kept with the model, and nothing else is touched."""

from dataclasses import asdict

import pytest

from tasks.reporting.scored_parts import parts_of
from tasks.tools.tune import keep, tune
from unet.dataset.folder import Folder
from unet.dataset.record_file import set_values
from unet.ledger.found_settings import found_with
from unet.ledger.recipes import evaluate_recipe
from unet.ledger.results import model_of, scores_of
from unet.network.model_files import bring_in
from unet.settings.evaluate import Evaluate
from unet.settings.segment import AUTOMATIC, UNTUNED, Segment
from unet.training.split import PlaneRange


def test_it_finds_what_training_found_and_writes_nothing(dataset):
    before = model_of(dataset, "unet").attributes()
    tuned = tune(dataset, "unet", ["a", "b"], {"a", "b"}, Segment())
    assert {name: tuned.found[name] for name in AUTOMATIC} == {name: before["segment"][name] for name in AUTOMATIC}
    assert tuned.before["value"] == tuned.found["value"]
    assert model_of(dataset, "unet").attributes() == before


def test_what_is_kept_changes_nothing_else_of_the_model(dataset):
    before = model_of(dataset, "unet").attributes()
    tuned = tune(dataset, "unet", ["a", "b"], ["b"], Segment(threshold=0.9, min_size=0), "iou")
    keep(dataset, "unet", tuned.found)
    assert (tuned.before["threshold"], tuned.before["min_size"]) == (0.9, 0)
    assert tuned.found["value"] > tuned.before["value"]
    assert tuned.found["metric"] == "iou"
    assert model_of(dataset, "unet").attributes() == before | {"segment": tuned.found}


def copy_scores(dataset, model):
    for name in ("a", "b"):
        source, target = scores_of(dataset, "unet", name).folder, scores_of(dataset, model, name).folder
        for file in source.files():
            (target / file).write((source / file).read())


def test_a_model_that_was_brought_in_keeps_what_was_found_and_is_tuned_on_what_did_not_train_it(dataset):
    bring_in(dataset, Folder(model_of(dataset, "unet").folder.url), "other")
    assert found_with(dataset, "other") == found_with(dataset, "unet")
    assert parts_of(dataset, ["a"], "other") == [PlaneRange("a", 0, 2, "training")]
    with pytest.raises(LookupError, match="other must have scores of what validates it, got none of b; run `unet-"):
        tune(dataset, "other", ["a", "b"], [], Segment())
    copy_scores(dataset, "other")
    tuned = tune(dataset, "other", ["a", "b"], ["a", "b"], Segment())
    assert (tuned.found["part"], tuned.found["n"]) == ("validation", 2)
    assert tuned.found["at_default"] <= tuned.found["value"]
    assert "tuned_on" not in tuned.found


@pytest.fixture
def stranger(dataset):
    """A model of which nobody knows what trained it."""
    bring_in(dataset, Folder(model_of(dataset, "unet").folder.url), "other")
    model_of(dataset, "other").amend({}, more={"seen": {"images": [], "is_all": False}})
    copy_scores(dataset, "other")
    return dataset


def test_what_a_stranger_is_tuned_on_is_no_test_of_it_any_more(stranger):
    assert {part.use for part in parts_of(stranger, ["a", "b"], "other")} == {"new"}
    before = evaluate_recipe(stranger, "other", ["a", "b"], Evaluate())
    tuned = tune(stranger, "other", ["a", "b"], ["a"], Segment())
    assert (tuned.found["part"], tuned.found["n"]) == ("validation", 2)
    keep(stranger, "other", tuned.found)
    assert {part.stack: part.use for part in parts_of(stranger, ["a", "b"], "other")} == {"a": "validation", "b": "new"}
    changes = before.changes(evaluate_recipe(stranger, "other", ["a", "b"], Evaluate()))
    assert changes == ["what it was tuned on is new"]


def test_a_stranger_is_not_tuned_on_what_is_kept_for_tests(stranger):
    set_values(stranger, {"train.test": ["a"]})
    tuned = tune(stranger, "other", ["a", "b"], ["a", "b"], Segment())
    assert [each["stack"] for each in tuned.found["tuned_on"]] == ["b"]


def test_a_test_part_and_new_truth_tune_nothing_of_a_model_that_was_trained_here(dataset):
    split = [asdict(PlaneRange("a", 0, 2, "test"))]
    model_of(dataset, "unet").amend({}, more={"split": split, "seen": {"images": [], "is_all": True}})
    with pytest.raises(
        LookupError, match="unet must have scores of what validates it, got none of no stack with truth"
    ):
        tune(dataset, "unet", ["a", "b"], ["a", "b"], Segment())


def test_scores_of_the_training_part_alone_are_no_help(dataset):
    with pytest.raises(LookupError, match="got none of b; run `unet-flows reprocess"):
        tune(dataset, "unet", ["a", "b"], ["a"], Segment())


def test_a_model_that_is_not_there_is_told_before_its_scores(dataset):
    with pytest.raises(LookupError, match=r"model 'other' must be in .*, got unet; run `unet-flows train`"):
        tune(dataset, "other", ["a", "b"], [], Segment())


def test_before_are_the_usual_settings_where_the_model_has_none(dataset):
    keep(dataset, "unet", {})
    tuned = tune(dataset, "unet", ["a", "b"], ["a", "b"], Segment())
    assert {name: tuned.before[name] for name in AUTOMATIC} == UNTUNED
    assert tuned.before["value"] == tuned.found["at_default"]
