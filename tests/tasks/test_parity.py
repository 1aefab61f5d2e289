"""Parity is measured as a model is made, brought in or first needed; it chooses a precision; nothing is stale by it."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import skimage.measure
import torch

from flows.planning.plan import make_plan
from tasks import parity, predict
from tasks.execution.dask_workers import LOOPBACK
from tasks.parity import MeasuredPlanes, keep_parity, measure_import, measure_model, parity_of
from tasks.segment import segment_stack
from tests.tasks.test_predict import picture, stopping_after
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.labels.segmentation import segments_of_scores
from unet.ledger.recipes import predict_recipe, segment_recipe
from unet.ledger.results import labels_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network.model_files import Model, bring_in, load, save
from unet.network.parity import KEY, Parity, known_parity, merged
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.cluster import Cluster
from unet.settings.predict import Predict
from unet.settings.segment import Segment
from unet.training.split import PlaneRange

TOLERANCE = {"float32": 1, "float16": 2, "bf16": 4}
"""Steps of 1/255 that tiles may differ by from one pass, as `tests/unet/network/test_inference.py` has it."""
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    """Networks so small are slower on more."""
    torch.set_num_threads(1)


@pytest.fixture
def faster(monkeypatch):
    """`faster("bf16")`: this CPU is said to be faster in these precisions, and to have their arithmetic."""

    def say(*halves):
        monkeypatch.setattr(predict, "fast_precisions", lambda device: halves)
        monkeypatch.setattr(parity, "own_precisions", lambda device: halves)

    return say


def run(dataset, model="net", **settings):
    """Predict every stack as the stage does; the stamps' plan and facts."""
    settings = Predict(model=model, **settings)
    names = dataset.stacks()
    outcomes = predict.predict_stacks.fn(dataset.url, names, model, settings)
    assert {outcome.state for outcome in outcomes} == {"done"}
    return [scores_of(dataset, model, name).committed() for name in names]


def say(dataset, model, *known):
    model_of(dataset, model).amend({}, more={KEY: merged([], known)})


def good(precision="bf16", **more):
    what = {"pixels": 100, "largest": 0.0, "close": 1.0, "segments": 3, "changed": 0}
    one = Parity(device="cpu", precision=precision, by="arithmetic", part="validation", planes=1, **what)
    return replace(one, **more)


def pending(dataset):
    return make_plan(dataset, read_record(dataset)).pending()


def test_training_measures_what_it_made_on_what_validates_it(dataset):
    (one,) = known_parity(model_of(dataset, "unet").attributes())
    assert (one.device, one.precision, one.part, one.planes) == ("cpu", "bf16", "validation", 2)
    assert one.pixels == 2 * 64 * 64
    assert one.objects > 0
    assert (one.metric, one.largest > 0, 0 < one.close <= 1) == ("mean_average_precision", True, True)
    assert one.by == ("arithmetic" if "bf16" in parity.own_precisions("cpu") else "rounding")


def test_what_is_measured_again_is_the_same_and_so_is_it_of_a_model_on_disk(dataset):
    (known,) = known_parity(model_of(dataset, "unet").attributes())
    (again,) = measure_model(dataset, "unet", [], "cpu", ["bf16"])
    assert Parity.of(again) == known


def test_the_pixels_that_are_looked_at_are_bounded(dataset, monkeypatch):
    monkeypatch.setattr(parity, "PIXELS", 64 * 64)
    (one,) = measure_model(dataset, "unet", [], "cpu", ["bf16"])
    assert (one["planes"], one["pixels"]) == (1, 64 * 64)


def test_nothing_validates_then_what_trains_is_taken():
    parts = [PlaneRange("a", 0, 2, "training"), PlaneRange("b", 0, 1, "test")]
    assert MeasuredPlanes.of_training(parts).part == "training"
    both = MeasuredPlanes.of_training([*parts, PlaneRange("c", 0, 1, "validation")])
    assert (both.part, [part.stack for part in both.parts]) == ("validation", ["c"])


def test_a_model_that_is_brought_in_keeps_what_it_says_and_is_measured_where_it_says_nothing(dataset, tmp_path):
    own = model_of(dataset, "unet")
    bring_in(dataset, own.folder, "guest")
    assert measure_import(dataset, "guest", "cpu") == known_parity(own.attributes())
    say(dataset, "unet")
    bring_in(dataset, own.folder, "other")
    (one,) = measure_import(dataset, "other", "auto")
    assert known_parity(model_of(dataset, "other").attributes()) == [one]
    assert one.part == "validation"  # these images are known to have validated it
    assert model_of(dataset, "other").is_metadata_whole()


