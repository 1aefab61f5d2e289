"""The flow of one stage: train."""

from prefect import flow

from flows.planning.training_set import training_stacks
from flows.stage_run import open_stage, run_name
from tasks.train import train_model
from unet.ledger.outcome import Outcome


@flow(flow_run_name=run_name)
def train(
    dataset: str,
    only: list[str] | None = None,
    changes: list[str] | None = None,
    force: bool = False,
    refresh: bool = False,
) -> list[Outcome]:
    """Train the network on the stacks with truth; `refresh` takes in truth that is new.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: of no use here: a model is of the whole dataset.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
        refresh: take in truth that came since the last training.
    """
    with open_stage("train", dataset, only, changes, force or refresh) as run:
        names = training_stacks(run.plan, run.dataset, run.record, refresh)
        states = [
            run.limited_task(train_model, [model])(dataset, names, run.record.train, run.record.classes)
            for model in run.names
        ]
        return run.outcomes(states)
