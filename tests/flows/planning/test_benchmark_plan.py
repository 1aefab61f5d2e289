"""Laws of a benchmark's plan: what is made and of now is not made again, and what changed is seen."""

import os

import pytest

from flows.planning.benchmark_plan import plan_benchmark
from tests import drawn_benchmarks as draw
from unet.benchmarks.order import BenchmarkOrder


@pytest.fixture
def order(tmp_path):
    """An order of pictures, of which nothing is made."""
    return BenchmarkOrder("dsb2018", str(draw.pictures(tmp_path / "a")), str(tmp_path / "to"), "default", 3.0, "2")


def prepared(order):
    from tasks.benchmark import prepare_fold

    plan = plan_benchmark(order)
    for of in plan.folds:
        prepare_fold.fn(order, plan.units, of.fold)
    return plan


def test_at_first_all_is_to_be_made_and_nobody_knows_how_long(order, tmp_path):
    plan = plan_benchmark(order)
    assert [of.words for of in plan.folds] == ["never made"] * 2
    assert not plan.is_done
    lines = list(plan.lines())
    assert any("2 trainings of 3 minutes at most each" in line for line in lines)
    assert not (tmp_path / "to").exists()


def test_a_network_of_the_paper_without_minutes_says_what_that_means(order):
    lines = list(plan_benchmark(BenchmarkOrder("dsb2018", order.data, order.to)).lines())
    assert any("20,000 steps" in line for line in lines)
    assert "--recipe default" in lines[-1]


def test_what_is_prepared_has_results_to_make(order):
    prepared(order)
    plan = plan_benchmark(order)
    assert [of.is_prepared for of in plan.folds] == [True] * 2
    assert all(of.pending and of.words.endswith("results to make") for of in plan.folds)


def test_other_settings_and_other_data_are_seen(order, tmp_path):
    prepared(order)
    other = BenchmarkOrder("dsb2018", order.data, order.to, "default", 4.0, "2")
    assert [of.words for of in plan_benchmark(other).folds] == ["its data or its settings changed"] * 2
    os.utime(tmp_path / "a/label/001.tif", (1, 1))
    assert not any(of.is_prepared for of in plan_benchmark(order).folds)


def test_other_folds_are_others(order):
    prepared(order)
    assert [of.words for of in plan_benchmark(BenchmarkOrder("dsb2018", order.data, order.to, folds="4")).folds] == [
        "never made"
    ] * 4


def test_a_folder_of_another_benchmark_is_refused(order, tmp_path):
    (order.place / "order.json").write_json({"benchmark": "isbi2012"})
    with pytest.raises(ValueError, match=r"must be of dsb2018, got .* of isbi2012"):
        plan_benchmark(order)


def test_a_setting_that_is_none_is_refused_before_anything_is_written(order, tmp_path):
    with pytest.raises(ValueError, match="stepps is no setting"):
        plan_benchmark(BenchmarkOrder("dsb2018", order.data, order.to, changes=("train.stepps=3",)))
    assert not (tmp_path / "to").exists()