def test_without_truth_scores_alone_are_compared_and_without_images_nothing(with_model):
    dataset = with_model(picture(2, 50, 40))
    (one,) = measure_import(dataset, "net", "cpu")
    assert (one.part, one.planes, one.pixels, one.objects, one.metric) == ("images", 2, 2 * 50 * 40, 0, None)
    Folder(dataset.image("a").url).remove()
    say(dataset, "net")
    assert measure_import(dataset, "net", "cpu") == []


def test_what_cannot_be_measured_is_said_and_stops_nothing(with_model, caplog):
    dataset = with_model(picture(50, 40), channels=("GFP", "DAPI"))
    assert measure_import(dataset, "net", "cpu") == []
    assert "net was not measured in bf16: a must have the model's channels GFP, DAPI, got 0" in caplog.text


@pytest.mark.usefixtures("small_shards")
def test_auto_takes_what_is_faster_and_as_good_and_says_so(with_model, faster, caplog):
    dataset = with_model(picture(2, 70, 50))
    caplog.set_level(logging.INFO)
    say(dataset, "net", good())
    (stamp,) = run(dataset)
    assert stamp.plan["precision"] == "float32"
    assert stamp.facts["why_precision"] == "nothing is faster on this CPU"
    faster("bf16")
    scores_of(dataset, "net", "a").folder.remove()
    (stamp,) = run(dataset)
    assert stamp.plan["precision"] == "bf16"
    assert stamp.facts["why_precision"].startswith("it is faster on this CPU and as good: scores differ by ≤ 2/255")
    assert "net predicts in bf16, because it is faster on this CPU and as good" in caplog.text


@pytest.mark.parametrize(
    ("settings", "known", "expected"),
    [
        ({}, [good(close=0.9)], "float32"),
        ({"dtype": "float32"}, [good()], "float32"),
        ({"dtype": "float16"}, [good()], "bf16"),
        ({"precision": "float16"}, [good()], "float16"),
    ],
)
def test_auto_is_float32_where_that_is_no_parity_or_scores_are_kept_so(
    with_model,
    faster,
    settings,
    known,
    expected,
):
    dataset = with_model(picture(30, 20))
    faster("bf16")
    say(dataset, "net", *known)
    assert run(dataset, **settings)[0].plan["precision"] == expected


def test_what_nobody_measured_is_measured_before_it_is_first_needed_and_kept(with_model, faster, monkeypatch):
    dataset = with_model(picture(30, 20))
    faster("bf16")
    (stamp,) = run(dataset)
    (one,) = known_parity(model_of(dataset, "net").attributes())
    assert (one.part, one.by) == ("images", "arithmetic")
    assert stamp.plan["precision"] == ("bf16" if one.fits else "float32")
    monkeypatch.setattr(predict, "measure_model", lambda *_: pytest.fail("it is known"))
    scores_of(dataset, "net", "a").folder.remove()
    assert run(dataset)[0].plan == stamp.plan


def test_measuring_later_makes_nothing_stale_nor_does_what_it_would_choose(dataset, faster):
    before = model_of(dataset, "unet").committed()
    say(dataset, "unet")
    assert pending(dataset) == []
    keep_parity(dataset, "unet", "cpu", ["bf16"], lambda halves: measure_model(dataset, "unet", [], "cpu", halves))
    faster("bf16")
    assert known_parity(model_of(dataset, "unet").attributes())
    assert pending(dataset) == []
    assert model_of(dataset, "unet").committed().identity == before.identity
    assert model_of(dataset, "unet").is_metadata_whole()


