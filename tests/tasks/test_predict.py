"""Laws of predict: no seam between shards or tiles, and one numeric plan a generation."""

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from distributed import LocalCluster
from ome_zarr_models._cli import validate

from tasks import predict
from tasks.execution.dask_workers import LOOPBACK, workers
from tests.tasks.conftest import SMALL
from unet.images.channel_statistics import Statistics
from unet.images.normalisation import normalise
from unet.images.planes import Plane
from unet.images.rescaling import covering, inverse, reading, rescaled
from unet.images.windows import Window
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import image_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network import model_files, numeric_plan
from unet.network.block_sides import LEAST, MOST
from unet.network.inference import Predictor, predict_image, quantised
from unet.network.map_memory import OF_PROCESS
from unet.settings.architecture import Architecture
from unet.settings.cluster import Cluster
from unet.settings.predict import Predict


@pytest.fixture(autouse=True)
def one_thread():
    """Networks so small are slower on more; and the plan says so."""
    torch.set_num_threads(1)


def run(dataset, **settings):
    settings = Predict(model="net", **settings)
    recipe = predict_recipe(dataset, "net", "a", settings)
    return predict.predict_stack(dataset, "a", "net", settings, recipe, predict.of_this_process("cpu"))


def quantise(scores):
    return quantised(torch.from_numpy(np.ascontiguousarray(scores)), torch.uint8).numpy()


def one_pass(dataset, image):
    """Scores (classes − 1, …, y, x) of every whole plane at once."""
    network = model_files.load(dataset, "net").network
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
    run(dataset, dtype=dtype, max_tile=16)
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


def test_scores_of_several_classes_have_a_channel_by_name_in_its_colour(with_model, stage, capsys):
    dataset = with_model(np.zeros((64, 64), np.uint16), replace(SMALL, classes=3))
    run(dataset)
    assert [each["label"] for each in channels_of(dataset)] == ["1", "2"]
    model_of(dataset, "net").amend({}, more={"classes": ["background", "nucleus", "mitosis"]})
    run(dataset, dtype="float16")
    shown = channels_of(dataset)
    assert [(each["label"], each["color"]) for each in shown] == [("nucleus", "E69F00"), ("mitosis", "56B4E9")]
    assert shown[0]["window"] == {"start": 0, "end": 1, "min": 0, "max": 1}
    validate(scores_of(dataset, "net", "a").folder.url)
    assert "Valid OME-Zarr" in capsys.readouterr().out


def channels_of(dataset):
    return scores_of(dataset, "net", "a").attributes()["ome"]["omero"]["channels"]


def test_scores_of_one_class_are_as_ever(with_model):
    dataset = with_model(np.zeros((64, 64), np.uint16))
    run(dataset)
    assert set(scores_of(dataset, "net", "a").attributes()["ome"]) == {"version", "multiscales"}


def test_the_numeric_plan_is_kept_and_changes_nothing_but_the_last_bits(with_model, level):
    dataset = with_model(picture(50, 70))
    run(dataset, max_tile=30)
    stamp = scores_of(dataset, "net", "a").committed()
    assert LEAST <= stamp.plan["block"] <= MOST  # by the machine's cache
    assert stamp.plan == {
        "tile": [28, 24],  # of 50 and 70 px, halves and thirds
        "batch": 1,
        "block": stamp.plan["block"],
        "device": "cpu",
        "threads": 1,
        "precision": "float32",
    }
    before = predict_recipe(dataset, "net", "a", Predict(model="net", max_tile=30))
    other = Predict(
        model="net", max_tile=64, device="cpu", keep_scores=False, memory_gb=8, precision="bf16", max_pixel_size_ratio=3
    )
    assert before == predict_recipe(dataset, "net", "a", other)


def stopping_after(monkeypatch, count):
    """Prediction that is interrupted after so many regions, each told of with its tile."""
    of_window, tiles = Predictor.predict, []

    def counting(self, *arguments):
        if len(tiles) >= count:
            raise KeyboardInterrupt
        tiles.append(list(self.tile))
        return of_window(self, *arguments)

    monkeypatch.setattr(Predictor, "predict", counting)
    return tiles


