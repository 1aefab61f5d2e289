"""What is said and drawn of how the settings of segment were found."""

import io

import numpy as np
from PIL import Image

from unet.evaluation.tuning_picture import class_sentences, plot_class_tuning, plot_tuning, tuning_sentences
from unet.settings.classes import class_colour
from unet.settings.segment import Segment

CURVE = [[0.4, 0.7, 1.2], [0.5, 0.8, None], [0.6, None, 1.0], [0.7, 0.75, 0.9]]
FOUND = {
    "threshold": 0.7,
    "min_size": 32,
    "declump_depth": 0.0,
    "metric": "mean_average_precision",
    "value": 0.8123,
    "at_default": 0.7,
    "part": "validation",
    "n": 1,
    "curve": CURVE,
}


def said(found, **settings):
    return " ".join(tuning_sentences(Segment(**settings), Segment(**settings).numbers(found or {}), found))


def test_a_plot_of_one_size_whatever_is_not_defined():
    for threshold in (0.7, 0.4):
        with Image.open(io.BytesIO(plot_tuning(FOUND, threshold))) as picture:
            assert picture.size == (960, 600)


def test_validation_is_said_to_have_chosen():
    words = said(FOUND)
    assert "made with threshold 0.7, min_size 32, declump_depth 0" in words
    assert "best by average precision over IoU 0.5 to 0.95, 0.812, where 0.5, 16, 0 give 0.700" in words
    assert "on the validation part (1 plane). So validation chose them" in words


def test_numbers_of_the_record_are_said_to_be_its_own():
    words = said(FOUND, threshold=0.4, min_size=32)
    assert "threshold is what dataset.yaml says, where 0.7 was found." in words
    assert "min_size is what dataset.yaml says." in words
    assert "Nothing" not in said(None, threshold=0.4, min_size=3, declump_depth=0)


def test_where_nothing_validates_or_nothing_was_found_it_is_said():
    assert "on the training part (4 planes), as no object validates" in said(FOUND | {"part": "training", "n": 4})
    assert "Nothing was found with this model for threshold, min_size, declump_depth" in said(None)


def test_curves_of_classes_are_in_their_colours_and_each_class_is_told():
    curve = [[0.1, 0.2, 1.4], [0.5, 0.8, 1.0], [0.9, None, None]]
    own = {"threshold": 0.5, "metric": "mean_average_precision", "value": 0.8, "curve": curve}
    found = {"by_class": {"nucleus": own, "mitosis": {}, "debris": own}}
    with Image.open(io.BytesIO(plot_class_tuning(found["by_class"], {"nucleus": 0.5}))) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for number, is_there in ((1, True), (2, False), (3, True)):
        colour = np.frombuffer(bytes.fromhex(class_colour(number)[1:]), np.uint8).astype(int)
        assert ((np.abs(pixels - colour).max(axis=1) <= 3).sum() > 20) == is_there
    said = class_sentences(Segment(), {"nucleus": Segment().numbers()}, found)
    assert said[0].endswith("found best by average precision over IoU 0.5 to 0.95: 0.800.")


def test_each_class_is_told_on_which_part_its_settings_were_found():
    numbers, rare = dict.fromkeys(("nucleus", "mitosis", "debris"), Segment().numbers()), {"part": "training", "n": 4}
    by_class = {"nucleus": FOUND, "mitosis": FOUND | rare}
    said = class_sentences(Segment(), numbers, FOUND | {"by_class": by_class})
    assert said[0].endswith("0.5 to 0.95: 0.812, where 0.5, 16, 0 give 0.700.")
    assert said[3].startswith("Those of nucleus were found on the validation part (1 plane). So validation chose them")
    assert said[4].startswith("Those of mitosis were found on the training part (4 planes), as no object validates")
    assert said[5].startswith("No object of debris was there to find any by")
    both = class_sentences(Segment(), {"nucleus": Segment().numbers()}, FOUND | {"by_class": by_class})
    assert both[1].startswith("They were found on the validation part")
