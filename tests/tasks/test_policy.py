"""Laws of the policy: exactly OSErrors are tried again, and a task run says what it is about."""

import pytest
from prefect.states import Completed, Failed

from tasks import evaluate, ingest, policy, predict, segment, train, weigh
from unet.ledger import STAGES
from unet.sources import Stack

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


def test_what_is_done_is_not_tried_again():
    assert not policy.world_failed(None, None, Completed(data=[]))


def test_every_stage_has_a_task_under_this_policy():
    assert tuple(TASKS) == STAGES
    for stage, task in TASKS.items():
        assert task.name == stage
        assert task.retries == len(task.retry_delay_seconds) == 2
        assert task.retry_condition_fn is policy.world_failed
        assert task.tags == {"gpu" if stage in ("train", "predict") else "cpu"}


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
