"""What plots of a report are of: their numbers, their units, their colours; and nothing where there is nothing."""

import re

import numpy as np
import pytest

from tests.unet.reports.test_class_figures import figures
from unet.evaluation.contingency import contingency
from unet.reports.plot_sums import PlotSums
from unet.reports.report_plots import (
    SizeScale,
    plot_certainty,
    plot_classes,
    plot_precision,
    plot_size_ratios,
    plot_sizes,
    plot_thresholds,
    plot_training,
    running_mean,
    thinned,
)
from unet.settings.classes import class_colour

CURVE = [[0.4, 0.7, 1.2], [0.5, 0.8, None], [0.6, None, 1.0], [0.7, 0.75, 0.9]]
OWN = {"threshold": 0.5, "metric": "mean_average_precision", "value": 0.8, "curve": CURVE}
ROW = {"step": 1, "loss": 0.7, "validation_loss": None, "rate": 1e-3}
SUMS = PlotSums.of(contingency(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])))
NOTHING = PlotSums.of_segments([])


def test_precision_has_a_line_a_part():
    plot = plot_precision({"test": SUMS, "training": SUMS})
    assert plot.drawing.count('class="line"') == 2 + 2  # in the legend, too
    assert "overlap (IoU)" in plot.drawing
    assert plot_precision({"test": NOTHING}) is None


def test_sizes_are_in_the_unit_that_is_known():
    plot = plot_sizes(SUMS, SizeScale("µm²", 0.25))
    assert "size (µm²)" in plot.drawing
    assert ">truth<" in plot.drawing
    assert ">0.5<" in plot.drawing
    unjudged = plot_sizes(SUMS, SizeScale(), is_judged=False).drawing
    assert "truth" not in unjudged
    assert "objects" not in unjudged
    assert plot_sizes(NOTHING, SizeScale()) is None


def test_the_threshold_in_use_is_marked():
    both = plot_thresholds({"": OWN}, {"": 0.7})
    assert [plot.title for plot in both] == ["Over threshold", "Size over threshold"]
    assert all("in use: 0.7" in plot.drawing for plot in both)
    assert "AP over IoU 0.5 – 0.95" in both[0].drawing
    assert plot_thresholds({"": {"threshold": 0.5}}, {}) == []


def test_curves_of_classes_are_in_their_colours():
    plots = plot_thresholds({"nucleus": OWN, "mitosis": {}, "debris": OWN}, {"nucleus": 0.5})
    for number, is_there in ((1, True), (2, False), (3, True)):
        assert (class_colour(number) in plots[0].drawing) == is_there


def test_a_training_shows_its_losses_and_what_was_kept():
    history = [
        ROW | {"step": at, "loss": 1 / at, "validation_loss": 2 / at if at % 4 == 0 else None} for at in range(1, 21)
    ]
    [plot] = plot_training(history)
    assert "kept: step 20" in plot.drawing
    assert "weighted cross-entropy" in plot.drawing
    assert plot_training([]) == []
    assert plot_training([ROW])
    looks = [ROW | {"step": at, "validation_dice": {"nucleus": 0.5, "mitosis": None}} for at in (1, 2)]
    assert "Dice by class" in [plot.title for plot in plot_training(looks)]


def test_classes_have_their_colours_and_markers():
    drawn = plot_classes(figures()).drawing
    for number in (1, 2):
        assert class_colour(number) in drawn
    assert "pixel error" in drawn


def test_certainty_is_a_histogram():
    drawn = plot_certainty(np.array([0, 0, 3, 7])).drawing
    assert "mean score" in drawn
    assert plot_certainty(np.zeros(4, np.int64)) is None


def test_a_long_line_keeps_its_ends():
    points = [(float(at), float(at)) for at in range(5000)]
    assert (thinned(points)[0], thinned(points)[-1]) == (points[0], points[-1])
    assert len(thinned(points)) < 300
    assert thinned(points[:7]) == points[:7]


def test_the_running_mean_of_what_is_constant_is_that():
    assert running_mean(np.full(57, 0.3)) == pytest.approx([0.3] * 57)


def test_no_plot_asks_anybody():
    assert not re.search(r"https?:|url\(", plot_precision({"test": SUMS}).drawing)


def test_sizes_beside_those_of_objects_are_a_histogram_around_one():
    counts = np.zeros(20, np.int64)
    counts[10] = 7
    drawn = plot_size_ratios(counts).drawing
    assert "size of a segment ÷ of its object" in drawn
    assert "as large" in drawn
    assert plot_size_ratios(np.zeros(20, np.int64)) is None
