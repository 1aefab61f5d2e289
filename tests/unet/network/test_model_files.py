"""Models on disk: bit for bit what was saved, and never half of it, nor anything that runs."""

import hashlib
import io
import json
import os
import pickle
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from unet.dataset.folder import Dataset, Folder
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import learnt_names, model_of
from unet.ledger.stamp import Recipe
from unet.network.model_files import PARAMETERS, Model, bring_in, channel_indices, load, model_identity, save
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict

RECIPE = Recipe("train", 1, {"seed": 0}, {"a image": "3f2a"})
PLAN = {"device": "cpu"}
RECORD = {"split": [{"stack": "a", "start": 0, "stop": 1, "use": "training"}], "history": [{"step": 1}]}
SMALL = Architecture(in_channels=2, base=2, depth=1, padding="same", norm="batch")


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "dataset"))


def put(dataset, name="unet", architecture=SMALL):
    """A committed model whose batch norms have seen something."""
    network = UNet(architecture)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.num_batches_tracked += 3
    result = model_of(dataset, name)
    model = Model(network, ("DAPI", "GFP"), {"rule": "percentiles"})
    stamp = save(result, result.begin(RECIPE, PLAN), model, RECORD, {"stacks": ["a"]})
    return model, result.folder / stamp.generation / PARAMETERS


def same(first, second):
    first, second = first.network.state_dict(), second.network.state_dict()
    return list(first) == list(second) and all(
        torch.equal(first[name], second[name]) and first[name].dtype == second[name].dtype for name in first
    )


@pytest.mark.parametrize("architecture", [
    SMALL,
    Architecture(in_channels=1, classes=3, base=3, depth=2),
    replace(SMALL, up="bilinear"),
    replace(SMALL, up="bilinear-aligned", depth=3, bias=True, narrow=True),
])  # fmt: skip
def test_what_was_saved_is_loaded_bit_for_bit(architecture, dataset):
    model, _ = put(dataset, architecture=architecture)
    loaded = load(dataset, "unet")
    assert loaded.network.architecture == architecture
    assert (loaded.channels, loaded.normalisation) == (("DAPI", "GFP"), {"rule": "percentiles"})
    assert same(loaded, model)
    image = torch.randn(1, architecture.in_channels, 56, 56)
    with torch.inference_mode():
        ready = [each.network.eval()(image) for each in (model, loaded)]
    assert torch.equal(*ready)
    assert all(parameter.requires_grad for parameter in loaded.network.parameters())


def test_the_card_says_how_it_was_made(dataset):
    put(dataset)
    metadata = model_of(dataset, "unet").attributes()
    assert metadata["architecture"] == asdict(SMALL)
    assert (metadata["split"], metadata["history"], metadata["channels"]) == (*RECORD.values(), ["DAPI", "GFP"])
    assert model_of(dataset, "unet").committed().facts["stacks"] == ["a"]


def test_a_model_that_is_not_there_is_named_with_those_that_are(dataset):
    with pytest.raises(LookupError, match=r"model 'unet' must be in .*/models, got none; run `unet-flows train`"):
        load(dataset, "unet")
    put(dataset, "cells")
    with pytest.raises(LookupError, match="got cells"):
        load(dataset, "unet")


def edit_metadata(dataset, **changes):
    metadata = dataset.model("unet") / "model.json"
    metadata.write_json(json.loads(metadata.read()) | changes)


