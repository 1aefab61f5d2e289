"""The flow of one stage: train."""

from typing import Any

from prefect import flow

from flows.plan import trained_on
from flows.run import StageRun, run_name
from tasks.train import train_model
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def train(
    dataset: str,
    only: list[str] | None = None,
    overrides: dict[str, Any] | None = None,
    force: bool = False,
    refresh: bool = False,
) -> list[Outcome]:
    """Train the network on the stacks with truth; `refresh` takes in truth that is new."""
    run = StageRun.open("train", dataset, only, overrides, force or refresh)
    names = trained_on(run.plan, run.dataset, run.record, refresh)  # a model is of the whole dataset, whatever `only`
    return run.finish(train_model(dataset, names, run.record.train, return_state=True) for _ in run.works)
