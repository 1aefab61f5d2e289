"""What all flows share: opening a dataset, batches of small stacks, gathering outcomes, a summary, names of runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect import Task, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext

from flows.planning.estimate import Estimate, estimate, stack_bytes
from flows.planning.plan import Plan, make_plan, require_cells, require_known
from tasks.execution.outcomes import SetAside
from tasks.policy import limit, told_plainly
from tasks.reporting.artifacts import show, shown_name
from tasks.reporting.summary import Summary
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.dataset.record_file import parse_change, read_record
from unet.ledger.outcome import Outcome
from unet.settings.record import Record

BATCH = 64
"""Stacks of one task run at most: small stacks share one, so that Prefect sees hundreds of runs and not thousands."""
BATCH_BYTES = 10**9
"""Bytes of images, unpacked, from which on a task run takes no more stacks; a larger stack has one of its own."""


@dataclass(frozen=True)
class StageRun:
    """One stage over one dataset: its record, and what is to be done."""

    stage: str
    dataset: Dataset
    record: Record
    plan: Plan
    works: list[Outcome]
    cost: Estimate

    @classmethod
    def open(
        cls, stage: str, dataset: str, only: Sequence[str] | None, changes: Sequence[str] | None, force: bool
    ) -> "StageRun":
        """Read the record, and plan this stage from what lies in the dataset."""
        place = Dataset(dataset)
        record = changed_record(place, changes)
        plan = make_plan(place, record, force=stage if force else None, trust=True)
        require_cells(plan, stage)
        require_known(plan, only or ())
        works = plan.works(stage, only or None)  # a form left empty gives no names
        cost = estimate(record, plan, works)
        cost.require_room()
        return cls(stage, place, record, plan, works, cost)

    def batches(self) -> list[list[str]]:
        """Names of the stacks to be worked on, some at a time."""
        return batched(stack_bytes(self.plan, self.record, [work.name for work in self.works]))

    def limited(self, task: Task[..., Any], names: Sequence[str] | None = None) -> Callable[..., State[list[Outcome]]]:
        """A task with the limit that becomes these stacks, by what is expected of them; its call gives a state."""
        costs = [self.cost.costs[self.stage, name] for name in names or [work.name for work in self.works]]
        known = [cost.seconds for cost in costs if cost.seconds is not None]
        expected = sum(known) if len(known) == len(costs) else None
        return partial[Any](task.with_options(timeout_seconds=limit(expected)), return_state=True)

    def finish(self, states: Iterable[State[list[Outcome]]]) -> list[Outcome]:
        """Outcomes of all tasks, told in artifacts; what failed is raised after all others were done.

        The flow calls its tasks one after another in its own thread: each of them uses all cores by itself, and Ctrl-C
        would not reach a thread.

        Raises:
            HeldError: another run works on the dataset.
            SetAside: stacks failed by themselves.
            Exception: a whole task failed; the first one's error.
        """
        summary = Summary(self.dataset, self.stage, self.record.model)
        with lease(self.dataset, self.stage), tagged(self.dataset, self.stage), summary, told_plainly(self.stage):
            with summary.timed(self.stage):
                states = list(states)
            outcomes = [outcome for state in states if state.is_completed() for outcome in state.result()]
            summary.add(outcomes)
            for state in states:
                state.result()
            raise_set_aside(outcomes)
        return outcomes


def raise_set_aside(outcomes: Sequence[Outcome]) -> None:
    """Raise SetAside where there is one of these."""
    failed = [outcome for outcome in outcomes if outcome.state == "set aside"]
    if failed:
        raise SetAside(failed, [outcome for outcome in outcomes if outcome.state != "set aside"])


@contextmanager
def tagged(dataset: Dataset, *words: str) -> Iterator[None]:
    """Tags of the run and of all below it: the dataset, as `dataset:NAME`, and these words."""
    context, wanted = FlowRunContext.get(), {f"dataset:{shown_name(dataset)}", *words}
    run = context.flow_run if context else None
    if run is not None and not wanted <= set(run.tags):
        show("the run's tags", partial(_tag, run, wanted))
    with tags(*wanted):
        yield


def _tag(run: FlowRun, words: set[str]) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags=sorted(words | set(run.tags)))


def changed_record(dataset: Dataset, changes: Sequence[str] | None) -> Record:
    """Record of a dataset with changes of settings for one run, each a `section.key=value`."""
    return read_record(dataset, dict(parse_change(change) for change in changes or ()))


def batched(sizes: Mapping[str, int]) -> list[list[str]]:
    """Names in their order, in batches of at most `BATCH` names, and of `BATCH_BYTES` but for one that is larger alone.

    >>> batched({"a": 3 * 10**8, "b": 3 * 10**8, "c": 2 * 10**9, "d": 1, "e": 10**9})
    [['a', 'b'], ['c'], ['d'], ['e']]
    """
    batches: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not batches or len(batches[-1]) == BATCH or size > room:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(name)
        room -= size
    return batches


def run_name() -> str:
    """Name of a flow run: its stage and its dataset."""
    from prefect.runtime import flow_run

    return f"{flow_run.flow_name} {shown_name(Dataset(flow_run.parameters['dataset']))}"
