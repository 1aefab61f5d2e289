"""Laws of the history: a line for each result that was ever committed, whatever replaced it, and none twice."""

import json
import os

import pytest

from unet.dataset.record_file import set_values
from unet.ledger.results import report_of
from unet.reports import history as module
from unet.reports.history import history, keep_history


def told(dataset):
    return [(event.entry.kind, event.entry.model) for event in history(dataset)]


def lines(dataset):
    return (dataset.history("unet").read() or b"").decode().splitlines()


def test_a_training_and_a_report_have_a_line_each(dataset):
    assert told(dataset) == [("training", "unet"), ("report", "unet")]
    assert len(lines(dataset)) == 2
    report = history(dataset)[-1].entry
    assert report.part == "validation"
    assert report.figures["iou"] == {
        key: report_of(dataset, "unet").attributes()["validation"]["iou"][key] for key in ("value", "low", "high", "n")
    }


def test_a_line_stays_where_its_report_is_replaced_and_the_next_says_what_was_changed(dataset, stage):
    first = history(dataset)[-1].entry
    set_values(dataset, {"segment.threshold": 0.37})
    stage.all(dataset)
    *_, before, now = history(dataset)
    assert before.entry == first
    assert now.entry.generation != first.generation
    assert len(now.changed) == 1
    assert now.changed[0].startswith("segment.threshold ")
    assert now.changed[0].endswith(" → 0.37")


def test_lines_are_added_once(dataset):
    before = lines(dataset)
    keep_history(dataset, "unet")
    keep_history(dataset, "unet")
    assert lines(dataset) == before


def test_of_a_dataset_of_before_what_is_there_is_shown_and_kept_before_it_is_replaced(dataset, stage):
    dataset.history("unet").remove()
    assert told(dataset) == [("training", "unet"), ("report", "unet")]
    assert lines(dataset) == []
    set_values(dataset, {"evaluate.confidence": 0.9})
    stage(dataset, "evaluate")
    assert told(dataset) == [("training", "unet"), ("report", "unet"), ("report", "unet")]
    assert len(lines(dataset)) == 3


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"kind": "report"}', '{"kind": 3}', "\x00\xff", "[" * 9999])
def test_a_damaged_line_is_passed_over_and_kept(dataset, line):
    content = dataset.history("unet").read()
    dataset.history("unet").write(line.encode() + b"\n" + content)
    assert told(dataset) == [("training", "unet"), ("report", "unet")]
    keep_history(dataset, "unet")
    assert len(lines(dataset)) == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("figures", {"iou": 3}),
        ("figures", {"iou": {"value": "high", "n": 1}}),
        ("figures", {"iou": {"value": 1.0, "n": float("inf")}}),
        ("made_of", {"training stacks": 5}),
        ("made_of", {"validation stacks": ["a", {}]}),
        ("part", 5),
        ("kind", "rumour"),
    ],
)
def test_a_line_of_other_types_is_passed_over(dataset, key, value):
    content = dataset.history("unet").read()
    line = {**json.loads(content.splitlines()[-1]), "generation": "0", key: value}
    dataset.history("unet").write(json.dumps(line).encode() + b"\n" + content)
    assert told(dataset) == [("training", "unet"), ("report", "unet")]


def test_a_pipe_in_its_place_stops_no_report(dataset, caplog):
    dataset.history("unet").remove()
    os.mkfifo(dataset.history("unet").url)
    keep_history(dataset, "unet")
    assert "must be a file, got a pipe" in caplog.text
    assert told(dataset) == [("training", "unet"), ("report", "unet")]  # what is there now, and all other models


def test_a_file_that_is_none_of_ours_is_left_as_it_is(dataset, monkeypatch, caplog):
    """Read in part, and put anew, it would lose what is behind."""
    before = lines(dataset)
    monkeypatch.setattr(module, "LARGEST", 64)
    dataset.report("unet").remove()
    keep_history(dataset, "unet")
    assert "must be of at most 64 bytes" in caplog.text
    assert lines(dataset) == before


def test_it_is_kept_small(dataset, monkeypatch):
    monkeypatch.setattr(module, "MOST", 1)
    before = lines(dataset)
    dataset.history("unet").write(f"{before[0]}\n".encode())
    keep_history(dataset, "unet")
    assert lines(dataset) == before[1:]
    assert len(before[1]) < 4000


def test_a_file_that_cannot_be_written_stops_nothing(dataset, caplog):
    dataset.history("unet").remove()
    (dataset / "history").remove()
    (dataset / "history").write(b"no folder")
    keep_history(dataset, "unet")
    assert "the history of unet cannot be kept" in caplog.text


def test_a_model_that_is_gone_is_remembered(dataset):
    dataset.model("unet").remove()
    dataset.report("unet").remove()
    assert told(dataset) == [("training", "unet"), ("report", "unet")]
