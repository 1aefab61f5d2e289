"""The tables and sentences of a report, planned as plain texts before any page is laid out."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from unet.evaluation.metrics import Metric
from unet.evaluation.object_errors import KINDS
from unet.evaluation.parts import PARTS
from unet.ledger.truth_findings import KINDS as TRUTH_KINDS
from unet.ledger.truth_findings import FindingSummary, TruthCheck, summarise
from unet.reports.report_words import counted, in_order, is_number, metric, number, plain_text, share
from unet.sources.stack_names import natural_order

BIG_FIGURES = 4
"""Metrics whose figures are shown large; all are in the table below them."""
PARTIAL = ("_split", "_merge")
"""How names of metrics end that are parts of another one: they stand in the table alone."""
ROWS = 500
"""Rows of the table of stacks; all are in metrics.json."""
ORDINARY = "touching"
"""What the check of truth counts, and nobody should call odd: cells touch."""

Entries = Mapping[str, Mapping[str, Any]]
Stacks = Mapping[str, Mapping[str, float | str | None]]


class Figure(NamedTuple):
    """One big number of the headline, ready to be shown."""

    metric: Metric
    text: str
    """The value, or `undefined`."""
    details: list[str]
    """Its interval, or why it is undefined."""
    bar: tuple[float, float, float] | None
    """Low, value and high in percent of the bar, which is 0 to 1."""


class PartHead(NamedTuple):
    """The head of a part's column."""

    name: str
    sizes: str
    """Such as `12 planes of 3 stacks`."""
    resampled: str
    """What intervals come of."""


class PartTable(NamedTuple):
    """The reviewer's table: a row a metric, a column a part."""

    heads: list[PartHead]
    rows: list[tuple[Metric, list[tuple[str, str]]]]
    """Of each metric a value and what belongs to it, for each part."""


def confidence(settings: Mapping[str, Any]) -> str:
    """Level of the intervals, in percent."""
    return f"{100 * float(settings.get('evaluate', {}).get('confidence', 0.95)):g} %"


def headline(metrics: Mapping[str, Entries], part: str | None) -> list[Figure]:
    """The big figures of a part, the most telling first.

    >>> entry = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 7}
    >>> [figure] = headline({"validation": {"iou": entry}}, "validation")
    >>> figure.text, figure.details, figure.bar
    ('0.900', ['0.800 – 1.000'], (80.0, 90.0, 100.0))
    """
    entries = metrics.get(part or "", {})
    whole = [name for name in in_order(entries) if not name.endswith(PARTIAL)]
    return [_figure(name, entries[name]) for name in whole[:BIG_FIGURES]]


def _figure(name: str, entry: Mapping[str, Any]) -> Figure:
    value, low, high = (entry.get(key) for key in ("value", "low", "high"))
    if not is_number(value):
        reason = "there is no plane with truth" if entry.get("n") == 0 else metric(name).undefined
        return Figure(metric(name), "undefined", [f"as {reason}"], None)
    if not (is_number(low) and is_number(high) and _has_interval(entry)):
        return Figure(metric(name), number(value), ["no interval"], _bar(value, value, value))
    return Figure(metric(name), number(value), [f"{number(low)} – {number(high)}"], _bar(low, value, high))


def _has_interval(entry: Mapping[str, Any]) -> bool:
    """Whether there is an interval; of one plane there is none."""
    return is_number(entry.get("low")) and is_number(entry.get("high")) and entry.get("n") != 1


def part_table(metrics: Mapping[str, Entries], resampled: Mapping[str, str], unit: str = "plane") -> PartTable:
    """Every metric by every part of the data, with its interval; and what each part is of.

    >>> entry = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 7, "stacks": 2}
    >>> table = part_table({"test": {"iou": entry}}, {"test": "stacks"})
    >>> table.heads[0].sizes, table.rows[0][1]
    ('7 planes of 2 stacks', [('0.900', '0.800 – 1.000')])
    """
    parts = [part for part in PARTS if metrics.get(part)]
    names = in_order({name for part in parts for name in metrics[part]})
    heads = [_part_head(part, metrics[part], resampled.get(part, ""), unit) for part in parts]
    most = {part: _most(metrics[part], "n") for part in parts}
    rows = [(metric(name), [_part_cell(metrics[part].get(name), most[part]) for part in parts]) for name in names]
    return PartTable(heads, rows)


def _part_head(part: str, entries: Entries, resampled: str, unit: str) -> PartHead:
    n, stacks = _most(entries, "n"), _most(entries, "stacks")
    sizes = counted(n, unit) + (f" of {counted(stacks, 'stack')}" if stacks else "")
    drawn = resampled.replace("plane", unit)
    return PartHead(part, sizes, f"intervals resample {drawn}" if drawn else "")


def _part_cell(entry: Mapping[str, Any] | None, most: int) -> tuple[str, str]:
    """A value with its interval, and on how many planes it was defined where that is fewer than there are."""
    if entry is None or not is_number(entry.get("value")):
        return ("–" if entry is None else "undefined", "")
    low, high, planes = entry.get("low"), entry.get("high"), entry.get("n")
    interval = f"{number(low)} – {number(high)}" if _has_interval(entry) else "no interval"
    fewer = f", n = {planes:g}" if is_number(planes) and planes < most else ""
    return number(entry["value"]), interval + fewer


