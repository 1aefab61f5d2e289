"""What stamps tell of stacks, what is not measured, models of elsewhere; and a status that names what is unlike."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tifffile

from flows.planning.plan import make_plan
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.drift import UNKNOWN, TrainingRange
from unet.evaluation.stamped_values import (
    RANGES,
    drift_rows,
    image_values,
    object_values,
    ranges_of,
    trained_stacks,
    truth_values,
)
from unet.images.channel_statistics import Statistics, own_range
from unet.ledger.metadata_file import KEY
from unet.ledger.results import image_of, labels_of, model_of
from unet.network.model_files import bring_in
from unet.store.tables import read_table

KNOWN = asdict(Statistics(100, 1100, 90, 1300, 300, 200, background=200, noise=20, level=900, coarse=900))
FACTS = {
    "axes": "czyx",
    "shape": [2, 3, 100, 200],
    "channels": ["dna", "actin"],
    "statistics": [KNOWN, {**KNOWN, "high": 2100}],
    "spacing": {"z": 2.0, "y": 0.5, "x": 0.5},
    "units": dict.fromkeys("zyx", "micrometer"),
}


def test_each_channel_of_the_model_is_told_by_its_name():
    both, one = image_values(FACTS), image_values(FACTS, ["actin"])
    assert both["grey spread of actin"].value == one["grey spread"].value == 2000
    assert one["grey spread"].value == np.ptp([own_range(Statistics(**FACTS["statistics"][1])).low, 2100])
    assert "sharpness of dna" not in both
    assert one["grey balance"].value == pytest.approx(0.05)


def test_objects_are_counted_on_areas_and_in_volumes_of_known_or_unknown_size():
    flat, solid = object_values(FACTS, 2, 30, 80, 0.9), object_values(FACTS, 3, 30, 80)
    assert flat["objects per mm²"].value == pytest.approx(30 / (3 * 100 * 200 * 0.25e-6))
    assert flat["object size in µm²"].value == 20
    assert solid["objects per mm³"].value == pytest.approx(30 / (3 * 100 * 200 * 0.5e-9))
    assert solid["object size in µm³"].value == 40
    plain = object_values({**FACTS, "units": {}}, 2, 30, 80, 0.9)
    assert {*plain} == {"objects per megapixel", "object size in px", "certainty"}
    assert {*object_values(FACTS, 2, 0, None, None)} == {"objects per mm²"}


def test_segments_say_how_large_and_how_certain_the_middle_one_is(dataset):
    table, facts = read_table(dataset, "unet", "a"), labels_of(dataset, "a", "unet").committed().facts
    assert facts["median_size"] == np.median(table["area_px"].to_numpy())
    assert facts["certainty"] == pytest.approx(np.median(table["score_mean"].to_numpy()))
    assert facts["dimensions"] == 2


def test_what_people_drew_is_told_as_weigh_counted_it(dataset):
    values = truth_values(dataset, "a")
    assert {*values} == {"objects per mm²", "object size in µm²"}
    assert truth_values(dataset, "c") == {}


def test_rows_are_of_stacks_that_did_not_train(dataset):
    rows = drift_rows(dataset, "unet", ["a", "b", "c"])
    assert {row.stack for row in rows} == {"b", "c"}
    assert trained_stacks(model_of(dataset, "unet").attributes()) == ["a"]
    assert not [row for row in rows if row.is_drift]


def test_what_was_made_before_is_not_measured_and_nothing_is_stale(dataset):
    for name in "abc":
        image, segments = image_of(dataset, name), labels_of(dataset, name, "unet")
        forget(image, "detail")
        forget(segments, "median_size")
    metadata = model_of(dataset, "unet").attributes()
    del metadata[RANGES]
    (model_of(dataset, "unet").folder / "model.json").write_json(metadata)
    assert make_plan(dataset, read_record(dataset)).pending() == []
    assert {row.what for row in drift_rows(dataset, "unet", ["b"])} == {
        "grey spread", "grey level", "grey balance", "noise"
    }  # fmt: skip


def forget(result, fact):
    attributes = result.attributes()
    del attributes[KEY]["facts"][fact]
    file = result.folder / "zarr.json"
    whole = file.read_json()
    whole["attributes"] = attributes
    file.write_json(whole)


def test_a_model_of_elsewhere_brings_its_ranges(dataset):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    kept = model_of(dataset, "guest").attributes()[RANGES]
    assert ranges_of(dataset, "guest") == {what: TrainingRange(**of) for what, of in kept.items()}
    rows = drift_rows(dataset, "guest", ["a"])
    assert {row.verdict for row in rows if row.what == "grey spread"} == {"like training"}
    assert {row.verdict for row in rows if row.what.startswith("object")} == {UNKNOWN}


def test_one_of_before_that_has_none_tells_of_the_grey_spread_it_knows(dataset):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    model = model_of(dataset, "guest")
    metadata = model.attributes()
    for damaged in ({}, {"grey spread": {"low": 3}}):
        (model.folder / "model.json").write_json({**metadata, RANGES: damaged})
        assert [*ranges_of(dataset, "guest")] == ["grey spread"]


def test_a_stack_that_is_unlike_those_of_training_is_named_until_it_is_like_them(dataset, stage, run):
    file = Path(dataset.url).parent / "files/image/c.ome.tif"
    pixels = tifffile.imread(file)
    like = make_plan(dataset, read_record(dataset))
    assert like.drift == []
    tifffile.imwrite(file, 3 * pixels, ome=True, metadata={"axes": "ZYX"})
    stage(dataset, "ingest")
    plan = make_plan(dataset, read_record(dataset))
    assert [(row.stack, row.what) for row in plan.drift] == [("c", "grey spread")]
    (line,) = [note for note in plan.notes if "unlike" in note]
    assert line.startswith("c: unlike what unet was trained on: grey spread ")
    _, _, err = run("status", dataset.url)
    assert line in " ".join(err.split())
    answer = json.loads(run("status", dataset.url, "--json")[1])
    assert [row["verdict"] for row in answer["drift"]] == ["higher"]
    again = like.replanned(read_record(dataset), {("ingest", "c")})
    assert (again.drift, again.ranges) == (plan.drift, plan.ranges)
    assert plan.replanned(read_record(dataset), {("ingest", "b")}).drift == plan.drift
    set_values(dataset, {"predict.model": "nobody"})
    assert make_plan(dataset, read_record(dataset)).drift == []
