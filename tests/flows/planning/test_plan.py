"""Law of the plan: a result is fresh exactly while its recipe holds, and what is stale says why."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import tifffile

from flows.planning.plan import make_plan, require_known, require_stage
from flows.planning.session import Session
from flows.planning.training_set import training_stacks
from unet.dataset.folder import Folder
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger import recipes
from unet.ledger.found_settings import found_with
from unet.ledger.outcome import STAGES, set_aside
from unet.ledger.recipes import ingest_recipe
from unet.ledger.results import image_of, labels_of, model_of, report_of, weights_of
from unet.ledger.truth_findings import TruthCheck
from unet.settings import record as records
from unet.sources.stacks import Stack

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
VERSIONED = {stage: getattr(records, stage.capitalize()) for stage in STAGES}
FOLLOW = {
    "ingest": set(STAGES),
    "weigh": set(STAGES) - {"ingest"},
    "train": {"train", "predict", "segment", "evaluate"},
    "predict": {"predict", "segment", "evaluate"},
    "segment": {"segment", "evaluate"},
    "evaluate": {"evaluate"},
}


def plan_of(dataset, **how):
    return make_plan(dataset, read_record(dataset), **how)


def whys(plan):
    return {(work.stage, work.name): work.why for work in plan.pending()}


def test_a_second_run_has_nothing_to_do(dataset, stage):
    plan = plan_of(dataset)
    assert plan.pending() == []
    assert plan.set_aside() == []
    assert plan.notes == ()
    assert {of for of, _ in plan.statuses} == set(STAGES)
    assert stage.all(dataset) == []


@pytest.mark.parametrize("left", [None, b"{"])
@pytest.mark.parametrize("kind", ["image", "truth"])
def test_metadata_that_is_lost_with_its_source_is_told(dataset, kind, left):
    result = image_of(dataset, "a") if kind == "image" else labels_of(dataset, "a", "truth")
    card = result.folder / "zarr.json"
    card.remove() if left is None else card.write(left)
    whole = read_record(dataset)
    for source in whole.sources:
        for folder in (source.images, source.truth):
            (Path(dataset.url) / str(folder) / "a.ome.tif").unlink()
    status = plan_of(dataset).statuses["ingest", "a"]
    assert (status.state, status.why) == (
        "set aside",
        f"{card.url} missing or damaged, and its source is gone: put it back",
    )


def test_a_model_without_metadata_is_trained_again_but_never_over_one_that_was_brought_in(dataset):
    model = model_of(dataset, "unet")
    (model.folder / "model.json").write(b"{")
    assert plan_of(dataset).statuses["train", "unet"].state == "stale"
    (model.folder / "model.json").remove()
    assert plan_of(dataset).statuses["train", "unet"].state == "missing"
    for name in model.folder.names():
        (model.folder / name / "checkpoints").remove()
    status = plan_of(dataset).statuses["train", "unet"]
    assert status.state == "set aside"
    assert "model.json is lost or damaged, and there is no checkpoint: put it back" in status.why


def test_a_changed_setting_makes_stale_what_it_touches_and_says_so(dataset, stage):
    found = found_with(dataset, "unet")["threshold"]
    set_values(dataset, {"segment.threshold": 0.37})
    assert whys(plan_of(dataset)) == {
        **{("segment", name): f"threshold {found} → 0.37" for name in "abc"},
        ("evaluate", "unet"): "after segment",
    }
    assert {(o.stage, o.name) for o in stage.all(dataset)} == set(whys(plan_of(dataset))) | {
        ("segment", "a"), ("segment", "b"), ("segment", "c"), ("evaluate", "unet")
    }  # fmt: skip
    set_values(dataset, {"segment.threshold": 0.5})
    assert whys(plan_of(dataset))["segment", "a"] == "threshold 0.37 → 0.5"


@pytest.mark.parametrize(
    "settings",
    [
        {"predict.max_tile": 128},
        {"predict.device": "cpu"},
        {"train.memory_gb": 0.5},
        {"train.device": "cpu"},
        {"cluster": "tcp://scheduler:8786"},
    ],
)
def test_how_a_result_is_computed_makes_nothing_stale(dataset, settings):
    set_values(dataset, settings)
    assert plan_of(dataset).pending() == []


@pytest.mark.parametrize("stage_of_it", STAGES)
def test_a_new_version_makes_its_stage_and_what_follows_stale_and_nothing_else(dataset, monkeypatch, stage_of_it):
    version = VERSIONED[stage_of_it].VERSION
    monkeypatch.setattr(VERSIONED[stage_of_it], "VERSION", version + 1)
    plan = plan_of(dataset)
    stale = {cell.stage for cell in plan.pending()}
    assert stale == FOLLOW[stage_of_it]
    assert {cell.stage for cell in plan.statuses.values() if cell.state == "fresh"} == set(STAGES) - stale
    own = [work.why for work in plan.pending(stage_of_it)]
    assert all(why.startswith(f"{stage_of_it} is version {version + 1}, was {version}") for why in own)


@pytest.mark.parametrize("forced", STAGES)
def test_a_forced_stage_and_what_follows_are_to_be_done(dataset, forced):
    plan = plan_of(dataset, force=forced)
    assert {cell.stage for cell in plan.pending()} == FOLLOW[forced]
    assert {cell.why for cell in plan.pending(forced)} == {"forced"}


def test_touching_a_source_makes_nothing_stale_and_changing_its_bytes_does(tmp_path, dataset):
    file = tmp_path / "copy/files/image/c.ome.tif"
    os.utime(file, (1, 1))
    assert plan_of(dataset).pending() == []
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert whys(plan_of(dataset)) == {
        ("ingest", "c"): "source changed",
        ("predict", "c"): "after ingest",
        ("segment", "c"): "after ingest; after predict",
    }


def test_changed_truth_makes_its_own_road_stale(tmp_path, dataset):
    file = tmp_path / "copy/files/truth/a.ome.tif"
    truth = tifffile.imread(file)
    truth[:, 5:9, 5:9] = 77
    tifffile.imwrite(file, truth, ome=True, metadata={"axes": "ZYX"})
    found = whys(plan_of(dataset))
    assert found["ingest", "a"] == "truth source changed"
    assert found["weigh", "a"] == "after ingest"
    assert found["train", "unet"] == "after ingest; after weigh"
    assert ("weigh", "b") not in found


def test_a_removed_source_is_noted_and_its_image_kept(tmp_path, dataset, stage):
    (tmp_path / "copy/files/image/c.ome.tif").unlink()
    plan = plan_of(dataset)
    assert plan.pending() == []
    assert plan.notes == ("c: its source is gone; its image is kept (`unet-flows remove` forgets it)",)
    assert stage.all(dataset, force="segment") != []
    assert image_of(dataset, "c").stamp() is not None


def test_a_stack_that_is_excluded_is_noted_and_its_image_kept(dataset):
    set_values(dataset, {"exclude": ["c"]})
    plan = plan_of(dataset)
    assert plan.pending() == []
    assert plan.notes == ("c: it is excluded; its image is kept (`unet-flows remove` forgets it)",)


def test_truth_that_fits_no_image_is_noted(tmp_path, dataset):
    stray = tmp_path / "copy/files/truth/zzz.tif"
    tifffile.imwrite(stray, tifffile.imread(tmp_path / "copy/files/truth/a.ome.tif"), photometric="minisblack")
    assert plan_of(dataset).notes == (f"{stray} belongs to no stack: no image bears its name",)


def test_a_stack_that_is_excluded_or_forgotten_is_nowhere(dataset):
    set_values(dataset, {"exclude": ["c"]})
    for folder in dataset.all_of("c"):
        folder.remove()
    plan = plan_of(dataset)
    assert plan.names() == ["a", "b"]
    assert plan.pending() == []


def test_only_narrows_the_work_to_some_stacks(dataset):
    set_values(dataset, {"segment.threshold": 0.37})
    works = plan_of(dataset).pending(only=["b"])
    assert [(work.stage, work.name) for work in works] == [("segment", "b"), ("evaluate", "unet")]
    with pytest.raises(LookupError, match="a name must be that of a stack of the dataset, got 'z'; known: a, b, c"):
        require_known(plan_of(dataset), ["a", "z"])


def test_one_stage_alone_takes_what_is_upstream_as_it_is(dataset):
    set_values(dataset, {"weigh.sigma": 3.0, "segment.threshold": 0.37})
    alone = plan_of(dataset, trust=STAGES)
    assert [work.name for work in alone.pending("segment")] == ["a", "b", "c"]
    assert alone.pending("predict") == []


def test_one_stage_alone_has_nothing_to_do_where_nothing_was_made(make):
    import numpy as np

    dataset = make({"a": (np.zeros((32, 32), np.uint16), None)})
    plan = plan_of(dataset, trust=STAGES)
    assert {of for of, _ in plan.statuses} == {"ingest"}


def test_a_dataset_without_truth_waits_for_a_model(make):
    import numpy as np

    dataset = make({"a": (np.zeros((32, 32), np.uint16), None)})
    assert whys(plan_of(dataset)) == {("ingest", "a"): ""}
    set_values(dataset, {"predict.model": "guest"})
    assert whys(plan_of(dataset)) == {("ingest", "a"): ""}


def test_a_model_of_elsewhere_is_not_trained_over_though_it_bears_the_name(tmp_path, dataset):
    from unet.dataset.folder import Folder
    from unet.network.model_files import bring_in

    (tmp_path / "guest").mkdir()
    kept = Folder(str(tmp_path / "guest/model"))
    os.rename(dataset.model("unet").url, kept.url)  # noqa: PTH104
    bring_in(dataset, kept, "unet")
    plan = plan_of(dataset)
    assert ("train", "unet") not in plan.statuses
    assert {work.stage for work in plan.pending()} <= {"predict", "segment", "evaluate"}


def test_stacks_are_plain_values_that_any_worker_takes(dataset):
    plan = plan_of(dataset)
    assert all(isinstance(stack, Stack) for stack in plan.stacks.values())
    assert plan.stacks["a"].truth
    assert not plan.stacks["c"].truth


ODD = {"objects": 9, "planes": 2, "holes": {"count": 2, "examples": [{"plane": 1, "id": 7, "y": 3, "x": 9}]}}


def test_what_is_odd_about_the_truth_is_known_until_the_truth_changes(tmp_path, dataset, stage):
    weights_of(dataset, "a").amend({"truth": ODD})
    assert plan_of(dataset).truth["a"] == TruthCheck.of(ODD)
    set_values(dataset, {"weigh.sigma": 3.0})
    assert plan_of(dataset).truth["a"] == TruthCheck.of(ODD)
    file = tmp_path / "copy/files/truth/a.ome.tif"
    tifffile.imwrite(file, 3 * tifffile.imread(file), ome=True, metadata={"axes": "ZYX"})
    stage(dataset, "ingest")
    assert "a" not in plan_of(dataset).truth


def test_planning_imports_nothing_heavy(walked):
    code = (
        "import sys; from flows.planning.plan import make_plan; from unet.dataset.folder import Dataset; "
        "from unet.dataset.record_file import read_record; d = Dataset(sys.argv[1]); "
        "plan = make_plan(d, read_record(d)); "
        "assert plan.pending() == [] and plan.names() == ['a', 'b', 'c'], plan; "
        "print(sorted({'numpy', 'torch', 'zarr', 'dask', 'prefect', 'tifffile'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(walked / "dataset")]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_training_asked_for_alone_is_planned_though_another_model_predicts(dataset):
    set_values(dataset, {"predict.model": "guest", "train.seed": 7})
    record = read_record(dataset)
    assert ("train", "unet") not in make_plan(dataset, record).statuses
    assert [work.name for work in make_plan(dataset, record, trust=STAGES).pending("train")] == ["unet"]


def test_a_plan_reads_each_card_of_a_stack_once(dataset, monkeypatch):
    read, read_json = Counter(), Folder.read_json

    def counted(folder):
        read[folder.url] += 1
        return read_json(folder)

    monkeypatch.setattr(Folder, "read_json", counted)
    plan_of(dataset)
    metadata = {url: count for url, count in read.items() if "/labels/truth/" not in url and "/models/" not in url}
    assert {url.rsplit("/", 2)[1] for url in metadata} >= {"a.ome.zarr", "a.zarr", "unet"}
    assert set(metadata.values()) == {1}
    assert max(read.values()) <= 4  # of truth also the axes; of the model also its split, network and origin


def test_a_stage_of_which_nothing_can_be_made_in_this_run_is_due_so_that_its_flow_says_so(make, stage):
    dataset = make({name: draw_stack(planes=1, side=64, seed=seed) for seed, name in enumerate("ab", 1)})
    for this in ("ingest", "weigh"):
        stage(dataset, this, only=["a"])
    plan = plan_of(dataset, trust=STAGES[:2])
    assert plan.pending("train") == []
    assert plan.is_due("train", ["a"])
    with pytest.raises(LookupError, match="train must find what the stages before it make, got nothing"):
        require_stage(plan, "train")
    assert not plan_of(dataset, trust=STAGES[:1]).is_due("weigh", ["a"])


def generations(dataset):
    return [result(dataset, "unet").committed().generation for result in (model_of, report_of)]


@pytest.mark.parametrize("spoil", [lambda content: content[: len(content) // 2], lambda content: b""])
def test_a_source_that_cannot_be_read_changes_nothing_that_was_made_of_it_before(tmp_path, dataset, stage, spoil):
    source, made = tmp_path / "copy/files/image/a.ome.tif", generations(dataset)
    whole = source.read_bytes()
    source.write_bytes(spoil(whole))
    stage.all(dataset)
    plan = make_plan(dataset, read_record(dataset))
    assert [(of.stage, of.name) for of in plan.set_aside()] == [("ingest", "a")]
    assert plan.pending() == []
    assert plan.evaluated_stacks() == ["a", "b"]
    source.write_bytes(whole)
    assert make_plan(dataset, read_record(dataset)).set_aside() == []
    assert stage.all(dataset) == []
    assert generations(dataset) == made


def test_truth_that_cannot_be_weighed_now_trains_no_other_model(dataset):
    record = read_record(dataset)
    set_aside(dataset, recipes.weigh_recipe(dataset, "a", record.weigh), "a", ValueError("broken"))
    plan = make_plan(dataset, record)
    assert plan.state("weigh", "a") == "set aside"
    assert plan.state("train", "unet") == "fresh"
    assert training_stacks(plan, dataset, record) == ["a", "b"]
    weights_of(dataset, "a").folder.remove()
    assert training_stacks(make_plan(dataset, record), dataset, record) == ["b"]


@pytest.mark.parametrize(
    "name", [".dataset.yaml.20261126", ".notes.0123abcd", "new.tif.partial", "tables/unet/a.partial"]
)
def test_files_of_peoples_own_are_no_leftovers(dataset, name):
    (dataset / name).write(b"mine")
    Session(dataset.url).tidy(lambda _: None)
    assert (dataset / name).read() == b"mine"


def test_what_killed_runs_left_is_removed_where_all_is_fresh_too(dataset):
    left = [
        dataset.image("a") / name for name in (".zarr.json.0123abcd", "0123456789ab/zarr.json", "0123456789ab.0/c/0")
    ]
    stamp = image_of(dataset, "a").committed()
    left += [dataset.image("a") / f"{stamp.generation}.0/c/.0.0123abcd", dataset / "tables/unet/.a.parquet.0123abcd"]
    left += [dataset / "lease.json", dataset.image("a") / "labels/.zarr.json.0123abcd"]
    for file in left:
        file.write(b"{}")
    session = Session(dataset.url)
    assert session.plan.pending() == []
    session.tidy(lambda _: None)
    assert [file.url for file in left if file.exists()] == []
    assert Session(dataset.url).plan.killed_leftovers() == []
    assert image_of(dataset, "a").is_made_by(stamp.recipe)


def test_truth_that_lost_a_shard_is_not_edited_and_is_taken_from_its_source_again(dataset, stage):
    truth, made = labels_of(dataset, "a", "truth"), generations(dataset)
    shard = next(f for f in truth.folder.files() if ".0/c/" in f)
    before = (truth.folder / shard).read()
    (truth.folder / shard).remove()
    plan = make_plan(dataset, read_record(dataset))
    assert plan.statuses["ingest", "a"].why == f"{(truth.folder / shard).url} missing or damaged"
    stage.all(dataset)
    assert (truth.folder / shard).read() == before
    assert make_plan(dataset, read_record(dataset)).pending() == []
    assert generations(dataset) == made


def test_truth_that_was_edited_and_lost_a_shard_is_told_and_never_taken_from_its_source(dataset, stage):
    truth = labels_of(dataset, "a", "truth")
    lost, edited = [name for name in truth.folder.files() if ".0/c/" in name][:2]
    (truth.folder / lost).remove()
    (truth.folder / edited).write(b"by hand")
    (outcome,) = stage(dataset, "ingest")
    assert outcome.state == "set aside"
    assert f"truth of a must be there, got no whole {(truth.folder / lost).url}" in outcome.why
    assert (truth.folder / edited).read() == b"by hand"


def test_failures_that_are_alike_are_told_once_with_their_names(dataset):
    why = {"a": "/raw/a.tif is cut at 12 bytes", "b": "/raw/b.tif is cut at 7 bytes", "c": "c is odd"}
    for name, said in why.items():
        stack = plan_of(dataset).stacks[name]
        recipe = ingest_recipe(dataset, stack, read_record(dataset).ingest)
        set_aside(dataset, recipe, name, ValueError(said))
    assert plan_of(dataset).grouped_failures() == [
        ("ingest", "a, b", "/raw/a.tif is cut at 12 bytes (and the same of the others)"),
        ("ingest", "c", "c is odd"),
    ]


def test_what_is_gone_is_noted_in_one_line(tmp_path, dataset):
    (tmp_path / "copy/files/image").rename(tmp_path / "away")
    plan = plan_of(dataset)
    (note,) = plan.notes
    assert note.endswith("what was taken from it before is kept")
    assert plan.pending() == plan.set_aside() == []
