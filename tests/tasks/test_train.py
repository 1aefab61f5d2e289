"""Laws of train: the split is made once and kept, validation stays out of training, one seed gives one model."""

import io
import logging
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import tifffile
import torch
from PIL import Image

from flows.planning.plan import make_plan
from flows.planning.training_set import training_stacks
from tasks import training_planes
from tasks.train import _given_weights, _parts, _seen, train_model, train_on_stacks
from tasks.training_planes import class_counts
from tests.conftest import QUICK
from tests.integration.children import child, training_until
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.images.channel_statistics import Statistics, own_range
from unet.images.grey_values import StackStatistics, rule_of_training
from unet.images.synthetic import draw_stack
from unet.ledger.recipes import train_recipe
from unet.ledger.results import image_of, model_of, report_of, weights_of
from unet.ledger.seen_images import seen_images
from unet.settings.segment import AUTOMATIC
from unet.settings.train import Every, Train
from unet.training.loss import balanced_class_weights
from unet.training.split import PlaneRange


def plan_of(dataset):
    return make_plan(dataset, read_record(dataset))


def parameters(dataset, model="unet"):
    result = model_of(dataset, model)
    return safetensors.numpy.load((result.folder / result.committed().generation / "model.safetensors").read())


def uses(dataset):
    return {part["stack"]: part["use"] for part in model_of(dataset, "unet").attributes()["split"]}


def test_the_card_says_how_the_model_was_made(dataset):
    metadata = model_of(dataset, "unet").attributes()
    assert uses(dataset) == {"a": "training", "b": "validation"}
    assert metadata["architecture"]["in_channels"] == 1
    assert metadata["channels"] == image_of(dataset, "a").committed().facts["channels"]
    assert [step["step"] for step in metadata["history"]] == list(range(1, 41))
    losses = {step["step"]: step["validation_loss"] for step in metadata["history"]}
    looks = {step: loss for step, loss in losses.items() if loss is not None}
    assert set(looks) == {20, 40}
    assert metadata["best_step"] == min(looks, key=looks.get)
    counts = np.sum(weights_of(dataset, "a").committed().facts["counts"], axis=0)  # of the training part alone
    assert metadata["class_weights"] == balanced_class_weights(counts.tolist(), 0)
    assert set(metadata["unet-flows"]["recipe"]["inputs"]) == {"a image", "a weights", "b image", "b weights"}


@pytest.mark.parametrize("memory", [2.0, 1e-9])
def test_the_same_seed_gives_the_same_model_from_memory_and_from_disk(dataset, stage, memory):
    before = parameters(dataset)
    set_values(dataset, {"train.memory_gb": memory})
    assert plan_of(dataset).pending() == []
    (outcome,) = stage(dataset, "train", force="train")
    assert outcome.why.startswith("validation loss ")
    assert outcome.why.endswith(" % alike in bf16")
    for name, values in parameters(dataset).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize("error", [MemoryError("measured"), RuntimeError("measured"), ValueError("measured")])
