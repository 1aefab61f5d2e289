"""The report on a model: one HTML page, read on a phone or printed, that asks no server for anything.

The page is planned here as plain figures and texts (`headline`, `stack_rows`, `sections`) and laid out in
`report.html.jinja`, which decides nothing. Names of stacks are data of strangers: everything is escaped, and a content
policy in the page forbids scripts and requests. Plots are PNG files beside the page, or data URLs.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import quote

from unet.evaluation.class_figures import ClassFigures
from unet.evaluation.metrics import METRICS, Metric
from unet.evaluation.parts import headline_part
from unet.ledger.truth_findings import TruthCheck, summarise
from unet.sources.stack_names import natural_order


class ReportPicture(NamedTuple):
    """One picture of the gallery."""

    title: str
    """Such as `best: stack-1, plane 3, average precision 0.93`."""
    path: str
    """Relative to the page, or a data URL."""
    caption: str = ""


@dataclass(frozen=True)
class Report:
    """What is known about a model, as plain values: the fields of `metrics.json`, and what goes with them."""

    model: str
    made: str
    """ISO date, with or without a time."""
    metrics: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    """`{"validation" | "training": {METRIC: {"value", "low", "high", "n"}}}`; n counts planes."""
    stacks: Mapping[str, Mapping[str, float | str | None]]
    """`{NAME: {"part": "validation" | "training", METRIC: value}}`."""
    pictures: Sequence[ReportPicture] = ()
    curve: str | None = None
    """Path of the plot of training."""
    seen: Sequence[ReportPicture] = ()
    """What training saw: weights of one plane, augmented samples."""
    objects: Sequence[str] = ()
    """How scores became objects: a sentence on the settings of segment, and more on where they come from."""
    tuning: str | None = None
    """Path of the plot by which they were found."""
    truth: Mapping[str, TruthCheck] = field(default_factory=dict)
    """What the check of each stack's truth found."""
    settings: Mapping[str, Any] | None = None
    """The run record, section by section."""
    architecture: Mapping[str, Any] | None = None
    classes: ClassFigures | None = None
    """Figures of each class of objects, of the part that is shown; None where there is but one."""
    class_plot: str | None = None
    """Path of the plot of these."""
    notes: Sequence[str] = ()
    """Warnings, shown above everything else."""
    next_steps: Sequence[str] = ()
    """Commands to go on with."""

    def __post_init__(self) -> None:
        """Refuse pictures that would be fetched from elsewhere, or not be found once the folder has moved."""
        for path in [
            *(picture.path for picture in (*self.pictures, *self.seen)),
            self.curve,
            self.tuning,
            self.class_plot,
        ]:
            if path and not path.startswith("data:") and ("://" in path or path.startswith("/")):
                raise ValueError(
                    f"pictures must be relative paths or data URLs, got {path!r}; save it beside the report"
                )


class Figure(NamedTuple):
    """One big number of the headline, ready to be shown."""

    metric: Metric
    text: str
    """The value, or `undefined`."""
    details: list[str]
    """Its interval and n, or why it is undefined; then its value on the training part."""
    bar: tuple[float, float, float] | None
    """Low, value and high in percent of the bar, which is 0 to 1."""


def render_report(report: Report) -> str:
    """HTML page of a report: figures of validation first, then pictures, stacks and settings; everything is escaped."""
    from jinja2 import Environment, StrictUndefined

    page = files("unet.evaluation").joinpath("report.html.jinja").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"url": _url, "metric": metric}
    part = shown_part(report)
    return environment.from_string(page).render(
        report=report,
        part=part,
        figures=headline(report, part),
        columns=columns(report),
        table=stack_rows(report),
        gaps=gaps(report),
        truth=summarise(report.truth),
        checked=checked(report),
        sections=sections({**(report.settings or {}), "architecture": report.architecture or {}}),
    )


def shown_part(report: Report) -> str | None:
    """The part whose figures are the headline; None without truth."""
    return headline_part([part for part, figures in report.metrics.items() if figures])


def headline(report: Report, part: str | None) -> list[Figure]:
    """The big figures of a part, the most telling first.

    >>> entry = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 7}
    >>> [figure] = headline(Report("unet", "2025-01-01", {"validation": {"iou": entry}}, {}), "validation")
    >>> figure.text, figure.details
    ('0.900', ['95 %: 0.800 – 1.000', 'n = 7 planes'])
    """
    entries = report.metrics.get(part or "", {})
    level = float((report.settings or {}).get("evaluate", {}).get("confidence", 0.95))
    other = report.metrics.get("training", {}) if part != "training" else {}
    return [_figure(name, entries[name], level, other.get(name, {}).get("value")) for name in _in_order(entries)]


