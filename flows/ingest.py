"""The flow of one stage: ingest."""

from prefect import flow

from flows.stage_run import open_stage, run_name
from tasks.ingest import ingest_stacks
from unet.ledger.outcome import Outcome
from unet.store.plate_views import update_plate_views


@flow(flow_run_name=run_name)
def ingest(
    dataset: str, only: list[str] | None = None, changes: list[str] | None = None, force: bool = False
) -> list[Outcome]:
    """Bring microscope files into OME-Zarr, with the truth that people drew.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: make it again though it is fresh.
    """
    with open_stage("ingest", dataset, only, changes, force) as run:
        states = [
            run.limited_task(ingest_stacks, names)(
                dataset, [run.plan.stacks[name] for name in names], run.record.ingest, force
            )
            for names in run.batches()
        ]
        update_plate_views(run.dataset)
        return run.outcomes(states)
