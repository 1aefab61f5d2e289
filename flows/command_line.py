"""The command line: a dataset folder in, a verb's flow called, an exit status out.

0 = all fresh, 1 = something was set aside or failed, 2 = the run record or the command is wrong. Prefect is imported by
the verbs that run something, once the plan says that there is something to run.
"""

import ast
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flows import server
from flows.plan import Plan, make_plan
from unet.folder import Dataset, Folder
from unet.ledger import STAGES, Outcome
from unet.record_file import parse_change, read_record, set_values
from unet.records import Record

app = typer.Typer(
    name="unet-flows",
    help="From the stacks a lab's microscopes write every day to segmented, measured, browsable data.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's folder, or an fsspec URL.")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting in dataset.yaml and show it.")
]
OnlyOption = Annotated[list[str], typer.Option("--only", metavar="NAME", help="Narrow it to these stacks.")]
ForceFlag = Annotated[bool, typer.Option("--force", help="Make it again though it is fresh.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why; --set only tries.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def main() -> None:
    """Run the command line; the exit status says how it ended."""
    try:
        app(standalone_mode=True)
    except (ValueError, LookupError) as error:
        err.print(f"[red]error:[/red] {_text(error)}", markup=True, highlight=False)
        sys.exit(2)


def first_line(flow: str) -> str:
    """First line of a flow's docstring, read without importing it."""
    spec = find_spec(f"flows.{flow}")
    assert spec is not None and spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == flow:
            return (ast.get_docstring(node) or "").splitlines()[0]
    raise LookupError(f"flows.{flow} must define a flow of that name")


def stage_verb(stage: str) -> None:
    """Add the verb of one stage."""

    def verb(
        dataset: DatasetArgument,
        changes: SetOption = [],  # noqa: B006  # typer reads the default
        only: OnlyOption = [],  # noqa: B006
        force: ForceFlag = False,
        dry_run: DryRunFlag = False,
        as_json: JsonFlag = False,
    ) -> None:
        _run(dataset, changes, only, stage, stage if force else None, dry_run, as_json)

    app.command(stage, help=first_line(stage))(verb)


def _text(error: Exception) -> str:
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error).replace("[", "\\[")


@app.command(help="Write a commented dataset.yaml after looking at the sources; on a dataset, add one more source.")
def init(
    dataset: DatasetArgument,
    images: Annotated[str, typer.Option(help="Folder of image files, or one file.")],
    truth: Annotated[str | None, typer.Option(help="Folder of labels that people drew, matched by name.")] = None,
    slices: Annotated[str | None, typer.Option(help="z or t: each folder of single planes is one stack.")] = None,
    foreground: Annotated[
        str | None, typer.Option(help="How truth is read: ids, 255 (the non-zero value is object) or 0 (zero is).")
    ] = None,
) -> None:
    """Write a commented `dataset.yaml`."""
    from flows.init import initialise

    for line in initialise(Dataset(dataset), images, truth, slices, foreground):
        out.print(line, highlight=False)


for _stage in STAGES:
    if _stage != "train":
        stage_verb(_stage)


@app.command("train", help=first_line("train"))
def train_verb(
    dataset: DatasetArgument,
    changes: SetOption = [],  # noqa: B006
    force: ForceFlag = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take in truth that came since the last training.")
    ] = False,
    dry_run: DryRunFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train."""
    _run(dataset, changes, [], "train", "train" if force or refresh else None, dry_run, as_json, refresh=refresh)


@app.command("reprocess", help=first_line("reprocess"))
def reprocess_verb(
    dataset: DatasetArgument,
    changes: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    force: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Make this stage again though it is fresh.")
    ] = None,
    dry_run: DryRunFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Reprocess."""
    if force is not None and force not in STAGES:
        raise ValueError(f"--force must name a stage, got {force!r}; stages are {', '.join(STAGES)}")
    _run(dataset, changes, only, None, force, dry_run, as_json)


@app.command(help="Show what is fresh, stale (and why), missing or set aside, stack by stack.")
def status(dataset: DatasetArgument, as_json: JsonFlag = False) -> None:
    """Show the state of every stack at every stage."""
    place = Dataset(dataset)
    plan = make_plan(place, read_record(place))
    if as_json:
        _print_json(plan, list(plan.cells.values()))
    else:
        _print_plan(plan)
    _exit(plan)


@app.command("import", help="Bring a model of elsewhere into the dataset under a name of its own.")
def import_model(
    dataset: DatasetArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A model's folder: models/MODEL of another dataset.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What it will be called here.")],
) -> None:
    """Bring in a model."""
    from unet.models import bring_in

    place = Dataset(dataset)
    read_record(place, {"predict.model": name})
    bring_in(place, Folder(path), name)
    for line in set_values(place, {"predict.model": name}):
        err.print(line)
    out.print(f"{name} is in {place.model(name).url}; next: unet-flows reprocess {dataset}")


@app.command("export-labels", help="Write segments as TIFF and tables as CSV, for people without zarr.")
def export_labels(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write into.")],
    only: OnlyOption = [],  # noqa: B006
) -> None:
    """Export segments and tables."""
    from tasks.export import export_labels as export

    place = Dataset(dataset)
    record = read_record(place)
    plan = make_plan(place, record)
    _require(plan, only)
    names = [name for name in plan.names() if (not only or name in only) and place.table(record.model, name).exists()]
    if not names:
        raise LookupError(
            f"{dataset} must hold segments of {record.model}, got none; run `unet-flows reprocess {dataset}`"
        )
    for name in names:
        for path in export(place, name, record.model, to):
            out.print(str(path))


@app.command(help="Forget a stack and all that was made from it; its source file is left where it is.")
def remove(
    dataset: DatasetArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of stacks.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget stacks."""
    place = Dataset(dataset)
    record = read_record(place)
    plan = make_plan(place, record)
    _require(plan, names)
    if not yes and not typer.confirm(f"Forget {', '.join(names)} and all that was made from it?"):
        raise typer.Exit(1)
    kept = [name for name in names if name in plan.stacks]
    if kept:  # its source is still there: the record says that it is not taken
        set_values(place, {"exclude": [*record.exclude, *kept]})
    for name in names:
        for folder in place.all_of(name):
            folder.remove()
        out.print(f"{name} is forgotten")


@app.command(help=first_line("demo"))
def demo(
    small: Annotated[bool, typer.Option("--small", help="Within a minute, for a first look.")] = False,
    images: Annotated[str | None, typer.Option(help="One's own image files instead of a drawn dataset.")] = None,
    truth: Annotated[str | None, typer.Option(help="One's own labels, matched by name.")] = None,
    at: Annotated[Path, typer.Option("--at", metavar="DIR", help="Folder to work in.")] = Path("demo"),
) -> None:
    """Walk the whole road."""
    from flows.demo import demo as walk

    with _exit_status():
        walk(at, small, images, truth, lambda line: out.print(line, highlight=False), _reprocess)


@app.command(help=first_line("serve"))
def serve(
    dataset: DatasetArgument,
    port: Annotated[int, typer.Option(help="Port of the server, on loopback.")] = 4200,
    cron: Annotated[str, typer.Option(help="When reprocess runs by itself.")] = "0 2 * * *",
) -> None:
    """Serve."""
    read_record(Dataset(dataset))
    from flows.serve import serve as run_server

    run_server(str(Path(dataset).resolve()), port, cron, lambda line: out.print(line, highlight=False))


def _run(
    dataset: str,
    changes: list[str],
    only: list[str],
    stage: str | None,
    force: str | None,
    dry_run: bool,
    as_json: bool,
    refresh: bool = False,
) -> None:
    """Plan; say what there is to do; do it, unless there is nothing or it was only asked."""
    began, place = time.monotonic(), Dataset(dataset)
    overrides = dict(parse_change(change) for change in changes)
    record = read_record(place, overrides)
    if overrides and not dry_run:
        for line in set_values(place, overrides):
            err.print(line, highlight=False)
    plan = make_plan(place, record, force, trust=stage is not None)
    _require(plan, only)
    works = plan.works(stage, only)
    if dry_run or not works:
        if as_json:
            _print_json(plan, works)
        else:
            _print_works(plan, works, stage, time.monotonic() - began)
        _exit(plan)
    with _exit_status():
        outcomes = _call(stage, dataset, only, force, refresh)
    if as_json:
        print(json.dumps([vars(outcome) for outcome in outcomes]))
    else:
        _print_outcomes(outcomes, time.monotonic() - began)


def _reprocess(dataset: str) -> None:
    """What `unet-flows reprocess DATASET` does."""
    _run(dataset, [], [], None, None, dry_run=False, as_json=False)


def _call(stage: str | None, dataset: str, only: list[str], force: str | None, refresh: bool) -> list[Outcome]:
    """Call the flow; Prefect is imported here."""
    where = server.configure()
    with err.status(f"starting {where}" if where.startswith("an ") else f"using the server at {where}"):
        from flows.reprocess import STAGE_FLOWS, reprocess
    warnings.filterwarnings("ignore", module="prefect")
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    if stage is None:
        return reprocess(dataset, only or None, None, force)  # type: ignore[arg-type]
    more = {"refresh": True} if refresh else {}
    return STAGE_FLOWS[stage](dataset, only or None, None, force is not None, **more)


@contextmanager
def _exit_status() -> Iterator[None]:
    """Whatever goes wrong becomes one sentence and an exit status."""
    try:
        yield
    except (ValueError, LookupError, typer.Exit):
        raise
    except (RuntimeError, OSError) as error:
        err.print(f"[red]failed:[/red] {_text(error)}", highlight=False)
        raise typer.Exit(1) from error


def _exit(plan: Plan) -> None:
    if plan.set_aside():
        raise typer.Exit(1)


def _require(plan: Plan, only: list[str]) -> None:
    from flows.plan import require_known

    require_known(plan, only)


def _print_works(plan: Plan, works: list[Outcome], stage: str | None, seconds: float) -> None:
    for work in works:
        out.print(f"{work.stage:9}{work.name}  {work.why or 'never made'}", highlight=False)
    _print_aside(plan.set_aside())
    for note in plan.notes:
        err.print(f"note: {note}", highlight=False)
    if not works:
        fresh = sum(1 for cell in plan.cells.values() if cell.state == "fresh" and stage in (None, cell.stage))
        what = f"nothing to do: {fresh} results are fresh" if plan.set_aside() else f"all fresh: {fresh} results"
        out.print(f"{what} ({seconds:.1f} s)", highlight=False)


def _print_outcomes(outcomes: list[Outcome], seconds: float) -> None:
    table = Table("stage", "done", "e.g.", box=None)
    for stage in STAGES:
        of_stage = [o for o in outcomes if o.stage == stage]
        if of_stage:
            table.add_row(stage, str(len(of_stage)), f"{of_stage[0].name}: {of_stage[0].why}")
    out.print(table)
    out.print(f"all fresh ({seconds:.0f} s)", highlight=False)


def _print_aside(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        err.print(f"[yellow]set aside[/yellow] {outcome.name} at {outcome.stage}: {_text(ValueError(outcome.why))}")


def _print_plan(plan: Plan) -> None:
    table = Table("stack", *STAGES, box=None)
    for name in dict.fromkeys([*plan.names(), *(name for _, name in plan.cells)]):
        cells = [plan.cells.get((stage, name)) for stage in STAGES]
        table.add_row(name, *(_word(cell) for cell in cells))
    out.print(table)
    _print_aside(plan.set_aside())
    for note in plan.notes:
        err.print(f"note: {note}", highlight=False)


def _word(cell: Outcome | None) -> str:
    if cell is None:
        return "–"
    colour = {"fresh": "green", "set aside": "red"}.get(cell.state, "yellow")
    why = f" ({_text(ValueError(cell.why))})" if cell.state == "stale" else ""
    return f"[{colour}]{cell.state}[/{colour}]{why}"


def _print_json(plan: Plan, cells: list[Outcome]) -> None:
    values: dict[str, Any] = {"results": [vars(cell) for cell in cells], "notes": list(plan.notes)}
    values["set_aside"] = [vars(cell) for cell in plan.set_aside()]
    print(json.dumps(values, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
