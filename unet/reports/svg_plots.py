"""Plots as SVG that stands in the page itself: it takes the page's colours, light, dark or printed, and no room.

Lines are told apart by colour, dash and marker, so that one who sees colours otherwise, or prints in grey, reads them
too. A plot is a legend, which flows as text does, and a drawing of at most 480 units across that grows with the page.
Everything that is written into it is escaped.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 12, 46
DASHES = ("", "7 4", "2 3", "9 3 2 3")
MARKERS = ("circle", "square", "triangle", "diamond")
COLOURS = ("var(--blue)", "var(--orange)", "var(--green)", "var(--purple)")
"""As the page's style has them, for light and for dark."""
DECIMALS = 1
"""Of coordinates: a tenth of a unit is less than a pixel."""
MARKED = 40
"""Points up to which each has a marker."""

Point = tuple[float, float | None]


class Axis(NamedTuple):
    """An axis from its low end to its high one, with the numbers that stand at it."""

    label: str
    """With the unit."""
    low: float
    high: float
    ticks: Sequence[float]
    is_log: bool = False

    def part(self, value: float) -> float:
        """Where a value lies, from 0 at the low end to 1 at the high one; beyond them at the end.

        >>> Axis("size", 1, 100, [1, 10, 100], is_log=True).part(10)
        0.5
        """
        low, high, at = (math.log(max(each, 1e-300)) if self.is_log else each for each in (self.low, self.high, value))
        return min(max((at - low) / (high - low), 0.0), 1.0)


class Series(NamedTuple):
    """One line: a point without a second number interrupts it."""

    name: str
    points: Sequence[Point]
    colour: str = ""
    """By default the next of `COLOURS`."""
    is_filled: bool = False
    """Whether what lies below it is shaded, as of a histogram."""
    has_markers: bool = True
    is_faint: bool = False
    """Whether it is drawn lighter, and never dashed."""


class Mark(NamedTuple):
    """A place along x that is told of, such as the threshold in use: a line across, and a word."""

    x: float
    word: str
    colour: str = "currentColor"


