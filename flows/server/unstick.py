"""Runs whose worker is gone: they stay pending or running, and hold places in queues.

A run is alive while anything is heard of it: Prefect tells every few minutes that a flow still runs, and of each task
that begins or ends. One of which nothing was heard for longer is called crashed on the server. The data need nothing of
the kind: the next run takes up the work where it stopped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import Crashed

from unet.ledger.outcome import STAGES

FLOWS = ("reprocess", *STAGES)
STUCK = ("PENDING", "RUNNING", "CANCELLING")
"""States that a run should not stay in when nobody runs it."""
PAGE = 200
"""Runs that are asked for at a time, as many as a server gives."""


@dataclass(frozen=True)
class Stuck:
    """A run of ours of which nothing was heard."""

    id: str
    name: str
    state: str
    since: str
    """When it went into this state."""


def unstick(minutes: float, dry_run: bool = False) -> list[Stuck]:
    """Call runs of ours crashed of which nothing was heard for so many minutes; says which."""
    before = datetime.now(UTC) - timedelta(minutes=minutes)
    with get_client(sync_client=True) as client:
        stuck = [run for run in _unfinished_runs(client) if _since(run) < before and not _is_heard(client, run, before)]
        if not dry_run:
            state: State[Any] = Crashed(
                message=f"nothing was heard of it for {minutes:g} minutes; `unet-flows unstick`"
            )
            for run in stuck:
                client.set_flow_run_state(run["id"], state, force=True)
    return [Stuck(run["id"], run["name"], run["state_type"].lower(), run["state"]["timestamp"]) for run in stuck]


def _unfinished_runs(client: SyncPrefectClient) -> list[dict[str, Any]]:
    """Runs of our flows, known by name and by their dataset tag."""
    asked = {"flows": {"name": {"any_": list(FLOWS)}}, "flow_runs": {"state": {"type": {"any_": list(STUCK)}}}}
    found: list[dict[str, Any]] = []
    while True:
        page = _api_answer(
            client, "/flow_runs/filter", {**asked, "limit": PAGE, "offset": len(found), "sort": "ID_DESC"}
        )
        found += page
        if len(page) < PAGE:
            return [run for run in found if "dataset" in run["parameters"]]


def _since(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["state"]["timestamp"].replace("Z", "+00:00"))


def _is_heard(client: SyncPrefectClient, run: dict[str, Any], since: datetime) -> bool:
    """Whether any event since then is of this run, or of a task of it."""
    asked = {"any_resource": {"id": [f"prefect.flow-run.{run['id']}"]}, "occurred": {"since": since.isoformat()}}
    return bool(_api_answer(client, "/events/filter", {"filter": asked, "limit": 1})["events"])


def _api_answer(
    client: SyncPrefectClient, what: Literal["/flow_runs/filter", "/events/filter"], asked: dict[str, Any]
) -> Any:
    answer = client.request("POST", what, json=asked)
    answer.raise_for_status()
    return answer.json()
