"""The flow of one stage: weigh."""

from typing import Any

from prefect import flow

from flows.run import StageRun, run_name
from tasks.weigh import weigh_stacks
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def weigh(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Turn truth into classes and border weights."""
    run = StageRun.open("weigh", dataset, only, overrides, force)
    return run.finish(
        weigh_stacks(dataset, names, run.record.weigh, run.record.cluster, return_state=True) for names in run.batches()
    )
