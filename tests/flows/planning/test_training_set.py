"""Laws of the training set: what sees other channels than the rest trains nothing, and keeps nobody from training."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from flows.planning.plan import make_plan
from flows.planning.training_set import training_set
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger.results import image_of, model_of

GREY, RGB = ["0"], ["red", "green", "blue"]


@pytest.fixture
def of_channels(dataset, monkeypatch):
    """The training set of stacks with these channels, by name; `before`: those that a model was made of."""

    def made(by_name, before=(), **settings):
        set_values(dataset, {f"train.{key}": value for key, value in settings.items()})
        monkeypatch.setattr("flows.planning.training_set._channels", lambda _, name: tuple(by_name[name]))
        record = read_record(dataset, {"train.name": "other"})
        split = {"split": [{"stack": name} for name in before]}
        monkeypatch.setattr(type(model_of(dataset, "other")), "known_attributes", lambda _: split)
        return training_set(dataset, record, sorted(by_name))

    return made


@pytest.mark.parametrize(
    ("channels", "before", "names"),
    [
        ({"a": GREY, "b": GREY}, (), ["a", "b"]),
        ({"a": GREY, "b": ["dapi"]}, (), ["a", "b"]),  # the only channel is taken, whatever it is called
        ({"a": RGB, "b": GREY, "c": ["dapi"]}, (), ["b", "c"]),
        ({"a": GREY, "b": RGB, "c": RGB}, (), ["b", "c"]),
        ({"a": ["x"], "b": ["x", "y"]}, (), ["a", "b"]),
        ({"a": ["x", "y"], "b": ["y", "x", "z"]}, (), ["a", "b"]),  # as many as the first has are taken by name
        ({"a": RGB, "b": RGB, "c": GREY}, ("c",), ["c"]),  # a model stays what it is
        ({"a": [], "b": GREY}, (), ["a", "b"]),  # not looked into yet
    ],
)
def test_a_model_is_made_of_the_stacks_that_fit(of_channels, channels, before, names):
    found = of_channels(channels, before)
    assert found.names == names
    assert set(found.names).isdisjoint(found.odd)


def test_channels_that_are_set_say_what_fits(of_channels):
    found = of_channels({"a": GREY, "b": RGB, "c": GREY}, channels=["red"])
    assert list(found.odd) == []  # a stack's only channel is taken
    found = of_channels({"a": ["x", "y"], "b": RGB, "c": ["x", "y"]}, channels=["red"])
    assert (found.names, list(found.odd)) == (["b"], ["a", "c"])
    found = of_channels({"a": ["x", "y"], "b": RGB}, channels=["green", "x"])
    assert (found.names, found.odd) == (["a", "b"], {})  # nothing fits: training says so


def test_rgb_and_a_stitched_edge_among_grey_stacks_leave_a_model_of_the_others(make, stage):
    stacks = {name: draw_stack(planes=1, side=64, seed=seed) for seed, name in enumerate("bcd")}
    image, truth = (np.squeeze(one) for one in draw_stack(planes=1, side=64, seed=9))
    edge = image.astype(np.float32)
    edge[:, :9] = np.nan
    dataset = make({**stacks, "e": (edge, truth), "a": (image, truth)}, train__steps=2)
    file = Path(dataset.url).parent / "files/image/a.ome.tif"
    tifffile.imwrite(file, np.stack([image.astype(np.uint8)] * 3, axis=-1), photometric="rgb")
    outcomes = {(of.stage, of.name): of.state for of in stage.all(dataset)}
    assert outcomes["train", "unet"] == "done"
    assert outcomes["predict", "e"] == outcomes["evaluate", "unet"] == "done"
    assert image_of(dataset, "a").committed().facts["channels"] == RGB
    plan = make_plan(dataset, read_record(dataset))
    assert {part["stack"] for part in model_of(dataset, "unet").attributes()["split"]} == set("bcde")
    (note,) = [note for note in plan.notes if "does not train" in note]
    assert note.startswith("a: does not train unet, which sees the channels 0: it has red, green, blue; set ")
    assert [(of.stage, of.name) for of in plan.set_aside()] == [("predict", "a")]
    assert plan.pending() == []
