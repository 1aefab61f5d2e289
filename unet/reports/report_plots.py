"""The plots of a report: what each is of, how its axes are called and in which unit, and what is said below it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from unet.evaluation.metrics import METRICS
from unet.evaluation.object_scores import OVERLAPS, SIZE_RATIOS
from unet.reports.class_figures import ClassFigures
from unet.reports.plot_sums import BINS, PlotSums, bin_edges
from unet.reports.svg_plots import Axis, Mark, Row, Series, count_axis, interval_plot, line_plot, linear_axis, log_axis
from unet.settings.classes import class_colour

METRIC_NAMES = {
    "mean_average_precision": "average precision over IoU 0.5 to 0.95",
    "average_precision": "AP at IoU 0.5",
}
"""What metrics are called in a sentence where their own name does not say it."""
AXIS_NAMES = {"mean_average_precision": "AP over IoU 0.5 – 0.95"}
"""The same at an axis, where there is less room."""
FEW_OBJECTS = 2000
"""Objects below which bins of the size histogram are taken two by two."""
DRAWN = 240
"""Points of a line at most: more would not be seen."""


class ReportPlot(NamedTuple):
    """One plot, ready to be shown."""

    title: str
    drawing: Markup
    caption: str


class SizeScale(NamedTuple):
    """What the size of an object is shown in."""

    unit: str = "pixels"
    """Such as `µm²`."""
    of_pixel: float = 1.0
    """How many of these one pixel has."""


def plot_precision(by_part: Mapping[str, PlotSums]) -> ReportPlot | None:
    """Average precision over the overlap from which on an object counts as found, a line a part of the data."""
    known = {part: sums.precision_over_iou() for part, sums in by_part.items() if sums.planes}
    series = [Series(part, _pairs(OVERLAPS, values)) for part, values in known.items()]
    if not series:
        return None
    x, y = linear_axis("overlap (IoU) above which an object is found", 0.5, 0.95, 9), _share("average precision")
    said = f"average precision over the overlap, of {', '.join(each.name for each in series)}"
    return ReportPlot(
        "Average precision over IoU",
        line_plot(said, x, y, series),
        "How many objects are found when a closer match is asked for. A line that stays high to the right has exact "
        "outlines; one that falls early finds objects, but not their edges.",
    )


def plot_sizes(sums: PlotSums, scale: SizeScale, is_judged: bool = True) -> ReportPlot | None:
    """Histogram of the sizes of segments, and of true objects where there is truth."""
    both = [("truth", sums.object_sizes)] if is_judged else []
    both = [*both, ("segments", sums.segment_sizes)]
    whole = np.sum([counts for _, counts in both], axis=0)
    if not whole.any():
        return None
    edges, step = bin_edges() * scale.of_pixel, 2 if whole.sum() < FEW_OBJECTS else 1
    first, last = np.flatnonzero(whole)[[0, -1]] // step * step
    series = [
        Series(name, _steps(edges, counts, int(first), int(last), step), "", name == "segments", has_markers=False)
        for name, counts in both
    ]
    most = max(value for each in series for _, value in each.points if value is not None)
    x = log_axis(f"size ({scale.unit})", float(edges[first]), float(edges[min(last + step, BINS)]))
    counted = "objects" if is_judged else "segments"
    words = "What segments lack on the left was too small to be found or kept; what they have beyond truth is merged."
    return ReportPlot(
        "Sizes",
        line_plot(f"how many {counted} there are of each size, of {', '.join(name for name, _ in both)}", x,
                  count_axis(counted, most * 1.05), series),
        words if is_judged else "Sizes of all segments. A crowd of small ones is often noise or fragments.",
    )  # fmt: skip


def plot_size_ratios(counts: NDArray[np.int64]) -> ReportPlot | None:
    """Histogram of the sizes of segments beside those of the objects that they match."""
    if not counts.any():
        return None
    corners = [(float(edge), float(counts[at])) for at in range(len(counts)) for edge in SIZE_RATIOS[at : at + 2]]
    x, y = log_axis("size of a segment ÷ of its object", 0.5, 2), count_axis("objects", counts.max() * 1.05)
    x = x._replace(ticks=[0.5, 0.7, 1, 1.4, 2])
    series = [Series("", corners, is_filled=True, has_markers=False)]
    words = (
        "Of objects that were found. A heap left of 1: segments are too small, as with a threshold that is too high."
    )
    drawn = line_plot("sizes of segments beside those of their objects", x, y, series, [Mark(1, "as large")])
    return ReportPlot("Size of segments beside their objects", drawn, words)


def plot_thresholds(found: Mapping[str, Mapping[str, Any]], used: Mapping[str, float]) -> list[ReportPlot]:
    """The metric over the thresholds, and the size of segments over them, a line a class; "" is the only one's name.

    Args:
        found: of each class as model.json keeps it: `metric` and `curve`, rows of threshold, value and size ratio.
        used: the threshold with which segments of each class are made.
    """
    curves = {name: own["curve"] for name, own in found.items() if "curve" in own}
    if not any(curves.values()):
        return []
    colours = {name: class_colour(at) if name else "" for at, name in enumerate(found, 1)}
    marks = [Mark(used[name], f"in use: {used[name]:g}" if not name else "", colours[name] or "currentColor")
             for name in curves if name in used]  # fmt: skip
    ends = [float(row[0]) for curve in curves.values() for row in curve]
    x = linear_axis("threshold of the scores", min(ends), max(ends))
    metric = " / ".join(
        dict.fromkeys(
            AXIS_NAMES.get(own["metric"], metric_name(own["metric"])) for own in found.values() if "curve" in own
        )
    )
    columns = [[Series(name, [(row[0], row[at]) for row in curve], colours[name]) for name, curve in curves.items()]
               for at in (1, 2)]  # fmt: skip
    highest = max((value for each in columns[1] for _, value in each.points if value is not None), default=1.0)
    return [
        ReportPlot("Over threshold", line_plot(f"{metric} over the threshold", x, _share(metric), columns[0], marks),
                   "How good segments would be with another threshold and the same other settings. A broad summit is a "
                   "safe one."),
        ReportPlot("Size over threshold",
                   line_plot("size of segments over the threshold", x,
                             linear_axis("size of segments ÷ of objects", 0, max(highest, 1) * 1.1), columns[1],
                             marks),
                   "How large segments would be beside the objects they match: at 1 they are as large."),
    ]  # fmt: skip


def plot_training(history: Sequence[Mapping[str, Any]]) -> list[ReportPlot]:
    """Loss over the steps of training, and Dice of each class where there are several."""
    if not history:
        return []
    steps = [float(row["step"]) for row in history]
    x = linear_axis("step of the optimiser", 0 if len(steps) > 1 else steps[0], steps[-1])
    smooth = running_mean(np.array([row["loss"] for row in history], float))
    seen = [(row["step"], row["validation_loss"]) for row in history if row.get("validation_loss") is not None]
    least = min((each for each in seen if math.isfinite(each[1])), key=lambda each: each[1], default=None)
    series = [Series("training, running mean", thinned(_pairs(steps, smooth)), has_markers=False)]
    series += [Series("validation", thinned(seen))] if seen else []
    plots = [
        ReportPlot(
            "Loss",
            line_plot("loss over the steps of training", x, _loss_axis(series), series,
                      [Mark(least[0], f"kept: step {least[0]:,}")] if least else []),
            "Validation that rises while training falls means that the model learns its training planes by heart.",
        )
    ]  # fmt: skip
    looks = [row for row in history if row.get("validation_dice")]
    return [*plots, *([_plot_dice(looks, x)] if looks else [])]


def _plot_dice(looks: Sequence[Mapping[str, Any]], x: Axis) -> ReportPlot:
    names = list(looks[0]["validation_dice"])
    lines = {name: [(row["step"], row["validation_dice"][name]) for row in looks] for name in names}
    series = [Series(name, points, class_colour(at)) for at, (name, points) in enumerate(lines.items(), 1)]
    said = line_plot("Dice of each class over the steps", x, _share("Dice of validation"), series)
    return ReportPlot("Dice by class", said, "How well pixels of each class are told, plane by plane of validation.")


def plot_classes(figures: ClassFigures) -> ReportPlot:
    """Each metric by class, with its interval, each class in its colour."""
    metrics = [name for name in figures.measured if METRICS[name].better]  # a ratio of sizes goes beyond 1
    ranges = {name: [_range(figures.metrics[of][name]) for of in figures.names] for name in metrics}
    rows = [Row(METRICS[name].label, found) for name, found in ranges.items()]
    colours = [class_colour(at) for at in range(1, len(figures.names) + 1)]
    drawn = interval_plot("metrics by class", linear_axis("value", 0, 1), rows, figures.names, colours)
    return ReportPlot("Metrics by class", drawn, "Each with its confidence interval.")


def metric_name(metric: str) -> str:
    """What a metric is called in a sentence or at an axis."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def running_mean(values: NDArray[np.float64]) -> list[float]:
    """Mean over a window of 1/20 of the values, shorter at the ends."""
    window = np.ones(max(1, len(values) // 20))
    mean = np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
    return [float(each) for each in mean]


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float | None]]:
    """Points of a line, at most `DRAWN` of them, evenly spread, with the first and the last."""
    if len(points) <= DRAWN:
        return list(points)
    return [points[round(at)] for at in np.linspace(0, len(points) - 1, DRAWN)]