@pytest.mark.usefixtures("small_shards")
def test_a_resumed_generation_keeps_its_first_tile_and_what_was_done(with_model, level, monkeypatch):
    dataset = with_model(picture(2, 70, 50))
    with monkeypatch.context() as patch:
        stopping_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, max_tile=16)
    assert scores_of(dataset, "net", "a").stamp() is None

    tiles = stopping_after(monkeypatch, 99)
    run(dataset, max_tile=64)
    assert tiles == [[16, 16]] * (12 - 5)
    assert scores_of(dataset, "net", "a").committed().plan["tile"] == [16, 16]
    expected = quantise(one_pass(dataset, picture(2, 70, 50)))
    assert np.abs(level(scores_of(dataset, "net", "a")).astype(int) - expected).max() <= 1


def scarce(monkeypatch, most, error=torch.OutOfMemoryError):
    """A device that holds tiles of at most so many pixels."""
    of_window = Predictor.predict

    def refusing(self, *arguments):
        if self.tile[0] * self.tile[1] > most:
            raise error("a tile is too large, can't allocate memory")
        return of_window(self, *arguments)

    monkeypatch.setattr(Predictor, "predict", refusing)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_starts_a_smaller_plan(with_model, level, monkeypatch, error, caplog):
    dataset = with_model(picture(50, 70))
    with monkeypatch.context() as patch:
        scarce(patch, 16 * 72, error)
        run(dataset)
    stamp = scores_of(dataset, "net", "a").committed()
    assert stamp.plan["tile"][0] * stamp.plan["tile"][1] <= 16 * 72
    assert "a: out of memory; going on with tiles of" in caplog.text
    names = scores_of(dataset, "net", "a").folder.names()
    assert {name.split(".")[0] for name in names} == {"zarr", stamp.generation}
    scarce(monkeypatch, 0, error)
    with pytest.raises(ValueError, match="a must fit the device's memory tile by tile, got a tile is too large"):
        run(dataset, dtype="float32")


def test_any_other_fault_of_the_device_is_raised(with_model, monkeypatch):
    dataset = with_model(picture(50, 70))
    monkeypatch.setattr(Predictor, "predict", lambda *_: (_ for _ in ()).throw(RuntimeError("no kernel image")))
    with pytest.raises(RuntimeError, match="no kernel image"):
        run(dataset)


ALIGNED = replace(SMALL, up="bilinear-aligned")


def test_a_network_that_is_not_tileable_is_predicted_in_fixed_tiles_and_says_so(with_model, level, caplog):
    """Whatever tile is asked for, since it would give other scores."""
    dataset = with_model(image := picture(600, 530), ALIGNED)
    with caplog.at_level(logging.WARNING):
        (outcome,) = predict.predict_stacks.fn(
            dataset.url, ["a"], "net", Predict(model="net", max_tile=64, dtype="float32")
        )
    assert outcome.why == "318,000 scores, not seamless: fixed tiles of 512 px"
    assert "net is not tileable (align_corners=True): scores have seams of fixed tiles" in caplog.text
    result = scores_of(dataset, "net", "a")
    assert result.committed().plan["tile"] == [512, 512]
    network = model_files.load(dataset, "net").network
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    expected = predict_image(network, normalise(image[None], statistics), 512)
    np.testing.assert_allclose(level(result), expected.reshape(1, 600, 530), rtol=0, atol=1e-5)


def test_out_of_memory_makes_no_smaller_plan_where_that_would_give_other_scores(with_model, monkeypatch):
    dataset = with_model(picture(40, 40), ALIGNED)
    scarce(monkeypatch, 256)
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
    dataset = with_model(picture(40, 40))
    run(dataset)
    result = scores_of(dataset, "net", "a")
    stamp = result.committed()
    result.folder.remove()
    result.begin(stamp.recipe, {**stamp.plan, "device": "cuda"})
    run(dataset)
    assert result.committed().plan == stamp.plan


def test_scores_are_the_mean_over_symmetries_where_that_is_asked(with_model, level):
    image = picture(50, 70)
    dataset = with_model(image)
    run(dataset, dtype="float32", test_time_augmentation=8, max_tile=20)
    network = model_files.load(dataset, "net").network
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    expected = predict_image(network, normalise(image[None], statistics), 4096, test_time_augmentation=8)
    np.testing.assert_allclose(level(scores_of(dataset, "net", "a")), expected, rtol=0, atol=1e-5)
    once = predict_image(network, normalise(image[None], statistics), 4096)
    assert np.abs(once - expected).max() > 1e-4