def _figure(name: str, entry: Mapping[str, float | None], level: float, training: float | None) -> Figure:
    value, low, high, planes = (entry.get(key) for key in ("value", "low", "high", "n"))
    details = [f"training: {number(training)}"] if _is_number(training) else []
    if not _is_number(value):
        reason = "there is no plane with truth" if planes == 0 else metric(name).undefined
        return Figure(metric(name), "undefined", [f"as {reason}", *details], None)
    details.insert(0, f"n = {planes:g} plane{'' if planes == 1 else 's'}" if _is_number(planes) else "n unknown")
    if not (_is_number(low) and _is_number(high)):
        return Figure(metric(name), number(value), ["no interval", *details], _bar(value, value, value))
    interval = f"{100 * level:g} %: {number(low)} – {number(high)}"
    return Figure(metric(name), number(value), [interval, *details], _bar(low, value, high))


def stack_rows(report: Report) -> list[tuple[str, str, list[tuple[str, float | None]]]]:
    """Rows of stacks: name, part, and a text and a bar in percent for every metric; headline first, then by name."""
    names, headline = columns(report), shown_part(report)
    order = sorted(report.stacks.items(), key=lambda stack: (stack[1].get("part") != headline, natural_order(stack[0])))
    return [(name, str(row.get("part", "")), [_cell(row.get(metric)) for metric in names]) for name, row in order]


def columns(report: Report) -> list[str]:
    """Metrics that at least one stack has, in the order of `METRICS`, others after them."""
    return _in_order({name for row in report.stacks.values() for name in row} - {"part", "objects"})


def gaps(report: Report) -> list[str]:
    """Why metrics are undefined for some stacks: a sentence for each such metric."""
    missing = [name for name in columns(report) if not all(_is_number(row.get(name)) for row in report.stacks.values())]
    return [f"{metric(name).label} is undefined where {metric(name).undefined}." for name in missing]


def checked(report: Report) -> str:
    """How much truth was looked at, in a sentence; empty where none was.

    >>> checked(Report("unet", "2025-01-01", {}, {}, truth={"a": TruthCheck(objects=1200, planes=1)}))
    '1,200 objects in 1 plane of 1 stack were looked at as they were weighed.'
    """
    if not report.truth:
        return ""
    objects, planes = (sum(getattr(check, of) for check in report.truth.values()) for of in ("objects", "planes"))
    amounts = {"object": objects, "plane": planes, "stack": len(report.truth)}
    said = [f"{amount:,} {noun}{'' if amount == 1 else 's'}" for noun, amount in amounts.items()]
    return f"{said[0]} in {said[1]} of {said[2]} were looked at as they were weighed."


def sections(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Settings as text, by section; deeper ones get a dotted name, those outside a section come last.

    >>> sections({"train": {"rate": 0.001, "validation": {"every": 5}}, "cluster": None})
    {'train': {'rate': '0.001', 'validation.every': '5'}, 'others': {'cluster': 'null'}}
    """
    found = {name: _flat(value) for name, value in settings.items() if isinstance(value, Mapping) and value}
    others = {name: _plain(value) for name, value in settings.items() if not isinstance(value, Mapping)}
    return {**found, "others": others} if others else found


def metric(name: str) -> Metric:
    """How a metric is shown; one that is not in `METRICS` is shown by its name alone."""
    return METRICS.get(name) or Metric(None, name.replace("_", " "), "", "", "it is 0/0")


def number(value: float | None) -> str:
    """Three decimals, more for small values.

    >>> number(0.9), number(0.00123), number(0), number(float("nan"))
    ('0.900', '0.00123', '0.000', 'undefined')
    """
    if not _is_number(value):
        return "undefined"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"


def _in_order(names: Iterable[str]) -> list[str]:
    order = {name: place for place, name in enumerate(METRICS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _cell(value: object) -> tuple[str, float | None]:
    return (number(value), _percent(value)) if _is_number(value) else ("undefined", None)


def _bar(low: float, value: float, high: float) -> tuple[float, float, float]:
    return _percent(low), _percent(value), _percent(high)


def _percent(value: float) -> float:
    return round(100 * min(max(value, 0), 1), 1)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    lines: dict[str, str] = {}
    for name, value in values.items():
        lines |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: _plain(value)}
    return lines


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _url(path: str) -> str:
    """A path as a link has it: names may hold `#`, `?`, `%` and blanks."""
    return path if path.startswith("data:") else quote(path)
