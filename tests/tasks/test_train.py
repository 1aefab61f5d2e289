"""Laws of train: the split is made once and kept, validation stays out of training, one seed gives one model."""

import numpy as np
import pytest
import safetensors.numpy
import tifffile

from flows.plan import make_plan, trained_on
from tasks.train import train_model, train_on_stacks
from unet.ledger import image_of, model_of, weights_of
from unet.loss import balanced_class_weights
from unet.phantom import draw_stack
from unet.recipes import train_recipe
from unet.record_file import read_record, set_values


def plan_of(dataset):
    return make_plan(dataset, read_record(dataset))


def parameters(dataset, model="unet"):
    result = model_of(dataset, model)
    return safetensors.numpy.load((result.folder / result.committed().generation / "model.safetensors").read())


def uses(dataset):
    return {part["stack"]: part["use"] for part in model_of(dataset, "unet").attributes()["split"]}


def test_the_card_says_how_the_model_was_made(dataset):
    card = model_of(dataset, "unet").attributes()
    assert uses(dataset) == {"a": "training", "b": "validation"}
    assert card["architecture"]["in_channels"] == 1
    assert card["channels"] == image_of(dataset, "a").committed().facts["channels"]
    assert [step["step"] for step in card["history"]] == list(range(1, 41))
    looks = {step["step"]: step["validation_loss"] for step in card["history"] if step["validation_loss"] is not None}
    assert set(looks) == {20, 40}
    assert card["best_step"] == min(looks, key=looks.get)
    counts = np.sum(weights_of(dataset, "a").committed().facts["counts"], axis=0)  # of the training part alone
    assert card["class_weights"] == balanced_class_weights(counts.tolist())
    assert set(card["unet-flows"]["recipe"]["inputs"]) == {"a image", "a weights", "b image", "b weights"}


@pytest.mark.parametrize("memory", [2.0, 1e-9])
def test_the_same_seed_gives_the_same_model_from_memory_and_from_disk(dataset, stage, memory):
    before = parameters(dataset)
    set_values(dataset, {"train.memory": memory})
    assert plan_of(dataset).works() == []
    (outcome,) = stage(dataset, "train", force="train")
    assert outcome.why.startswith("validation loss ")
    for name, values in parameters(dataset).items():
        np.testing.assert_array_equal(values, before[name])


def test_new_truth_is_noted_and_taken_in_only_when_asked(tmp_path, dataset, stage):
    truth = draw_stack(planes=2, side=64, seed=3)[1]
    tifffile.imwrite(tmp_path / "copy/files/truth/c.ome.tif", truth, ome=True, metadata={"axes": "ZYX"})
    plan = plan_of(dataset)
    assert plan.cells["train", "unet"].state == "fresh"
    assert plan.notes == ("1 new truths not in unet; `unet-flows train --refresh` takes them in",)
    stage(dataset, "ingest")
    stage(dataset, "weigh")
    plan, record = plan_of(dataset), read_record(dataset)
    assert plan.cells["weigh", "c"].state == plan.cells["train", "unet"].state == "fresh"
    assert trained_on(plan, dataset, record) == ["a", "b"]
    names = trained_on(plan, dataset, record, refresh=True)
    assert names == ["a", "b", "c"]
    train_model.fn(dataset.url, names, record.train)
    assert uses(dataset) == {"a": "training", "b": "validation", "c": "training"}
    assert plan_of(dataset).notes == ()
    assert plan_of(dataset).cells["train", "unet"].state == "fresh"


def test_a_new_rule_of_validation_makes_a_new_split(dataset, stage):
    set_values(dataset, {"train.validation": ["a"], "train.steps": 2})
    assert "validation {'every': 5} → ['a']" in plan_of(dataset).cells["train", "unet"].why
    stage(dataset, "train")
    assert uses(dataset) == {"a": "validation", "b": "training"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"train.validation": ["z"]}, "train.validation must name stacks with truth, got 'z'; known: a, b"),
        ({"train.validation": ["a", "b"]}, "train.validation must leave a stack to train on"),
        ({"train.channels": ["nuclei"]}, None),
        ({"train.rate": 1e30, "train.optimiser": "sgd"}, "try a lower train.rate"),
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