def test_what_was_trained_is_kept_where_it_cannot_be_measured_in_half_precision(dataset, stage, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("tasks.train.parity_of", fail)
    (outcome,) = stage(dataset, "train", force="train")
    assert outcome.state == "done"
    assert "alike" not in outcome.why
    assert model_of(dataset, "unet").attributes()["parity"] == []


def test_new_truth_is_noted_and_taken_in_only_when_asked(tmp_path, dataset, stage):
    truth = draw_stack(planes=2, side=64, seed=3)[1]
    tifffile.imwrite(tmp_path / "copy/files/truth/c.ome.tif", truth, ome=True, metadata={"axes": "ZYX"})
    plan = plan_of(dataset)
    assert plan.statuses["train", "unet"].state == "fresh"
    assert plan.notes == ("1 new truths not in unet; `unet-flows train --refresh` takes them in",)
    stage(dataset, "ingest")
    stage(dataset, "weigh")
    plan, record = plan_of(dataset), read_record(dataset)
    assert plan.statuses["weigh", "c"].state == plan.statuses["train", "unet"].state == "fresh"
    assert training_stacks(plan, dataset, record) == ["a", "b"]
    names = training_stacks(plan, dataset, record, refresh=True)
    assert names == ["a", "b", "c"]
    train_model.fn(dataset.url, names, record.train)
    assert uses(dataset) == {"a": "training", "b": "validation", "c": "training"}
    assert plan_of(dataset).notes == ()
    assert plan_of(dataset).statuses["train", "unet"].state == "fresh"


def test_a_new_rule_of_validation_makes_a_new_split(dataset, stage):
    set_values(dataset, {"train.validation": ["a"], "train.steps": 2})
    assert "validation {'every': 5} → ['a']" in plan_of(dataset).statuses["train", "unet"].why
    stage(dataset, "train")
    assert uses(dataset) == {"a": "validation", "b": "training"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"train.validation": ["z"]}, "train.validation must name stacks with truth, got 'z'; known: a, b"),
        ({"train.validation": ["a", "b"]}, "train.validation must leave a stack to train on"),
        ({"train.channels": ["nuclei"]}, None),
        ({"train.learning_rate": 1e30, "train.optimiser": "sgd"}, "try a lower train.learning_rate"),
    ],
)
def test_what_cannot_be_trained_is_set_aside_and_what_was_trained_stays(dataset, stage, settings, says):
    before = model_of(dataset, "unet").committed()
    set_values(dataset, settings)
    (outcome,) = stage(dataset, "train")
    if says is None:  # a stack's only channel is taken, whatever it is called
        assert outcome.state == "done"
        return
    assert (outcome.state, outcome.name) == ("set aside", "unet")
    assert says in outcome.why
    assert model_of(dataset, "unet").committed() == before
    assert [cell.why for cell in plan_of(dataset).set_aside()] == [outcome.why]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_says_what_to_lower(dataset, stage, monkeypatch, error):
    def scarce(*_):
        raise error("can't allocate memory: you tried to allocate 9 GB")

    monkeypatch.setattr("tasks.train.train", scarce)
    (outcome,) = stage(dataset, "train", force="train")
    assert outcome.state == "set aside"
    assert "must fit the device's memory" in outcome.why
    assert "you tried to allocate 9 GB; lower train.batch_size or train.tile_size" in outcome.why


def test_truth_without_an_object_is_refused(make, stage):
    stack = (np.arange(4096, dtype=np.uint16).reshape(1, 64, 64), np.zeros((1, 64, 64), np.uint8))
    dataset = make({"a": stack, "b": stack}, train__steps=1)
    outcomes = stage.all(dataset, until="train")
    assert outcomes[-1].state == "set aside"
    assert "training must see background and objects, got 4096 and 0 pixels of them" in outcomes[-1].why


def test_a_stack_that_lost_its_weights_is_named(dataset):
    dataset.weights("a").remove()
    train = read_record(dataset).train
    with pytest.raises(LookupError, match=r"a\.zarr holds no finished result; run `unet-flows reprocess`"):
        train_on_stacks(dataset, ["a", "b"], train, train_recipe(dataset, train, ["a", "b"]))


def test_planes_that_a_stack_gained_are_taken_in(tmp_path, dataset, stage):
    for name, seed in (("a", 1), ("b", 2)):
        for kind, pixels in zip(("image", "truth"), draw_stack(planes=3, side=64, seed=seed), strict=True):
            path = tmp_path / f"copy/files/{kind}/{name}.ome.tif"
            tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "ZYX"})
    set_values(dataset, {"train.steps": 2})
    stage.all(dataset, until="train")
    split = model_of(dataset, "unet").attributes()["split"]
    assert [(part["stack"], part["stop"]) for part in split] == [("a", 3), ("b", 3)]


def generation_of(dataset, model="unet"):
    result = model_of(dataset, model)
    return result.folder / result.committed().generation


def test_curves_and_samples_lie_beside_the_parameters(dataset):
    folder, metadata = generation_of(dataset), model_of(dataset, "unet").attributes()
    header, *rows = (folder / "metrics.csv").read().decode().splitlines()
    assert header == "step,loss,rate,validation_loss"
    assert [float(row.split(",")[1]) for row in rows] == [step["loss"] for step in metadata["history"]]
    for name in ("training.png", "samples.png"):
        with Image.open(io.BytesIO((folder / name).read())) as picture:
            assert min(picture.size) > 60
    assert [name[:8] for name in (folder / "checkpoints").names()] == ["00000040"]


