"""Laws of the flows: what is stale is made once, a bad stack stops no other, the world's failures are tried again."""

import logging
import os
import re
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tifffile
from prefect import flow

from flows import ingest as ingest_module
from flows.ingest import ingest
from flows.planning.plan import make_plan
from flows.reprocess import STAGE_FLOWS, reprocess
from flows.stage_run import BATCH_STACKS
from tasks import ingest as ingest_tasks
from tasks.execution.outcomes import SetAside
from tasks.policy import cpu_task
from unet.dataset.folder import Dataset
from unet.dataset.lease import HeldError, Holder
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger.outcome import STAGES, Outcome

QUICK = {
    "train__steps": 4,
    "train__batch_size": 1,
    "train__tile_size": 32,
    "train__validate_every": 2,
    "train__augmentation": {"elastic": 0.0, "rotation": 0.0, "scale": 1.0, "blur": 0.0},
    "train__architecture": {"base": 4, "depth": 1},
    "evaluate__bootstrap_resamples": 10,
}


@pytest.fixture
def small(make, prefect_server):
    """A dataset of two stacks, on which nothing was done yet; its runs go to the server of the tests."""
    return make({name: draw_stack(planes=1, side=64, seed=seed) for seed, name in enumerate("ab", 1)}, **QUICK)


@pytest.fixture
def unhurried(monkeypatch):
    """The ingest task as it is, but without waiting before it is tried again."""
    monkeypatch.setattr(ingest_module, "ingest_stacks", ingest_tasks.ingest_stacks.with_options(retry_delay_seconds=0))


def broken(dataset: Dataset) -> None:
    """Adds a stack that no reader can read."""
    from pathlib import Path

    (Path(dataset.url).parent / "files/image/broken.tif").write_bytes(b"II*\0not a picture")


def run_of(state) -> str:
    return str(state.state_details.flow_run_id)


def flow_runs_below(ask, state, count):
    return ask(
        "flow_runs", lambda runs: len(runs) >= count, flow_runs={"parent_flow_run_id": {"any_": [run_of(state)]}}
    )


def tasks_of(ask, state, settled=lambda runs: True):
    """Task runs of one flow run, without those that stand for flows below it."""
    return ask(
        "task_runs",
        lambda runs: runs and all(run["state_type"] in ("COMPLETED", "FAILED") for run in runs) and settled(runs),
        flow_runs={"id": {"any_": [run_of(state)]}},
    )


@pytest.mark.prefect
def test_reprocess_makes_everything_from_nothing_and_then_nothing(small, ask):
    state = reprocess(small.url, return_state=True)
    assert [(o.stage, o.name) for o in state.result()] == [
        *((stage, name) for stage in ("ingest", "weigh") for name in "ab"),
        ("train", "unet"),
        *((stage, name) for stage in ("predict", "segment") for name in "ab"),
        ("evaluate", "unet"),
    ]
    plan = make_plan(small, read_record(small))
    assert {cell.state for cell in plan.statuses.values()} == {"fresh"}
    below = flow_runs_below(ask, state, len(STAGES))
    assert sorted(run["name"] for run in below) == sorted(f"{stage} dataset" for stage in STAGES)
    assert {run["state_type"] for run in below} == {"COMPLETED"}
    assert {run["name"]: set(run["tags"]) for run in below} == {
        f"{stage} dataset": {"dataset:dataset", stage} for stage in STAGES
    }
    (own,) = ask("flow_runs", flow_runs={"id": {"any_": [run_of(state)]}})
    assert own["tags"] == ["dataset:dataset"]
    assert _artifacts(ask, [run_of(state), *(run["id"] for run in below)]) == {
        *((f"{stage}-progress", "progress") for stage in STAGES),
        *((f"{name}-outcomes-dataset", "table") for name in (*STAGES, "reprocess")),
        *((f"{name}-dataset", "markdown") for name in (*STAGES, "reprocess")),
        ("training-unet", "markdown"),
        ("report-unet", "markdown"),
    }
    assert reprocess(small.url) == []


def _artifacts(ask, runs):
    found = ask("artifacts", lambda all_: len(all_) >= 3 * len(STAGES) + 4, artifacts={"flow_run_id": {"any_": runs}})
    return {(artifact["key"], artifact["type"]) for artifact in found}


