"""The flow of one stage: predict."""

from prefect import flow

from flows.stage_run import open_stage, run_name
from tasks.predict import predict_stacks
from unet.ledger.outcome import Outcome


@flow(flow_run_name=run_name)
def predict(
    dataset: str, only: list[str] | None = None, changes: list[str] | None = None, force: bool = False
) -> list[Outcome]:
    """Compute class scores of every stack, without a seam.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
    """
    with open_stage("predict", dataset, only, changes, force) as run:
        model, settings, cluster = run.record.model, run.record.predict, run.record.cluster
        states = [
            run.limited_task(predict_stacks, names)(dataset, names, model, settings, cluster) for names in run.batches()
        ]
        return run.outcomes(states)