def linear_axis(label: str, low: float, high: float, count: int = 5) -> Axis:
    """An axis with about so many round numbers, that begins and ends at its limits.

    >>> linear_axis("IoU", 0, 1).ticks
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    high = high if high > low else low + 1
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * each for each in (1, 2, 2.5, 5) if power * each >= rough * 0.999), power * 10)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(at * step, 12) for at in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(label, low, high, ticks)


def count_axis(label: str, most: float) -> Axis:
    """An axis of counts, from 0: whole numbers alone.

    >>> count_axis("objects", 1.05).ticks, count_axis("objects", 12).ticks
    ([0.0, 1.0], [0.0, 5.0, 10.0])
    """
    axis = linear_axis(label, 0, most)
    return axis._replace(ticks=[tick for tick in axis.ticks if tick == round(tick)])


def log_axis(label: str, low: float, high: float) -> Axis:
    """A logarithmic axis with the numbers 1, 2 and 5 of each power of ten, or, of many powers, with these alone.

    >>> log_axis("size", 8, 300).ticks
    [10.0, 20.0, 50.0, 100.0, 200.0]
    """
    high = high if high > low else low * 2
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if len(powers) <= 4 else (1,)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
    return Axis(label, low, high, [tick for tick in ticks if low <= tick <= high], is_log=True)


def line_plot(said: str, x: Axis, y: Axis, series: Sequence[Series], marks: Sequence[Mark] = ()) -> Markup:
    """A legend and a drawing of some lines; `said` tells those what it shows who do not see it."""
    named = [each._replace(colour=each.colour or COLOURS[at % len(COLOURS)]) for at, each in enumerate(series)]
    drawn = [*_axes(x, y), *(_mark(mark, x) for mark in marks)]
    drawn += [part for at, each in enumerate(named) for part in _series(at, each, x, y)]
    return _legend(named) + _drawing(said, drawn, HEIGHT)


class Row(NamedTuple):
    """A row of an interval plot: its word, and of each series low, value and high, or nothing."""

    word: str
    ranges: Sequence[tuple[float, float, float] | None]


def interval_plot(said: str, x: Axis, rows: Sequence[Row], names: Sequence[str], colours: Sequence[str]) -> Markup:
    """A legend and a drawing of values with their intervals, a row each, its series one below the other."""
    step, left = 13, 120
    height = TOP + sum(len(row.ranges) * step + 12 for row in rows) + BOTTOM
    drawn, top = list(_x_axis(x, height, left)), TOP
    for row in rows:
        tall = len(row.ranges) * step
        drawn.append(_text(left - 8, top + tall / 2 + 4, row.word, "end"))
        for at, found in enumerate(row.ranges):
            drawn += _interval(found, x, top + (at + 0.5) * step, at, colours[at], left) if found else []
        top += tall + 12
    legend = [Series(name, [], colour, is_faint=True) for name, colour in zip(names, colours, strict=True)]
    return _legend(legend) + _drawing(said, drawn, height)


def _interval(found: tuple[float, float, float], x: Axis, y: float, at: int, colour: str, left: float) -> list[Markup]:
    low, value, high = (_across(x, each, left) for each in found)
    line = Markup('<path d="M{} {}H{}" style="--c:{}" class="range"/>').format(low, _short(y), high, colour)
    return [line, _marker(at, value, _short(y), colour)]


def _legend(series: Sequence[Series]) -> Markup:
    """What each line is; nothing where there is but one without a name."""
    if len(series) < 2 and not (series and series[0].name):
        return Markup()
    entries = [Markup("<span>{}{}</span>").format(_sample(at, each), each.name) for at, each in enumerate(series)]
    return Markup('<p class="legend">{}</p>').format(Markup().join(entries))


def _sample(at: int, series: Series) -> Markup:
    marker = _marker(at, 14, 6, series.colour) if series.has_markers else Markup()
    line = Markup('<path d="M1 6H27" class="line" style="--c:{}" stroke-dasharray="{}"/>').format(
        series.colour, _dash(at, series)
    )
    return Markup('<svg class="sample" viewBox="0 0 28 12" aria-hidden="true">{}{}</svg>').format(line, marker)


def _drawing(said: str, parts: Sequence[Markup], height: float) -> Markup:
    frame = '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    return Markup(frame).format(WIDTH, _short(height), said, Markup("\n").join(parts))


def _axes(x: Axis, y: Axis) -> Iterator[Markup]:
    """Lines across with the numbers of y, and the numbers of x, each axis with its label."""
    for tick in y.ticks:
        at = _up(y, tick)
        yield Markup('<path d="M{} {}H{}" class="grid-line"/>').format(LEFT, at, WIDTH - RIGHT)
        yield _text(LEFT - 8, at + 4, _number(tick), "end")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = '<text x="{0}" y="{1}" transform="rotate(-90 {0} {1})" text-anchor="middle" class="label">{2}</text>'
    yield Markup(turned).format(15, _short(middle), y.label)
    yield from _x_axis(x, HEIGHT, LEFT, is_grid=False)


def _x_axis(x: Axis, height: float, left: float, is_grid: bool = True) -> Iterator[Markup]:
    bottom = height - BOTTOM
    yield Markup('<path d="M{} {}H{}" class="axis-line"/>').format(left, bottom, WIDTH - RIGHT)
    for tick in x.ticks:
        at = _across(x, tick, left)
        top = TOP if is_grid else bottom + 4
        yield Markup('<path d="M{} {}V{}" class="grid-line"/>').format(at, top, bottom)
        yield _text(at, bottom + 18, _number(tick), "middle")
    yield _text((left + WIDTH - RIGHT) / 2, height - 8, x.label, "middle", "label")


def _series(at: int, series: Series, x: Axis, y: Axis) -> Iterator[Markup]:
    """A line with its gaps, what is below it, and its markers."""
    path, is_open = [], False
    known = [(a, b) for a, b in series.points if b is not None and math.isfinite(b)]
    for a, b in series.points:
        is_there = b is not None and math.isfinite(b)
        if b is not None and is_there:
            path.append(f"{'L' if is_open else 'M'}{_across(x, a)} {_up(y, b)}")
        is_open = is_there
    line = " ".join(path)
    if series.is_filled and known:
        floor, first, last = _up(y, y.low), _across(x, known[0][0]), _across(x, known[-1][0])
        area = '<path d="{}L{} {}L{} {}Z" class="area" style="--c:{}"/>'
        yield Markup(area).format(line, last, floor, first, floor, series.colour)
    kind = "line faint" if series.is_faint else "line"
    drawn = '<path d="{}" class="{}" style="--c:{}" stroke-dasharray="{}"/>'
    yield Markup(drawn).format(line, kind, series.colour, _dash(at, series))
    if series.has_markers and len(known) <= MARKED:
        yield from (_marker(at, _across(x, a), _up(y, b), series.colour) for a, b in known)


def _dash(at: int, series: Series) -> str:
    return "" if series.is_faint else DASHES[at % len(DASHES)]


def _mark(mark: Mark, x: Axis) -> Markup:
    at = _across(x, mark.x)
    anchor, aside = ("end", -5) if x.part(mark.x) > 0.5 else ("start", 5)
    line = '<path d="M{} {}V{}" class="mark" style="--c:{}"/>'
    word = _text(at + aside, TOP + 10, mark.word, anchor, "label")
    return Markup(line).format(at, TOP, HEIGHT - BOTTOM, mark.colour) + word


def _marker(at: int, x: float, y: float, colour: str) -> Markup:
    shapes = {
        "circle": f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
        "square": f"M{x - 3.5} {y - 3.5}h7v7h-7Z",
        "triangle": f"M{x} {y - 4.5}l4.5 8h-9Z",
        "diamond": f"M{x} {y - 5}l5 5l-5 5l-5 -5Z",
    }
    path = '<path d="{}" class="point" style="--c:{}"/>'
    return Markup(path).format(shapes[MARKERS[at % len(MARKERS)]], colour)


def _text(x: float, y: float, word: str, anchor: str, kind: str = "tick") -> Markup:
    written = '<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>'
    return Markup(written).format(_short(x), _short(y), anchor, kind, escape(word))


def _across(x: Axis, value: float, left: float = LEFT) -> float:
    return _short(left + x.part(value) * (WIDTH - RIGHT - left))


def _up(y: Axis, value: float) -> float:
    return _short(HEIGHT - BOTTOM - y.part(value) * (HEIGHT - BOTTOM - TOP))


def _short(value: float) -> float:
    return round(value, DECIMALS)


def _number(value: float) -> str:
    """A number as it stands at an axis.

    >>> _number(0.5), _number(20000.0), _number(1e-6)
    ('0.5', '20,000', '1e-06')
    """
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:g}"
