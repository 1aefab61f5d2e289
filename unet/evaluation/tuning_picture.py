"""How the settings of segment were found: a plot of the metric over the thresholds, and what to say of it."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from unet.evaluation.pictures import SEGMENTS_COLOUR, figure_png, hexadecimal, legend_label, new_figure
from unet.settings.classes import class_colour
from unet.settings.segment import AUTOMATIC, UNTUNED, Segment, SegmentNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {"mean_average_precision": "average precision over IoU 0.5 to 0.95", "average_precision": "AP at IoU 0.5"}
"""What metrics are called where their own name does not say it."""
BLUE = "#0072b2"
WIDE = 24
"""Letters of a line beside an axis, so that none stand beside its neighbour."""


def plot_tuning(found: Mapping[str, Any], threshold: float) -> bytes:
    """PNG of the metric and of the size ratio over the thresholds, with the one in use, and the best, marked.

    Args:
        found: as model.json keeps it: the settings, `metric` and `curve`, rows of threshold, value and size ratio.
        threshold: the one that segments are made with.
    """
    figure = new_figure(8, 5)
    values, ratios = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _plot_column(values, found["curve"], 1, BLUE)
    _plot_column(ratios, found["curve"], 2, hexadecimal(SEGMENTS_COLOUR))
    ratios.axhline(1, color="0.6", linewidth=0.8)
    for axes in (values, ratios):
        axes.axvline(threshold, color="0.2", linewidth=1, linestyle="--")
    values.text(threshold, 1.01, f"in use: {threshold:g}", transform=values.get_xaxis_transform(), ha="center")
    if found["threshold"] != threshold:
        values.plot(found["threshold"], found["value"], "o", mfc="none", mec="0.2", ms=12, label="found")
        values.legend(frameon=False)
    values.set_ylabel(_name(found["metric"]))
    ratios.set(xlabel="threshold of the scores", ylabel="size of segments\n÷ of objects")
    figure.align_ylabels()
    return figure_png(figure)


def plot_class_tuning(found: Mapping[str, Mapping[str, Any]], thresholds: Mapping[str, float]) -> bytes:
    """PNG of the same curves of several classes, each in its colour, with the threshold in use of each.

    Args:
        found: of each class by its name, in order, as `plot_tuning` has it; nothing of one of which nothing was found.
        thresholds: of each class the one that its segments are made with, if they are.
    """
    figure = new_figure(8, 5)
    values, ratios = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    ratios.axhline(1, color="0.6", linewidth=0.8)
    for number, (name, own) in enumerate(found.items(), 1):
        for column, axes in enumerate((values, ratios) if "curve" in own else (), 1):
            label = legend_label(name) if axes is values else None
            _plot_column(axes, own["curve"], column, class_colour(number), label)
            if name in thresholds:
                axes.axvline(thresholds[name], color=class_colour(number), linewidth=1, linestyle="--")
    metrics = dict.fromkeys(fill(_name(own["metric"]), WIDE) for own in found.values() if "metric" in own)
    values.set_ylabel("\n".join(metrics))
    ratios.set(xlabel="threshold of the scores; dashed: in use", ylabel="size of segments\n÷ of objects")
    figure.legend(loc="outside upper left", ncols=6, frameon=False)
    figure.align_ylabels()
    return figure_png(figure)


def _plot_column(
    axes: "Axes", curve: Sequence[Sequence[float | None]], column: int, colour: str, label: str | None = None
) -> None:
    points = np.array([(row[0], row[column]) for row in curve], float)
    axes.plot(points[:, 0], points[:, 1], "o-", color=colour, markersize=4, label=label)


def tuning_sentences(settings: Segment, numbers: SegmentNumbers, found: Mapping[str, Any] | None) -> list[str]:
    """Which settings segments were made with, and where those that are `auto` come from.

    >>> tuning_sentences(Segment(threshold=0.6), Segment(threshold=0.6).numbers(), None)[1][:48]
    'Nothing was found with this model for min_size, '
    """
    used = ", ".join(f"{name} {getattr(numbers, name):g}" for name in AUTOMATIC)
    said = [f"Segments are made with {used}."]
    if settings.automatic:
        said += [_found(found) if found else _not_found(settings)]
    for name in AUTOMATIC:
        if name not in settings.automatic:
            instead = f", where {found[name]:g} was found" if found and found[name] != getattr(numbers, name) else ""
            said += [f"{name} is what dataset.yaml says{instead}."]
    return said


def class_sentences(
    settings: Segment, numbers: Mapping[str, SegmentNumbers], found: Mapping[str, Any] | None
) -> list[str]:
    """Which settings segments of each class were made with, and where those that are `auto` come from.

    >>> class_sentences(Segment(), {"nucleus": SegmentNumbers()}, None)[0]
    'Segments of nucleus are made with threshold 0.5, min_size 16, declump_depth 0.'
    """
    said, by_class = [], (found or {}).get("by_class", {})
    for name, own in numbers.items():
        used = ", ".join(f"{each} {getattr(own, each):g}" for each in AUTOMATIC)
        best = by_class.get(name, {})
        value = f"; found best by {_name(best['metric'])}: {_value(best)}" if "metric" in best else ""
        said.append(f"Segments of {name} are made with {used}{value if settings.automatic else ''}.")
    if settings.automatic and by_class:
        said += _found_of_classes(tuple(numbers), by_class)
    elif settings.automatic:
        said += [_found(found) if found and "metric" in found else _not_found(settings)]
    return said


def _found_of_classes(names: Sequence[str], by_class: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where the settings of each class were found; of one of which nothing was, whose settings it has."""
    places: dict[tuple[str, int], list[str]] = {}
    for name, own in ((name, by_class[name]) for name in names if "part" in by_class.get(name, {})):
        places.setdefault((own["part"], own["n"]), []).append(name)
    for (part, planes), here in places.items():
        who = "They" if len(here) == len(names) else f"Those of {', '.join(here)}"
        yield f"{who} were found {_chosen_on(part, planes)}"
    if without := ", ".join(name for name in names if not by_class.get(name)):
        yield f"No object of {without} was there to find any by: those of the class of the most objects serve instead."


def _found(found: Mapping[str, Any]) -> str:
    best = f"found best by {_name(found['metric'])}, {_value(found)}"
    return f"They were {best}, {_chosen_on(found['part'], found['n'])}"


def _value(found: Mapping[str, Any]) -> str:
    """What the metric is with the settings that were found, beside what it is with the usual ones."""
    usual, numbers = found.get("at_default"), ", ".join(f"{value:g}" for value in UNTUNED.values())
    return f"{found['value']:.3f}" + ("" if usual is None else f", where {numbers} give {usual:.3f}")


def _chosen_on(part: str, number: int) -> str:
    planes = f"{number} plane{'' if number == 1 else 's'}"
    if part == "validation":
        return (
            f"on the validation part ({planes}). So validation chose them, as it chose the checkpoint: new images will "
            "be segmented a little less well than its figures say."
        )
    return f"on the training part ({planes}), as no object validates: new images may need others."


def _not_found(settings: Segment) -> str:
    return (
        f"Nothing was found with this model for {', '.join(settings.automatic)}: these are the usual ones; "
        "`unet-flows tune` finds those that serve the truth of this dataset."
    )


def _name(metric: str) -> str:
    return NAMES.get(metric, metric.replace("_", " "))