def test_a_refresh_keeps_what_validates_out_of_training(tmp_path, dataset, stage):
    """New stacks whose names would move every second one, if the split was made anew."""
    set_values(dataset, {"train.validation": {"every": 2}, "train.steps": 2})
    stage(dataset, "train")
    before = uses(dataset)
    for name, seed in (("aa", 5), ("ab", 6)):
        image, truth = draw_stack(planes=2, side=64, seed=seed)
        for kind, pixels in (("image", image), ("truth", truth)):
            path = tmp_path / f"copy/files/{kind}/{name}.ome.tif"
            tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "ZYX"})
    for name in ("ingest", "weigh"):
        stage(dataset, name)
    plan, record = plan_of(dataset), read_record(dataset)
    train_model.fn(dataset.url, training_stacks(plan, dataset, record, refresh=True), record.train)
    after = uses(dataset)
    assert set(after) == {"a", "aa", "ab", "b"}
    assert {name for name, use in after.items() if use == "validation"} == {
        name for name, use in before.items() if use == "validation"
    }


# What tests


def test_what_tests_is_not_opened_and_counts_for_nothing(tmp_path, dataset, stage, monkeypatch):
    opened, read = [], training_planes._planes_of
    monkeypatch.setattr(training_planes, "_planes_of", lambda d, part, v: opened.append(part) or read(d, part, v))
    set_values(dataset, {"train.test": ["b"], "train.steps": 2, "train.class_balance": 1.0})
    assert "test None → ['b']" in plan_of(dataset).statuses["train", "unet"].why
    assert [outcome.state for outcome in stage(dataset, "train")] == ["done"]
    metadata = model_of(dataset, "unet").attributes()
    assert metadata["split"] == [
        {"stack": "a", "start": 0, "stop": 1, "use": "training"},
        {"stack": "a", "start": 1, "stop": 2, "use": "validation"},
        {"stack": "b", "start": 0, "stop": 2, "use": "test"},
    ]
    assert {part.stack for part in opened} == {"a"}
    counts = weights_of(dataset, "a").committed().facts["counts"][0]
    assert metadata["class_weights"] == balanced_class_weights(counts, 1.0)
    known = [StackStatistics("a", "", [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])])]
    assert metadata["normalisation"] == rule_of_training("auto", known)
    assert metadata["segment"]["part"] == "validation"
    assert metadata["segment"]["n"] == 1
    stage.all(dataset)
    assert {"test", "validation", "training"} <= set(report_of(dataset, "unet").attributes())
    assert plan_of(dataset).pending() == []


def test_what_was_made_before_there_were_tests_and_gaps_is_fresh(dataset):
    recipe = train_recipe(dataset, Train(), ["a", "b"])
    assert not {"test", "gap"} & set(recipe.settings)
    other = train_recipe(dataset, Train(test=Every(5), gap=1), ["a", "b"])
    assert other.settings == recipe.settings | {"test": {"every": 5}, "gap": 1}


def test_a_split_without_a_gap_stays_until_a_gap_is_asked_for(make, stage):
    dataset = make({"a": draw_stack(planes=6, side=64, seed=1)}, **{k.replace(".", "__"): v for k, v in QUICK.items()})
    stage.all(dataset, until="weigh")
    settings = read_record(dataset).train
    cut = [PlaneRange("a", 0, 4, "training"), PlaneRange("a", 4, 5, "gap"), PlaneRange("a", 5, 6, "validation")]
    assert _parts(dataset, ["a"], settings) == cut
    touching = [PlaneRange("a", 0, 5, "training"), PlaneRange("a", 5, 6, "validation")]
    result, recipe = model_of(dataset, "unet"), train_recipe(dataset, settings, ["a"])
    result.commit(result.begin(recipe, {}), {"split": [asdict(part) for part in touching]})
    assert _parts(dataset, ["a"], settings) == touching
    assert _parts(dataset, ["a"], replace(settings, gap=2))[0].stop == 3