def test_a_measure_that_fails_leaves_float32(with_model, faster, monkeypatch, caplog):
    dataset = with_model(picture(30, 20))
    faster("bf16")

    def refuse(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(predict, "measure_model", refuse)
    (stamp,) = run(dataset)
    assert stamp.plan["precision"] == "float32"
    assert "bf16 was never compared with it" in stamp.facts["why_precision"]
    assert "net was not measured in bf16: out of memory" in caplog.text


@pytest.mark.parametrize("begun", ["float32", "bf16", "float16"])
@pytest.mark.usefixtures("small_shards")
def test_a_prediction_that_goes_on_keeps_its_precision_and_another_is_another_generation(
    with_model,
    level,
    faster,
    monkeypatch,
    begun,
):
    dataset, other = with_model(picture(2, 70, 50)), "bf16" if begun == "float32" else "float32"
    expected_stamp = run(dataset, precision=begun, max_tile=16)[0]
    expected = level(scores_of(dataset, "net", "a"))
    scores_of(dataset, "net", "a").folder.remove()
    with monkeypatch.context() as patch:
        stopping_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, precision=begun, max_tile=16)
    (stamp,) = run(dataset, precision=other, max_tile=16)
    assert stamp.plan == expected_stamp.plan
    assert stamp.generation == expected_stamp.generation
    assert stamp.facts["why_precision"] == f"it was begun in {begun}"
    np.testing.assert_array_equal(level(scores_of(dataset, "net", "a")), expected)
    scores_of(dataset, "net", "a").folder.remove()
    assert run(dataset, precision=other, max_tile=16)[0].generation != stamp.generation


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.usefixtures("small_shards")
def test_shards_and_tiles_equal_one_pass_within_the_tolerance_of_each_precision(with_model, level, precision):
    image = picture(2, 70, 50)
    dataset = with_model(image)
    run(dataset, precision=precision, max_tile=4096)
    whole = level(scores_of(dataset, "net", "a")).astype(int)
    assert whole.std() > 2
    scores_of(dataset, "net", "a").folder.remove()
    run(dataset, precision=precision, max_tile=16)
    assert np.abs(level(scores_of(dataset, "net", "a")).astype(int) - whole).max() <= TOLERANCE[precision]


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
@pytest.mark.usefixtures("small_shards")
def test_segments_over_blocks_equal_those_of_the_whole_in_each_precision(with_model, level, precision, dtype):
    """Whatever arithmetic scores came from, they are numbers that blocks and the whole read alike."""
    dataset = with_model(picture(2, 70, 50))
    run(dataset, precision=precision, dtype=dtype)
    scores = level(scores_of(dataset, "net", "a"))[0]
    middle = float(np.median(scores.astype(np.float32))) / (255 if dtype == "uint8" else 1)
    settings = Segment(threshold=round(middle, 2), min_size=2, declump_depth=0)
    with predict.workers(None) as crew:
        segment_stack(dataset, "a", "net", settings, segment_recipe(dataset, "net", "a", settings), crew)
    found = level(labels_of(dataset, "a", "net"))
    read = scores if dtype == "uint8" else scores.astype(np.float32)
    expected = segments_of_scores(read, settings.numbers())
    assert expected.max() > 3
    np.testing.assert_array_equal(found, expected)
    reached = math.ceil(255 * middle) if dtype == "uint8" else middle
    assert skimage.measure.label(read[0] >= reached, connectivity=1).max() > 3


def test_a_workers_answer_is_what_is_measured_there(with_model, faster):
    """Plain values go between this process and where windows are predicted."""
    dataset = with_model(picture(30, 20))
    faster("bf16")
    asked = []

    def once(work, of):
        asked.append(of)
        return work(of)

    executor = replace(predict.of_this_process("cpu"), once=once)
    chosen, known = predict.in_chosen_precision(dataset, ["a"], "net", Predict(model="net"), executor)
    assert asked == ["cpu", ["bf16"]]
    assert chosen.precision in ("bf16", "float32")
    assert known.why
    assert predict_recipe(dataset, "net", "a", chosen) == predict_recipe(dataset, "net", "a", Predict(model="net"))


def test_over_a_cluster_a_worker_says_what_is_faster_and_measures(with_model, faster):
    dataset = with_model(picture(30, 20))
    faster("bf16")
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, **LOOPBACK}
    cluster = Cluster(cls="distributed.LocalCluster", options=options)
    (outcome,) = predict.predict_stacks.fn(dataset.url, ["a"], "net", Predict(model="net"), cluster)
    assert outcome.state == "done"
    (one,) = known_parity(model_of(dataset, "net").attributes())
    chosen = scores_of(dataset, "net", "a").committed().plan["precision"]
    assert chosen == ("bf16" if one.fits else "float32")
    assert (" in bf16" in outcome.why) is (chosen == "bf16")


def test_several_classes_and_planes_along_z_are_looked_at_plane_by_plane(make, stage):
    image, truth = draw_stack(planes=3, side=64, seed=2)
    dataset = make({"a": (image, truth)}, segment__dimensions=3, segment__threshold={"1": 0.4, "2": 0.6})
    stage(dataset, "ingest")
    network = UNet(Architecture(1, 3, 4, 2, "same", "batch")).eval()
    result = model_of(dataset, "net")
    save(result, result.begin(Recipe("train", 1, {}, {}), {}), Model(network, ("0",), {"rule": "percentiles"}), {}, {})
    measured = MeasuredPlanes([PlaneRange("a", 0, 3, "validation")], "validation")
    both = parity_of(dataset, load(dataset, "net"), measured, {"threshold": "damaged"}, CPU, ["float16", "bf16"])
    assert [(one.precision, one.planes, one.objects > 0) for one in both] == [("float16", 3, True), ("bf16", 3, True)]
    assert both[0].largest < both[1].largest  # the finer one


def test_the_record_may_ask_for_what_this_machine_has_not(dataset):
    set_values(dataset, {"predict.device": "cuda"})
    bring_in(dataset, model_of(dataset, "unet").folder, "guest")
    assert measure_import(dataset, "guest", "cuda")