@pytest.mark.parametrize("tile", [None, 64, 300])
def test_empty_squares_are_background_whatever_the_tile(with_model, level, tile):
    image = np.zeros((1100, 600), np.uint16)
    image[20:40, 30:50] = picture(20, 20) + 100
    dataset = with_model(image)
    run(dataset, dtype="float32", background_below=50, max_tile=tile)
    found = level(scores_of(dataset, "net", "a"))[0]
    expected = one_pass(dataset, image)[0]
    np.testing.assert_allclose(found[:512, :512], expected[:512, :512], rtol=0, atol=1e-5)
    assert found[512:].max() == 0 == found[:, 512:].max()
    assert expected[512:].max() > 0
    recipes = [
        predict_recipe(dataset, "net", "a", Predict(model="net", background_below=least)) for least in (50, None)
    ]
    assert recipes[0].changes(recipes[1]) == ["background_below 50.0 → None"]


@pytest.mark.usefixtures("small_shards")
def test_planes_that_share_a_pass_are_done_shard_by_shard(with_model, level, monkeypatch):
    monkeypatch.setitem(numeric_plan.BATCH_PIXELS, "cpu", 2 * 64**2)  # 16 px and 24 of context on both sides: 64
    dataset = with_model(image := picture(5, 16, 16))
    with monkeypatch.context() as patch:
        passes = stopping_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            run(dataset)
    assert len(passes) == 1
    run(dataset)
    assert scores_of(dataset, "net", "a").committed().plan["batch"] == 2
    found, expected = level(scores_of(dataset, "net", "a"))[0], quantise(one_pass(dataset, image))[0]
    assert np.abs(found.reshape(expected.shape).astype(int) - expected).max() <= 1


def resized(dataset, size):
    """The model, said to be trained on pixels of this size in µm."""
    result = model_of(dataset, "net")
    metadata = result.attributes() | {"pixel_size": {"y": size, "x": size, "unit": "micrometer"}}
    (result.folder / "model.json").write_json(metadata)
    model_files.ready_model.cache_clear()  # a process keeps the generation that it has loaded


def test_pixels_of_another_size_are_refused_or_brought_to_the_models(with_model, level):
    """Ours are of 0.5 µm. Within the factor they are taken as they are, and so are those that all but agree."""
    image = picture(64, 64)
    dataset = with_model(image)
    resized(dataset, 1.5)
    with pytest.raises(ValueError, match=r"within 2 × those that net was trained on, 1\.5 × 1\.5 micrometer, got 0\.5"):
        run(dataset)
    run(dataset, max_pixel_size_ratio=4, dtype="float32")
    np.testing.assert_allclose(level(scores_of(dataset, "net", "a")), one_pass(dataset, image), rtol=0, atol=1e-5)
    resized(dataset, 0.502)  # as good as ours
    assert "of its pixels" not in run(dataset, rescale=True)
    resized(dataset, 0.25)
    assert "at 2 × 2 of its pixels" in run(dataset, rescale=True, dtype="float32", test_time_augmentation=8)


@pytest.mark.parametrize("tile", [8, 64])
@pytest.mark.usefixtures("small_shards")
def test_rescaled_scores_have_no_seams(with_model, level, tile):
    image = picture(70, 50)
    dataset = with_model(image)
    resized(dataset, 0.4)
    run(dataset, rescale=True, dtype="float32", max_tile=tile)
    scale = (1.25, 1.25)
    network = model_files.load(dataset, "net").network
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    plane, whole = Plane(normalise(image[None], statistics), ((0,),)), Window(-40, -40, 160, 140)
    larger = rescaled(plane.read(reading(whole, scale)), whole, scale)
    scores = predict_image(network, larger, 4096)
    window = Window(0, 0, 70, 50)
    needed = covering(window, scale)
    expected = rescaled(scores[..., *needed.within(whole).slices], window, inverse(scale))
    np.testing.assert_allclose(level(scores_of(dataset, "net", "a")), expected, rtol=0, atol=1e-5)


def test_scores_that_are_not_finite_are_an_error_not_a_result(with_model):
    dataset = with_model(picture(40, 40))
    model = model_files.load(dataset, "net")
    model.network.head.weight.data[:] = 3e38  # finite, as a model's parameters must be, but no sum of them is
    result = model_of(dataset, "net")
    model_files.save(result, result.begin(Recipe("train", 1, {}, {"other": "1"}), {}), model, {}, {})
    with pytest.raises(ValueError, match=r"scores must be finite, got others of a in float32; set predict\.precision"):
        run(dataset)
    assert scores_of(dataset, "net", "a").stamp() is None


