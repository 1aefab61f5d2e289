"""Laws of predict: no seam between shards or tiles, and one numeric plan a generation."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks import predict
from unet import models
from unet.architecture import Architecture
from unet.inference import predict_image, quantised
from unet.ledger import Recipe, image_of, model_of, scores_of
from unet.model import UNet
from unet.recipes import predict_recipe
from unet.records import Predict
from unet.statistics import Statistics, normalise

SMALL = Architecture(base=4, depth=2, padding="same", norm="batch")


@pytest.fixture(autouse=True)
def one_thread():
    """Networks so small are slower on more; and the plan says so."""
    torch.set_num_threads(1)


@pytest.fixture
def with_model(make, stage):
    """A dataset of one ingested stack "a" and an untrained model "net"."""

    def build(image, architecture=SMALL, channels=("0",)):
        dataset = make({"a": (image, None)})
        stage(dataset, "ingest")
        torch.manual_seed(0)
        result = model_of(dataset, "net")
        network = models.Model(UNet(architecture), channels, {"rule": "percentiles"})
        models.save(result, result.begin(Recipe("train", 1, {}, {}), {}), network, {}, {})
        return dataset

    return build


def run(dataset, **settings):
    settings = Predict(model="net", **settings)
    use = predict.Use("net", models.load(dataset, "net"), settings, predict.machine_of("cpu"))
    return predict.predict_stack(dataset, "a", use, predict_recipe(dataset, "net", "a", settings))


def quantise(scores):
    return quantised(torch.from_numpy(np.ascontiguousarray(scores)), torch.uint8).numpy()


def one_pass(dataset, image):
    """Scores (classes − 1, …, y, x) of every whole plane at once."""
    network = models.load(dataset, "net").network
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    planes = image.reshape(-1, *image.shape[-2:])
    scores = [predict_image(network, normalise(plane[None], statistics), 4096) for plane in planes]
    return np.stack(scores, axis=1).reshape(-1, *image.shape)


def picture(*shape):
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


@pytest.mark.parametrize(
    ("shape", "architecture"),
    [
        ((2, 70, 50), SMALL),
        ((50, 70), Architecture(base=4, depth=2, padding="valid")),
        ((2, 2, 40, 70), Architecture(base=4, depth=1, padding="same", classes=3)),
        ((2, 70, 50), replace(SMALL, up="bilinear")),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.usefixtures("small_shards")
def test_scores_over_several_shards_and_tiles_equal_one_pass(with_model, level, shape, architecture, dtype):
    image = picture(*shape)
    dataset = with_model(image, architecture)
    run(dataset, dtype=dtype, tile=16)
    result = scores_of(dataset, "net", "a")
    assert result.committed().facts["axes"] == {2: "cyx", 3: "czyx", 4: "tczyx"}[len(shape)]
    found, expected = level(result), one_pass(dataset, image)
    found = np.moveaxis(found, 1, 0) if len(shape) == 4 else found
    assert found.shape == expected.shape
    assert expected.std() > 0.01  # else nothing is shown
    if dtype == "uint8":
        assert np.abs(found.astype(int) - quantise(expected)).max() <= 1
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_numeric_plan_is_kept_and_changes_nothing_but_the_last_bits(with_model, level):
    dataset = with_model(picture(50, 70))
    run(dataset, tile=30)
    stamp = scores_of(dataset, "net", "a").committed()
    assert stamp.plan == {"tile": 28, "device": "cpu", "threads": 1, "precision": "float32"}
    before = predict_recipe(dataset, "net", "a", Predict(model="net", tile=30))
    assert before == predict_recipe(dataset, "net", "a", Predict(model="net", tile=64, device="cpu", keep_scores=False))


@pytest.mark.usefixtures("small_shards")
def test_a_resumed_generation_keeps_its_first_tile_and_what_was_done(with_model, level, monkeypatch):
    dataset = with_model(picture(2, 70, 50))
    left = iter(range(5))

    def stopping(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return predict_region(*arguments)

    monkeypatch.setattr(predict, "predict_region", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, tile=16)
    assert scores_of(dataset, "net", "a").stamp() is None

    tiles = []
    monkeypatch.setattr(predict, "predict_region", lambda *a: (tiles.append(a[-1]), predict_region(*a))[1])
    run(dataset, tile=64)
    assert tiles == [16] * (12 - 5)
    assert scores_of(dataset, "net", "a").committed().plan["tile"] == 16
    expected = quantise(one_pass(dataset, picture(2, 70, 50)))
    assert np.abs(level(scores_of(dataset, "net", "a")).astype(int) - expected).max() <= 1


def scarce(most):
    """Prediction on a device that holds tiles of at most so many pixels."""

    def region(network, read, window, tile):
        if tile > most:
            raise torch.OutOfMemoryError("a tile is too large")
        return predict_region(network, read, window, tile)

    return region


def test_out_of_memory_starts_a_smaller_plan(with_model, level, monkeypatch):
    dataset = with_model(picture(50, 70))
    monkeypatch.setattr(predict, "predict_region", scarce(16))
    run(dataset, tile=64)
    stamp = scores_of(dataset, "net", "a").committed()
    assert stamp.plan["tile"] == 16
    assert [n for n in scores_of(dataset, "net", "a").folder.names() if n != "zarr.json"] == [stamp.generation]
    monkeypatch.setattr(predict, "predict_region", scarce(0))
    with pytest.raises(ValueError, match="a must fit the device's memory tile by tile, got a tile is too large"):
        run(dataset, tile=64, dtype="float32")


ALIGNED = replace(SMALL, up="bilinear-aligned")


def test_a_network_that_is_not_tileable_is_predicted_in_fixed_tiles_and_says_so(with_model, level, caplog):
    """Whatever tile is asked for, since it would give other scores."""
    dataset = with_model(image := picture(600, 530), ALIGNED)
    with caplog.at_level(logging.WARNING):
        (outcome,) = predict.predict_stacks.fn(
            dataset.url, ["a"], "net", Predict(model="net", tile=64, dtype="float32")
        )
    assert outcome.why == "318,000 scores, not seamless: fixed tiles of 512 px"
    assert "net is not tileable (align_corners=True): scores have seams of fixed tiles" in caplog.text
    result = scores_of(dataset, "net", "a")
    assert result.committed().plan["tile"] == 512
    network = models.load(dataset, "net").network
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    expected = predict_image(network, normalise(image[None], statistics), 512)
    np.testing.assert_allclose(level(result), expected.reshape(1, 600, 530), rtol=0, atol=1e-5)


def test_out_of_memory_makes_no_smaller_plan_where_that_would_give_other_scores(with_model, monkeypatch):
    dataset = with_model(picture(40, 40), ALIGNED)
    monkeypatch.setattr(predict, "predict_region", scarce(256))
    with pytest.raises(ValueError, match="a must fit the device's memory tile by tile, got a tile is too large"):
        run(dataset)


def test_a_stack_without_the_models_channels_is_set_aside(with_model):
    dataset = with_model(picture(40, 40), Architecture(in_channels=2, base=4, depth=1), ("nuclei", "walls"))
    (outcome,) = predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net"))
    assert outcome.state == "set aside"
    assert outcome.why.startswith("a must have the model's channels nuclei, walls, got ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_was_asked_for_and_is_missing_is_an_error(with_model):
    dataset = with_model(picture(40, 40))
    with pytest.raises(ValueError, match="device=cuda must find a GPU, got none"):
        predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net", device="cuda"))


def test_what_was_begun_on_another_kind_of_device_is_begun_anew(with_model):
    """Its last bits would not be ours, and the device may not be there."""
    dataset, settings = with_model(np.zeros((40, 40), np.uint8)), Predict()
    model, recipe = models.load(dataset, "net"), predict_recipe(dataset, "net", "a", settings)
    scores_of(dataset, "net", "a").begin(recipe, {**predict.numeric_plan(settings, model), "device": "cuda"})
    predict.predict_stack(dataset, "a", "net", model, settings, recipe)
    assert scores_of(dataset, "net", "a").committed().plan["device"] == predict.choose_device("auto").type