def drop_from_card(dataset, key):
    metadata = dataset.model("unet") / "model.json"
    metadata.write_json({k: v for k, v in json.loads(metadata.read()).items() if k != key})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d, file: file.remove(), "must be there, got nothing: the model was copied in part; copy it again"),
        (lambda d, file: file.write(b""), "must fit its model.json, got .*; copy it again"),
        (lambda d, file: file.write(file.read()[:-9]), "must fit its model.json, got .*; copy it again"),
        (lambda d, file: file.write(file.read()[:99]), "must fit its model.json, got .*; copy it again"),
        (
            lambda d, _: edit_metadata(d, architecture=asdict(Architecture())),
            "must fit its model.json, got parameters of .*base=2",
        ),
        (lambda d, _: edit_metadata(d, architecture=asdict(replace(SMALL, norm="none"))), "must fit its .*Missing key"),
        (lambda d, _: edit_metadata(d, architecture={"depht": 1}), "must fit its model.json, got .*depht"),
        (lambda d, _: edit_metadata(d, architecture={"depth": 0}), "must fit its model.json, got .*depth must be ≥ 1"),
        (lambda d, _: edit_metadata(d, architecture={"base": "x"}), "model.json is damaged: architecture.base"),
        (lambda d, _: edit_metadata(d, architecture={"base": 10**9}), "must fit its model.json, got"),
        (lambda d, _: edit_metadata(d, architecture={"depth": 10**6}), "must fit its model.json, got"),
        (lambda d, _: edit_metadata(d, channels=None), "model.json is damaged: channels should"),
        (lambda d, _: drop_from_card(d, "normalisation"), "must fit its model.json, got 'normalisation'"),
        (lambda d, _: drop_from_card(d, "architecture"), "must fit its model.json, got 'architecture'"),
    ],
)
def test_a_model_that_came_in_part_is_named(damage, says, dataset, tmp_path):
    _, file = put(dataset)
    damage(dataset, file)
    with pytest.raises((LookupError, ValueError), match=says):
        load(dataset, "unet")
    other = Dataset(str(tmp_path / "other"))
    with pytest.raises((LookupError, ValueError), match=says):
        bring_in(other, dataset.model("unet"), "unet")
    assert other.members("models") == []


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved_by_torch(evil):
    stream = io.BytesIO()
    torch.save({"down.0.0.weight": evil}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("dump", [pickle.dumps, saved_by_torch])
def test_a_pickle_by_the_name_of_parameters_runs_nothing(dump, dataset, tmp_path):
    _, file = put(dataset)
    file.write(dump(Evil(str(tmp_path / "ran"))))
    with pytest.raises(LookupError, match=r"must fit its model\.json"):
        load(dataset, "unet")
    assert not (tmp_path / "ran").exists()


def test_a_generation_elsewhere_is_refused(dataset):
    put(dataset)
    metadata = model_of(dataset, "unet").attributes()
    metadata["unet-flows"]["generation"] = "../../elsewhere"
    (dataset.model("unet") / "model.json").write_json(metadata)
    with pytest.raises(ValueError, match="must stay within its folder"):
        load(dataset, "unet")


def test_models_of_one_recipe_are_told_apart_by_what_predicts(dataset):
    """Training that ends by time ends elsewhere the next time; what another model scored is never called fresh."""
    identities = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        put(dataset)
        stamp = model_of(dataset, "unet").committed()
        identities.append((stamp.generation, predict_recipe(dataset, "unet", "a", Predict()).inputs["model"]))
        assert model_identity(dataset, "unet") == stamp.identity
        dataset.model("unet").remove()
    first, again, other = identities
    assert first == again
    assert first[0] == other[0]
    assert first[1] != other[1]


def test_a_model_that_was_made_before_is_known_by_its_generation(dataset):
    put(dataset)
    metadata = model_of(dataset, "unet").attributes()
    del metadata["unet-flows"]["facts"]["identity"]
    (dataset.model("unet") / "model.json").write_json(metadata)
    stamp = model_of(dataset, "unet").committed()
    assert predict_recipe(dataset, "unet", "a", Predict()).inputs["model"] == stamp.generation


@pytest.mark.parametrize("url", ["{tmp}/other", "memory://models{tmp}"])
def test_a_model_of_elsewhere_is_brought_in_under_a_name_of_its_own(url, dataset, tmp_path):
    model, _ = put(dataset)
    other = Dataset(url.format(tmp=tmp_path))
    stamp = bring_in(other, Folder(dataset.model("unet").url), "theirs")
    assert same(load(other, "theirs"), model)
    metadata = model_of(other, "theirs").attributes()
    assert "split" not in metadata
    told = {"stack": "a", "start": 0, "stop": 1, "use": "training", "digests": ["image 3f2a"]}
    assert metadata["seen"] == {"images": [told], "is_all": True}
    assert (metadata["came_from"], metadata["history"]) == (dataset.model("unet").url, RECORD["history"])
    assert (stamp.recipe, stamp.facts["stacks"]) == (RECIPE, ["a"])
    before = model_of(other, "theirs").committed()
    with pytest.raises(ValueError, match=r"a new name is needed, got 'theirs'.*choose another with --as"):
        bring_in(other, dataset.model("unet"), "theirs")
    assert model_of(other, "theirs").committed() == before


def test_a_model_that_comes_in_keeps_the_names_of_its_classes_or_takes_those_that_are_given(dataset, tmp_path):
    put(dataset, architecture=replace(SMALL, classes=3))
    model_of(dataset, "unet").amend({}, more={"classes": ["background", "nucleus", "mitosis"]})
    other, ours = Dataset(str(tmp_path / "other")), Folder(dataset.model("unet").url)
    bring_in(other, ours, "theirs")
    assert learnt_names(model_of(other, "theirs").attributes()) == ("nucleus", "mitosis")
    bring_in(other, ours, "named", ("cell", "debris"))
    assert learnt_names(model_of(other, "named").attributes()) == ("cell", "debris")
    for wrong, says in (
        (("cell",), "--classes must be 2 names, .*, got 1: cell; background is not among them"),
        (("cell", "Cell"), "classes must have names that differ"),
        (("cell", "background"), "classes must not be called background"),
        (("cell", "Mean"), "classes must not be called Mean"),
        (("cell", ""), "classes must have names of 1 to 64"),
    ):
        with pytest.raises(ValueError, match=says):
            bring_in(other, ours, "wrong", wrong)
    assert other.members("models") == ["named", "theirs"]


def theirs_by_milesial(channels=3, base=2):
    """A state_dict as milesial's networks have it today, with transposed convolutions."""
    network = UNet(Architecture(channels, 2, base, padding="same", norm="batch"))
    blocks = {"down.0": "inc.double_conv", "head": "outc.conv"}
    for n in (1, 2, 3, 4):
        blocks |= {
            f"down.{n}": f"down{n}.maxpool_conv.1.double_conv",
            f"up.{n - 1}": f"up{n}.up",
            f"merge.{n - 1}": f"up{n}.conv.double_conv",
        }
    state = network.state_dict()
    return network, {blocks[b] + k[len(b) :]: v for b in blocks for k, v in state.items() if k.startswith(b + ".")}


@pytest.mark.parametrize(("ending", "channels", "named"), [
    (".pth", 3, ("red", "green", "blue")), (".PT", 1, ("0",)), (".pth", 2, ("0", "1"))
])  # fmt: skip
def test_a_checkpoint_is_brought_in_with_its_digest_and_what_it_does_not_tell(
    ending, channels, named, dataset, tmp_path
):
    network, state = theirs_by_milesial(channels)
    torch.save({**state, "mask_values": [0, 255]}, tmp_path / f"theirs{ending}")
    file = Folder(str(tmp_path / f"theirs{ending}"))
    stamp = bring_in(dataset, file, "theirs")
    found, metadata = load(dataset, "theirs"), model_of(dataset, "theirs").attributes()
    assert same(found, Model(network, (), {}))
    assert (found.channels, found.normalisation) == (named, {"rule": "divide", "by": 255})
    assert found.network.architecture == network.architecture
    assert (metadata["came_from"], metadata["sha256"]) == (file.url, hashlib.sha256(file.read()).hexdigest())
    assert metadata["notes"] == stamp.facts["notes"]
    assert metadata["notes"][-1] == "its classes were these values in the masks: [0, 255]"
    with pytest.raises(ValueError, match="a new name is needed, got 'theirs'"):
        bring_in(dataset, file, "theirs")


def test_a_checkpoint_that_was_brought_in_once_goes_on_as_a_folder_with_its_notes(dataset, tmp_path):
    torch.save(theirs_by_milesial()[1], tmp_path / "theirs.pth")
    first = bring_in(dataset, Folder(str(tmp_path / "theirs.pth")), "theirs")
    other = Dataset(str(tmp_path / "other"))
    assert bring_in(other, dataset.model("theirs"), "ours").facts == first.facts
    assert same(load(other, "ours"), load(dataset, "theirs"))


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "must be a checkpoint, got no file; give the path"), (b"PK", "must be a whole checkpoint of nothing but")],
)
def test_a_checkpoint_that_is_none_leaves_nothing_behind(content, says, dataset, tmp_path):
    file = Folder(str(tmp_path / "theirs.pth"))
    if content is not None:
        file.write(content)
    with pytest.raises((ValueError, LookupError), match=rf"theirs\.pth {says}"):
        bring_in(dataset, file, "theirs")
    assert dataset.members("models") == []