@pytest.mark.usefixtures("small_shards")
def test_a_process_loads_a_model_once_however_many_stacks_and_runs(with_model, monkeypatch):
    dataset, loads, load = with_model(picture(2, 70, 50)), [], model_files.load

    def counting(*arguments):
        loads.append(arguments)
        return load(*arguments)

    monkeypatch.setattr(model_files, "load", counting)
    for settings in (Predict(model="net"), Predict(model="net", dtype="float32"), Predict(model="net", max_tile=16)):
        (outcome,) = predict.predict_stacks.fn(dataset.url, ["a"], "net", settings)
        assert outcome.state == "done"
    assert len(loads) == 1
    model, result = load(dataset, "net"), model_of(dataset, "net")
    model_files.save(result, result.begin(Recipe("train", 1, {}, {"other": "1"}), {}), model, {}, {})
    run(dataset)
    assert len(loads) == 2  # another generation of that name


@pytest.mark.usefixtures("small_shards")
def test_workers_of_a_cluster_write_the_same_however_many_they_are(with_model, level):
    dataset = with_model(picture(2, 70, 50))
    run(dataset, dtype="float32", max_tile=16)
    found = [level(scores_of(dataset, "net", "a"))]
    for count in (1, 2):
        scores_of(dataset, "net", "a").folder.remove()
        options = {"processes": False, "n_workers": count, "threads_per_worker": 1, **LOOPBACK}
        settings = Predict(model="net", dtype="float32", max_tile=16)
        cluster = Cluster(cls="distributed.LocalCluster", options=options)
        (outcome,) = predict.predict_stacks.fn(dataset.url, ["a"], "net", settings, cluster)
        assert outcome.state == "done"
        found.append(level(scores_of(dataset, "net", "a")))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_a_worker_that_is_killed_costs_no_more_than_its_shard(with_model, level):
    dataset = with_model(picture(6, 70, 50))
    run(dataset, dtype="float32", max_tile=16)
    expected, result = level(scores_of(dataset, "net", "a")), scores_of(dataset, "net", "a")
    result.folder.remove()
    settings = Predict(model="net", dtype="float32", max_tile=16)
    local = LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK)
    with local, workers(local.scheduler_address) as crew:
        pids, killed = list(crew.client.run(os.getpid).values()), []

        def told(_, part):
            if part > 0.2 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        executor = predict.Executor(predict.Machine("cpu"), predict.run_over_workers(crew, settings), "cpu")
        recipe = predict_recipe(dataset, "net", "a", settings)
        predict.predict_stack(dataset, "a", "net", settings, recipe, executor, told)
    assert killed
    np.testing.assert_array_equal(level(result), expected)


def test_memory_of_maps_is_given_back_after_a_stage_and_after_a_workers_task(with_model):
    """A worker's next task may be another stage's, and its memory is planned for one."""
    dataset, seen = with_model(picture(40, 40)), []

    def as_a_worker(job, windows, on_windows):
        waited = job(windows)
        seen.append(list(OF_PROCESS.free))
        on_windows(len(windows))
        return waited

    settings = Predict(model="net")
    recipe = predict_recipe(dataset, "net", "a", settings)
    executor = predict.Executor(predict.Machine("cpu"), as_a_worker, "cpu")
    predict.predict_stack(dataset, "a", "net", settings, recipe, executor)
    assert seen == [[]]
    run(dataset, dtype="float32")
    assert len(OF_PROCESS.free) == 1  # kept for the next stack
    predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net", max_tile=16))
    assert OF_PROCESS.free == []


def test_a_damaged_image_is_named_and_nothing_is_committed(with_model):
    dataset = with_model(picture(40, 40))
    image = image_of(dataset, "a")
    (shard,) = Path(image.folder.url).glob("*.0/c/0/0")
    shard.write_bytes(bytes(reversed(shard.read_bytes())))
    (outcome,) = predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net"))
    assert outcome.state == "set aside"
    assert str(shard.parents[2]) in outcome.why
    assert scores_of(dataset, "net", "a").stamp() is None


def test_a_model_that_was_copied_in_part_is_an_error_for_all(with_model):
    dataset = with_model(picture(40, 40))
    (parameters,) = Path(model_of(dataset, "net").folder.url).glob("*/model.safetensors")
    parameters.write_bytes(parameters.read_bytes()[:-100])
    with pytest.raises(LookupError, match=r"model\.safetensors must fit its model\.json, got .*; copy it again"):
        predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net"))
    parameters.unlink()
    with pytest.raises(LookupError, match=r"must be there, got nothing: the model was copied in part"):
        predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net"))
