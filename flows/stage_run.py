"""What the six flows share: a stage's run over a dataset, its tasks' batches and limits, its outcomes, tags, names."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from prefect import Task, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext

from flows.planning.estimate import estimate, stack_bytes
from flows.planning.plan import Plan, require_known, require_stage
from flows.planning.session import Session, open_session
from tasks.execution.batches import batched
from tasks.execution.outcomes import SetAside
from tasks.policy import limit, told_plainly
from tasks.reporting.artifacts import show, shown_name
from tasks.reporting.summary import Summary
from unet.dataset.folder import Dataset
from unet.ledger.outcome import Outcome

BATCH_STACKS = 64
"""Stacks of one task run at most: small stacks share one, so that Prefect sees hundreds of runs and not thousands."""
BATCH_BYTES = 10**9
"""Bytes of images, unpacked, from which on a task run takes no more stacks; a larger stack has one of its own."""

for _watcher in ("FlowRunSuspendingObserver", "FlowRunCancellingObserver"):
    # Prefect's watchers of a run warn of a server that is gone with a traceback each; the run says it in a sentence.
    logging.getLogger(f"prefect.{_watcher}").setLevel(logging.ERROR)


class StageRun:
    """One stage over one dataset: its record, its plan, and what is to be made."""

    def __init__(self, session: Session, stage: str, only: Sequence[str] | None) -> None:
        self.stage, self.dataset, self.record = stage, session.dataset, session.record
        self.plan: Plan = session.plan_for(stage)
        require_known(self.plan, only or ())
        require_stage(self.plan, stage)
        self.pending = self.plan.pending(stage, only or None)  # a form left empty gives no names
        self.names = [status.name for status in self.pending]
        self.cost = estimate(self.record, self.plan, self.pending)
        self.cost.require_room()
        self.summary = Summary(self.dataset, stage, self.record.model)

    def batches(self) -> list[list[str]]:
        """Names of the stacks to be worked on, some at a time."""
        return batched(stack_bytes(self.plan, self.record, self.names), BATCH_BYTES, BATCH_STACKS)

    def limited_task(self, task: Task[..., Any], names: Sequence[str]) -> Callable[..., State[list[Outcome]]]:
        """A task that is ended when it takes far longer than these stacks should; its call gives a state."""
        costs = [self.cost.costs[self.stage, name] for name in names]
        known = [cost.seconds for cost in costs if cost.seconds is not None]
        expected = sum(known) if len(known) == len(costs) else None
        return partial[Any](task.with_options(timeout_seconds=limit(expected)), return_state=True)

    def outcomes(self, states: Sequence[State[list[Outcome]]]) -> list[Outcome]:
        """Outcomes of all tasks, for the summary too; what failed is raised, now that all others were done.

        Raises:
            SetAside: stacks failed by themselves.
            Exception: a whole task failed; the first one's error.
        """
        outcomes = [outcome for state in states if state.is_completed() for outcome in state.result()]
        self.summary.add(outcomes)
        for state in states:
            state.result()
        raise_set_aside(outcomes)
        return outcomes


@contextmanager
def open_stage(
    stage: str, dataset: str, only: Sequence[str] | None, changes: Sequence[str] | None, force: bool
) -> Iterator[StageRun]:
    """One stage's run, with its tags, its summary and the lease of the session that it is part of.

    The flow calls its tasks one after another in its own thread: each of them uses all cores by itself, and Ctrl-C
    would not reach a thread.

    Raises:
        HeldError: another run works on the dataset.
    """
    with open_session(dataset, changes or (), stage, stage if force else None, alone=True) as session:
        run = StageRun(session, stage, only)
        session.touched |= {(stage, name) for name in run.names}
        with tagged_run(run.dataset, stage), run.summary, told_plainly(stage), run.summary.timed(stage):
            yield run


def raise_set_aside(outcomes: Sequence[Outcome]) -> None:
    """Raise SetAside where there is one of these that is news."""
    failed = [outcome for outcome in outcomes if outcome.state == "set aside" and not outcome.is_old]
    if failed:
        raise SetAside(failed, [outcome for outcome in outcomes if outcome.state != "set aside" or outcome.is_old])


@contextmanager
def tagged_run(dataset: Dataset, *words: str) -> Iterator[None]:
    """Tags of the run and of all below it: the dataset, as `dataset:NAME`, and these words."""
    context, wanted = FlowRunContext.get(), {f"dataset:{shown_name(dataset)}", *words}
    run = context.flow_run if context else None
    if run is not None and not wanted <= set(run.tags):
        show("the run's tags", partial(_tag_run, run, wanted))
    with tags(*wanted):
        yield


def _tag_run(run: FlowRun, words: set[str]) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags=sorted(words | set(run.tags)))


def run_name() -> str:
    """Name of a flow run: its stage and its dataset."""
    from prefect.runtime import flow_run

    return f"{flow_run.flow_name} {shown_name(Dataset(flow_run.parameters['dataset']))}"
