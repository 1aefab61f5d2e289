"""The verb that finds settings again: what it prints, what it keeps, and what is stale then."""

import json
import shutil

from flows.planning.plan import make_plan
from tasks.tools.tune import Tuned
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.ledger.found_settings import found_with
from unet.ledger.results import model_of

OTHER = {"threshold": 0.93, "min_size": 0, "declump_depth": 0.0, "metric": "seg", "value": 0.1, "part": "validation"}


def stale(dataset):
    return {status.name: status.why for status in make_plan(dataset, read_record(dataset)).pending("segment")}


def test_tuning_that_changes_no_number_makes_nothing_stale(run, dataset):
    before = found_with(dataset, "unet")
    status, out, err = run("tune", dataset.url)
    assert (status, err) == (0, "")
    assert f"{before['metric']} on 2 planes of the validation part" in out
    assert "kept with unet; segments of 0 stacks are stale: nothing to do" in out
    assert out.count("◀") == 1
    assert stale(dataset) == {}
    assert found_with(dataset, "unet")["threshold"] == before["threshold"]


def test_tuning_makes_stale_exactly_what_a_changed_number_touches(run, dataset, stage):
    found = found_with(dataset, "unet")
    model_of(dataset, "unet").amend({}, more={"segment": OTHER})
    stage(dataset, "segment")
    assert stale(dataset) == {}
    status, out, _ = run("tune", dataset.url, "--dry-run")
    assert status == 0
    assert "nothing was written" in out
    assert found_with(dataset, "unet") == OTHER
    status, out, _ = run("tune", dataset.url)
    assert f"segments of 3 stacks are stale; next: unet-flows reprocess {dataset.url}" in out
    assert set(stale(dataset)) == {"a", "b", "c"}
    assert f"threshold 0.93 → {found['threshold']}" in stale(dataset)["a"]
    plan = make_plan(dataset, read_record(dataset))
    assert {status.stage for status in plan.pending()} == {"segment", "evaluate"}
    set_values(dataset, {"segment.threshold": 0.93, "segment.min_size": 0, "segment.declump_depth": 0})
    assert stale(dataset) == {}


def test_a_script_reads_what_was_found_by_the_metric_it_asked_for(run, dataset):
    status, out, _ = run("tune", dataset.url, "--metric", "seg", "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["found"] == found_with(dataset, "unet")
    assert answer["found"]["metric"] == "seg"
    assert answer["written"] is True
    assert set(answer["before"]) == {"threshold", "min_size", "declump_depth", "value", "size_ratio"}


def test_a_number_in_the_record_is_said_to_win(run, dataset):
    set_values(dataset, {"segment.threshold": 0.6})
    _, out, err = run("tune", dataset.url)
    assert "segment.threshold is 0.6 in dataset.yaml and wins; set it to auto to take what was found" in err
    assert "before 0.6" in " ".join(out.split())


def test_scores_that_are_not_those_of_the_model_are_not_taken(run, dataset):
    set_values(dataset, {"predict.test_time_augmentation": 8})
    status, out, err = run("tune", dataset.url)
    assert (status, out) == (2, "")
    assert "unet must have scores of what validates it, got none of b; run `unet-flows reprocess" in err


def test_a_metric_that_is_none_is_refused(run, dataset):
    status, out, err = run("tune", dataset.url, "--metric", "warping_error")
    assert (status, out) == (2, "")
    assert "mean_average_precision" in err


def forget(folder):
    """Take away what was found with a model."""
    metadata = (folder / "model.json").read_json()
    (folder / "model.json").write_json({key: value for key, value in metadata.items() if key != "segment"})


def test_status_says_that_a_model_has_none_of_its_own(run, dataset):
    forget(model_of(dataset, "unet").folder)
    _, _, err = run("status", dataset.url)
    words = "unet has no settings of segment of its own: threshold 0.5, min_size 16, declump_depth 0; `unet-flows tune`"
    assert words in " ".join(err.split())
    set_values(dataset, {"segment.threshold": 0.6, "segment.min_size": 0, "segment.declump_depth": 0})
    assert "no settings of segment" not in run("status", dataset.url)[2]


def test_a_model_that_is_brought_in_keeps_its_own_and_says_where_it_has_none(run, dataset, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(model_of(dataset, "unet").folder.url, elsewhere)
    assert "no settings of segment" not in run("import", dataset.url, elsewhere, "--as", "tuned")[2]
    assert found_with(dataset, "tuned") == found_with(dataset, "unet")
    forget(Folder(str(elsewhere)))
    status, _, err = run("import", dataset.url, elsewhere, "--as", "other")
    assert status == 0
    words = "no settings of segment of its own: threshold 0.5, min_size 16, declump_depth 0; `unet-flows tune"
    assert f"{words} {dataset.url}`" in " ".join(err.split())


def test_of_several_classes_each_has_a_line(run, dataset, monkeypatch):
    found = found_with(dataset, "unet")
    own = {"nucleus": found, "mitosis": {**found, "threshold": 0.37, "part": "training"}}
    before = {name: {each: found[each] for each in ("threshold", "min_size", "value")} for name in own}
    tuned = Tuned({**found, "by_class": own}, {"by_class": before})
    monkeypatch.setattr("tasks.tools.tune.tune", lambda *_: tuned)
    status, out, err = run("tune", dataset.url, "--dry-run")
    assert status == 0
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert lines["mitosis"][1] == "0.37"
    assert lines["nucleus"][1] != "0.37"
    assert lines["mitosis"][-1] == lines["nucleus"][-1] == "2"
    assert "no object of mitosis validates this model" in err + out
