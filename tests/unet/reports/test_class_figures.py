"""What a report says of classes: each count in its cell, the mean of the classes that there are, one colour a class."""

from dataclasses import replace

import numpy as np
import pytest

from unet.evaluation.confusion import Confusion
from unet.evaluation.metrics import METRICS
from unet.reports.class_figures import ClassFigures
from unet.settings.classes import class_colour


def entry(value, n=4):
    return {"value": value, "low": value and value - 0.1, "high": value and value + 0.05, "n": n}


def figures():
    metrics = {
        "nucleus": {name: entry(0.8) for name in METRICS},
        "mitosis": {name: entry(0.6) for name in METRICS},
        "debris": {name: entry(None, 0) for name in METRICS} | {"pixel_error": entry(0.0)},
    }
    table = Confusion(np.array([[90, 5, 0], [2, 8, 0], [0, 0, 0]]), np.array([1, 2, 0]), np.array([4, 3, 0]))
    return ClassFigures(tuple(metrics), metrics, table)


def test_the_mean_is_over_the_classes_that_truth_or_segments_have():
    mean = figures().mean
    assert mean["average_precision"] == {"value": pytest.approx(0.7), "n": 2}
    assert mean["pixel_error"]["n"] == 2


def test_plain_values_hold_all_by_name():
    plain = figures().plain()
    assert plain["class_counts"]["nucleus"] == {"objects": 96, "segments": 96}
    assert plain["confusion"]["matched"]["mitosis"] == {"nucleus": 2, "mitosis": 8, "debris": 0}
    assert plain["confusion"]["missed"] == {"nucleus": 1, "mitosis": 2, "debris": 0}
    assert plain["confusion"]["confused"] == pytest.approx(7 / 105)
    assert set(plain["classes"]) == {"nucleus", "mitosis", "debris"}
    matched = sum(sum(row.values()) for row in plain["confusion"]["matched"].values())
    assert matched + 3 == sum(each["objects"] for each in plain["class_counts"].values())


def test_tables_have_a_row_a_class_in_its_colour():
    head, rows = figures().metric_rows()
    assert [row.name for row in rows] == ["nucleus", "mitosis", "debris", "mean over classes"]
    assert [row.colour for row in rows] == [*map(class_colour, (1, 2, 3)), ""]
    assert all(len(row.cells) + 1 == len(head) for row in rows)
    head, rows = figures().confusion_rows()
    assert rows[1].cells == ["2", "8", "0", "2"]
    assert rows[-1].cells == ["4", "3", "0", ""]
    assert "7 (6.7 %)" in figures().sentence()


def test_a_class_that_is_not_segmented_counts_in_no_mean_and_is_said_to_be_left_out():
    some = replace(figures(), left_out=("mitosis",))
    assert some.mean["average_precision"] == {"value": pytest.approx(0.8), "n": 1}
    _, rows = some.metric_rows()
    assert rows[1].name == "mitosis (not segmented)"
    assert set(rows[1].cells[2:]) == {"–"}
