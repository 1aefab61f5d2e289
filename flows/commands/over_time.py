"""Verbs that look at models over time: two side by side, what became of all, and which one is in use."""

import math
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flows.commands.options import DatasetArgument, JsonFlag, WaitFlag, exit_status, note
from flows.commands.show import as_text, err, json_text, out
from unet.dataset.folder import Dataset, Json
from unet.dataset.lease import lease
from unet.dataset.record_file import read_record, set_values
from unet.ledger.results import model_of
from unet.reports.history import Event, history

if TYPE_CHECKING:
    from tasks.tools.compare import Comparison

verbs = typer.Typer()

SHOWN = 8
"""Changes that the history lists of each line."""


@verbs.command(
    help="Compare two models on what neither was trained on: how they differ, how sure that is, what changed."
)
def compare(
    dataset: DatasetArgument,
    model_a: Annotated[str, typer.Argument(metavar="MODEL_A", help="The one that is compared with.")],
    model_b: Annotated[str, typer.Argument(metavar="MODEL_B", help="The one that may be better or worse.")],
    as_json: JsonFlag = False,
) -> None:
    """Show model B beside model A."""
    from tasks.tools.compare import compare_models

    place = Dataset(dataset)
    read_record(place)
    found = compare_models(place, model_a, model_b)
    if as_json:
        print(json_text(found.plain()))
        return
    _show(found)


def _show(found: "Comparison") -> None:
    """The verdict, a line for each metric, and what was changed."""
    from tasks.tools.compare import count_words, verdict_words

    out.print(as_text(f"{verdict_words(found)}\non {count_words(found)}\n"))
    table = Table("", *map(as_text, (found.a, found.b)), "difference", "interval", "", box=None)
    for name, of in found.metrics.items():
        interval = f"{of.low:+.3f} … {of.high:+.3f}" if math.isfinite(of.low) else "–"
        table.add_row(name.replace("_", " "), f"{of.a:.3f}", f"{of.b:.3f}", f"{of.value:+.3f}", interval, of.verdict)
    out.print(table)
    told = [f"  {change}" for change in found.changes] or ["  nothing that is told of"]
    out.print(as_text("\n".join([f"\nchanged from {found.a} to {found.b}:", *told])))
    for line in found.notes:
        note(line)


@verbs.command("history", help="Show every training, and the headline of every report, with what changed before it.")
def history_verb(dataset: DatasetArgument, as_json: JsonFlag = False) -> None:
    """Show what became of the models."""
    place = Dataset(dataset)
    read_record(place)
    events = history(place)
    if as_json:
        print(json_text([_plain(event) for event in events]))
        return
    if not events:
        out.print(as_text(f"no model was trained or compared yet; run `unet-flows reprocess {dataset}`"))
        return
    width = max(len(event.entry.model) for event in events)
    for event in events:
        of = event.entry
        scored = f"{of.part} ({_n(of.figures)}): " if of.part else ""
        out.print(
            as_text(
                f"{of.made[:16].replace('T', ' ')}  {of.model:{width}}  {of.kind:8}  {scored}{_figures(of.figures)}"
            )
        )
        if changed := _changed(event):
            out.print(as_text(f"{'':18}{changed}"))


def _plain(event: Event) -> Json:
    told = {key: value for key, value in event.entry._asdict().items() if key != "made_of"}
    return told | {"changed": event.changed, "since": event.since}


def _n(figures: dict[str, Json]) -> int:
    return max((int(of.get("n") or 0) for of in figures.values()), default=0)


def _figures(figures: dict[str, Json]) -> str:
    """The most telling figure with its interval, and the next one."""
    told = list[str]()
    for name, of in [(name, of) for name, of in figures.items() if of.get("value") is not None][:2]:
        low, high = of.get("low"), of.get("high")
        has_none = low is None or high is None or of.get("n") == 1 or told
        interval = "" if has_none else f" ({low:.3f}–{high:.3f})"
        told.append(f"{name.replace('_', ' ')} {of['value']:.3f}{interval}")
    return ", ".join(told) or "–"


def _changed(event: Event) -> str:
    """What was changed, the first of many; and since which model, where that is another."""
    if not event.since:
        return ""
    more = [f"and {len(event.changed) - SHOWN} more"] if len(event.changed) > SHOWN else []
    since = "" if event.since == event.entry.model else f" since {event.since}"
    return f"changed{since}: {'; '.join([*event.changed[:SHOWN], *more])}" if event.changed else ""


@verbs.command(help="Put a model to use (predict.model), unless it is worse than the present one beyond doubt.")
def promote(
    dataset: DatasetArgument,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model below models/.")],
    anyway: Annotated[bool, typer.Option("--anyway", help="Though it is worse, or nobody knows.")] = False,
    wait: WaitFlag = False,
) -> None:
    """Put a model to use."""
    from tasks.tools.compare import require_model

    place = Dataset(dataset)
    record = read_record(place)
    require_model(place, model)
    present = record.model
    if record.predict.model == model:
        out.print(as_text(f"{model} is in use already"))
        return
    if not anyway and present != model and model_of(place, present).known_stamp() is not None:
        _require_no_worse(place, present, model)
    with exit_status(), lease(place, "promote", wait, note):
        for line in set_values(place, {"predict.model": model}):
            err.print(as_text(line))
    out.print(as_text(f"{model} is in use; next: unet-flows reprocess {dataset}"))


def _require_no_worse(place: Dataset, present: str, model: str) -> None:
    """Refuse a model that is worse than the present one, or that cannot be compared with it."""
    from tasks.tools.compare import compare_models, count_words, difference_words, outdated, verdict_words

    try:
        found = compare_models(place, present, model)
    except LookupError as error:
        raise LookupError(f"{error}; or say --anyway") from error
    if old := [*outdated(place, present), *outdated(place, model)]:
        raise LookupError(f"{'; '.join(old)}; or say --anyway")
    for line in found.notes:
        note(line)
    if found.is_surely_worse:
        raise ValueError(
            f"{model} must not be worse than {present}, which is in use, got {difference_words(found)}, on "
            f"{count_words(found)}; train it better, or say --anyway"
        )
    note(verdict_words(found))