def test_a_model_keeps_what_the_one_it_began_with_had_seen_and_copies_are_told(dataset, caplog):
    parts = [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 2, "validation")]
    seen = _seen(dataset, parts, None)
    assert seen.is_all
    assert [(each.stack, each.use) for each in seen.planes] == [("a", "training"), ("b", "validation")]
    assert seen == seen_images(dataset, "unet")
    begun = _seen(dataset, [replace(part, stack="b") for part in parts[:1]], "unet")
    assert [(e.stack, e.use) for e in begun.planes] == [("b", "training"), ("a", "training"), ("b", "validation")]
    known = image_of(dataset, "a").committed().facts
    image_of(dataset, "b").amend({"statistics": known["statistics"], "shape": known["shape"]})
    _seen(dataset, parts, None)
    assert "a, b hold the same image, of which some planes train the model and others are kept out" in caplog.text


# Where it starts


def test_fine_tuning_goes_on_with_network_split_and_normalisation_of_its_start(dataset, stage, monkeypatch):
    set_values(
        dataset, {"train.name": "fine", "train.init_from": "unet", "train.steps": 1, "train.architecture.base": 8}
    )
    monkeypatch.setattr("tasks.train.split", lambda *_: pytest.fail("a split of its own"))
    assert [outcome.state for outcome in stage(dataset, "train")] == ["done"]
    start, fine = (model_of(dataset, name).attributes() for name in ("unet", "fine"))
    for key in ("architecture", "channels", "normalisation", "split"):
        assert fine[key] == start[key]
    assert fine["architecture"]["base"] == 4
    assert fine["history"][0]["loss"] < start["history"][0]["loss"]
    assert plan_of(dataset).pending("train") == []


def test_a_start_that_is_trained_anew_makes_stale(dataset, stage):
    set_values(dataset, {"train.name": "fine", "train.init_from": "unet", "train.steps": 1})
    stage(dataset, "train")
    result = model_of(dataset, "unet")
    stamp, metadata = result.committed(), result.attributes()
    again = result.begin(stamp.recipe, stamp.plan)
    (again.folder / "model.safetensors").write((generation_of(dataset) / "model.safetensors").read())
    result.commit(again, metadata, stamp.facts)
    assert plan_of(dataset).statuses["train", "fine"].why == "init_from changed"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"train.init_from": "none"}, "model 'none' must be in"),
        (
            {"train.init_from": "unet", "train.architecture": {"classes": 3}},
            "train.architecture.classes must be 2, as the classes of truth are background and object, got 3",
        ),
        (
            {"train.init_from": "unet", "train.channels": ["0", "1"]},
            "train.channels must be as many as the channels of unet,",
        ),
    ],
)
def test_a_start_that_does_not_fit_is_told(dataset, stage, settings, says):
    set_values(dataset, {"train.name": "fine", **settings})
    (outcome,) = stage(dataset, "train")
    assert outcome.state == "set aside"
    assert says in outcome.why


def test_validating_on_what_the_start_was_trained_on_is_told(dataset, stage, caplog):
    set_values(dataset, {"train.name": "fine", "train.init_from": "unet", "train.steps": 1, "train.validation": ["a"]})
    stage(dataset, "train")
    assert "the model it starts from was trained on what validates: a" in caplog.text


# Class weights


def test_ignored_pixels_weigh_in_no_class(dataset):
    """As many ignored pixels in one plane as there are in all: neither counts nor the shape of the list change."""
    result = weights_of(dataset, "a")
    attributes, stamp = result.attributes(), result.committed()
    first, second = stamp.facts["counts"]
    longer = [*first, *[0] * 253, 4096]
    assert class_counts(dataset, [PlaneRange("a", 0, 2, "training")]) == [
        x + y for x, y in zip(first, second, strict=True)
    ]
    attributes["unet-flows"]["facts"]["counts"] = [longer, second]
    (result.folder / "zarr.json").write_json({"zarr_format": 3, "node_type": "group", "attributes": attributes})
    assert class_counts(dataset, [PlaneRange("a", 0, 2, "training")]) == [
        x + y for x, y in zip(first, second, strict=True)
    ]
    assert class_counts(dataset, [PlaneRange("a", 1, 2, "training")]) == second


