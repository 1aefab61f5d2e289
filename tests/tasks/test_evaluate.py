"""Laws of evaluate: figures are those of `metrics` on the planes, `metrics.json` has the shape promised."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from flows.planning.plan import make_plan
from tasks import segment
from tasks.evaluate import evaluate_model
from tasks.reporting.artifacts import as_markdown
from tests.classes import put_model, put_scores, put_truth_classes
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import METRICS
from unet.images.synthetic import draw_stack
from unet.ledger.recipes import evaluate_recipe
from unet.ledger.results import image_of, labels_of, model_of, report_of, weights_of
from unet.network.model_files import bring_in
from unet.settings.evaluate import OBJECTS
from unet.settings.record import plain
from unet.store.arrays import open_array
from unet.store.tables import read_table


def read_metrics(dataset, model="unet"):
    return json.loads((dataset.report(model) / "metrics.json").read())


def slow_figure(name, frames):
    """Mean over the planes on which the metric is defined, of SEG and DET over objects; None where there are none."""
    values = [METRICS[name].value(*frame) for frame in frames]
    objects = [contingency(*frame).objects.size for frame in frames]
    defined = [i for i, value in enumerate(values) if math.isfinite(value)]
    shares = [objects[i] if METRICS[name].by_objects else 1 for i in defined]
    return np.average([values[i] for i in defined], weights=shares) if defined else None, len(defined)


def frames(dataset, level, names, model="unet"):
    stacks = [(level(labels_of(dataset, n, "truth")), level(labels_of(dataset, n, model))) for n in names]
    return [frame for truth, segments in stacks for frame in zip(truth, segments, strict=True)]


def test_metrics_json_holds_what_was_promised(dataset, level):
    found = read_metrics(dataset)
    assert {"model", "validation", "training", "stacks", "settings", "digests", "made"} <= set(found)
    assert found["model"] == "unet"
    for use, name in (("validation", "b"), ("training", "a")):
        assert list(found[use]) == list(OBJECTS)
        for metric, figure in found[use].items():
            value, n = slow_figure(metric, frames(dataset, level, [name]))
            assert set(figure) == {"value", "low", "high", "n", "stacks"}
            assert figure["value"] == pytest.approx(value)
            assert figure["n"] == n
            assert figure["low"] - 1e-12 <= figure["value"] <= figure["high"] + 1e-12
            assert METRICS[metric].function.__name__ == metric
    assert set(found["stacks"]) == {"a", "b"}
    assert set(OBJECTS) <= set(found["stacks"]["a"])
    assert found["settings"]["train"]["steps"] == 40


def test_the_page_and_its_pictures_are_there(dataset):
    report = Path(dataset.report("unet").url)
    page = (report / "report.html").read_text("utf-8")
    pictures = sorted(path.name for path in report.glob("*/*.png"))
    kinds = ["best", "samples", "training", "uncertain-1", "weights", "worst"]
    assert pictures == [f"{kind}.png" for kind in kinds]
    assert "So validation chose them" in page
    for path in report.glob("*/*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    shown = len(kinds) - len(["training"])
    assert page.count('<img src="data:image/') == page.count("<img") == shown
    assert "<script" not in page


def test_the_page_and_metrics_json_say_what_was_run_on_what(dataset):
    page, found = (dataset.report("unet") / "report.html").read().decode(), read_metrics(dataset)
    assert set(found["data"]) == {"a", "b", "c"}
    assert found["data"]["c"]["part"] == "without truth"
    assert found["data"]["a"]["pixels"] == 2 * 64 * 64
    assert found["data"]["a"]["spacing"] == {"z": 1.25, "y": 0.5, "x": 0.5}
    assert found["data"]["b"]["objects"] == found["stacks"]["b"]["objects"] == found["counts"]["validation"]["objects"]
    assert set(found["digests"]) == {"model", "report", "images", "settings", "source code"}
    assert {"predict", "train", "segment", "ingest"} <= set(found["run"]["minutes"])
    shown = [
        f"{found['run']['network']['parameters']:,}",
        "1.25 × 0.5 × 0.5 µm",
        found["digests"]["model"],
        "size (µm²)",
    ]
    shown += [found["data"]["a"]["digest"], found["run"]["versions"]["report"]["zarr"], "napari --plugin"]
    assert [words for words in shown if words not in page] == []
    precision = found["plots"]["validation"]["average_precision_over_iou"]
    assert precision["0.5"] == pytest.approx(found["validation"]["average_precision"]["value"], abs=1e-6)
    sizes = found["plots"]["validation"]["sizes"]
    assert sum(sizes["objects"]) == found["counts"]["validation"]["objects"]
    assert sum(sizes["segments"]) == found["counts"]["validation"]["segments"]


def test_stacks_without_truth_are_told_of_beside_the_figures(dataset):
    page, [(name, found)] = (
        (dataset.report("unet") / "report.html").read().decode(),
        read_metrics(dataset)["without_truth"].items(),
    )
    table = read_table(dataset, "unet", "c").to_pydict()
    assert (name, found["segments"]) == ("c", len(table["id"]))
    assert found["certainty"] == pytest.approx(np.mean(table["score_mean"]))
    assert found["median_size"] == pytest.approx(np.median(table["area_um2"]))
    assert f"{found['certainty']:.3f}" in page
    assert "least certain: c, plane" in page


def test_where_nothing_has_truth_there_is_a_report_too(dataset, stage):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    source = plain(read_record(dataset).sources[0]) | {"truth": None}
    kept = {key: value for key, value in source.items() if value is not None}
    set_values(dataset, {"predict.model": "guest", "sources": [kept]})
    outcomes = {(o.stage, o.name): (o.state, o.why) for o in stage.all(dataset)}
    assert outcomes["evaluate", "guest"] == ("done", "no truth to compare with, 3 segmented")
    found = read_metrics(dataset, "guest")
    assert not {"test", "validation", "new", "training"} & set(found)
    assert set(found["without_truth"]) == set("abc")
    page = (dataset.report("guest") / "report.html").read().decode()
    assert "No plane with truth was compared" in page
    assert page.count("least certain: ") == 2 * 3
    assert make_plan(dataset, read_record(dataset)).pending() == []


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
    image = image_of(dataset, "b")
    (known,) = image.committed().facts["statistics"]
    image.amend({"statistics": [{**known, "high": 9 * known["high"]}]})
    set_values(dataset, {"evaluate.confidence": 0.9})
    stage(dataset, "evaluate")
    page = (dataset.report("unet") / "report.html").read().decode()
    assert "b: unlike what unet was trained on: grey spread" in page


def page_of(dataset, model="unet"):
    return (dataset.report(model) / "report.html").read().decode()


def test_a_model_that_comes_back_to_its_training_images_is_not_said_not_to_have_seen_them(dataset, stage, level):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    set_values(dataset, {"predict.model": "guest"})
    outcomes = stage.all(dataset)
    assert {(o.stage, o.state) for o in outcomes} == {("predict", "done"), ("segment", "done"), ("evaluate", "done")}
    found, page = read_metrics(dataset, "guest"), page_of(dataset, "guest")
    for part, name in (("training", "a"), ("validation", "b")):
        assert found[part]["iou"]["n"] == 2
        value, _ = slow_figure("iou", frames(dataset, level, [name], "guest"))
        assert found[part]["iou"]["value"] == pytest.approx(value)
    assert found["overlaps"][0].startswith("Training of guest saw the images of a: ")
    for said in (*found["overlaps"], "brought in", "The checkpoint and the threshold were chosen on these planes"):
        assert said in page
    assert "never saw" not in page
    assert read_metrics(dataset)["model"] == "unet"  # the other report stays
    assert make_plan(dataset, read_record(dataset)).pending() == []


def test_of_a_stranger_it_is_said_that_nobody_knows_what_it_saw(dataset, stage):
    bring_in(dataset, Folder(dataset.model("unet").url), "guest")
    model_of(dataset, "guest").amend({}, more={"seen": {"images": [], "is_all": False}})
    set_values(dataset, {"predict.model": "guest"})
    stage.all(dataset)
    found = read_metrics(dataset, "guest")
    assert {part for part in ("test", "validation", "new", "training") if part in found} == {"new"}
    assert found["new"]["iou"]["stacks"] == 2
    assert found["resampled"] == {"new": "stacks"}
    (said,) = found["overlaps"]
    assert said.startswith("Whether training saw these planes is not known: guest was brought in from ")
    assert said in page_of(dataset, "guest")


def test_new_truth_is_a_part_of_its_own_and_every_plane_is_listed(tmp_path, dataset, stage):
    truth = draw_stack(planes=2, side=64, seed=3)[1]
    tifffile.imwrite(tmp_path / "copy/files/truth/c.ome.tif", truth, ome=True, metadata={"axes": "ZYX"})
    stage.all(dataset)
    found = read_metrics(dataset)
    assert {name: row["part"] for name, row in found["stacks"].items()} == {
        "a": "training",
        "b": "validation",
        "c": "new",
    }
    assert found["stacks"]["c"]["objects"] == sum(np.unique(plane[plane > 0]).size for plane in truth)
    assert found["counts"]["new"]["objects"] == found["stacks"]["c"]["objects"]
    assert found["resampled"] == dict.fromkeys(("validation", "new", "training"), "planes")
    assert "narrower than stacks would differ" in page_of(dataset)
    rows = list(csv.DictReader((dataset.report("unet") / "planes.csv").read().decode().splitlines()))
    assert [(row["stack"], row["plane"], row["part"]) for row in rows] == [
        (name, str(plane), found["stacks"][name]["part"]) for name in "abc" for plane in range(2)
    ]
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
    assert report_of(dataset, "unet").folder.names() == sorted([after, "metrics.json", "planes.csv", "report.html"])


def test_what_nobody_judged_is_compared_with_nothing(dataset, stage, level):
    ignored = int(level(labels_of(dataset, "b", "truth"))[0].max())
    source = plain(read_record(dataset).sources[0]) | {"ignore": ignored}
    set_values(dataset, {"sources": [{key: value for key, value in source.items() if value is not None}]})
    done = {(outcome.stage, outcome.name) for outcome in stage.all(dataset)}
    assert {("ingest", "b"), ("weigh", "b"), ("evaluate", "unet")} <= done
    pairs = frames(dataset, level, ["b"])
    judged = [(truth, segments, truth != ignored) for truth, segments in pairs]
    found = read_metrics(dataset)["validation"]
    for metric in OBJECTS:
        assert found[metric]["value"] == pytest.approx(slow_figure(metric, judged)[0])
    assert found["iou"]["value"] != pytest.approx(slow_figure("iou", pairs)[0])


NAMES = ("nucleus", "mitosis")


@pytest.fixture
def classed(make, stage, level):
    """Stacks a and b, whose truth has classes and whose scores are nearly those, and c, whose truth names none."""
    drawn = {name: draw_stack(planes=2, side=64, seed=seed) for seed, name in enumerate("abc", start=1)}
    dataset = make(drawn, evaluate__bootstrap_resamples=20, segment__min_size=4)
    stage(dataset, "ingest")
    put_model(dataset, NAMES, channels=["0"])
    set_values(dataset, {"predict.model": "net"})
    for name in drawn:
        truth = level(labels_of(dataset, name, "truth"))
        ids = np.unique(truth[truth > 0])
        if name != "c":
            put_truth_classes(dataset, name, {"mitosis": ids[1::2], "nucleus": ids[::2]})
        put_scores(dataset, scores_like(truth, ids), name)
    settings = read_record(dataset)
    segment.segment_stacks.fn(dataset.url, list(drawn), "net", settings.segment)
    return dataset


def scores_like(truth, ids):
    """Even objects are nuclei, odd ones mitoses; of each the second is missed, the first mitosis is a nucleus."""
    scores = np.zeros((2, *truth.shape), np.uint8)
    for at, each in enumerate(ids):
        kind, turn = at % 2, at // 2
        if turn != 1:
            scores[1 - kind if turn == 0 and kind else kind][truth == each] = 220
    return scores


def evaluated(dataset, names="abc"):
    (outcome,) = evaluate_model.fn(dataset.url, list(names), "net", read_record(dataset))
    assert outcome.state == "done", outcome.why
    return outcome, read_metrics(dataset, "net")


def test_each_class_is_measured_by_its_own_objects_and_segments(classed, level):
    outcome, found = evaluated(classed, "ab")
    planes = frames(classed, level, "ab", "net")
    kinds, table = [], {name: read_table(classed, "net", name).to_pydict() for name in "ab"}
    for name in "ab":
        truth = level(labels_of(classed, name, "truth"))
        true = np.zeros(truth.max() + 1, int)
        ids = np.unique(truth[truth > 0])
        true[ids[::2]], true[ids[1::2]] = 1, 2
        own = np.array([0, *table[name]["class"]])
        kinds += [(true[t], own[s]) for t, s in zip(truth, level(labels_of(classed, name, "net")), strict=True)]
    for number, name in enumerate(NAMES, 1):
        mine = [(t * (a == number), s * (b == number)) for (t, s), (a, b) in zip(planes, kinds, strict=True)]
        for metric in OBJECTS:
            value, n = slow_figure(metric, mine)
            assert found["classes"][name][metric]["value"] == pytest.approx(value)
            assert found["classes"][name][metric]["n"] == n
        counts = found["class_counts"][name]
        both = zip(*((np.unique(t).size - 1, np.unique(s).size - 1) for t, s in mine), strict=True)
        assert list(counts.values()) == [sum(each) for each in both]
    for metric, mean in found["mean_over_classes"].items():
        values = [found["classes"][name][metric]["value"] for name in NAMES]
        defined = [value for value in values if value is not None]
        assert mean == {"value": pytest.approx(np.mean(defined)) if defined else None, "n": len(defined)}
    for metric, figure in found["new"].items():
        assert figure["value"] == pytest.approx(slow_figure(metric, planes)[0])
    matched = found["confusion"]["matched"]
    assert matched["nucleus"]["mitosis"] + matched["mitosis"]["nucleus"] > 0
    assert sum(found["confusion"]["missed"].values()) > 0
    for name in NAMES:
        assert (
            sum(matched[name].values()) + found["confusion"]["missed"][name] == found["class_counts"][name]["objects"]
        )
    assert "average_precision over classes 0." in outcome.why


def test_the_page_shows_each_class_and_which_was_taken_for_which(classed):
    _, found = evaluated(classed)
    page = (classed.report("net") / "report.html").read().decode()
    assert "Truth of c names no classes of the model" in page
    assert "were taken for another class" in page
    for name in NAMES:
        assert f"</i>{name}" in page
        assert f"{found['classes'][name]['average_precision']['value']:.3f}" in page
    assert "Metrics by class" in page
    assert "classes, worst: " in page
    assert "Truth on the left, segments on the right" in page
    words = as_markdown(classed, "net")
    assert "## Confusion" in words
    assert "| `nucleus` |" in words


def test_the_class_of_an_id_that_changes_makes_the_report_stale(classed):
    record = read_record(classed)
    before = evaluate_recipe(classed, "net", ["a"], record.evaluate)
    put_truth_classes(classed, "a", {"nucleus": [1, 2, 3], "mitosis": range(4, 200)})
    assert before.changes(evaluate_recipe(classed, "net", ["a"], record.evaluate)) == ["a classes of truth changed"]


def test_where_truth_names_no_class_of_the_model_figures_are_of_any(classed):
    _, found = evaluated(classed, "c")
    assert not {"classes", "mean_over_classes", "confusion", "class_counts"} & set(found)
    page = (classed.report("net") / "report.html").read().decode()
    assert "Truth of c names no classes of the model" in page
    assert "Confusion" not in page


def test_of_one_class_nothing_is_told_of_classes(dataset):
    assert not {"classes", "mean_over_classes", "confusion", "class_counts"} & set(read_metrics(dataset))
    assert "mix_classes" not in read_metrics(dataset)["settings"]["segment"]


def test_a_class_that_is_left_out_counts_in_no_mean_and_settings_tell_the_network_that_was_made(classed):
    set_values(classed, {"segment.classes": ["nucleus"]})
    record = read_record(classed)
    segment.segment_stacks.fn(classed.url, list("abc"), "net", record.segment)
    _, found = evaluated(classed, "ab")
    assert found["mean_over_classes"]["average_precision"] == {
        "value": pytest.approx(found["classes"]["nucleus"]["average_precision"]["value"]),
        "n": 1,
    }
    page = (classed.report("net") / "report.html").read().decode()
    assert "mitosis (not segmented)" in page
    assert found["settings"]["train"]["architecture"]["classes"] == 3


@pytest.mark.parametrize("asked", [["v_rand", "det"], ["pixel_error"]])
def test_a_report_has_the_metrics_that_are_asked_for(dataset, stage, level, asked):
    set_values(dataset, {"evaluate.metrics": asked})
    (outcome,) = stage(dataset, "evaluate")
    assert outcome.why.startswith(f"{'det' if 'det' in asked else asked[0]} ")
    found = read_metrics(dataset)
    assert set(found["validation"]) == set(asked)
    for metric in asked:
        assert found["validation"][metric]["value"] == pytest.approx(
            slow_figure(metric, frames(dataset, level, ["b"]))[0]
        )
        assert METRICS[metric].label in (dataset.report("unet") / "report.html").read().decode()
    ranked = sorted(range(2), key=lambda plane: METRICS[asked[0]].value(*frames(dataset, level, ["b"])[plane]))
    best = ranked[0] if METRICS[asked[0]].better == "lower" else ranked[-1]
    assert f"best: b, plane {best}" in (dataset.report("unet") / "report.html").read().decode()
    assert make_plan(dataset, read_record(dataset)).pending() == []
    set_values(dataset, {"evaluate.metrics": "auto"})
    assert [each.stage for each in make_plan(dataset, read_record(dataset)).pending()] == ["evaluate"]


def test_metrics_of_classes_are_those_that_are_asked_for(classed):
    set_values(classed, {"evaluate.metrics": ["dice", "v_rand"]})
    outcome, found = evaluated(classed, "ab")
    assert set(found["mean_over_classes"]) == set(found["classes"]["nucleus"]) == {"dice", "v_rand"}
    assert "v_rand over classes 0." in outcome.why
