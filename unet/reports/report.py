"""The report on a model: one HTML file, read on a phone or printed, mailed or moved alone; it asks nobody for anything.

The page is planned as plain tables and texts (`unet.reports.report_tables`), drawn as SVG (`report_plots`) and laid
out in `report.html.jinja`, which decides nothing. Pictures are data URLs; the least telling ones are left out, and
said to be, where the file would be larger than it may be. Names of stacks are data of strangers: everything is escaped,
and a content policy in the page forbids scripts and requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, NamedTuple

from unet.evaluation.parts import headline_part
from unet.ledger.truth_findings import TruthCheck
from unet.reports import report_tables as tables
from unet.reports.class_figures import ClassFigures
from unet.reports.error_pictures import LOOKS
from unet.reports.report_plots import ReportPlot
from unet.reports.report_words import cell_text, counted, metric

LARGEST = 5_000_000
"""Bytes of a page: what a mail takes."""
DRIFT_ROWS, NO_NEWS = 60, ("like training", "not measured")
"""Rows of drift from which on those of these verdicts are not shown."""
SHELVES = ("pictures", "uncertain", "seen", "class_pictures")
"""Fields of a report that hold pictures, the most telling first."""


class ReportPicture(NamedTuple):
    """One picture of the page."""

    title: str
    """Such as `worst: stack-1, plane 3`."""
    path: str
    """A data URL."""
    caption: str = ""
    stack: str = ""
    """Name of the stack it shows."""


class ReportTable(NamedTuple):
    """A table that is shown as it is."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """So many columns, the first ones, hold words; the others hold numbers."""
    said: str = ""
    """What is to be said of it."""


class Command(NamedTuple):
    """What opens a stack in a viewer."""

    program: str
    line: str
    said: str = ""
    """What else there is to be done."""
    stack: str = ""
    """Name of the stack."""


@dataclass(frozen=True)
class Report:
    """What is known about a model, as plain values: the fields of `metrics.json`, and what goes with them."""

    model: str
    made: str
    """ISO date, with or without a time."""
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """`{PART: {METRIC: {"value", "low", "high", "n", "stacks"}}}`; n counts scored planes."""
    stacks: Mapping[str, Mapping[str, float | str | None]]
    """`{NAME: {"part": PART, METRIC: value}}`."""
    dataset: str = ""
    """Its name."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """`{PART: {"objects", "segments", "found", "missed", "invented", "merged", "split"}}`."""
    resampled: Mapping[str, str] = field(default_factory=dict)
    """`{PART: "stacks" | "planes"}`: what intervals come of."""
    unit: str = "plane"
    """What was scored as a whole, "plane" or "volume"."""
    run: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What was run, section by section."""
    data: ReportTable | None = None
    """What it was run on."""
    plots: Mapping[str, Sequence[ReportPlot]] = field(default_factory=dict)
    """By the section they stand in: figures, objects, training, classes, unjudged."""
    pictures: Sequence[ReportPicture] = ()
    """The worst, the median and the best, with what became of each object."""
    uncertain: Sequence[ReportPicture] = ()
    """Where the model is least certain, of stacks without truth."""
    class_pictures: Sequence[ReportPicture] = ()
    seen: Sequence[ReportPicture] = ()
    """What training saw: weights of one plane, augmented samples."""
    left_out: Sequence[str] = ()
    """Titles of pictures for which there was no room."""
    unjudged: ReportTable | None = None
    """Counts, sizes, intensities and certainty of stacks without truth."""
    drift: Sequence[Mapping[str, object]] = ()
    """Rows that say how far each stack lies from those of training, by the names of their columns; a stack's first."""
    objects: Sequence[str] = ()
    """How scores became objects: a sentence on the settings of segment, and more on where they come from."""
    truth: Mapping[str, TruthCheck] = field(default_factory=dict)
    """What the check of each stack's truth found."""
    settings: Mapping[str, Any] | None = None
    """The run record, section by section."""
    architecture: Mapping[str, Any] | None = None
    classes: ClassFigures | None = None
    """Figures of each class of objects, of the part that is shown; None where there is but one."""
    notes: Sequence[str] = ()
    """Warnings, shown above everything else."""
    viewers: Sequence[Command] = ()
    next_steps: Sequence[str] = ()
    """Commands to go on with."""

    def __post_init__(self) -> None:
        """Refuse pictures that would lie elsewhere: the page is whole where nothing else is."""
        for shelf in SHELVES:
            for picture in getattr(self, shelf):
                if not picture.path.startswith("data:image/"):
                    raise ValueError(
                        f"pictures must be data URLs, got {picture.path[:80]!r}; use page_pictures.data_url"
                    )


def render_report(report: Report, largest: int = LARGEST) -> str:
    """HTML page of a report, of at most so many bytes where its pictures decide; everything is escaped."""
    page = _rendered(_with_pictures(report, 0))
    whole = _with_pictures(report, largest - len(page.encode()))
    return _rendered(whole)


def _with_pictures(report: Report, room: int) -> Report:
    """A report with those pictures, in order, that fit into so many bytes; the others are named."""
    kept: dict[str, Any] = {shelf: [] for shelf in SHELVES}
    left_out = list(report.left_out)
    for shelf in SHELVES:
        for picture in getattr(report, shelf):
            room -= len(picture.path) + 2 * len(f"{picture.title}{picture.caption}".encode()) + 512
            fits = room >= 0
            (kept[shelf].append(picture) if fits else left_out.append(picture.title))
            room += 0 if fits else len(picture.path)
    return replace(report, left_out=left_out, **kept)


def _rendered(report: Report) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    template = files("unet.reports")
    environment = Environment(
        loader=FunctionLoader(lambda name: template.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric": metric}
    return environment.get_template("report.html.jinja").render(report=report, looks=LOOKS, **_planned(report))


def _planned(report: Report) -> dict[str, Any]:
    """What of a report is a table or a sentence."""
    part = headline_part(report.metrics)
    settings = report.settings or {}
    architecture = {"architecture": report.architecture} if report.architecture else {}
    return {
        "part": part,
        "level": tables.confidence(settings),
        "figures": tables.headline(report.metrics, part),
        "parts": tables.part_table(report.metrics, report.resampled, report.unit),
        "counts": tables.count_rows(report.counts),
        "columns": tables.columns(report.stacks),
        "table": tables.stack_rows(report.stacks),
        "gaps": tables.gaps(report.stacks),
        "truth": tables.odd_truth(report.truth),
        "checked": tables.checked(report.truth),
        "sections": tables.sections({**settings, **architecture}),
        "drift": _drift_table(report.drift),
    }


def _drift_table(rows: Sequence[Mapping[str, object]]) -> ReportTable | None:
    """Rows as they were handed over, under the names of their columns; of many not those that are like training."""
    if not rows:
        return None
    head = list(dict.fromkeys(name for row in rows for name in row))
    news = [row for row in rows if row.get("verdict") not in NO_NEWS]
    shown = news if len(rows) > DRIFT_ROWS else rows
    amount = f"{counted(len(rows) - len(shown), 'number')}{' more' if shown else ''}"
    said = f"{amount} are like training, or were not measured; metrics.json has all." if shown is not rows else ""
    return ReportTable(head, [[cell_text(row.get(name)) for name in head] for row in shown], len(head), said)