def test_class_weights_that_were_set_win_over_the_counts(dataset, stage):
    set_values(dataset, {"weigh.class_weights": [0.5, 3], "train.steps": 1})
    stage.all(dataset, until="train")
    assert model_of(dataset, "unet").attributes()["class_weights"] == [0.5, 3]
    set_values(dataset, {"weigh.class_weights": [0.5, 4]})
    stage(dataset, "weigh", only=["a"])
    with pytest.raises(ValueError, match=r"one weigh.class_weights, got \[0.5, 3.0\] and \[0.5, 4.0\]; run"):
        _given_weights(dataset, [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 2, "validation")])


def test_weights_made_with_other_classes_are_refused(dataset):
    settings = read_record(dataset).train
    attributes = weights_of(dataset, "b").attributes()
    attributes["unet-flows"]["facts"]["classes"] = ["dim", "lit"]
    metadata = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (weights_of(dataset, "b").folder / "zarr.json").write_json(metadata)
    with pytest.raises(ValueError, match="weights must be of object, got dim, lit in b; run `unet-flows weigh`"):
        train_on_stacks(dataset, ["a", "b"], settings, train_recipe(dataset, settings, ["a", "b"]))


@pytest.mark.parametrize("start", [None, "unet"])
def test_classes_that_truth_does_not_have_are_refused_before_training(dataset, stage, start):
    set_values(dataset, {"train.name": "four", "train.architecture.classes": 4, "train.init_from": start})
    (outcome,) = stage(dataset, "train")
    assert outcome.state == "set aside"
    assert outcome.why == (
        "train.architecture.classes must be 2, as the classes of truth are background and object, got 4; nothing would "
        "teach the network another one: set it to 2"
    )
    assert model_of(dataset, "four").stamp() is None
    assert not list(Path(dataset.model("four").url).rglob("checkpoints/*"))


def test_where_no_stack_is_left_that_trained_the_split_is_made_anew(dataset, caplog):
    settings = read_record(dataset).train
    assert {part.stack: part.use for part in _parts(dataset, ["a", "b"], settings)} == {
        "a": "training",
        "b": "validation",
    }
    assert [(part.stack, part.use) for part in _parts(dataset, ["b"], settings)] == [
        ("b", "training"),
        ("b", "validation"),
    ]
    assert "no stack is left that trained unet, so its split is made anew" in caplog.text


# Kill it


def test_a_training_that_was_killed_ends_as_an_undisturbed_one(dataset, tmp_path, stage, caplog):
    changes = {"train.seed": 1, "train.checkpoint_every": 3, "train.steps": 30, "train.architecture.dropout": 0.2}
    set_values(dataset, changes)
    shutil.copytree(tmp_path / "copy", tmp_path / "undisturbed")
    result, old = model_of(dataset, "unet"), model_of(dataset, "unet").committed()
    with child(training_until, 8, dataset.url) as (_, pipe):
        assert pipe.recv() == "there"
    assert result.committed() == old
    (begun,) = [path for path in Path(result.folder.url).glob("*/checkpoints") if old.generation not in path.parts]
    assert [path.name[:8] for path in sorted(begun.iterdir())] == ["00000003", "00000006"]
    with caplog.at_level(logging.INFO, "unet"):
        stage(dataset, "train")
    assert "going on from step 6" in caplog.text
    other = Dataset(str(tmp_path / "undisturbed/dataset"))
    stage(other, "train")
    assert result.committed().generation == model_of(other, "unet").committed().generation
    assert generation_of(dataset).name == begun.parts[-2]
    went_on, undisturbed = parameters(dataset), parameters(other)
    for name, values in went_on.items():
        np.testing.assert_array_equal(values, undisturbed[name])
    assert result.attributes()["history"] == model_of(other, "unet").attributes()["history"]


