"""What is said of how the settings of segment were found."""

from unet.reports.tuning_words import class_sentences, tuning_sentences
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


def test_each_class_says_what_was_found_best_of_it():
    found = {"by_class": {"nucleus": FOUND, "mitosis": {}}}
    assert "0.5 to 0.95: 0.812" in class_sentences(Segment(), {"nucleus": Segment().numbers()}, found)[0]


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
