"""Laws of an order: what cannot be meant is refused in a sentence; settings are the recipe's and what is said."""

import os
from pathlib import Path

import pytest

from tests import drawn_benchmarks as draw
from unet.benchmarks.folds import folds_of
from unet.benchmarks.layouts import find_units
from unet.benchmarks.order import BenchmarkOrder


def test_settings_are_the_recipes_and_what_is_said_besides_wins():
    assert BenchmarkOrder("dsb2018", "data", "to", "default").settings() == {}
    assert BenchmarkOrder("dsb2018", "data", "to").settings() == {"train.preset": "paper2015"}
    said = BenchmarkOrder(
        "isbi2012", "data", "to", minutes=3, changes=("train.minutes=4", "segment.threshold=0.5")
    ).settings()
    assert said == {
        "train.preset": "paper2015",
        "predict.test_time_augmentation": 8,  # as the paper has it for this benchmark
        "train.minutes": 4,
        "segment.threshold": 0.5,
    }


WRONG = {
    "no data": ({"data": ""}, "its data are at"),
    "an address": ({"data": "s3://lab/isbi"}, "must be folders on this machine"),
    "no time": ({"minutes": 0.0}, "--minutes must be > 0"),
    "within its data": ({"to": "data/out"}, "must lie outside of --data"),
    "unknown": ({"name": "cremi"}, "must be one of isbi2012"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant_is_refused(case):
    values, said = WRONG[case]
    with pytest.raises((LookupError, ValueError), match=said):
        BenchmarkOrder(**{"name": "isbi2012", "data": "data", "to": "to"} | values)


def test_files_are_of_another_day_where_one_of_them_or_the_fold_changes(tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    order = BenchmarkOrder("isbi2012", str(folder), str(tmp_path / "to"))

    def wanted(count):
        (unit,) = find_units(order.benchmark, folder)
        fold = folds_of(order.benchmark, [unit], {unit.name: 6}, count)[0]
        return order.wanted({unit.name: unit}, fold)

    before = wanted("2")
    assert wanted("2") == before
    assert wanted("3")["files"] != before["files"]
    os.utime(Path(folder / "label/03.tif"), (1, 1))
    assert wanted("2")["files"] != before["files"]


def test_data_that_moved_are_the_same(tmp_path):
    seen = []
    folder = draw.pictures(tmp_path / "a")
    for _ in range(2):
        order = BenchmarkOrder("dsb2018", str(folder), str(tmp_path / "to"))
        units = {unit.name: unit for unit in find_units(order.benchmark, folder)}
        (fold, _) = folds_of(order.benchmark, list(units.values()), dict.fromkeys(units, 1), "2")
        seen.append(order.wanted(units, fold))
        folder = folder.rename(tmp_path / "b")
    assert seen[0] == seen[1]