def test_a_training_begun_in_another_precision_is_begun_anew(dataset, monkeypatch):
    settings = replace(read_record(dataset).train, seed=7, steps=4, checkpoint_every=1, precision="float32")
    recipe, result = train_recipe(dataset, settings, ["a", "b"]), model_of(dataset, "unet")

    def stop(done, total, word):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on_stacks(dataset, ["a", "b"], replace(settings, precision="bf16"), recipe, stop)
    begun = result.begin(recipe, {})
    assert begun.plan["precision"] == "bf16"
    told = []
    train_on_stacks(dataset, ["a", "b"], settings, recipe, lambda done, *_: told.append(done))
    assert told == [1, 2, 3, 4]
    assert result.committed().plan["precision"] == "float32"
    assert result.folder.names() == [result.committed().generation, "model.json"]


def test_two_processes_read_from_the_store_and_make_one_model(dataset, stage):
    """With a batch norm the two differ from one process, as each has the statistics of its own share."""
    set_values(dataset, {"train.devices": 2, "train.memory_gb": 1e-9, "train.seed": 1, "train.device": "cpu"})
    (outcome,) = stage(dataset, "train")
    assert outcome.state == "done"
    result = model_of(dataset, "unet")
    assert result.committed().plan["devices"] == 2
    history = [step["loss"] for step in result.attributes()["history"]]
    assert len(history) == 40
    assert np.mean(history[-5:]) < 0.8 * np.mean(history[:5])


@pytest.mark.parametrize("way", ["stack", "source", [0.0, 4000.0]])
def test_a_model_keeps_the_rule_of_grey_values_that_it_was_trained_by(dataset, stage, way):
    set_values(dataset, {"train.grey_values": way})
    assert stage(dataset, "train")[0].state == "done"
    rule = model_of(dataset, "unet").attributes()["normalisation"]
    assert rule["rule"] == (way if isinstance(way, str) else "fixed")
    if way == "source":
        (source,) = read_record(dataset).sources
        assert list(rule["sources"]) == [source.images]


def test_a_model_knows_the_grey_values_of_its_training_stacks_alone(dataset):
    metadata = model_of(dataset, "unet").attributes()
    trained_on = {part["stack"] for part in metadata["split"] if part["use"] == "training"}
    known = [image_of(dataset, name).committed().facts["statistics"][0] for name in trained_on]
    (seen,) = metadata["normalisation"]["trained_on"]
    assert metadata["normalisation"]["rule"] == "auto"
    assert seen["most_span"] == max(own_range(Statistics(**each)).high - each["low"] for each in known)


# Classes


NAMES = ("dim", "lit")


def drawn(seed, lit=0.5):
    """A stack whose cells are dim or lit, by their ids; none is lit where `lit` is 0."""
    image, truth = draw_stack(planes=2, side=64, seed=seed)
    told = {int(each): NAMES[int(lit > 0 and each % 2)] for each in np.unique(truth[truth > 0])}
    bright = np.isin(truth, [each for each, name in told.items() if name == "lit"])
    return np.where(bright, image * 3, image).astype(np.uint16), truth, told


@pytest.fixture
def classed(make_classed):
    """A dataset of dim and lit cells, ingested."""
    return lambda **stacks: make_classed(
        {name: drawn(seed, lit) for name, (seed, lit) in stacks.items()},
        NAMES,
        **{key.replace(".", "__"): value for key, value in QUICK.items()},
    )


