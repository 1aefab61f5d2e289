"""Laws of the summary: what was done, what was set aside and why, the figures and the pictures, on one small page."""

import re

import pytest

from tasks.execution.outcomes import SetAside
from tasks.reporting import summary as module
from tasks.reporting.summary import Summary
from unet.ledger.outcome import STAGES, Outcome
from unet.ledger.results import image_of

WHY = "broken.tif is not a readable TIFF,\ngot | instead"


@pytest.fixture
def published(monkeypatch):
    """Artifacts as they are made within a run: their keys, and what was said with them."""
    made = {}
    monkeypatch.setattr(module, "create_markdown_artifact", lambda page, key, description: made.update({key: page}))
    monkeypatch.setattr(module, "create_table_artifact", lambda rows, key, description: made.update({key: rows}))
    monkeypatch.setattr(module, "is_run", lambda: True)
    return made


def everything():
    stacks = [Outcome(stage, name, "done", "well") for stage in STAGES[:2] for name in "ab"]
    more = [("train", "unet"), ("predict", "a"), ("segment", "a"), ("evaluate", "unet")]
    made = [Outcome(stage, name, "done", "well") for stage, name in more]
    return [*stacks, *made, Outcome("ingest", "broken", "set aside", WHY)]


def test_a_run_tells_what_was_made_what_failed_and_why_with_figures_and_pictures(dataset, published):
    with Summary(dataset, "reprocess", "unet") as summary:
        with summary.timed("ingest"):
            pass
        summary.add(everything())
        summary.seconds |= {"ingest": 90.0, "train": 120.0}
    assert set(published) == {"reprocess-dataset", "reprocess-outcomes-dataset"}
    page = published["reprocess-dataset"]
    assert page.startswith("# reprocess of dataset: 8 made, 1 set aside, 3.5 min\n")
    assert "| ingest | 2 | 1 | 1.5 |" in page
    assert "| segment | 1 |  |  |" in page
    assert "\n- **broken** at ingest: `broken.tif is not a readable TIFF, got | instead`\n" in page
    assert re.search(r"\| iou \| \*\*0\.\d{3}\*\*", page)
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert titles == [
        "Set aside", "unet", "ingest a", "weigh a", "train unet: training", "segment a", "evaluate unet: worst"
    ]  # fmt: skip
    assert len(page.encode()) <= 300_000
    rows = published["reprocess-outcomes-dataset"]
    assert {"stage": "ingest", "name": "broken", "state": "set aside", "what": WHY} in rows
    assert len(rows) == 9


def test_stacks_that_are_unlike_those_of_training_have_a_table(dataset, published):
    image = image_of(dataset, "c")
    (known,) = image.committed().facts["statistics"]
    image.amend({"statistics": [{**known, "high": 9 * known["high"]}]})
    for names, is_told in (("abc", True), ("ab", False)):
        with Summary(dataset, "predict", "unet") as summary:
            summary.add([Outcome("predict", name, "done") for name in names])
        page = published["predict-dataset"]
        assert ("## Unlike what unet was trained on" in page) == is_told
        assert ("| c | grey spread |" in page) == is_told


def test_a_stage_alone_shows_more_of_its_own(dataset, published):
    with Summary(dataset, "segment", "unet") as summary:
        summary.add([Outcome("segment", name, "done") for name in "abc"])
    assert re.findall(r"!\[(.*?)\]", published["segment-dataset"]) == ["segment a", "segment b", "segment c"]


def test_words_of_a_file_are_no_picture_or_link_on_the_page(dataset, published):
    said = "![a](http://elsewhere/a.png) ` <img src=x> [here](http://elsewhere)"
    with Summary(dataset, "ingest", "unet") as summary:
        summary.add([Outcome("ingest", "broken", "set aside", said)])
    assert f"\n- **broken** at ingest: `{said.replace('`', chr(39))}`" in published["ingest-dataset"]


def test_what_stopped_a_run_is_told(dataset, published):
    with pytest.raises(OSError, match="the disk is gone"), Summary(dataset, "weigh", "unet"):
        raise OSError("the disk is gone")
    assert "**Stopped:** `the disk is gone`" in published["weigh-dataset"]


def test_what_was_set_aside_is_told_once(dataset, published):
    summary, failed = Summary(dataset, "ingest", "unet"), [Outcome("ingest", "broken", "set aside", WHY)]
    summary.add(failed)
    with pytest.raises(SetAside), summary:
        raise SetAside(failed)
    assert published["ingest-dataset"].count("not a readable TIFF, got | instead") == 1


def test_who_cancels_a_run_does_not_wait_for_its_summary(dataset, published):
    summary = Summary(dataset, "weigh", "unet")
    summary.add(everything())
    with pytest.raises(KeyboardInterrupt), summary:
        raise KeyboardInterrupt
    assert published == {}


def test_nothing_is_said_of_nothing(dataset, published):
    with Summary(dataset, "weigh", "unet"):
        pass
    assert published == {}


def test_a_summary_that_cannot_be_shown_fails_no_run(dataset, published, monkeypatch, caplog):
    def gone(*_, **__):
        raise ConnectionError("All connection attempts failed")

    monkeypatch.setattr(module, "create_table_artifact", gone)
    with Summary(dataset, "weigh", "unet") as summary:
        summary.add(everything())
    assert "the summary of weigh is not shown: All connection attempts failed" in caplog.text


def test_page_and_table_stay_small_however_much_failed(dataset, published):
    made = [Outcome("weigh", f"stack-{n}", "done", "well") for n in range(8000)]
    failed = [Outcome("weigh", f"bad-{n}", "set aside", "x" * 5000) for n in range(1000)]
    with Summary(dataset, "weigh", "unet") as summary:
        summary.add(made)
        summary.add([*made, *failed])
    assert "8000 made, 1000 set aside" in published["weigh-dataset"]
    assert len(published["weigh-dataset"].encode()) <= 300_000
    assert "And 950 more; `unet-flows status` lists them." in published["weigh-dataset"]
    rows = published["weigh-outcomes-dataset"]
    assert len(rows) == 2000
    assert {row["state"] for row in rows[:1000]} == {"set aside"}
