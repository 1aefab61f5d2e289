"""The flow of one stage: predict."""

from typing import Any

from prefect import flow

from flows.run import StageRun, run_name
from tasks.predict import predict_stacks
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def predict(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Compute class scores of every stack, without a seam."""
    run = StageRun.open("predict", dataset, only, overrides, force)
    return run.finish(
        predict_stacks(dataset, names, run.record.model, run.record.predict, run.record.cluster, return_state=True)
        for names in run.batches()
    )