def _steps(
    edges: NDArray[np.float64], counts: NDArray[np.int64], first: int, last: int, step: int
) -> list[tuple[float, float | None]]:
    """Corners of a histogram from one bin to another, so many bins taken together."""
    corners: list[tuple[float, float | None]] = []
    for at in range(first, last + 1, step):
        height = float(counts[at : at + step].sum())
        corners += [(float(edges[at]), height), (float(edges[min(at + step, BINS)]), height)]
    return corners


def _loss_axis(series: Sequence[Series]) -> Axis:
    values = [v for each in series for _, v in each.points if v is not None and math.isfinite(v)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    label = "weighted cross-entropy"
    return log_axis(label, low * 0.9, high * 1.1) if low > 0 else linear_axis(label, 0, high * 1.05)


def _share(label: str) -> Axis:
    return linear_axis(label, 0, 1)


def _range(entry: Mapping[str, Any]) -> tuple[float, float, float] | None:
    value = entry["value"]
    if value is None or not math.isfinite(value):
        return None
    low, high = entry.get("low"), entry.get("high")
    return (value if low is None else low, value, value if high is None else high)


def _pairs(xs: Sequence[float] | NDArray[np.float64], ys: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def plot_certainty(counts: NDArray[np.int64]) -> ReportPlot | None:
    """Histogram of the mean scores of segments, in bins from 0 to 1."""
    if not counts.any():
        return None
    edges = np.linspace(0, 1, len(counts) + 1)
    first = int(np.flatnonzero(counts)[0])
    corners = [(float(edge), float(counts[at])) for at in range(first, len(counts)) for edge in edges[at : at + 2]]
    x, y = linear_axis("certainty (mean score)", 0, 1), linear_axis("segments", 0, counts.max() * 1.05)
    series = [Series("", corners, is_filled=True, has_markers=False)]
    words = "How sure the model is of its segments. Many on the left: look at them, or draw some truth there."
    return ReportPlot("Certainty", line_plot("segments by their mean score", x, y, series), words)
