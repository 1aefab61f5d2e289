import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import Markup

from unet.ledger.truth_findings import KINDS, Finding, Place, TruthCheck
from unet.reports.plot_sums import PlotSums, size_counts
from unet.reports.report import Command, Report, ReportPicture, ReportTable, render_report
from unet.reports.report_plots import ReportPlot, plot_precision
from unet.reports.report_words import metric
from unet.settings.record import Record

NAN = float("nan")
PIXEL = "data:image/png;base64,AAAA"


def entry(value, low=None, high=None, n=12):
    return {"value": value, "low": low, "high": high, "n": n, "stacks": 3}


SUMS = PlotSums(np.linspace(9, 1, 10), 10, size_counts([20, 30, 40]), size_counts([20, 35]), np.arange(20))
REPORT = Report(
    model="unet",
    made="2025-11-22T14:58",
    dataset="embryos",
    metrics={
        "validation": {"iou": entry(0.94, 0.93, 0.95), "average_precision": entry(0.87, 0.81, 0.91), "seg": entry(NAN)},
        "training": {"iou": entry(0.96, 0.95, 0.97, 30)},
    },
    stacks={
        "plane-10": {"part": "training", "iou": 0.96, "seg": None, "objects": 17},
        "plane-2": {"part": "training", "iou": 0.95, "seg": 0.9, "objects": 17},
        "plane-30": {"part": "validation", "iou": 0.94, "seg": 0.8, "objects": 17},
    },
    counts={"validation": {"objects": 1000, "segments": 1010, "found": 870, "missed": 130, "invented": 31}},
    resampled={"validation": "stacks"},
    pictures=[ReportPicture("worst: plane-30", PIXEL, "41 found, 2 missed")],
    uncertain=[ReportPicture("least certain: plane-99", PIXEL, "certainty 0.5")],
    seen=[ReportPicture("what training sees", PIXEL, "y 0 – 512 of 2000")],
    plots={"figures": [plot_precision({"validation": SUMS})]},
    run={"Model": {"parameters": "7,482"}},
    data=ReportTable(("stack", "pixels"), [("plane-2", "65,536")], 1, "3 stacks"),
    unjudged=ReportTable(("stack", "certainty"), [("plane-99", "0.512")]),
    drift=[{"stack": "plane-99", "what": "sharpness", "value": 0.0123456, "range": (0.04, 0.05), "verdict": "lower"}],
    truth={
        "plane-2": TruthCheck(20, 1, holes=Finding(2, (Place(0, 17, 30, 211),))),
        "plane-10": TruthCheck(22, 1, specks=Finding(1, (Place(0, 5, 3, 9),)), touching=Finding(8)),
    },
    settings=Record().model_dump(mode="json"),
    architecture={"base": 16, "depth": 4},
    notes=["intervals are narrow"],
    viewers=[Command("napari", "napari a.ome.zarr", "The image with its layers.")],
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

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_every_fact():
    page = render_report(REPORT)
    Tags(page)
    shown = ["unet", "embryos", "0.870", "0.810 – 0.910", "undefined", "plane-30", "41 found, 2 missed", "plane-99"]
    shown += ["train my-dataset --refresh", "validation.every", "intervals are narrow", "2025-11-22 14:58", "0.512"]
    shown += [
        "y 0 – 512 of 2000",
        "42 objects in 2 planes of 2 stacks",
        "1 speck of fewer",
        "2 holes",
        "7,482",
        "65,536",
    ]
    shown += ["plane-2, plane 0, id 17 at y 30 x 211", KINDS["holes"].effect, KINDS["specks"].effect, "0.01235"]
    shown += [
        "12 planes of 3 stacks",
        "intervals resample stacks",
        "87 %",
        "napari a.ome.zarr",
        "never drew",
        "0.04 – 0.05",
    ]
    shown += [metric(name).explanation for name in ("iou", "seg", "average_precision")]
    assert [text for text in shown if text not in page] == []


def test_what_is_ordinary_is_not_called_odd():
    page = render_report(REPORT)
    assert "8 of them touch another, which is ordinary" in page
    assert KINDS["touching"].effect not in page


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("test", "neither the checkpoint nor a setting was chosen"),
        ("new", "no part in its making"),
        ("training", "flatter"),
    ],
)
def test_the_page_says_what_its_headline_is_of(part, words):
    page = render_report(replace(REPORT, metrics={part: {"iou": entry(0.96, 0.95, 0.97)}}))
    assert f'<h2 id="figures">{part.capitalize()}' in page
    assert words in page


