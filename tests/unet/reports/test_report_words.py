"""Numbers and names as they stand in a report."""

import math

import pytest

from unet.evaluation.metrics import METRICS
from unet.reports.report_words import cell_text, in_order, is_number, metric, number, plain_text


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1.000"), (1e-5, "1e-05"), (None, "undefined"), (math.nan, "undefined")]
)
def test_numbers_are_short_and_never_vanish(value, text):
    assert number(value) == text


def test_metrics_stand_in_their_order_and_unknown_ones_come_last_by_name():
    assert in_order({"zeal", "iou", "seg", "a_new_one"}) == ["seg", "iou", "a_new_one", "zeal"]
    assert metric("a_new_one").label == "a new one"
    assert metric("seg") is METRICS["seg"]


def test_cells_and_settings_are_words():
    assert [cell_text(each) for each in (None, 0.123456, 7, "x", (0.1, 2))] == ["–", "0.1235", "7", "x", "0.1 – 2"]
    assert [plain_text(each) for each in ("µm", None, [1, "a"])] == ["µm", "null", '[1, "a"]']
    assert [is_number(each) for each in (1, 0.5, True, math.inf, None, "1")] == [True, True, False, False, False, False]
