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


TRUTH = [{"images": "a", "truth": "b", "foreground": "classes", "classes": {1: "nucleus", 2: "mitosis"}}]


def test_weights_of_classes_by_name_are_those_in_order():
    by_name = Record.read({"sources": TRUTH, "weigh": {"class_weights": {"mitosis": 3, "nucleus": 2, "background": 1}}})
    in_order = Record.read({"sources": TRUTH, "weigh": {"class_weights": [1, 2, 3]}})
    assert by_name.weigh.weights_of(by_name.classes) == in_order.weigh.weights_of(in_order.classes) == (1, 2, 3)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1, 2], "class_weights must be 3 numbers, of background, nucleus, mitosis, got 2"),
        (
            {"background": 1, "nucleus": 1},
            "class_weights must be of background, nucleus, mitosis, got none for mitosis",
        ),
        ({"background": 1, "nucleus": 1, "mitosis": 1, "debris": 1}, "got 'debris'; name one of them"),
        ({"background": 0, "nucleus": 0, "mitosis": 0}, "class_weights must be numbers ≥ 0, of background and of"),
        ("much", "class_weights: must be a list of numbers, background first, or numbers by the names of classes"),
    ],
)
def test_weights_of_other_classes_are_refused_in_one_sentence(given, says):
    with pytest.raises(ValueError, match=f"dataset.yaml: weigh.*{says}"):
        Record.read({"sources": TRUTH, "weigh": {"class_weights": given}})


def test_without_classes_there_is_one_called_object():
    assert Record.read({"weigh": {"class_weights": {"object": 2, "background": 1}}}).weigh.weights_of(("object",)) == (
        1,
        2,
    )