def _most(entries: Entries, key: str) -> int:
    return max((int(value) for entry in entries.values() if is_number(value := entry.get(key))), default=0)


def count_rows(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Rows of parts: objects and segments, then each kind with its share of the objects (of segments: invented).

    >>> count_rows({"test": {"objects": 4, "segments": 5, "found": 3, "missed": 1, "invented": 1}})[0][1][2:]
    [('3', '75 %'), ('1', '25 %'), ('1', '20 %'), ('0', '0 %'), ('0', '0 %')]
    """
    rows = []
    for part in (part for part in PARTS if part in counts):
        of = counts[part]
        kinds = [(kind, of.get(kind, 0), of.get("segments" if kind == "invented" else "objects", 0)) for kind in KINDS]
        cells = [(f"{of.get(key, 0):,}", "") for key in ("objects", "segments")]
        rows.append((part, [*cells, *((f"{count:,}", share(count, whole)) for _, count, whole in kinds)]))
    return rows


def stack_rows(stacks: Stacks) -> list[tuple[str, str, list[tuple[str, float | None]]]]:
    """Rows of stacks: name, part, and a text and a bar in percent for every metric; the headline's first, then by name.

    Of very many the worst by the first metric are shown.
    """
    names = columns(stacks)
    shown = list(stacks.items())
    if len(shown) > ROWS and names:
        shown = sorted(shown, key=lambda stack: _or_more(stack[1].get(names[0])))[:ROWS]
    shown.sort(key=lambda stack: (_place(stack[1].get("part")), natural_order(stack[0])))
    return [(name, str(row.get("part", "")), [_cell(each, row.get(each)) for each in names]) for name, row in shown]


def _or_more(value: object) -> float:
    return value if is_number(value) else math.inf


def _place(part: object) -> int:
    """Place of a part, or of `validation and training`, among them."""
    found = [PARTS.index(word) for word in str(part).split(" and ") if word in PARTS]
    return min(found, default=len(PARTS))


def columns(stacks: Stacks) -> list[str]:
    """Metrics that at least one stack has, in the order of `METRICS`, others after them."""
    return in_order({name for row in stacks.values() for name in row} - {"part", "objects"})


def gaps(stacks: Stacks) -> list[str]:
    """Why metrics are undefined for some stacks: a sentence for each such metric; and whether rows are left out."""
    missing = [name for name in columns(stacks) if not all(is_number(row.get(name)) for row in stacks.values())]
    more = [f"These are the worst {ROWS:,} of {len(stacks):,} stacks; metrics.json has all."] * (len(stacks) > ROWS)
    return [*more, *(f"{metric(name).label} is undefined where {metric(name).undefined}." for name in missing)]


def checked(truth: Mapping[str, TruthCheck]) -> str:
    """How much truth was looked at, in a sentence, and how many objects touch; empty where none was.

    >>> checked({"a": TruthCheck(objects=1200, planes=1)})
    '1,200 objects in 1 plane of 1 stack were looked at as they were weighed.'
    """
    if not truth:
        return ""
    objects, planes = (sum(getattr(check, of) for check in truth.values()) for of in ("objects", "planes"))
    said = [counted(objects, "object"), counted(planes, "plane"), counted(len(truth), "stack")]
    touching = sum(getattr(check, ORDINARY).count for check in truth.values())
    ordinary = f" {touching:,} of them touch another, which is ordinary: weigh parts them." if touching else ""
    return f"{said[0]} in {said[1]} of {said[2]} were looked at as they were weighed.{ordinary}"


def odd_truth(truth: Mapping[str, TruthCheck]) -> list[FindingSummary]:
    """What looks like a slip in truth; that objects touch does not."""
    return [line for line in summarise(truth) if line.kind is not TRUTH_KINDS[ORDINARY]]


def sections(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Settings as text, by section; deeper ones get a dotted name, lists of them a number, single ones come last.

    >>> sections({"train": {"rate": 0.001, "validation": {"every": 5}}, "cluster": None})
    {'train': {'rate': '0.001', 'validation.every': '5'}, 'others': {'cluster': 'null'}}
    """
    found = {name: _flat(value) for name, value in settings.items() if isinstance(value, Mapping) and value}
    lists = {name: value for name, value in settings.items() if isinstance(value, list) and value}
    numbered = {
        f"{name}, {at}": {key: plain_text(each) for key, each in one.items() if each not in (None, "", False)}
        for name, value in lists.items()
        for at, one in enumerate(value, 1)
        if isinstance(one, Mapping)
    }
    told = {*found, *(name.rpartition(", ")[0] for name in numbered)}
    others = {name: plain_text(value) for name, value in settings.items() if name not in told}
    return found | numbered | ({"others": others} if others else {})


def _cell(name: str, value: object) -> tuple[str, float | None]:
    """A value as text, and in percent where it goes from 0 to 1, which a ratio of sizes does not."""
    if not is_number(value):
        return "undefined", None
    return number(value), None if metric(name).better == "" and metric(name).function else _percent(value)


def _bar(low: float, value: float, high: float) -> tuple[float, float, float]:
    return _percent(low), _percent(value), _percent(high)


def _percent(value: float) -> float:
    return round(100 * min(max(value, 0), 1), 1)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    lines: dict[str, str] = {}
    for name, value in values.items():
        lines |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: plain_text(value)}
    return lines
