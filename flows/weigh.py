"""The flow of one stage: weigh."""

from prefect import flow

from flows.stage_run import open_stage, run_name
from tasks.weigh import weigh_stacks
from unet.ledger.outcome import Outcome


@flow(flow_run_name=run_name)
def weigh(
    dataset: str, only: list[str] | None = None, changes: list[str] | None = None, force: bool = False
) -> list[Outcome]:
    """Turn truth into classes and border weights.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
    """
    with open_stage("weigh", dataset, only, changes, force) as run:
        states = [
            run.limited_task(weigh_stacks, names)(
                dataset, names, run.record.weigh, run.record.cluster, run.record.classes
            )
            for names in run.batches()
        ]
        return run.outcomes(states)
