"""Laws of the table: ours less the paper's, the best where the paper has none, and what must be known to read it."""

import math

from unet.benchmarks.published import benchmark_of
from unet.benchmarks.table import as_markdown, compared


def result(name, figures):
    fold = {"name": "fold-1-of-5", "steps": 4000, "minutes": 5.0, "training_minutes": 3.0}
    return {
        "benchmark": name,
        "title": benchmark_of(name).title,
        "remark": benchmark_of(name).remark,
        "recipe": "default",
        "settings": {"train.minutes": 3},
        "figures": compared(benchmark_of(name), figures),
        "folds": [fold, fold | {"name": "fold-2-of-5"}],
        "hardware": ["2 cores of a machine"],
        "notes": ["84 masks in 02_RES"],
    }


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"][2:]


def test_the_difference_is_to_the_paper_else_to_the_best():
    text = as_markdown(result("phc-u373", {"seg": {"value": 0.9103, "n": 1234}, "det": {"value": 1.0, "n": 2000}}))
    assert rows(text) == [
        ["SEG ↑", "0.9203", "0.9310", "0.9103", "-0.0100", "1,234"],
        ["DET ↑", "–", "0.9900", "1.0000", "+0.0100", "2,000"],
    ]
    assert "Best known: CALT-US." in text
    assert "the difference is that to the best known" in text
    assert "cross-validation on its training data" in text
    assert "6.0 minutes of training, 10.0 in all, on 2 cores of a machine." in text
    assert "train.minutes=3" in text
    assert "84 masks in 02_RES" in text


def test_figures_from_memory_are_marked_and_small_errors_keep_their_digits():
    figures = {"warping_error": {"value": 0.000412, "n": 30, "threshold": 0.4}, "v_rand": {"value": 0.96, "n": 30}}
    text = as_markdown(result("isbi2012", figures))
    assert rows(text)[0] == ["warping error (board) ↓, at 0.4", "0.000353", "0.000353", "0.000412", "+0.000059", "30"]
    assert rows(text)[1][1] == "≈ 0.9730"
    assert "≈: from memory" in text
    assert "0 where everything is membrane" in text


def test_what_is_not_defined_is_a_dash():
    text = as_markdown(result("dsb2018", {"average_precision": {"value": math.nan, "n": 0}}))
    assert rows(text) == [["AP at IoU 0.5 ↑", "–", "–", "–", "–", "0"]]
    assert "secret" not in text
