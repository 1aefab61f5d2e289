"""The flow of one stage: evaluate."""

from prefect import flow

from flows.stage_run import open_stage, run_name
from tasks.evaluate import evaluate_model
from unet.ledger.outcome import Outcome


@flow(flow_run_name=run_name)
def evaluate(
    dataset: str, only: list[str] | None = None, changes: list[str] | None = None, force: bool = False
) -> list[Outcome]:
    """Compare segments with truth, where there is any, and write the report.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: of no use here: a report is on the whole model.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
    """
    with open_stage("evaluate", dataset, only, changes, force) as run:
        names = run.plan.reported_stacks()
        states = [run.limited_task(evaluate_model, [model])(dataset, names, model, run.record) for model in run.names]
        return run.outcomes(states)
