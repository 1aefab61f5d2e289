"""Laws of notes: withdrawn truth is trained on no more, nothing done by hand is lost, and small objects are told."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from flows.planning.plan import make_plan
from unet.dataset.record_file import read_record, set_values
from unet.ledger.metadata_file import KEY
from unet.ledger.results import labels_of, model_of, weights_of
from unet.store import ome
from unet.store.opened_dataset import open_dataset

USES = ("training", "validation")
WITHDRAWN = "unet was made of truth that is withdrawn or gone, of a; "


def plan_of(dataset, **how):
    return make_plan(dataset, read_record(dataset), **how)


def states(plan, name):
    return {stage: of.state for (stage, stack), of in plan.statuses.items() if stack == name}


@pytest.fixture
def truth(dataset):
    """Folder of the truth in the sources."""
    return Path(dataset.url).parent / "files/truth"


@pytest.fixture
def short(dataset):
    """The dataset, which trains for a moment only where it trains again."""
    model = model_of(dataset, "unet")
    settings = model.committed().recipe.settings | {"steps": 2, "validate_every": 1}
    attributes = model.attributes()
    attributes[KEY]["recipe"]["settings"] = settings
    (dataset.model("unet") / "model.json").write_json(attributes)
    set_values(dataset, {"train.steps": 2, "train.validate_every": 1})
    assert plan_of(dataset).pending() == []
    return dataset


def by_hand(dataset, name="a"):
    """Somebody paints a square into the truth in a viewer."""
    level = ome.full_level(labels_of(dataset, name, "truth"))
    zarr.open_array(level.url, mode="r+")[0, 3:9, 3:9] = 99


def test_withdrawn_truth_makes_stale_what_was_made_of_it_and_says_so(dataset, truth):
    (truth / "a.ome.tif").unlink()
    plan = plan_of(dataset)
    assert states(plan, "a") == {"ingest": "stale", "predict": "stale", "segment": "stale"}
    assert plan.statuses["ingest", "a"].why == "truth source is gone"
    assert states(plan, "unet") == {"train": "stale", "evaluate": "stale"}
    assert plan.notes == (f"{WITHDRAWN}it is trained again without it",)
    assert plan.evaluated_stacks() == ["b"]


def test_withdrawn_truth_is_trained_on_no_more_and_comes_back_with_its_file(short, truth, stage, tmp_path):
    shutil.move(truth / "a.ome.tif", tmp_path / "kept.tif")
    made = stage.all(short)
    assert {outcome.state for outcome in made} == {"done"}
    assert ("ingest", "a", "image, its truth is withdrawn, as its source has it no more") in {
        (o.stage, o.name, o.why) for o in made
    }
    assert {part["stack"] for part in model_of(short, "unet").attributes()["split"]} == {"b"}
    assert not short.weights("a").exists()
    opened = open_dataset(short.url)
    assert opened.labels("a") == ("unet",)
    with pytest.raises(LookupError, match="a must have truth"):
        opened.truth("a")
    plan = plan_of(short)
    assert (plan.pending(), plan.notes) == ([], ())
    assert stage.all(short) == []
    shutil.move(tmp_path / "kept.tif", truth / "a.ome.tif")
    assert plan_of(short).statuses["ingest", "a"].why == "truth source is new"
    stage.all(short, until="weigh")
    plan = plan_of(short)
    assert plan.notes == ("1 new truths not in unet; `unet-flows train --refresh` takes them in",)
    np.testing.assert_array_equal(open_dataset(short.url).truth("a")[...], tifffile.imread(truth / "a.ome.tif"))


def test_truth_edited_by_hand_is_never_withdrawn(dataset, truth, stage):
    by_hand(dataset)
    (truth / "a.ome.tif").unlink()
    plan = plan_of(dataset)
    assert plan.state("ingest", "a") == "fresh"
    assert plan.state("weigh", "a") == "stale"
    stage(dataset, "ingest", force="ingest")
    assert open_dataset(dataset.url).truth("a")[0, 5, 5] == 99


def test_truth_edited_after_it_was_withdrawn_is_truth_again(dataset, truth, stage):
    (truth / "a.ome.tif").unlink()
    stage(dataset, "ingest")
    assert plan_of(dataset).state("weigh", "a") == ""
    by_hand(dataset)
    assert plan_of(dataset).state("weigh", "a") == "missing"
    stage(dataset, "weigh")
    assert open_dataset(dataset.url).truth("a")[0, 5, 5] == 99


@pytest.mark.parametrize("way", ["gone", "empty", "link"])
def test_truth_whose_folder_is_away_is_kept_with_a_note(dataset, truth, stage, way):
    files = sorted(truth.iterdir())
    if way == "link":
        for file in files:
            file.unlink()
            file.symlink_to("/nowhere/at/all.tif")
    else:
        shutil.rmtree(truth)
    if way == "empty":
        truth.mkdir()
    plan = plan_of(dataset)
    assert plan.pending() == []
    assert ("weigh", "a") in plan.statuses
    assert plan.notes
    assert all("truth" in note for note in plan.notes)
    assert stage.all(dataset) == []
    assert weights_of(dataset, "a").stamp() is not None


def test_a_source_without_its_truth_line_withdraws_all_and_keeps_the_model(dataset):
    set_values(dataset, {"sources": [{"images": "../files/image"}]})
    plan = plan_of(dataset)
    assert plan.notes == (
        "unet was made of truth that is withdrawn or gone, of a, b; it stays as it is, as nothing trains it again",
    )
    assert {of.stage for of in plan.pending()} == {"ingest"} | {"predict", "segment", "evaluate"}
    assert ("train", "unet") not in plan.statuses


def test_renamed_truth_is_withdrawn_from_one_and_new_to_the_other(dataset, truth):
    (truth / "a.ome.tif").rename(truth / "c.ome.tif")
    plan = plan_of(dataset)
    assert plan.statuses["ingest", "a"].why == "truth source is gone"
    assert plan.state("ingest", "c") == "missing"
    assert set(plan.notes) == {
        f"{WITHDRAWN}it is trained again without it",
        "1 new truths not in unet; `unet-flows train --refresh` takes them in",
    }


def test_truth_that_fits_nothing_any_more_is_withdrawn_and_stops_nothing(dataset, truth):
    for name in "ab":
        (truth / f"{name}.ome.tif").rename(truth / f"{name}_mask.tif")
    plan = plan_of(dataset)
    assert [plan.statuses["ingest", name].why for name in "ab"] == ["truth source is gone"] * 2
    assert sum("belongs to no stack" in note for note in plan.notes) == 2


def test_an_empty_file_of_truth_is_set_aside_with_its_stack_alone(dataset, truth, stage):
    (truth / "a.ome.tif").write_bytes(b"")
    (outcome,) = stage(dataset, "ingest")
    assert (outcome.name, outcome.state) == ("a", "set aside")
    assert "not a readable TIFF" in outcome.why
    assert plan_of(dataset).state("weigh", "b") == "fresh"
    assert plan_of(dataset).notes == ()  # what was set aside is told by itself


def test_another_model_that_predicts_is_named_too(dataset, truth):
    shutil.copytree(dataset.model("unet").url, dataset.model("older").url)
    (truth / "a.ome.tif").unlink()
    set_values(dataset, {"predict.model": "older"})
    assert {note.split(" was ")[0] for note in plan_of(dataset).notes} == {"unet", "older"}
    assert all(note.endswith("it stays as it is, as nothing trains it again") for note in plan_of(dataset).notes)


def test_a_model_brought_in_was_made_of_other_truth(dataset, truth):
    attributes = model_of(dataset, "unet").attributes()
    (dataset.model("unet") / "model.json").write_json({**attributes, "came_from": "elsewhere"})
    (truth / "a.ome.tif").unlink()
    assert plan_of(dataset).notes == ()


def test_an_image_that_trains_under_one_name_and_validates_under_another_is_told(dataset):
    seen = [
        {"stack": n, "start": 0, "stop": 2, "use": use, "digests": ["pixels 1"]}
        for n, use in zip("ab", USES, strict=True)
    ]
    model_of(dataset, "unet").amend({}, more={"seen": {"images": seen, "is_all": True}})
    says = "unet: a, b hold the same image, of which some planes train the model and others are kept out"
    assert plan_of(dataset).notes == (says,)


SIZES = {"objects": 40, "planes": 2, "sizes": [[9, 3], [15, 1], [16, 5]]}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"segment.min_size": 16}, "4 of "),
        ({"segment.min_size": 9}, ""),
        ({"segment.min_size": 10}, "3 of "),
        ({"segment.min_size": 17}, "9 of "),
        ({"segment.min_size": 16, "segment.dimensions": 3}, ""),
    ],
)
def test_objects_of_truth_that_are_too_small_are_told(dataset, settings, told):
    weights_of(dataset, "a").amend({"truth": SIZES})
    weights_of(dataset, "b").amend({"truth": {"objects": 60, "planes": 2}})
    set_values(dataset, {"segment.threshold": 0.5, **settings})
    notes = plan_of(dataset).notes
    assert [note.startswith(f"{told}100 objects of truth are smaller than segment.min_size") for note in notes] == (
        [True] if told else []
    )


def test_the_size_that_was_found_with_the_model_is_the_one_told_of(dataset):
    weights_of(dataset, "a").amend({"truth": SIZES})
    model_of(dataset, "unet").amend({}, more={"segment": {"threshold": 0.4, "min_size": 12, "declump_depth": 0.0}})
    notes = plan_of(dataset).notes
    assert any(note.startswith("3 of ") and "smaller than segment.min_size 12 (" in note for note in notes), notes


def test_sizes_are_known_once_a_stack_is_weighed(make, stage):
    """Truth of 9 px: every object is dropped by the default `segment.min_size`."""
    truth = np.zeros((64, 64), np.uint16)
    for number, (y, x) in enumerate([(5, 5), (20, 30), (40, 12)], start=1):
        truth[y : y + 3, x : x + 3] = number
    dataset = make({"a": (truth * 100, truth)})
    stage.all(dataset, until="weigh")
    (note,) = plan_of(dataset).notes
    assert note == (
        "3 of 3 objects of truth are smaller than segment.min_size 16 (a 3), the smallest of 9 pixels; they will be "
        "dropped, found or not: lower segment.min_size"
    )


def test_what_a_file_says_and_is_not_believed_is_told_once_for_all_its_stacks(tmp_path, make, stage):
    dataset = make({"a": (np.zeros((32, 32), np.uint16), None)})
    for name in "bcd":
        image = np.full((32, 32), ord(name), np.uint8)
        file = Path(dataset.url).parent / f"files/image/{name}.tif"
        tifffile.imwrite(file, image, resolution=(72, 72), resolutionunit="INCH", metadata=None)
    stage(dataset, "ingest")
    assert plan_of(dataset).notes == (
        "b, c, d: size along y and x taken as unknown: 72 pixels an inch, which is a resolution of printers",
    )


def test_classes_that_the_model_has_not_learnt_are_told_before_segment_refuses_them(dataset):
    set_values(dataset, {"segment.classes": [2]})
    assert plan_of(dataset).notes == (
        "segment.classes must be among the classes that unet has learnt, 1, got 2; name one of them",
    )


@pytest.mark.parametrize("use", ["test", "validation"])
def test_names_that_are_to_be_kept_out_and_have_no_truth_are_told_before_training(dataset, use):
    set_values(dataset, {f"train.{use}": ["b", "c", "nope"]})
    said = f"train.{use} must name stacks with truth, got c, nope; training would be refused"
    assert said in plan_of(dataset).notes
    set_values(dataset, {f"train.{use}": ["b"]})
    assert not [note for note in plan_of(dataset).notes if "must name stacks" in note]


def test_nothing_is_said_of_a_split_that_a_model_goes_on_with(short, truth):
    assert not [note for note in plan_of(short).notes if "must name stacks" in note]