def test_the_least_report_is_a_page_too():
    page = render_report(Report("unet", "2025-11-22", {}, {}))
    Tags(page)
    assert "No plane with truth" in page
    assert not {"img", "svg", "table"} & {tag for tag, _ in Tags(page).seen}


def test_truth_without_a_fault_is_said_to_be_so_and_truth_not_looked_at_is_not():
    clean = render_report(replace(REPORT, truth={"a": TruthCheck(7, 2)}))
    assert "7 objects in 2 planes of 1 stack" in clean
    assert "Nothing odd was found." in clean
    assert 'id="truth"' not in render_report(replace(REPORT, truth={}))


def test_names_are_data():
    evil = "<script>alert('1')</script>\"&"
    report = replace(
        REPORT,
        model=evil,
        dataset=evil,
        made=evil,
        stacks={evil: {"part": evil, evil: 0.5}},
        metrics={"validation": {evil: entry(0.5)}},
        pictures=[ReportPicture(evil, PIXEL, evil)],
        run={evil: {evil: evil}},
        data=ReportTable([evil], [[evil]], 1, evil),
        drift=[{"stack": evil, evil: evil}],
        settings={evil: {evil: evil}},
        notes=[evil],
        next_steps=[evil],
        viewers=[Command(evil, evil, evil)],
        left_out=[evil],
        plots={"figures": [ReportPlot(evil, Markup(), evil)]},
        truth={evil: TruthCheck(holes=Finding(1, (Place(0),)))},
    )
    page = render_report(report)
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&#34;&amp;, plane 0" in page
    assert page.count("&lt;script&gt;") >= 20
    assert not [
        attribute for _, attributes in Tags(page).seen for attribute in attributes if attribute.startswith("on")
    ]


def test_nothing_is_asked_of_anybody_and_no_other_file_is_needed():
    page = render_report(REPORT)
    assert "default-src 'none'; img-src data:" in page
    assert not re.search(r"https?:|url\(|@import", page)
    seen = Tags(page).seen
    assert {tag for tag, _ in seen}.isdisjoint({"script", "link", "iframe", "form", "object", "base"})
    linked = [attributes["href"] for _, attributes in seen if "href" in attributes]
    assert linked
    assert all(link.startswith("#") for link in linked)
    assert all(attributes["src"].startswith("data:image/") for tag, attributes in seen if tag == "img")


def test_what_a_link_leads_to_is_there():
    seen = Tags(render_report(REPORT)).seen
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"][1:] for _, attributes in seen if "href" in attributes} <= set(ids)


def test_everything_is_told_to_those_who_do_not_see_it():
    seen = Tags(render_report(REPORT)).seen
    assert all(attributes["alt"] for tag, attributes in seen if tag == "img")
    assert all(attributes.get("scope") for tag, attributes in seen if tag == "th")
    drawings = [attributes for tag, attributes in seen if tag == "svg"]
    assert all(attributes.get("aria-label") or attributes.get("aria-hidden") for attributes in drawings)
    scrolled = [attributes for _, attributes in seen if "scroll" in attributes.get("class", "").split()]
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in scrolled)


@pytest.mark.parametrize("path", ["best.png", "https://example.org/a.png", "/tmp/a.png", "data:text/html,x"])
def test_pictures_that_lie_elsewhere_are_refused(path):
    for shelf in ("pictures", "uncertain", "seen", "class_pictures"):
        with pytest.raises(ValueError, match="must be data URLs"):
            replace(REPORT, **{shelf: [ReportPicture("what training sees", path)]})


def test_a_page_that_would_be_too_large_leaves_the_least_telling_pictures_out_and_says_so():
    large = "data:image/png;base64," + base64.b64encode(bytes(150_000)).decode()
    report = replace(
        REPORT,
        pictures=[ReportPicture(f"worst {at}", large) for at in range(2)],
        seen=[ReportPicture("small one", PIXEL), ReportPicture("samples of training", large)],
    )
    page = render_report(report, 500_000)
    assert len(page.encode()) <= 500_000
    assert "Left out, as this file would be too large for a mail: samples of training." in page
    assert page.count(large) == 2
    assert "small one" in page
    assert "Left out" not in render_report(report)


def test_of_many_stacks_those_that_drifted_are_shown():
    rows = [{"stack": f"s{at}", "what": "noise", "verdict": "like training"} for at in range(100)]
    page = render_report(replace(REPORT, drift=[*rows, {"stack": "odd", "what": "noise", "verdict": "higher"}]))
    assert "odd" in page
    assert "s77" not in page
    assert "100 numbers more are like training" in page
    assert "100 numbers are like training" in render_report(replace(REPORT, drift=rows))
