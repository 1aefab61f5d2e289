"""Laws of what a run would take: bytes bound what is written, rates are past ones, what would not fit is refused."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import stage_run
from flows.planning.estimate import estimate
from flows.planning.plan import make_plan
from tasks.execution.batches import batched
from unet.dataset.record_file import read_record, set_values
from unet.ledger.outcome import STAGES
from unet.ledger.results import image_of


def estimated(dataset, **how):
    record = read_record(dataset)
    plan = make_plan(dataset, record, **how)
    return estimate(record, plan, plan.pending())


def by_stage(cost, name):
    return {stage: of.bytes for (stage, of_name), of in cost.costs.items() if of_name == name}


def test_nothing_is_known_of_how_long_the_first_run_takes(make):
    dataset = make({"a": (np.zeros((64, 64), np.uint16), np.zeros((64, 64), np.uint8))})
    cost = estimated(dataset)
    assert {stage for stage, _ in cost.costs} == set(STAGES)
    assert {of.seconds for (stage, _), of in cost.costs.items() if stage != "train"} == {None}
    assert cost.costs["train", "unet"].seconds == 60 * read_record(dataset).train.minutes  # it ends within them
    assert cost.seconds is None
    files = by_stage(cost, "a")["weigh"]
    assert files >= 64 * 64 * 5  # the file has a head beside its pixels


def test_past_results_tell_how_long_it_takes_again_in_proportion(dataset):
    cost = estimated(dataset, force="ingest")
    assert {stage for stage, _ in cost.costs} == set(STAGES)
    assert cost.seconds == sum(of.seconds for of in cost.costs.values()) > 0
    set_values(dataset, {"train.steps": 400})
    longer = estimated(dataset, force="ingest")
    assert longer.costs["train", "unet"].seconds == pytest.approx(10 * cost.costs["train", "unet"].seconds)
    set_values(dataset, {"train.minutes": 1e-3})
    assert estimated(dataset, force="ingest").costs["train", "unet"].seconds == 0.06
    image_of(dataset, "c").amend({"shape": [20, 64, 64]})
    assert estimated(dataset, force="segment").costs["segment", "c"].seconds == pytest.approx(
        10 * cost.costs["segment", "a"].seconds, rel=1.0
    )


def test_bytes_are_those_of_the_arrays_unpacked(dataset):
    pixels = 2 * 64 * 64
    assert by_stage(estimated(dataset, force="ingest"), "a") == {
        "ingest": round((2 + 4) * pixels * 4 / 3),
        "weigh": 5 * pixels,
        "predict": round(pixels * 4 / 3),
        "segment": round(4 * pixels * 4 / 3),
    }


def test_what_takes_the_place_of_a_result_needs_room_for_one(dataset):
    set_values(dataset, {"segment.threshold": 0.37})
    cost = estimated(dataset)
    assert 0 < cost.room <= cost.packed / 3 + 1
    for name in "abc":
        dataset.labels(name, "unet").remove()
    again = estimated(dataset)
    assert {work for work, _ in again.costs} == {"segment", "evaluate"}
    assert again.room == again.packed > 0


CARDS = (
    "images/b.ome.zarr",
    "images/b.ome.zarr/labels/truth",
    "images/b.ome.zarr/labels/unet",
    "weights/b.zarr",
    "scores/unet/b.ome.zarr",
    "models/unet",
    "reports/unet",
)
DAMAGES = {"cut": lambda text: text[:-20], "misspelt": lambda text: re.sub(r'"(shape|seconds|steps)"', '"other"', text)}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("result", CARDS)
def test_metadata_that_is_damaged_tells_nothing_of_the_past_and_stops_no_run(dataset, result, how):
    (card,) = (
        file for file in (Path(dataset.url) / result).glob("*.json") if file.stem in ("zarr", "model", "metrics")
    )
    card.write_text(DAMAGES[how](card.read_text()))
    estimated(dataset)
    (Path(dataset.url).parent / "files/image/b.ome.tif").unlink()
    estimated(dataset)
    assert estimated(dataset, force="segment").bytes > 0


def test_a_run_that_would_not_fit_says_what_it_needs_and_what_there_is(dataset, monkeypatch):
    cost = estimated(dataset, force="ingest")
    cost.require_room()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    words = r"the disk must have about .* free for \d+ results, got 1.0 kB; free some, move the dataset, or narrow"
    with pytest.raises(OSError, match=words):
        estimated(dataset, force="ingest").require_room()
    estimated(dataset).require_room()  # nothing is to be done


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 2 * stage_run.BATCH_BYTES)))
def test_batches_hold_every_name_once_in_order_and_keep_their_bounds(sizes):
    batches = batched(sizes, stage_run.BATCH_BYTES, stage_run.BATCH_STACKS)
    assert [name for batch in batches for name in batch] == list(sizes)
    for batch in batches:
        assert 1 <= len(batch) <= stage_run.BATCH_STACKS
        assert len(batch) == 1 or sum(sizes[name] for name in batch) <= stage_run.BATCH_BYTES


def test_ten_thousand_small_stacks_are_some_hundred_task_runs_a_stage():
    sizes = {f"s{n}": 10**6 for n in range(10_000)}
    assert len(batched(sizes, stage_run.BATCH_BYTES, stage_run.BATCH_STACKS)) == 157
