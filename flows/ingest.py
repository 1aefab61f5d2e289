"""The flow of one stage: ingest."""

from typing import Any

from prefect import flow

from flows.run import StageRun, run_name
from tasks.ingest import ingest_stacks
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def ingest(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Bring microscope files into OME-Zarr, with the truth that people drew."""
    run = StageRun.open("ingest", dataset, only, overrides, force)
    return run.finish(
        ingest_stacks(dataset, [run.plan.stacks[name] for name in names], run.record.ingest, force, return_state=True)
        for names in run.batches()
    )
