"""The settings of weigh: where the border term ends, and what an article's preset gives."""

import math

import pytest

from unet.settings.record import Record, plain
from unet.settings.weigh import BorderWeights, Weigh


def test_a_cutoff_leaves_out_only_weights_below_the_tolerance():
    border = BorderWeights(w0=10, sigma=5, tolerance=1e-3)
    assert border.w0 * math.exp(-(border.cutoff**2) / (2 * border.sigma**2)) == pytest.approx(border.tolerance)
    assert BorderWeights(w0=0).cutoff == BorderWeights(w0=1e-4).cutoff == 0


def test_a_preset_gives_an_articles_settings_and_what_the_section_names_wins():
    falk = Record.read({"weigh": {"preset": "falk2019", "sigma": 7}}).weigh
    assert (falk.w0, falk.sigma, falk.edge_weight, falk.gap_width, falk.class_weights) == (50, 7, 0.9, 1, (0.1, 1))
    assert Record.read({"weigh": plain(falk)}).weigh == falk
    assert Record.read({"weigh": {"preset": "paper2015"}}).weigh == Weigh()
