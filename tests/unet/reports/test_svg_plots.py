"""Plots are whole SVG in the page's colours: what is drawn lies within, gaps are gaps, names are data."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from unet.reports.svg_plots import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Axis,
    Mark,
    Row,
    Series,
    interval_plot,
    line_plot,
    linear_axis,
    log_axis,
)

X, Y = linear_axis("threshold", 0, 1), linear_axis("precision", 0, 1)
FINITE = st.floats(-1e6, 1e6)


def parsed(drawn):
    return ElementTree.fromstring(f"<div>{drawn}</div>")


@given(FINITE, st.floats(1e-3, 1e6))
def test_numbers_of_an_axis_lie_within_it_and_are_few(low, span):
    axis = linear_axis("x", low, low + span)
    assert 1 <= len(axis.ticks) <= 12
    slack = span * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= tick <= low + span + slack for tick in axis.ticks)


@given(st.floats(1e-6, 1e6), st.floats(1.5, 1e6))
def test_a_logarithmic_axis_has_its_ends_at_its_ends(low, factor):
    axis = log_axis("size", low, low * factor)
    assert axis.part(low) == 0
    assert abs(axis.part(low * factor) - 1) < 1e-9
    assert all(low <= tick <= low * factor for tick in axis.ticks)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 2) | st.none()), max_size=30))
def test_whatever_the_points_the_drawing_is_whole_and_nothing_lies_outside(points):
    drawn = parsed(line_plot("said", X, Y, [Series("a", sorted(points, key=lambda point: point[0]))]))
    for path in drawn.iter("path"):
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d", "")):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT


def test_a_point_that_is_not_there_interrupts_the_line():
    drawn = line_plot("said", X, Y, [Series("a", [(0, 0.1), (0.5, None), (1, 0.3)], has_markers=False)])
    [line] = [
        path.get("d") for path in parsed(drawn).iter("path") if path.get("class") == "line" and "L" not in path.get("d")
    ][-1:]
    assert line.count("M") == 2


def test_lines_are_told_apart_without_their_colours():
    drawn = parsed(line_plot("said", X, Y, [Series(name, [(0, 0.5), (1, 0.5)]) for name in "abcd"]))
    [plot] = [each for each in drawn.iter("svg") if each.get("class") == "plot"]
    dashes = [path.get("stroke-dasharray") for path in plot.iter("path") if path.get("class") == "line"]
    assert len(set(dashes)) == 4
    shapes = {re.sub(r"[\d. -]+", "", path.get("d")) for path in plot.iter("path") if path.get("class") == "point"}
    assert len(shapes) == 4


def test_axes_marks_and_legends_are_named_and_the_drawing_says_what_it_shows():
    drawn = line_plot("precision over threshold", X, Y, [Series("a", [(0, 0)]), Series("b", [])], [Mark(0.4, "in use")])
    words = " ".join(parsed(drawn).itertext())
    assert all(word in words for word in ("threshold", "precision", "in use", "a", "b"))
    assert 'role="img" aria-label="precision over threshold"' in drawn


def test_names_are_data():
    evil = "<script>\"'&"
    axis = Axis(evil, 0, 1, [0, 1])
    for drawn in (
        line_plot(evil, axis, axis, [Series(evil, [(0, 0)]), Series(evil, [])], [Mark(0, evil)]),
        interval_plot(evil, axis, [Row(evil, [None, (0.1, 0.2, 0.3)])], [evil, evil], ["red", "blue"]),
    ):
        assert "<script" not in drawn
        assert evil in " ".join(parsed(drawn).itertext())


def test_intervals_begin_and_end_where_they_do():
    drawn = parsed(interval_plot("said", X, [Row("IoU", [(0.25, 0.5, 1.0), None])], ["a", "b"], ["red", "blue"]))
    [interval] = [path.get("d") for path in drawn.iter("path") if path.get("class") == "range"]
    low, _, high = (float(each) for each in re.findall(r"[\d.]+", interval))
    left = WIDTH - RIGHT - (WIDTH - RIGHT - low) / 0.75
    assert left > LEFT
    assert high == WIDTH - RIGHT
