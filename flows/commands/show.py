"""What a person is shown: plans, outcomes and errors, as tables, lines or JSON."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from flows.planning.estimate import Estimate, as_minutes
from flows.planning.plan import Plan
from flows.planning.status import StageStatus
from unet.ledger.outcome import STAGES, Outcome
from unet.ledger.truth_findings import warnings
from unet.sources.fetching import as_bytes
from unet.sources.stack_names import UNSEEN, printable


class Terminal(Console):
    """A console on which text of files, as their names, is shown and never obeyed."""

    def render_str(self, text: str, **how: Any) -> Text:
        """All that is printed passes here."""
        return super().render_str(printable(text), **how)


out, err = (Terminal(stderr=stderr, soft_wrap=True, highlight=False, emoji=False) for stderr in (False, True))

COLOURS = {"fresh": "green", "set aside": "red"}


def as_text(text: object) -> str:
    """Text as it stands, though it may hold what rich takes for markup."""
    return escape(str(text))


def show_json(plan: Plan, statuses: Sequence[StageStatus], cost: Estimate | None = None) -> None:
    """Results and what they take, notes, what was set aside, and what is odd about the truth by stack, for a script."""
    costs = {key: vars(of) for key, of in cost.costs.items()} if cost else {}
    results = [vars(status) | costs.get((status.stage, status.name), {}) for status in statuses]
    values: dict[str, Any] = {"results": results, "notes": list(plan.notes)}
    if cost:
        values["disk"] = {"bytes": cost.bytes, "packed": cost.packed, "needed": cost.room, "free": cost.free}
    values["set_aside"] = [vars(status) for status in plan.set_aside()]
    values["truth"] = {name: check.counts() for name, check in plan.truth.items()}
    values["drift"] = [row._asdict() for row in plan.drift]
    print(json_text(values))


def json_text(values: Any) -> str:
    """Values as JSON that a terminal may be shown, too."""
    return UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(values, indent=1, ensure_ascii=False))


def show_pending(plan: Plan, pending: Sequence[StageStatus], cost: Estimate, stage: str | None, seconds: float) -> None:
    """What would be done, how long it takes, the bytes it writes and why; or that there is nothing to do."""
    for status in pending:
        of = cost.costs[status.stage, status.name]
        takes = f"{as_minutes(of.seconds):>9} {as_bytes(of.bytes):>9}"
        out.print(f"{status.stage:9} {status.name:24} {takes}  {as_text(status.why or 'never made')}")
    show_notes(plan)
    if pending:
        show_cost(cost)
        return
    fresh = sum(1 for of in plan.statuses.values() if of.state == "fresh" and stage in (None, of.stage))
    what = "nothing to do" if plan.set_aside() else "all fresh"
    out.print(f"{what}: {fresh} results are fresh ({seconds:.1f} s)")


def show_cost(cost: Estimate) -> None:
    """What all of it takes, and what the disk has."""
    out.print(f"{len(cost.costs)} results to make, minutes by past rates: {as_minutes(cost.seconds)}")
    free = "" if cost.free is None else f"; {as_bytes(cost.free)} are free, about {as_bytes(cost.room)} are needed"
    out.print(f"{as_bytes(cost.bytes)} unpacked, about {as_bytes(cost.packed)} as they are written{free}")


def show_outcomes(outcomes: Sequence[Outcome], seconds: float) -> None:
    """What was done, a line a stage."""
    for stage in STAGES:
        done = [o for o in outcomes if o.stage == stage and o.state == "done"]
        if done:
            out.print(f"{stage:9} {len(done):4} done   {done[0].name}: {as_text(done[0].why)}")
    made = sum(1 for outcome in outcomes if outcome.state != "set aside")
    out.print(f"{made} results made ({seconds:.0f} s)")


def show_set_aside(plan: Plan) -> None:
    """What failed and why, and what a person should know."""
    for stage, names, why in plan.grouped_failures():
        err.print(f"[red]set aside[/red] {names} at {stage}: {as_text(why)}")
    show_notes(plan)


def show_notes(plan: Plan) -> None:
    """What a person should know, a line each."""
    for note in plan.notes:
        err.print(f"note: {as_text(note)}")


def show_plan(plan: Plan) -> None:
    """A table of stacks and stages, and what a person should know."""
    names = Column("stack", overflow="fold")  # what tells the fields of a plate apart stands at their end
    table = Table(names, *STAGES, box=None)
    for name in dict.fromkeys([*plan.names(), *(name for _, name in plan.statuses)]):
        table.add_row(name, *(_word(plan.statuses.get((stage, name))) for stage in STAGES))
    out.print(table)
    show_set_aside(plan)
    for line in warnings(plan.truth):
        err.print(f"[yellow]truth:[/yellow] {as_text(line)}")


def _word(status: StageStatus | None) -> str:
    if status is None:
        return "–"
    why = f" ({as_text(status.why)})" if status.state == "stale" else ""
    return f"[{COLOURS.get(status.state, 'yellow')}]{status.state}[/]{why}"
