"""The flow of one stage: segment."""

from prefect import flow

from flows.stage_run import open_stage, run_name
from tasks.segment import segment_stacks
from unet.ledger.outcome import Outcome
from unet.ledger.results import learnt_names, model_of
from unet.settings.segment_classes import require_learnt_classes


@flow(flow_run_name=run_name)
def segment(
    dataset: str, only: list[str] | None = None, changes: list[str] | None = None, force: bool = False
) -> list[Outcome]:
    """Turn scores into instances and their tables.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
    """
    with open_stage("segment", dataset, only, changes, force) as run:
        model, settings, cluster = run.record.model, run.record.segment, run.record.cluster
        learnt = learnt_names(model_of(run.dataset, model).attributes())
        require_learnt_classes(settings, model, learnt)  # one error for all stacks
        keep_scores = run.record.predict.keep_scores
        states = [
            run.limited_task(segment_stacks, names)(dataset, names, model, settings, keep_scores, cluster)
            for names in run.batches()
        ]
        return run.outcomes(states)
