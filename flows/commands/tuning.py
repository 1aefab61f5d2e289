"""The verb that finds the settings of segment again."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from flows.commands.options import DatasetArgument, JsonFlag, WaitFlag, exit_status, note
from flows.commands.show import as_text, json_text, out
from flows.planning.plan import Plan, make_plan
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.dataset.record_file import read_record
from unet.ledger.results import scores_of
from unet.settings.record import Record
from unet.settings.segment import AUTOMATIC, TuningMetric

verbs = typer.Typer()

COLUMNS = (*AUTOMATIC, "value", "size_ratio")


@verbs.command(
    help="Find the settings of segment that are auto once more, by truth and the scores on disk, and keep them."
)
def tune(
    dataset: DatasetArgument,
    metric: Annotated[
        TuningMetric | None,
        typer.Option(help="What is to be best; by default AP over IoU 0.5 to 0.95, of masks of membranes V_rand."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is found, and write nothing.")] = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the settings of segment again."""
    place = Dataset(dataset)
    record = read_record(place)
    with exit_status(), lease(place, "tune", wait, note):
        from tasks.tools import tune as tool

        plan = make_plan(place, record)
        marked = [name for stage, name in plan.statuses if stage == "weigh"]
        scored = [name for name in marked if _has_scores(plan, record.model, name)]
        tuned = tool.tune(place, record.model, marked, scored, record.segment, metric)
        if not dry_run:
            tool.keep(place, record.model, tuned.found)
            plan = make_plan(place, record)
    stale = [status.name for status in plan.pending("segment")]
    if as_json:
        print(json_text({**vars(tuned), "written": not dry_run, "stale": stale}))
        return
    _show(tuned.found, tuned.before)
    _say_next(dataset, record, tuned.found, stale, dry_run)


def _has_scores(plan: Plan, model: str, name: str) -> bool:
    """Whether a stack's scores are those of the model as it is, and there."""
    stamp = scores_of(plan.seen, model, name).stamp()
    return plan.state("predict", name) == "fresh" and stamp is not None and not stamp.facts.get("dropped")


def _show(found: dict[str, Any], before: dict[str, Any]) -> None:
    """The settings before and now, and the curve over the thresholds."""
    planes = f"{found['n']} plane{'' if found['n'] == 1 else 's'} of the {found['part']} part"
    out.print(f"{found['metric']} on {planes}, and pixels of segments ÷ those of the objects they match:\n")
    table = Table("", *(name.replace("_", " ") if name == "size_ratio" else name for name in COLUMNS), box=None)
    for word, row in (("before", before), ("found", found)):
        table.add_row(word, *(_number(row[name]) for name in COLUMNS))
    out.print(table)
    out.print()
    curve = Table("threshold", "value", "size ratio", "", box=None)
    for threshold, value, ratio in found["curve"]:
        mark = "◀" if threshold == found["threshold"] else ""
        curve.add_row(f"{threshold:.2f}", _number(value), _number(ratio), mark)
    out.print(curve)


def _say_next(dataset: str, record: Record, found: dict[str, Any], stale: list[str], dry_run: bool) -> None:
    """What wins over what was found, and what to run."""
    if found["part"] == "training":
        note("no object validates this model: these settings were found on what it was trained on, and flatter it")
    for name in AUTOMATIC:
        given = getattr(record.segment, name)
        if given != "auto":
            said = given if isinstance(given, Mapping) else f"{given:g}"
            note(f"segment.{name} is {said} in dataset.yaml and wins; set it to auto to take what was found")
    if dry_run:
        out.print("\nnothing was written")
        return
    kept = f"\nkept with {record.model}; segments of {len(stale)} stacks are stale"
    out.print(as_text(f"{kept}; next: unet-flows reprocess {dataset}" if stale else f"{kept}: nothing to do"))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") if value != 0 else "0"
