"""Laws of plots as PNG: training is plotted whatever its steps were, and names of classes are no formulas."""

import sys

import numpy as np
import pytest

from tests.unet.reports.test_pictures import decode
from unet.reports.pictures import SEGMENTS_COLOUR
from unet.reports.png_plots import plot_training

ROW = {"step": 1, "loss": 0.5, "validation_loss": None, "rate": 1e-3}


@pytest.mark.parametrize(
    "history",
    [
        [ROW],
        [ROW | {"step": n, "validation_loss": 1 / n, "loss": 2 / n} for n in range(1, 50)],
        [ROW | {"loss": float("nan"), "validation_loss": float("nan")}],
        [ROW | {"loss": 0.0}],
    ],
)
def test_training_is_plotted_from_the_first_step_on(history):
    assert decode(plot_training(history)).shape == (600, 960, 3)


def test_dice_of_several_classes_is_plotted_too():
    """A class that is not there at a look has a gap there."""
    looks = [{**ROW, "step": n, "validation_dice": {"nucleus": n / 10, "mitosis": None}} for n in (1, 5, 9)]
    shown = decode(plot_training([ROW, *looks]))
    assert shown.shape == (840, 960, 3)
    assert (np.abs(shown.astype(int) - SEGMENTS_COLOUR).max(-1) < 20).sum() > 100


def test_names_of_classes_are_no_formulas_and_none_is_hidden():
    """A formula that is none ends the plot, and a legend of hidden names alone is warned of."""
    for name in ("_", "$\\x$", "$a$ $b", "\\$", "\N{CJK UNIFIED IDEOGRAPH-540D}"):
        shown = decode(plot_training([{**ROW, "validation_dice": {name: 0.5}}]))
        assert shown.shape == (840, 960, 3)


def test_no_history_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        plot_training([])


def test_pyplot_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it now fails
    assert decode(plot_training([ROW])).any()
