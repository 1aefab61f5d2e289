"""The flow of one stage: ingest."""

from typing import Any

from prefect import flow

from flows.run import ONE_AT_A_TIME, StageRun, run_name
from tasks.ingest import ingest_stacks
from unet.ledger import Outcome


@flow(flow_run_name=run_name, task_runner=ONE_AT_A_TIME)
def ingest(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Bring microscope files into OME-Zarr, with the truth that people drew."""
    run = StageRun.open("ingest", dataset, only, overrides, force)
    return run.finish(
        ingest_stacks.submit(dataset, [run.plan.stacks[name] for name in names], run.record.ingest, force)
        for names in run.batches()
    )