def test_classes_follow_from_truth_into_model_history_and_pictures(classed, stage):
    dataset = classed(a=(1, 1), b=(2, 1))
    (outcome,) = [each for each in stage.all(dataset, until="train") if each.stage == "train"]
    assert outcome.state == "done", outcome.why
    metadata, folder = model_of(dataset, "unet").attributes(), generation_of(dataset)
    assert metadata["classes"] == ["background", *NAMES]
    assert metadata["architecture"]["classes"] == len(metadata["class_weights"]) == 3
    assert parameters(dataset)["head.weight"].shape[0] == 3
    looks = [row["validation_dice"] for row in metadata["history"] if "validation_dice" in row]
    assert [list(look) for look in looks] == [list(NAMES)] * 2
    assert (
        f"(Dice dim {looks[-1]['dim']:.2f}, lit {looks[-1]['lit']:.2f})" in outcome.why or metadata["best_step"] == 20
    )
    header, *rows = (folder / "metrics.csv").read().decode().splitlines()
    assert header == "step,loss,rate,validation_loss,validation_dice_dim,validation_dice_lit"
    assert rows[19].split(",")[4:] == [str(looks[0][name]) for name in NAMES]
    with Image.open(io.BytesIO((folder / "training.png").read())) as picture:
        assert picture.size[1] > 700
    plan = plan_of(dataset)
    assert plan.statuses["train", "unet"].state == "fresh"
    assert "classes" in model_of(dataset, "unet").committed().recipe.inputs
    found = metadata["segment"]
    assert set(found["by_class"]) <= set(NAMES)
    assert {name: found[name] for name in AUTOMATIC} in [
        {name: own[name] for name in AUTOMATIC} for own in found["by_class"].values()
    ]


def test_a_class_that_no_stack_that_trains_has_is_named(classed, stage):
    dataset = classed(a=(1, 0), b=(2, 1))
    outcome = stage.all(dataset, until="train")[-1]
    assert outcome.state == "set aside"
    assert outcome.why.startswith("training must see each class, got no pixel of lit in any stack that trains; draw")


@pytest.mark.parametrize(("asked", "state"), [(2, "done"), (3, "done"), (4, "set aside")])
def test_as_many_classes_as_truth_has_may_be_asked_for(classed, stage, asked, state):
    dataset = classed(a=(1, 1), b=(2, 1))
    set_values(dataset, {"train.architecture.classes": asked, "train.steps": 1})
    outcome = stage.all(dataset, until="train")[-1]
    assert outcome.state == state
    if state == "set aside":
        assert "must be 3, as the classes of truth are background and dim and lit, got 4" in outcome.why


def test_a_start_of_other_classes_lends_its_body(classed, stage):
    dataset = classed(a=(1, 1), b=(2, 1))
    set_values(dataset, {"train.steps": 2})
    stage.all(dataset, until="train")
    result = model_of(dataset, "unet")
    result.amend({}, more={"classes": ["background", "lit", "dim"]})
    set_values(dataset, {"train.name": "fine", "train.init_from": "unet", "train.steps": 1, "train.seed": 5})
    (outcome,) = stage(dataset, "train")
    assert outcome.state == "done"
    assert outcome.why.endswith("the body of unet was taken, a model of lit, dim; a new head")
    metadata = model_of(dataset, "fine").attributes()
    assert metadata["started_from"] == {"model": "unet", "classes": ["lit", "dim"], "taken": "body"}
    assert metadata["classes"] == ["background", *NAMES]
    before, after = parameters(dataset), parameters(dataset, "fine")
    name = "down.0.0.weight"
    assert np.abs(before[name] - after[name]).max() < 0.1
    assert np.abs(before["head.weight"] - after["head.weight"]).max() > 0.1
    result.amend({}, more={"classes": ["background", *NAMES]})
    (again,) = stage(dataset, "train", force="train")
    assert "a new head" not in again.why
    assert "started_from" not in model_of(dataset, "fine").attributes()


def test_class_weights_by_name_are_those_in_the_datasets_order(classed, stage):
    dataset = classed(a=(1, 1), b=(2, 1))
    set_values(dataset, {"weigh.class_weights": {"lit": 3, "dim": 2, "background": 1}, "train.steps": 1})
    stage.all(dataset, until="train")
    assert model_of(dataset, "unet").attributes()["class_weights"] == [1, 2, 3]


def test_a_model_of_one_class_is_what_it_was(dataset):
    """Nothing of classes stands in what is made of truth without any."""
    metadata, stamp = model_of(dataset, "unet").attributes(), model_of(dataset, "unet").committed()
    assert metadata["classes"] == ["background", "object"]
    assert set(metadata["history"][0]) == {"step", "loss", "rate", "validation_loss"}
    assert "by_class" not in metadata["segment"]
    assert "started_from" not in metadata
    assert "classes" not in stamp.recipe.inputs