@pytest.mark.prefect
def test_a_bad_stack_is_named_in_the_failed_runs_and_the_summary_and_stops_no_other(small, ask):
    broken(small)
    state = reprocess(small.url, return_state=True)
    assert state.is_failed()
    assert "1 set aside: broken at ingest: " in state.message
    assert "broken.tif is not a readable TIFF" in state.message
    runs = {run["name"].split()[0]: run for run in flow_runs_below(ask, state, len(STAGES))}
    assert {stage: run["state_type"] for stage, run in runs.items()} == {
        stage: "FAILED" if stage == "ingest" else "COMPLETED" for stage in STAGES
    }
    assert runs["ingest"]["state"]["message"] == state.message
    with pytest.raises(SetAside) as failure:
        state.result()
    assert {(o.stage, o.state) for o in failure.value.done} == {(stage, "done") for stage in STAGES}
    logs = ask("logs", logs={"flow_run_id": {"any_": [runs["ingest"]["id"]]}, "level": {"ge_": logging.WARNING}})
    assert any(
        log["name"] == "tasks.execution.outcomes" and "broken set aside at ingest" in log["message"] for log in logs
    )
    of_run = {"key": {"any_": ["reprocess-dataset"]}, "flow_run_id": {"any_": [run_of(state)]}}
    (page,) = [artifact["data"] for artifact in ask("artifacts", artifacts=of_run)]
    assert "10 made, 1 set aside" in page
    assert re.search(r"- \*\*broken\*\* at ingest: .*broken.tif is not a readable TIFF", page)
    assert page.count("data:image/png;base64,") == 6
    assert len(page.encode()) <= 300_000


@pytest.mark.prefect
def test_a_failure_of_the_world_is_tried_again(small, ask, unhurried, monkeypatch):
    work, calls = ingest_tasks.ingest_stack, []

    def once_without_disk(dataset, stack, *more):
        calls.append(stack.name)
        if len(calls) == 1:
            raise OSError("no space left on device")
        return work(dataset, stack, *more)

    monkeypatch.setattr(ingest_tasks, "ingest_stack", once_without_disk)
    state = ingest(small.url, return_state=True)
    assert {(outcome.name, outcome.state) for outcome in state.result()} == {("a", "done"), ("b", "done")}
    assert calls == ["a", "b", "a", "b"]  # the others are done before it is tried again
    (run,) = tasks_of(ask, state)
    assert run["run_count"] == 2
    assert run["name"] == "ingest a, b"
    assert set(run["tags"]) == {"cpu", "ingest", "dataset:dataset"}


@pytest.mark.prefect
def test_a_task_that_hangs_is_ended_once_and_nothing_is_set_aside(small, ask, unhurried, monkeypatch):
    monkeypatch.setenv("UNET_FLOWS_TASK_HOURS", str(1 / 3600))
    monkeypatch.setattr(ingest_tasks, "ingest_stack", lambda *_: time.sleep(300))
    state = ingest(small.url, return_state=True)
    assert state.is_failed()
    assert "ingest must end within its limit, got no end" in state.message
    (run,) = tasks_of(ask, state)
    assert (run["state_name"], run["run_count"]) == ("TimedOut", 1)
    assert {cell.state for cell in make_plan(small, read_record(small)).statuses.values()} == {"missing"}
    monkeypatch.undo()
    assert {outcome.state for outcome in ingest(small.url)} == {"done"}


@pytest.mark.prefect
def test_an_error_of_ours_is_not_tried_again(small, ask, unhurried, monkeypatch):
    def wrong(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(ingest_tasks, "outcome_of_each", wrong)
    state = ingest(small.url, return_state=True)
    assert state.is_failed()
    assert "a bug" in state.message
    (run,) = tasks_of(ask, state)
    assert run["run_count"] == 1


@pytest.mark.prefect
def test_a_task_that_fails_stops_no_other_batch(small, monkeypatch):
    monkeypatch.setattr("flows.stage_run.BATCH_STACKS", 1)
    work = ingest_tasks.outcome_of_each

    def fails_for_a(dataset, names, *more, **how):
        if names == ["a"]:
            raise RuntimeError("a bug")
        return work(dataset, names, *more, **how)

    monkeypatch.setattr(ingest_tasks, "outcome_of_each", fails_for_a)
    with pytest.raises(RuntimeError, match="a bug"):
        ingest(small.url)
    plan = make_plan(small, read_record(small))
    assert (plan.statuses["ingest", "a"].state, plan.statuses["ingest", "b"].state) == ("missing", "fresh")


@pytest.mark.prefect
def test_one_stage_alone_and_one_stack_alone(small):
    assert ingest(small.url, only=["b"]) == [Outcome("ingest", "b", "done", "image, truth")]
    assert ingest(small.url, only=["b"]) == []
    with pytest.raises(LookupError, match="a name must be that of a stack of the dataset, got 'c'"):
        ingest(small.url, only=["c"])


@pytest.mark.prefect
def test_changes_hold_for_one_run_alone(small):
    before = small.record.read()
    outcomes = ingest(small.url, changes=["ingest.percentile_low=5.0"])
    assert {outcome.state for outcome in outcomes} == {"done"}
    assert small.record.read() == before
    assert {work.why for work in make_plan(small, read_record(small)).pending("ingest")} == {"percentile_low 5.0 → 1.0"}


@pytest.mark.prefect
@pytest.mark.parametrize("one", [ingest, reprocess], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "ingest.percentile_low",
            "a change must be section.key=value, got 'ingest.percentile_low'; write it like train.steps=500",
        ),
        ("ingest.lowest=5", "lowest"),
    ],
)
def test_a_change_that_is_none_fails_the_run_in_a_sentence(small, one, change, words):
    state = one(small.url, changes=[change], return_state=True)
    assert state.is_failed()
    assert words in state.message
    assert small.stacks() == []


