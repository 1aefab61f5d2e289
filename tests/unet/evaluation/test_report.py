import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from unet.evaluation.metrics import METRICS
from unet.evaluation.report import Report, ReportPicture, gaps, headline, number, render_report, stack_rows
from unet.ledger.truth_findings import KINDS, Finding, Place, TruthCheck
from unet.settings.record import Record

NAN = float("nan")


def entry(value, low=None, high=None, n=12):
    return {"value": value, "low": low, "high": high, "n": n}


REPORT = Report(
    model="unet",
    made="2025-11-22T14:58",
    metrics={
        "validation": {"iou": entry(0.94, 0.93, 0.95), "average_precision": entry(0.87, 0.81, 0.91), "seg": entry(NAN)},
        "training": {"iou": entry(0.96, 0.95, 0.97, 30)},
    },
    stacks={
        "plane-10": {"part": "training", "iou": 0.96, "seg": None},
        "plane-2": {"part": "training", "iou": 0.95, "seg": 0.9},
        "plane-30": {"part": "validation", "iou": 0.94, "seg": 0.8},
    },
    pictures=[
        ReportPicture("best: plane-30", "best #1.png", "41 of 43 found"),
        ReportPicture("worst", "data:image/png;base64,AAAA"),
    ],
    curve="curve.png",
    seen=[ReportPicture("what training sees", "weights.png", "y 0 – 512 of 2000")],
    truth={
        "plane-2": TruthCheck(20, 1, holes=Finding(2, (Place(0, 17, 30, 211),))),
        "plane-10": TruthCheck(22, 1, specks=Finding(1, (Place(0, 5, 3, 9),))),
    },
    settings=Record().model_dump(mode="json"),
    architecture={"base": 16, "depth": 4},
    notes=["training planes only"],
    next_steps=["unet-flows train my-dataset --refresh"],
)


class Tags(HTMLParser):
    """Every tag of a page and its attributes; unbalanced ones fail."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_headline_is_of_validation_the_most_telling_metric_first():
    figures = headline(REPORT, "validation")
    assert [figure.metric.label for figure in figures] == ["average precision", "SEG", "IoU"]
    assert figures[2].details == ["95 %: 0.930 – 0.950", "n = 12 planes", "training: 0.960"]
    assert figures[2].bar == (93, 94, 95)


def test_an_undefined_metric_says_so_and_why():
    figure = headline(REPORT, "validation")[1]
    assert (figure.text, figure.details, figure.bar) == ("undefined", ["as truth has no object"], None)
    assert "SEG is undefined where truth has no object." in gaps(REPORT)
    nothing = replace(REPORT, metrics={"validation": {"seg": entry(None, n=0)}})
    assert headline(nothing, "validation")[0].details == ["as there is no plane with truth"]


def test_one_frame_has_no_interval():
    report = replace(REPORT, metrics={"validation": {"iou": entry(0.9, None, None, 1)}})
    assert headline(report, "validation")[0].details == ["no interval", "n = 1 plane"]


def test_the_level_of_the_intervals_is_the_one_that_was_set():
    report = replace(REPORT, settings={"evaluate": {"confidence": 0.995}})
    assert headline(report, "validation")[0].details[0] == "99.5 %: 0.810 – 0.910"


def test_stacks_of_validation_come_first_then_names_in_natural_order():
    assert [(name, part) for name, part, _ in stack_rows(REPORT)] == [
        ("plane-30", "validation"),
        ("plane-2", "training"),
        ("plane-10", "training"),
    ]


def test_the_page_shows_every_fact():
    page = render_report(REPORT)
    Tags(page)
    shown = ["unet", "0.870", "0.810 – 0.910", "undefined", "plane-30", "41 of 43 found", "training planes only"]
    shown += ["train my-dataset --refresh", "validation.every", "curve.png", "weights.png", "2025-11-22 14:58"]
    shown += ["y 0 – 512 of 2000", "42 objects in 2 planes of 2 stacks", "1 speck of fewer", "2 holes"]
    shown += ["plane-2, plane 0, id 17 at y 30 x 211", KINDS["holes"].effect, KINDS["specks"].effect]
    shown += [METRICS[name].explanation for name in ("iou", "seg", "average_precision")]
    assert [text for text in shown if text not in page] == []


def test_without_validation_the_figures_are_of_training_and_say_that_they_flatter():
    page = render_report(replace(REPORT, metrics={"training": REPORT.metrics["training"]}))
    assert "0.960" in page
    assert "flatter" in page


def test_the_least_report_is_a_page_too():
    page = render_report(Report("unet", "2025-11-22", {}, {}))
    Tags(page)
    assert "No plane with truth" in page
    assert "<img" not in page


def test_truth_without_a_fault_is_said_to_be_so_and_truth_not_looked_at_is_not():
    clean = render_report(replace(REPORT, truth={"a": TruthCheck(7, 2)}))
    assert "7 objects in 2 planes of 1 stack" in clean
    assert "Nothing odd was found." in clean
    assert "<h2>Truth</h2>" not in render_report(replace(REPORT, truth={}))


def test_names_are_data():
    evil = "<script>alert('1')</script>\"&"
    report = replace(
        REPORT,
        model=evil,
        made=evil,
        stacks={evil: {"part": evil, evil: 0.5}},
        metrics={"validation": {evil: entry(0.5)}},
        pictures=[ReportPicture(evil, evil, evil)],
        settings={evil: {evil: evil}},
        notes=[evil],
        next_steps=[evil],
        seen=[ReportPicture(evil, evil, evil)],
        truth={evil: TruthCheck(holes=Finding(1, (Place(0),)))},
    )
    page = render_report(report)
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&#34;&amp;, plane 0" in page
    assert page.count("&lt;script&gt;") >= 10
    assert not [
        attribute for _, attributes in Tags(page).seen for attribute in attributes if attribute.startswith("on")
    ]


def test_nothing_is_asked_of_a_server():
    page = render_report(REPORT)
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import", page)
    assert {tag for tag, _ in Tags(page).seen}.isdisjoint({"script", "link", "iframe", "form", "object"})


def test_paths_are_quoted_and_data_urls_are_not():
    sources = [attributes["src"] for tag, attributes in Tags(render_report(REPORT)).seen if tag == "img"]
    assert sources == ["best%20%231.png", "data:image/png;base64,AAAA", "curve.png", "weights.png"]


@pytest.mark.parametrize(
    "path", ["https://example.org/a.png", "/tmp/a.png", "file:///tmp/a.png", "//example.org/a.png"]
)
def test_pictures_from_elsewhere_are_refused(path):
    with pytest.raises(ValueError, match="must be relative paths or data URLs"):
        replace(REPORT, curve=path)
    with pytest.raises(ValueError, match="must be relative paths or data URLs"):
        replace(REPORT, seen=[ReportPicture("what training sees", path)])


@pytest.mark.parametrize(("value", "text"), [(1, "1.000"), (1e-5, "1e-05"), (None, "undefined"), (NAN, "undefined")])
def test_numbers_are_short_and_never_vanish(value, text):
    assert number(value) == text
