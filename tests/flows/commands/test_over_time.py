"""The verbs that look at models over time: what they print, what scripts read, and what promote refuses."""

import json
import re
import shutil

import pytest

from tasks.tools.compare import Comparison
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.evaluation.paired import Difference
from unet.ledger.results import report_of
from unet.network.model_files import bring_in


@pytest.fixture
def two(dataset):
    """The dataset with a second model, which has a report too."""
    bring_in(dataset, Folder(dataset.model("unet").url), "other")
    shutil.copytree(dataset.report("unet").url, dataset.report("other").url)
    return dataset


@pytest.fixture
def compared(monkeypatch):
    """Makes a comparison of any two models come out so: `compared(-0.2, -0.1, "worse")`."""

    def make(low, high, verdict):
        value = (low + high) / 2
        found = Comparison(
            "unet", "other", {"test": 9}, 3, True,
            {"average_precision": Difference(0.8, 0.8 + value, value, low, high, 3, verdict)}, ["train.seed 0 → 1"], []
        )  # fmt: skip
        monkeypatch.setattr("tasks.tools.compare.compare_models", lambda *_: found)

    return make


def test_two_models_stand_side_by_side_with_what_was_changed(run, two):
    status, out, err = run("compare", two.url, "unet", "other")
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    assert "other beside unet" in words
    assert "that neither was trained on" in words
    assert "changed from unet to other: came from" in words
    assert "mean average" in words  # words are folded where there is no room; a name in one piece was cut
    assert not re.search(r"\w…", out)
    answer = json.loads(run("compare", two.url, "unet", "other", "--json")[1])
    assert answer["metrics"]["iou"]["value"] == 0
    assert answer["verdict"] in ("no difference", "too few to tell")


def test_a_report_that_is_missing_is_one_sentence(run, two):
    two.report("other").remove()
    status, out, err = run("compare", two.url, "unet", "other")
    assert (status, out) == (2, "")
    assert f"other must have a report, got none; run `unet-flows reprocess {two.url} --set predict.model=other`" in err


def test_the_history_shows_trainings_and_reports(run, dataset, stage):
    set_values(dataset, {"segment.threshold": 0.37})
    stage.all(dataset)
    status, out, err = run("history", dataset.url)
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    assert "unet training validation loss 0." in words
    assert words.count("unet report validation (2): average precision") == 2
    assert re.search(r"changed: segment.threshold \S+ → 0.37", words)
    events = json.loads(run("history", dataset.url, "--json")[1])
    assert [event["kind"] for event in events] == ["training", "report", "report"]
    assert events[-1]["changed"][0].startswith("segment.threshold")
    assert events[-1]["figures"]["iou"]["n"] == 2


def test_where_nothing_happened_the_history_says_so(run, make):
    assert "no model was trained or compared yet" in run("history", make({}).url)[1]


def test_a_model_is_put_to_use_and_comments_stay(run, two, compared):
    compared(0.1, 0.2, "better")
    two.record.write(b"# ours\n" + two.record.read())
    status, out, err = run("promote", two.url, "other")
    assert status == 0
    assert "predict.model: None → other" in err
    assert "other is better than unet" in err
    assert f"other is in use; next: unet-flows reprocess {two.url}" in out
    assert read_record(two).model == "other"
    assert two.record.read().startswith(b"# ours\n")
    assert run("promote", two.url, "other")[1] == "other is in use already\n"


@pytest.mark.parametrize("verdict", ["worse", "no difference"])
def test_one_that_is_worse_beyond_its_interval_is_refused(run, two, compared, verdict):
    compared(-0.2, -0.1, verdict)
    status, out, err = run("promote", two.url, "other")
    assert (status, out) == (2, "")
    assert "other must not be worse than unet, which is in use, got average precision -0.150 (" in err
    assert "no difference" not in err  # nothing is refused for what is said to be none
    assert "say --anyway" in err
    assert read_record(two).model == "unet"
    assert run("promote", two.url, "other", "--anyway")[0] == 0
    assert read_record(two).model == "other"


def test_one_that_may_be_worse_is_taken_and_told(run, two, compared):
    compared(-0.2, 0.1, "no difference")
    status, _, err = run("promote", two.url, "other")
    assert status == 0
    assert "other beside unet, no difference" in err


def test_one_that_nobody_knows_or_without_a_report_is_refused(run, two):
    status, _, err = run("promote", two.url, "nobody", "--anyway")
    assert status == 2
    assert "got 'nobody'; known: other, unet" in err
    two.report("other").remove()
    status, _, err = run("promote", two.url, "other")
    assert status == 2
    assert "other must have a report, got none" in err
    assert err.rstrip().endswith("or say --anyway")
    assert run("promote", two.url, "other", "--anyway")[0] == 0


def test_one_whose_report_is_of_an_earlier_model_is_refused(run, two, compared):
    compared(0.1, 0.2, "better")
    report_of(two, "other").amend({}, more={"digests": {"model": "another"}})
    status, _, err = run("promote", two.url, "other")
    assert status == 2
    assert "the report of other is of an earlier other; `unet-flows reprocess" in err
    assert err.rstrip().endswith("or say --anyway")
    assert run("promote", two.url, "other", "--anyway")[0] == 0


def test_where_no_model_is_in_use_there_is_nothing_to_compare_with(run, two):
    set_values(two, {"predict.model": "gone"})
    assert run("promote", two.url, "other")[0] == 0
    assert report_of(two, "other").known_stamp() is not None