@pytest.mark.prefect
def test_what_flows_tasks_and_unet_log_goes_to_the_run(ask):
    @cpu_task("talk")
    def talk(names):
        for room in ("flows", "tasks", "unet"):
            logging.getLogger(f"{room}.talk").info("%s is talking", room)

    @flow
    def talking():
        talk(["a", "b", "c", "d", "e"])

    state = talking(return_state=True)
    logs = ask("logs", lambda found: len(found) >= 6, logs={"flow_run_id": {"any_": [run_of(state)]}})
    assert {log["message"] for log in logs} >= {f"{room} is talking" for room in ("flows", "tasks", "unet")}
    (run,) = tasks_of(ask, state)
    assert run["name"] == "talk a, b, c and 2 more"


@pytest.mark.parametrize("one", [*STAGE_FLOWS.values(), reprocess], ids=lambda one: one.name)
def test_the_form_in_the_ui_asks_for_the_dataset_and_little_else(one):
    schema = one.parameters.model_dump_for_openapi()
    extra = {"refresh"} if one.name == "train" else set()
    assert set(schema["properties"]) == {"dataset", "only", "changes", "force"} | extra
    assert schema["required"] == ["dataset"]
    assert all(field["description"].endswith(".") for field in schema["properties"].values())
    one.validate_parameters({"dataset": "s3://bucket/x", "only": ["a"], "changes": ["segment.threshold=0.6"]})


def test_flows_are_named_after_their_stages_in_order():
    assert tuple(STAGE_FLOWS) == STAGES
    assert all(one.fn.__module__ == f"flows.{stage}" for stage, one in STAGE_FLOWS.items())
    assert BATCH_STACKS > 1


@pytest.mark.prefect
def test_a_dataset_that_another_run_works_on_is_left_alone(small):
    holder = replace(Holder.now("train"), machine="elsewhere/1")
    (small / "lease.json").write_json(vars(holder))
    for one in (reprocess, ingest):
        with pytest.raises(HeldError, match=r"is worked on by train of process .* on elsewhere"):
            one(small.url)
    assert small.stacks() == []
    os.utime(f"{small.url}/lease.json", (0, 0))  # it was not renewed, by the clock of the disk
    assert {outcome.state for outcome in ingest(small.url)} == {"done"}
    assert not (small / "lease.json").exists()


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
def test_a_run_of_a_deployment_waits_for_the_other_one(make, monkeypatch):
    dataset, looks = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)}), []
    monkeypatch.setattr("flows.reprocess.deployment", SimpleNamespace(id="a deployment's"))
    file = dataset / "lease.json"

    def give_back(seconds):
        looks.append(seconds)
        file.remove()

    clock = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=give_back)
    monkeypatch.setattr("unet.dataset.lease.time", clock)
    file.write_json(vars(replace(Holder.now("watch"), machine="elsewhere/1")))
    assert reprocess(dataset.url) == [Outcome("ingest", "a", "done", "image")]
    assert len(looks) == 1
    assert not file.exists()


@pytest.mark.prefect
def test_a_run_that_would_not_fit_the_disk_does_nothing(small, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    for one in (reprocess, ingest):
        with pytest.raises(OSError, match=r"the disk must have about .* free for .* results, got 1.0 kB"):
            one(small.url)
    assert small.stacks() == []


@pytest.fixture
def counted(monkeypatch):
    """How often a run makes a whole plan, reads the record, and takes the lease."""
    from flows.planning import plan, session

    counts = Counter()
    for module, name in ((plan, "find_catalogue"), (session, "read_record"), (session, "lease")):
        call = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *asked, name=name, call=call: counts.update([name]) or call(*asked))
    return counts


@pytest.mark.prefect
@pytest.mark.parametrize("way", ["flow", "command", "stage", "stage's command"])
def test_a_run_makes_one_whole_plan_reads_the_record_once_and_holds_one_lease(
    dataset, tmp_path, prefect_server, run, monkeypatch, counted, way
):
    image, _ = draw_stack(planes=1, side=64, seed=9)
    tifffile.imwrite(tmp_path / "copy/files/image/new.ome.tif", image, ome=True, metadata={"axes": "ZYX"})
    monkeypatch.setattr("flows.commands.work.start_ephemeral", lambda: None)  # that of the tests runs
    if way in ("flow", "stage"):
        outcomes = (reprocess if way == "flow" else ingest)(dataset.url)
        stages = [outcome.stage for outcome in outcomes]
    else:
        status, out, err = run("reprocess" if way == "command" else "ingest", dataset.url)
        assert (status, err) == (0, "")
        stages = [line.split()[0] for line in out.splitlines() if " done " in line]
    assert stages == (["ingest", "predict", "segment"] if way in ("flow", "command") else ["ingest"])
    assert counted == {"find_catalogue": 1, "read_record": 1, "lease": 1}
