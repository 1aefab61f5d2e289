"""Laws of a fold: prepared, done and scored, it has the figures that its segments and the challenge's truth have."""

import numpy as np
import pytest
import tifffile

from flows.planning.benchmark_plan import plan_benchmark
from tasks.benchmark import prepare_fold, score_fold, write_table
from tests import drawn_benchmarks as draw
from unet.benchmarks.order import BenchmarkOrder
from unet.dataset.folder import Dataset
from unet.evaluation.metrics import average_precision, mean_average_precision
from unet.store.opened_dataset import open_dataset


@pytest.fixture
def made(tmp_path, stage):
    """Makes all folds without Prefect; the order, and the table's values."""

    def make(name, folder, folds="2"):
        order = BenchmarkOrder(name, str(folder), str(tmp_path / "to"), "default", None, folds, tuple(draw.QUICK))
        plan = plan_benchmark(order)
        for of in plan.folds:
            prepare_fold.fn(order, plan.units, of.fold)
            outcomes = stage.all(order.dataset(of.fold))
            assert {outcome.state for outcome in outcomes} == {"done"}
            score_fold.fn(order, plan.units, of.fold)
        return order, write_table.fn(order, [of.fold for of in plan.folds])

    return make


def test_pictures_are_scored_one_by_one_and_their_mean_is_taken(made, tmp_path):
    order, result = made("dsb2018", draw.pictures(tmp_path / "a"))
    values = {"mean_average_precision": [], "average_precision": []}
    for fold in ("fold-1-of-2", "fold-2-of-2"):
        opened = open_dataset(str(tmp_path / f"to/folds/{fold}"))
        for stack in opened.stacks:
            if "truth" in opened.labels(stack):
                continue
            truth = tifffile.imread(tmp_path / f"a/label/{stack}.tif")
            found = np.asarray(opened.segments(stack)).squeeze()
            values["mean_average_precision"].append(mean_average_precision(truth, found))
            values["average_precision"].append(average_precision(truth, found))
    for name, of in values.items():
        assert len(of) == 4
        assert result["figures"][name]["ours"] == pytest.approx(np.mean(of))
    assert [fold["trained_on"] for fold in result["folds"]] == [2, 2]
    assert all(fold["steps"] == 4 and fold["minutes"] >= fold["training_minutes"] > 0 for fold in result["folds"])
    assert plan_benchmark(order).is_done


def test_sections_are_scored_by_scores_at_one_threshold_for_all(made, tmp_path):
    _, result = made("isbi2012", draw.isbi_volume(tmp_path / "a"))
    ids = draw.drawn(6)[1]
    cells = draw.membranes(ids) > 0
    found = []
    for fold in ("fold-1-of-2", "fold-2-of-2"):
        scores = np.asarray(open_dataset(str(tmp_path / f"to/folds/{fold}")).scores("tested"))
        found.append(scores.reshape(3, *scores.shape[-2:]))
    scores = np.concatenate(found) / 255
    errors = []
    for step in range(11):
        white = scores > sum([0.1] * step)
        both = np.count_nonzero(white & cells)
        errors.append(1 - 2 * both / (np.count_nonzero(white) + np.count_nonzero(cells)))
    assert result["figures"]["pixel_error"]["ours"] == pytest.approx(min(errors))
    assert result["figures"]["pixel_error"]["n"] == 6
    text = (tmp_path / "to/reproduce.md").read_text()
    assert "V_rand" in text
    assert "nan" not in text


def test_sequences_are_scored_in_full_and_their_masks_are_written(made, tmp_path):
    folder = draw.tracking(tmp_path / "a")
    order, result = made("phc-u373", folder, "")
    assert set(result["figures"]) == {"seg", "det", "op_csb"}
    assert result["figures"]["seg"]["n"] > 0
    for name in ("01", "02"):
        masks = [tifffile.imread(tmp_path / f"to/{name}_RES/mask{frame:03d}.tif") for frame in range(4)]
        segments = np.asarray(open_dataset(str(tmp_path / f"to/folds/{name}-tested")).segments(name))
        assert all(((mask > 0) == (plane > 0)).all() for mask, plane in zip(masks, segments, strict=True))
    assert any("nothing is tracked" in note for note in result["notes"])
    assert any("01 is tested by what gold truth of 2 frames of 02 trained" in note for note in result["notes"])
    assert plan_benchmark(order).is_done


def test_a_file_that_is_no_label_leaves_nothing_half_made(tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    path = folder / "label/00.tif"
    tifffile.imwrite(path, tifffile.imread(path).astype(np.float32))
    order = BenchmarkOrder("isbi2012", str(folder), str(tmp_path / "to"), "default", None, "2")
    plan = plan_benchmark(order)
    with pytest.raises(ValueError, match=r"label/00\.tif must hold labels in whole numbers, got float32"):
        prepare_fold.fn(order, plan.units, plan.folds[1].fold)
    assert not Dataset(str(tmp_path / "to/folds/fold-2-of-2")).record.exists()
    assert not order.made(plan.folds[1].fold).exists()
