"""The flow of one stage: segment."""

from typing import Any

from prefect import flow

from flows.run import StageRun, run_name
from tasks.segment import segment_stacks
from unet.ledger import Outcome


@flow(flow_run_name=run_name)
def segment(
    dataset: str, only: list[str] | None = None, overrides: dict[str, Any] | None = None, force: bool = False
) -> list[Outcome]:
    """Turn scores into instances and their tables."""
    run = StageRun.open("segment", dataset, only, overrides, force)
    return run.finish(
        segment_stacks(
            dataset,
            names,
            run.record.model,
            run.record.segment,
            run.record.predict.keep_scores,
            run.record.cluster,
            return_state=True,
        )
        for names in run.batches()
    )
