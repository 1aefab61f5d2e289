"""Laws of evaluate: figures are those of `metrics` on the planes, `metrics.json` has the shape promised."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from flows.planning.plan import make_plan
from tasks import segment
from tasks.evaluate import mean_figures
from tasks.reporting.comparison import Scored
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.metrics import METRICS
from unet.ledger.results import labels_of, report_of, scores_of, weights_of
from unet.network.model_files import bring_in
from unet.settings.evaluate import Evaluate
from unet.settings.record import plain
from unet.store.arrays import open_array
from unet.training.split import PlaneRange


def read_metrics(dataset, model="unet"):
    return json.loads((dataset.report(model) / "metrics.json").read())


def slow_figure(name, frames):
    """Mean over the planes on which the metric is defined; of SEG over objects."""
    values = [float(METRICS[name].function(truth, segments)) for truth, segments in frames]
    objects = [np.unique(truth[truth > 0]).size for truth, _ in frames]
    defined = [i for i, value in enumerate(values) if math.isfinite(value)]
    shares = [objects[i] if name == "seg" else 1 for i in defined]
    return np.average([values[i] for i in defined], weights=shares), len(defined)


def frames(dataset, level, names, model="unet"):
    stacks = [(level(labels_of(dataset, n, "truth")), level(labels_of(dataset, n, model))) for n in names]
    return [frame for truth, segments in stacks for frame in zip(truth, segments, strict=True)]


def test_metrics_json_holds_what_was_promised(dataset, level):
    found = read_metrics(dataset)
    assert {"model", "validation", "training", "stacks", "settings", "digests", "made"} <= set(found)
    assert found["model"] == "unet"
    for use, name in (("validation", "b"), ("training", "a")):
        assert set(found[use]) == set(METRICS)
        for metric, figure in found[use].items():
            value, n = slow_figure(metric, frames(dataset, level, [name]))
            assert set(figure) == {"value", "low", "high", "n"}
            assert figure["value"] == pytest.approx(value)
            assert figure["n"] == n
            assert figure["low"] - 1e-12 <= figure["value"] <= figure["high"] + 1e-12
            assert METRICS[metric].function.__name__ == metric
    assert set(found["stacks"]) == {"a", "b"}
    assert set(METRICS) <= set(found["stacks"]["a"])
    assert found["settings"]["train"]["steps"] == 40


def test_the_page_and_its_pictures_are_there(dataset):
    report = Path(dataset.report("unet").url)
    page = (report / "report.html").read_text("utf-8")
    pictures = sorted(path.name for path in report.glob("*/*.png"))
    kinds = ["best", "median", "samples", "training", "tuning", "weights", "worst"]
    assert pictures == [f"{kind}.png" for kind in kinds]
    assert "So validation chose them" in page
    for path in report.glob("*/*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"{path.parent.name}/{path.name}" in page
    assert "<script" not in page


def test_the_page_tells_what_weigh_found_and_shows_the_frame_with_the_most_weight(dataset, stage, level):
    odd = {"objects": 9, "planes": 2, "holes": {"count": 2, "examples": [{"plane": 1, "id": 7, "y": 3, "x": 9}]}}
    weights_of(dataset, "a").amend({"truth": odd})
    stage.all(dataset, force="evaluate")
    page = (dataset.report("unet") / "report.html").read().decode()
    assert "2 holes" in page
    assert "a, plane 1, id 7 at y 3 x 9" in page
    frames = {}
    for name in "ab":
        result = weights_of(dataset, name)
        border = np.asarray(open_array(result.folder / result.attributes()["arrays"]["border"])[...])
        frames |= {(name, plane): pixels.sum(dtype=float) for plane, pixels in enumerate(border)}
    name, plane = max(frames, key=frames.get)
    assert f"what training sees: {name}, plane {plane}" in page


def test_the_page_tells_which_stacks_are_unlike_those_of_training(dataset, stage):
    scores_of(dataset, "unet", "a").amend({"grey_values": "grey values span 9 (90–95 in training)"})
    set_values(dataset, {"evaluate.confidence": 0.9})
    stage(dataset, "evaluate")
    page = (dataset.report("unet") / "report.html").read().decode()
    assert "a: grey values span 9 (90–95 in training)." in page


def test_a_plane_on_which_a_metric_is_undefined_is_left_out():
    def scored(value, objects):
        return Scored(PlaneRange("a", 0, 3, "validation"), 0, dict.fromkeys(METRICS, value), objects)

    summary = mean_figures([scored(0.5, 1), scored(math.nan, 5), scored(1.0, 3)], Evaluate(bootstrap_resamples=50))
    assert summary["iou"]["value"] == 0.75
    assert summary["seg"]["value"] == (0.5 * 1 + 1.0 * 3) / 4  # over objects
    assert all(figure["n"] == 2 for figure in summary.values())
    nothing = mean_figures([scored(math.nan, 0)], Evaluate(bootstrap_resamples=50))
    assert nothing["iou"] == {"value": None, "low": None, "high": None, "n": 0}


def test_a_model_of_elsewhere_is_validated_by_all_truth(dataset, stage, level):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    set_values(dataset, {"predict.model": "guest"})
    outcomes = stage.all(dataset)
    assert {(o.stage, o.state) for o in outcomes} == {("predict", "done"), ("segment", "done"), ("evaluate", "done")}
    found = read_metrics(dataset, "guest")
    assert "training" not in found
    assert found["validation"]["iou"]["n"] == 4
    assert found["validation"]["iou"]["value"] == pytest.approx(
        slow_figure("iou", frames(dataset, level, "ab", "guest"))[0]
    )
    assert "brought in" in (dataset.report("guest") / "report.html").read().decode()
    assert read_metrics(dataset)["model"] == "unet"  # the other report stays
    assert make_plan(dataset, read_record(dataset)).pending() == []


def test_a_stack_whose_segments_failed_is_left_out_and_the_report_is_fresh(dataset, stage, monkeypatch):
    whole = segment.segment_stack

    def failing(place, name, *rest):
        if name == "a":
            raise ValueError("a is odd")
        return whole(place, name, *rest)

    monkeypatch.setattr(segment, "segment_stack", failing)
    set_values(dataset, {"segment.threshold": 0.37})
    outcomes = {(o.stage, o.name): o.state for o in stage.all(dataset)}
    assert outcomes["segment", "a"] == "set aside"
    assert outcomes["evaluate", "unet"] == "done"
    assert set(read_metrics(dataset)["stacks"]) == {"b"}
    plan = make_plan(dataset, read_record(dataset))
    assert plan.pending() == []
    assert [cell.why for cell in plan.set_aside()] == ["a is odd"]


def test_a_report_is_replaced_whole(dataset, stage):
    before = report_of(dataset, "unet").committed().generation
    set_values(dataset, {"evaluate.bootstrap_resamples": 30})
    stage.all(dataset)
    after = report_of(dataset, "unet").committed().generation
    assert after != before
    assert report_of(dataset, "unet").folder.names() == sorted([after, "metrics.json", "report.html"])


def test_what_nobody_judged_is_compared_with_nothing(dataset, stage, level):
    ignored = int(level(labels_of(dataset, "b", "truth"))[0].max())
    source = plain(read_record(dataset).sources[0]) | {"ignore": ignored}
    set_values(dataset, {"sources": [{key: value for key, value in source.items() if value is not None}]})
    done = {(outcome.stage, outcome.name) for outcome in stage.all(dataset)}
    assert {("ingest", "b"), ("weigh", "b"), ("evaluate", "unet")} <= done
    pairs = frames(dataset, level, ["b"])
    judged = [(truth * (truth != ignored), segments * (truth != ignored)) for truth, segments in pairs]
    found = read_metrics(dataset)["validation"]
    for metric in METRICS:
        assert found[metric]["value"] == pytest.approx(slow_figure(metric, judged)[0])
    assert found["iou"]["value"] != pytest.approx(slow_figure("iou", pairs)[0])
