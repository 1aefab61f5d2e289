"""What was asked of a dataset, carried out: plan, say or do. Prefect is imported once there is something to do."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import typer

from flows.commands.options import exit_status, note
from flows.commands.show import as_text, err, show_json, show_notes, show_outcomes, show_pending
from flows.planning.estimate import estimate
from flows.planning.plan import require_known
from flows.planning.session import Session
from flows.server import address
from flows.server.process import start_ephemeral
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.dataset.record_file import parse_change, read_record, set_values
from unet.ledger.outcome import Outcome, standing_line


@dataclass(frozen=True)
class Order:
    """What a person asked for: one stage, or all of them."""

    dataset: str
    changes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    stage: str | None = None
    force: str | None = None
    refresh: bool = False
    wait: bool = False
    tried: tuple[str, ...] = ()
    """Changes of settings for this run alone."""

    @property
    def what(self) -> str:
        """The verb, for the lease."""
        return self.stage or "reprocess"


def carry_out(order: Order, dry_run: bool = False, as_json: bool = False) -> None:
    """Plan; say what there is to do; do it, unless there is nothing or it was only asked."""
    began = time.monotonic()
    if order.changes and not dry_run:
        _edit_record(order)
    with nullcontext() if dry_run else exit_status():  # fetching may take long: Ctrl-C is told as in a run
        session = Session(order.dataset, (*order.changes, *order.tried), order.stage, order.force, fetch=not dry_run)
    plan = session.plan
    require_known(plan, order.only)
    pending = plan.pending(order.stage, order.only or None)
    cost = estimate(session.record, plan, pending)
    if pending and not dry_run:
        with exit_status(), session.leased(order.what, order.wait, note):
            cost.require_room()
            outcomes = _call_flow(order, began)
        if as_json:
            print(json.dumps([vars(outcome) for outcome in outcomes]))
        else:
            show_outcomes(outcomes, time.monotonic() - began)
            show_notes(session.whole_plan())
        _say_standing([status.name for status in session.whole_plan().set_aside()])
        _fail_where_waiting(outcomes)
        return
    if not pending and not dry_run:
        session.tidy(note)
    if as_json:
        show_json(plan, pending, cost)
    else:
        show_pending(plan, pending, cost, order.stage, time.monotonic() - began)
    _say_standing([status.name for status in plan.set_aside()])


def _say_standing(names: Sequence[str]) -> None:
    """A line of what failed earlier and still stands: it was told when it was news, and fails no run after that."""
    if said := standing_line(names):
        err.print(as_text(said))


def _edit_record(order: Order) -> None:
    """Edit the record, which no run reads meanwhile."""
    place, changes = Dataset(order.dataset), [parse_change(change) for change in order.changes]
    read_record(place, dict([*changes, *map(parse_change, order.tried)]))  # what is wrong is refused before the edit
    with exit_status(), lease(place, "--set", order.wait, note):
        for line in set_values(place, dict(changes)):
            err.print(as_text(line))


@contextmanager
def server_started() -> Iterator[None]:
    """A Prefect server is there at the end; it starts while what is below imports torch and the others."""
    where = address.configure()
    address.require_access()
    word = f"starting {where}" if where.startswith("an ") else f"using {where}"
    with err.status(word):
        started = start_ephemeral()
        yield
        if started is not None:
            started.await_health()


def _call_flow(order: Order, began: float) -> list[Outcome]:
    """Call the flow; Prefect is imported here, once there is something to run."""
    with server_started():
        from flows.reprocess import STAGE_FLOWS, reprocess
        from tasks.execution.outcomes import SetAside

    only, tried = list(order.only) or None, list(order.tried) or None
    more = {"refresh": True} if order.refresh else {}
    try:
        if order.stage is None:
            return reprocess(order.dataset, only, tried, order.force)  # type: ignore[arg-type]
        return STAGE_FLOWS[order.stage](order.dataset, only, tried, order.force is not None, **more)
    except SetAside as error:
        show_outcomes(error.done, time.monotonic() - began)
        _say_standing([outcome.name for outcome in error.done if outcome.is_old])
        raise


def _fail_where_waiting(outcomes: list[Outcome]) -> None:
    """Status 1 where a source was still being written: not all is fresh."""
    waiting = [outcome for outcome in outcomes if outcome.state == "waiting"]
    for outcome in waiting:
        err.print(f"[yellow]waiting[/yellow] {outcome.name} at {outcome.stage}: {as_text(outcome.why)}")
    if waiting:
        raise typer.Exit(1)
