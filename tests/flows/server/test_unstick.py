"""Laws of `unstick`: runs of ours that nobody runs are called crashed; live ones, and those of others, are not."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Completed, Pending, Running

from flows.reprocess import reprocess
from flows.segment import segment
from flows.server import unstick as module
from flows.server.unstick import unstick

QUIET = 2.0
"""Seconds of silence that make a run stuck here."""


@flow(name="train")
def train_of_others(epochs: int) -> None:
    """A flow of somebody else, who calls it as we call ours."""


@pytest.fixture
def client(prefect_server):
    with get_client(sync_client=True) as client:
        yield client


def left(client, of, state, **parameters):
    """A run that somebody began, and nobody runs."""
    run = client.create_flow_run(of, parameters=parameters)
    client.set_flow_run_state(run.id, state, force=True)
    return str(run.id)


def states(client, runs):
    return [client.read_flow_run(run).state.type.value for run in runs]


def heard(client, run):
    """Something is heard of a run, as Prefect tells it while a flow runs."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
    }
    client.request("POST", "/events", json=[event]).raise_for_status()


@pytest.mark.prefect
def test_what_a_killed_worker_left_is_called_crashed_and_nothing_else(client, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    dead = [left(client, reprocess, Pending(), dataset="d"), left(client, segment, Running(), dataset="d")]
    others = [left(client, train_of_others, Running(), epochs=1), left(client, segment, Completed(), dataset="d")]
    alive = left(client, reprocess, Running(), dataset="d")
    assert unstick(60) == []  # they have only just begun
    time.sleep(QUIET + 1)
    heard(client, alive)
    end = time.monotonic() + 60
    while len(found := unstick(QUIET / 60, dry_run=True)) > len(dead) and time.monotonic() < end:
        heard(client, alive)  # the server writes events down some at a time
    assert {run.id for run in found} == set(dead)
    assert {run.state for run in found} == {"pending", "running"}
    assert states(client, dead) == ["PENDING", "RUNNING"]
    heard(client, alive)
    assert {run.id for run in unstick(QUIET / 60)} >= set(dead)
    assert states(client, dead) == ["CRASHED", "CRASHED"]
    assert "nothing was heard of it" in client.read_flow_run(dead[0]).state.message
    assert states(client, others) == ["RUNNING", "COMPLETED"]
