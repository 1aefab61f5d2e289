"""Scheduled runs that nobody took in their time: one of them does the work of all.

After a weekend without a worker, or a long night with one run at a time, all looks and nights that should have been
wait, and would run one after another. Each run of a schedule therefore calls off the others that are due.

Rejected: the server's own limit that cancels what is too many. With Prefect 3.8 it cancels only what a worker takes
while another runs, and keeps its leases in the server's memory: a run that was killed before the server was restarted
holds its place for good, and no night after it starts.
"""

import logging
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger(__name__)


def skip_late() -> None:
    """Call off the runs of this run's deployment that a schedule made and that are due, but for this one.

    Runs that a person asked for stay, and so do those of a schedule where a person asked for this one. A server that is
    too busy to answer keeps nobody from the work.
    """
    try:
        late = _skip_late()
    except Exception as error:
        log.info("late runs are left to the next one: %s", error)
        return
    if late:
        log.info("%d late runs are called off: this one does their work", late)


def _skip_late() -> int:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import State
    from prefect.runtime import flow_run
    from prefect.states import Cancelled

    if not flow_run.id or flow_run.parent_flow_run_id:
        return 0
    state: State[Any] = Cancelled(message=f"it was late, and {flow_run.name} does its work")
    with get_client(sync_client=True) as client:
        own = client.request("GET", "/flow_runs/{id}", path_params={"id": flow_run.id}).json()
        if not own.get("deployment_id") or not own.get("auto_scheduled"):
            return 0
        asked = {
            "flow_runs": {
                "deployment_id": {"any_": [own["deployment_id"]]},
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
            }
        }
        due: list[dict[str, Any]] = client.request("POST", "/flow_runs/filter", json=asked).json()
        late = [run for run in due if run["auto_scheduled"] and run["id"] != own["id"]]
        for run in late:
            client.set_flow_run_state(run["id"], state)
    return len(late)