def test_a_card_without_the_newer_keys_is_loaded(dataset):
    put(dataset)
    metadata = json.loads((dataset.model("unet") / "model.json").read())
    known = {k: v for k, v in metadata["architecture"].items() if k not in ("bias", "narrow")}
    edit_metadata(dataset, architecture=known)
    assert load(dataset, "unet").network.architecture == SMALL


@pytest.mark.parametrize("name", ["../theirs", "", "a/../b"])
def test_a_name_that_leaves_the_folder_is_refused(name, dataset):
    put(dataset)
    with pytest.raises(ValueError, match="must stay within its folder"):
        bring_in(dataset, dataset.model("unet"), name)


def test_a_folder_that_is_no_model(dataset, tmp_path):
    with pytest.raises(LookupError, match=r"must be a model folder with a model\.json, got none"):
        bring_in(dataset, Folder(str(tmp_path)), "theirs")


def test_channels_are_found_by_name():
    assert channel_indices(["GFP", "DAPI"], ["DAPI", "RFP", "GFP"], "a") == (2, 0)
    assert channel_indices(["0"], ["grey"], "a") == (0,)
    with pytest.raises(ValueError, match="a must have the model's channels DAPI, GFP, got DAPI"):
        channel_indices(["DAPI", "GFP"], ["DAPI"], "a")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_parameters_that_are_no_numbers_are_refused(dataset, value):
    model, _ = put(dataset)
    with torch.no_grad():
        model.network.head.bias[0] = value
    result = model_of(dataset, "other")
    save(result, result.begin(RECIPE, PLAN), model, {}, {})
    with pytest.raises(
        LookupError, match=r"model\.safetensors must fit its model\.json, got NaN or infinity in head\.bias"
    ):
        load(dataset, "other")


@pytest.mark.parametrize(
    ("key", "value"), [("channels", 3), ("split", [3]), ("architecture", [1]), ("normalisation", "x")]
)
def test_values_of_another_type_are_told_with_the_file(dataset, key, value):
    put(dataset)
    file = dataset.model("unet") / "model.json"
    file.write_json(file.read_json() | {key: value})
    with pytest.raises(ValueError, match=rf"models/unet/model\.json is damaged: {key}.* should be"):
        load(dataset, "unet")
