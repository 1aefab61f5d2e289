"""Laws of the policy: exactly OSErrors are tried again, what hangs is ended, and a task run says what it is about."""

import pytest
from prefect.states import Completed, Failed
from prefect.task_engine import TaskRunTimeoutError

from tasks import evaluate, ingest, policy, predict, segment, train, weigh
from unet.ledger.outcome import STAGES
from unet.sources.stacks import Stack

TASKS = {
    "ingest": ingest.ingest_stacks,
    "weigh": weigh.weigh_stacks,
    "train": train.train_model,
    "predict": predict.predict_stacks,
    "segment": segment.segment_stacks,
    "evaluate": evaluate.evaluate_model,
}


@pytest.mark.parametrize("error", [OSError("full"), ConnectionError(), TimeoutError(), FileNotFoundError("gone")])
def test_a_failure_of_the_world_is_tried_again(error):
    assert policy.world_failed(None, None, Failed(data=error))


@pytest.mark.parametrize(
    "error", [ValueError(), LookupError(), KeyError(), RuntimeError(), MemoryError(), ZeroDivisionError()]
)
def test_nothing_else_is(error):
    assert not policy.world_failed(None, None, Failed(data=error))


def test_what_reached_its_limit_is_not_though_its_error_is_of_the_world():
    assert issubclass(TaskRunTimeoutError, OSError)
    assert not policy.world_failed(None, None, Failed(data=TaskRunTimeoutError()))


def test_what_is_done_is_not_tried_again():
    assert not policy.world_failed(None, None, Completed(data=[]))


def test_every_stage_has_a_task_under_this_policy():
    assert tuple(TASKS) == STAGES
    for stage, task in TASKS.items():
        assert task.name == stage
        assert task.retries == len(task.retry_delay_seconds) == 3
        first, second, third = task.retry_delay_seconds
        assert third / second == second / first == 2
        assert 0 < task.retry_jitter_factor < 1
        assert task.retry_condition_fn is policy.world_failed
        assert task.tags == {"gpu" if stage in ("train", "predict") else "cpu", stage}


def test_a_limit_is_a_multiple_of_what_is_expected_within_an_hour_and_a_week(monkeypatch):
    hour = 3600
    assert policy.limit(0.1) == hour
    assert policy.limit(1000 * hour) == 20_000 * hour
    assert policy.limit(None) == 7 * 24 * hour
    monkeypatch.setenv("UNET_FLOWS_TASK_HOURS", "0.5")
    assert policy.limit(None) == policy.limit(1000 * hour) == hour / 2
    monkeypatch.setenv("UNET_FLOWS_TASK_HOURS", "soon")
    with pytest.raises(ValueError, match="UNET_FLOWS_TASK_HOURS must be hours, got 'soon'"):
        policy.limit(None)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"names": ["a"]}, "segment a"),
        ({"names": ["a", "b", "c"]}, "segment a, b, c"),
        ({"names": list("abcdefg")}, "segment a, b, c and 4 more"),
        ({"names": [], "model": "unet"}, "segment unet"),
        ({}, "segment"),
    ],
)
def test_a_run_is_named_after_its_stage_and_its_stacks(parameters, name, monkeypatch):
    assert _name(parameters, monkeypatch) == name


def test_a_stack_goes_by_its_name(monkeypatch):
    assert _name({"names": [Stack("a", ("a.tif",), None, None, (), "ids")]}, monkeypatch) == "segment a"


def _name(parameters, monkeypatch):
    import prefect.runtime

    run = type("Run", (), {"task_name": "segment", "parameters": parameters})
    monkeypatch.setattr(prefect.runtime, "task_run", run, raising=False)
    return policy.run_name()


@pytest.mark.parametrize(("count", "is_last"), [(1, False), (3, False), (4, True)])
def test_the_last_try_of_a_task_is_known(monkeypatch, count, is_last):
    from prefect.runtime import task_run

    assert policy.is_last_try()  # no task run at all is not tried again
    monkeypatch.setattr(task_run, "id", "some", raising=False)
    monkeypatch.setattr(task_run, "run_count", count, raising=False)
    assert policy.is_last_try() == is_last
