"""Plots as PNG, for where no page draws them: how training went, and figures of other rooms.

Figures are `matplotlib.figure.Figure` objects; pyplot is never imported, as its global state is not safe in threads.
"""

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import isfinite, nan
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unet.reports.pictures import SEGMENTS_COLOUR, encoded, hexadecimal
from unet.settings.classes import class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_training(history: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of the loss on training samples and on the validation part, and of the learning rate, over the steps.

    A row of `history` is one step: `{"step", "loss", "validation_loss" or None, "rate"}`. The least validation loss
    is marked, as its parameters are those kept. Of several classes rows have `validation_dice` by their names, too, and
    a curve of each is drawn between.
    """
    if not history:
        raise ValueError("history must hold at least one step, got none; train the model first")
    looks = [row for row in history if row.get("validation_dice")]
    figure = new_figure(8, 7 if looks else 5)
    losses, *dice, rates = figure.subplots(
        3 if looks else 2, 1, sharex=True, height_ratios=(4, 2, 1) if looks else (4, 1)
    )
    steps = np.array([row["step"] for row in history])
    _plot_losses(losses, steps, history)
    for axes in dice:
        _plot_dice(axes, looks)
    rates.plot(steps, [row["rate"] for row in history], color="0.35", linewidth=1.5)
    rates.set(xlabel="step of the optimiser", ylabel="learning rate", ylim=(0, None))
    rates.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    figure.align_ylabels()
    return figure_png(figure)


def _plot_losses(axes: "Axes", steps: NDArray[Any], history: Sequence[Mapping[str, Any]]) -> None:
    loss = np.array([row["loss"] for row in history], float)
    axes.plot(steps, loss, color=hexadecimal(SEGMENTS_COLOUR), alpha=0.3, linewidth=0.8)
    axes.plot(
        steps, _running_mean(loss), color=hexadecimal(SEGMENTS_COLOUR), linewidth=2, label="training (running mean)"
    )
    seen = [(row["step"], row["validation_loss"]) for row in history if _is_number(row.get("validation_loss"))]
    if seen:
        step, least = min(seen, key=itemgetter(1))
        axes.plot(*zip(*seen, strict=True), "o-", color="#0072b2", linewidth=2, markersize=4, label="validation")
        axes.scatter(
            step, least, 150, facecolor="none", edgecolor="0.2", zorder=3, label=f"kept: step {step}, {least:.3g}"
        )
    axes.set_ylabel("weighted cross-entropy")
    if (loss > 0).any():
        _log_scale(axes)
    axes.legend(frameon=False)


def _plot_dice(axes: "Axes", looks: Sequence[Mapping[str, Any]]) -> None:
    """Dice of each class over the looks at the validation part, in the class's colour."""
    for number, name in enumerate(looks[0]["validation_dice"], start=1):
        seen = [(row["step"], row["validation_dice"][name]) for row in looks]
        values = [nan if value is None else value for _, value in seen]
        colour = class_colour(number)
        label = legend_label(name)
        axes.plot([step for step, _ in seen], values, "o-", color=colour, linewidth=2, markersize=4, label=label)
    axes.set(ylabel="Dice of validation", ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower right", ncols=4)


def _log_scale(axes: "Axes") -> None:
    """Sets a logarithmic y axis with ticks at 1, 2 and 5, written as plain numbers."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")


def _is_number(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over a window of 1/20 of the values, shorter at the ends."""
    window = np.ones(max(1, len(values) // 20))
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches, at 120 pixels an inch."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=120, layout="constrained")


def figure_png(figure: "Figure") -> bytes:
    """PNG of a figure, the same bytes for the same figure."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Glyph", UserWarning
        )  # a name in Chinese has boxes here, and is whole elsewhere
        figure.savefig(buffer, format="png", metadata={"Software": None})
    with Image.open(buffer) as image:
        return encoded(image.convert("RGB").quantize(256, dither=Image.Dither.NONE))


def legend_label(name: str) -> str:
    r"""A name as a legend shows it letter by letter: what lies between dollars is no formula, and `_` hides none.

    >>> legend_label("$x$"), legend_label("_a")
    ('\\$x\\$', ' _a')
    """
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")
