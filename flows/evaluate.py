"""The flow of one stage: evaluate."""

from typing import Any

from prefect import flow

from flows.plan import evaluated
from flows.run import StageRun, run_name
from tasks.evaluate import evaluate_model
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def evaluate(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Compare segments with truth, and write the report."""
    run = StageRun.open("evaluate", dataset, only, overrides, force)
    names = evaluated(run.plan)
    return run.finish(
        evaluate_model(dataset, names, run.record.model, run.record, return_state=True) for _ in run.works
    )
