"""The flow over all stages: whatever is stale, in order."""

from collections.abc import Sequence

from prefect import Flow, flow
from prefect.runtime import deployment

from flows.backlog import skip_late
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.planning.estimate import estimate
from flows.planning.plan import require_known
from flows.planning.session import Session, open_session
from flows.predict import predict
from flows.segment import segment
from flows.stage_run import raise_set_aside, run_name, tagged_run
from flows.train import train
from flows.weigh import weigh
from tasks.execution.outcomes import SetAside
from tasks.reporting.summary import Summary
from unet.ledger.outcome import Outcome, Stage

STAGE_FLOWS: dict[str, Flow[..., list[Outcome]]] = {
    one.name: one for one in (ingest, weigh, train, predict, segment, evaluate)
}


@flow(flow_run_name=run_name)
def reprocess(
    dataset: str,
    only: list[str] | None = None,
    changes: list[str] | None = None,
    force: Stage | None = None,
) -> list[Outcome]:
    """Recompute everything that is stale, in order.

    A run of a deployment waits for another one on the dataset: a night that met a look of `watch` would else be lost.
    It fails of what was set aside newly; what failed before, and stands as it did, is a line of its summary.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
        only: names of stacks; none = all of them.
        changes: settings for this run alone, such as segment.threshold=0.6; a run without them undoes what they did.
        force: a stage that is made again though it is fresh, with all that follows from it.
    """
    skip_late()
    what, wait = "reprocess", bool(deployment.id)
    with (
        open_session(dataset, changes or (), what, force, wait=wait) as session,
        tagged_run(session.dataset),
        Summary(session.dataset, what, session.record.model) as summary,
    ):
        _require_possible(session, only)
        stood, outcomes = {(of.stage, of.name, of.why) for of in session.plan.set_aside()}, list[Outcome]()
        for stage, stage_flow in STAGE_FLOWS.items():
            if not session.plan_for(stage).is_due(stage, only or None):
                continue
            try:
                with summary.timed(stage):
                    outcomes += stage_flow(dataset, None if stage == "train" else only, changes, force == stage)
            except SetAside as failure:  # that flow is Failed in the UI; the stages after it go on with other stacks
                outcomes += failure.outcomes
            summary.add(outcomes)
        tried = {(of.stage, of.name) for of in outcomes}
        others = [of for of in session.whole_plan().set_aside() if (of.stage, of.name) not in tried]
        failed = [
            Outcome(of.stage, of.name, "set aside", of.why, (of.stage, of.name, of.why) in stood) for of in others
        ]
        summary.add(failed)
        raise_set_aside([*outcomes, *failed])
    return outcomes


def _require_possible(session: Session, only: Sequence[str] | None) -> None:
    """Refuse names that are no stacks, and a run that would not fit the disk."""
    require_known(session.plan, only or ())
    estimate(session.record, session.plan, session.plan.pending(None, only or None)).require_room()
