"""The flow over all stages: whatever is stale, in order."""

from typing import Literal

from prefect import Flow, flow
from prefect.runtime import deployment

from flows.backlog import skip_late
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.planning.estimate import estimate
from flows.planning.plan import make_plan, require_known
from flows.predict import predict
from flows.segment import segment
from flows.stage_run import changed_record, raise_set_aside, run_name, tagged
from flows.train import train
from flows.weigh import weigh
from tasks.execution.outcomes import SetAside
from tasks.reporting.summary import Summary
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.ledger.outcome import Outcome

STAGE_FLOWS: dict[str, Flow[..., list[Outcome]]] = {
    one.name: one for one in (ingest, weigh, train, predict, segment, evaluate)
}

Stage = Literal["ingest", "weigh", "train", "predict", "segment", "evaluate"]


@flow(flow_run_name=run_name)
def reprocess(
    dataset: str,
    only: list[str] | None = None,
    changes: list[str] | None = None,
    force: Stage | None = None,
) -> list[Outcome]:
    """Recompute everything that is stale, in order.

    A run of a deployment waits for another one on the dataset: a night that met a look of `watch` would else be lost.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: a stage that is made again though it is fresh, with all that follows from it.
    """
    skip_late()
    place = Dataset(dataset)
    record, only = changed_record(place, changes), only or None
    outcomes: list[Outcome] = []
    plan = make_plan(place, record, force)
    require_known(plan, only or ())
    estimate(record, plan, plan.works(None, only)).require_room()
    with (
        lease(place, "reprocess", wait=bool(deployment.id)),
        tagged(place),
        Summary(place, "reprocess", record.model) as summary,
    ):
        for stage, stage_flow in STAGE_FLOWS.items():
            if not plan.works(stage, only):
                continue
            try:
                with summary.timed(stage):
                    outcomes += stage_flow(dataset, None if stage == "train" else only, changes, force == stage)
            except SetAside as failure:  # that flow is Failed in the UI; the stages after it go on with other stacks
                outcomes += failure.done
            summary.add(outcomes)
            plan = make_plan(place, record, force)
        failed = (make_plan(place, record) if force else plan).set_aside()  # what is forced hides what was set aside
        summary.add(failed)
        raise_set_aside([*outcomes, *failed])
    return outcomes
