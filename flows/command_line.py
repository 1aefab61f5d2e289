"""The command line: a dataset folder in, a verb's flow called, an exit status out.

0 = all fresh, 1 = something was set aside or failed, 2 = the run record or the command is wrong. Prefect is imported by
the verbs that run something, once the plan says that there is something to run.
"""

import ast
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows import server
from flows.ending import plainly
from flows.estimate import estimate
from flows.plan import Plan, make_plan, require_cells, require_known
from flows.show import as_text, err, out, show_json, show_outcomes, show_plan, show_set_aside, show_works
from unet.folder import Dataset, Folder
from unet.lease import lease
from unet.ledger import STAGES, Outcome
from unet.record_file import parse_change, read_record, set_values

app = typer.Typer(
    name="unet-flows",
    help="From the stacks a lab's microscopes write every day to segmented, measured, browsable data.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's folder, or an fsspec URL.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting in dataset.yaml and show it."),
]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Narrow it to these stacks.")]
ForceFlag = Annotated[bool, typer.Option("--force", help="Make it again though it is fresh.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why; --set only tries.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Wait for another run on this dataset, instead of leaving.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


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


def main() -> None:
    """Run the command line; the exit status says how it ended."""
    try:
        app()
    except (ValueError, LookupError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        err.print(f"[red]error:[/red] {as_text(text)}")
        sys.exit(2)
    except (OSError, ImportError) as error:  # the disk, or a package that a URL such as s3:// asks for
        err.print(f"[red]failed:[/red] {as_text(error)}")
        sys.exit(1)


def first_line(flow: str) -> str:
    """First line of a flow's docstring, read without importing it."""
    spec = find_spec(f"flows.{flow}")
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == flow:
            return (ast.get_docstring(node) or "").splitlines()[0]
    raise LookupError(f"flows.{flow} must define a flow of that name")


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
        out.print(as_text(line))


def _stage_verb(stage: str) -> None:
    def verb(
        dataset: DatasetArgument,
        changes: SetOption = None,
        only: OnlyOption = None,
        force: ForceFlag = False,
        dry_run: DryRunFlag = False,
        wait: WaitFlag = False,
        as_json: JsonFlag = False,
    ) -> None:
        order = Order(dataset, tuple(changes or ()), tuple(only or ()), stage, stage if force else None, wait=wait)
        _carry_out(order, dry_run, as_json)

    app.command(stage, help=first_line(stage))(verb)


for _stage in ("ingest", "weigh"):
    _stage_verb(_stage)


@app.command("train", help=first_line("train"))
def train_verb(
    dataset: DatasetArgument,
    changes: SetOption = None,
    force: ForceFlag = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take in truth that came since the last training.")
    ] = False,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train."""
    order = Order(dataset, tuple(changes or ()), (), "train", "train" if force or refresh else None, refresh, wait)
    _carry_out(order, dry_run, as_json)


for _stage in ("predict", "segment", "evaluate"):
    _stage_verb(_stage)


@app.command("reprocess", help=first_line("reprocess"))
def reprocess_verb(
    dataset: DatasetArgument,
    changes: SetOption = None,
    only: OnlyOption = None,
    force: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Make this stage again though it is fresh.")
    ] = None,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Reprocess."""
    if force is not None and force not in STAGES:
        raise ValueError(f"--force must name a stage, got {force!r}; stages are {', '.join(STAGES)}")
    _carry_out(Order(dataset, tuple(changes or ()), tuple(only or ()), None, force, wait=wait), dry_run, as_json)


@app.command(help="Show what is fresh, stale (and why), missing or set aside, stack by stack.")
def status(
    dataset: DatasetArgument,
    verify: Annotated[bool, typer.Option("--verify", help="Read everything again and compare checksums.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the state of every stack at every stage."""
    place = Dataset(dataset)
    plan = make_plan(place, read_record(place))
    if as_json:
        show_json(plan, list(plan.cells.values()))
    else:
        show_plan(plan)
    if verify:
        _verify(place, plan)
    _fail_where_set_aside(plan)


def _verify(place: Dataset, plan: Plan) -> None:
    """Name every damaged shard; status 1 where there is one."""
    from tasks.verify import damage

    damaged = [line for name in plan.names() for line in damage(place, name)]
    for line in damaged:
        err.print(as_text(line))
    if damaged:
        err.print("remove what is named and run `unet-flows reprocess` to make it again")
        raise typer.Exit(1)
    err.print("every shard reads, and its checksum holds")


@app.command("import", help="Bring a model of elsewhere into the dataset under a name of its own.")
def import_model(
    dataset: DatasetArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="models/MODEL of another dataset, or milesial's .pth.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What it will be called here.")],
) -> None:
    """Bring in a model."""
    from unet.models import bring_in

    place = Dataset(dataset)
    read_record(place, {"predict.model": name})
    brought = bring_in(place, Folder(path), name)
    for note in brought.facts.get("notes", []):
        err.print(f"note: {as_text(note)}")
    for line in set_values(place, {"predict.model": name}):
        err.print(as_text(line))
    out.print(f"{name} is in {place.model(name).url}; next: unet-flows reprocess {dataset}")


@app.command("export", help="Write a model as one file for other programs; it is read back and compared first.")
def export_model(
    dataset: DatasetArgument,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model below models/.")],
    form: Annotated[
        Literal["bioimageio", "onnx", "torch"],
        typer.Option("--format", help="A package for Fiji, ilastik and others; ONNX; or a torch.export program."),
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="PATH", help="File or folder, by default the model's.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier, such as CC-BY-4.0, for bioimageio.")] = None,
    authors: Annotated[
        list[str] | None, typer.Option("--author", metavar="NAME", help="Who made the model, for bioimageio.")
    ] = None,
) -> None:
    """Export a model."""
    from tasks.export_model import Signature
    from tasks.export_model import export_model as export

    with _exit_status():
        out.print(as_text(export(Dataset(dataset), model, form, to, Signature(licence, tuple(authors or ())))))


@app.command("export-labels", help="Write segments as TIFF and tables as CSV, for people without zarr.")
def export_labels(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write into.")],
    only: OnlyOption = None,
) -> None:
    """Export segments and tables."""
    from tasks.export import export_labels as export

    place = Dataset(dataset)
    model = read_record(place).model
    plan = make_plan(place, read_record(place))
    require_known(plan, only or ())
    names = [name for name in plan.names() if (not only or name in only) and place.table(model, name).exists()]
    if not names:
        raise LookupError(f"{dataset} must hold segments of {model}, got none; run `unet-flows reprocess {dataset}`")
    for name in names:
        for path in export(place, name, model, to):
            out.print(as_text(path))


@app.command(help="Forget stacks and all that was made from them; their source files are left where they are.")
def remove(
    dataset: DatasetArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of stacks.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget stacks."""
    place = Dataset(dataset)
    record = read_record(place)
    plan = make_plan(place, record)
    require_known(plan, names)
    if not yes:
        typer.confirm(f"Forget {', '.join(names)} and all that was made from it?", abort=True)
    kept = [name for name in names if name in plan.stacks]
    with _exit_status(), lease(place, "remove", say=_note):
        if kept:  # the source is still there: the record says that it is not taken
            set_values(place, {"exclude": [*record.exclude, *kept]})
        for name in names:
            for folder in place.all_of(name):
                folder.remove()
            out.print(f"{name} is forgotten")


@app.command(help=first_line("demo"))
def demo(
    small: Annotated[bool, typer.Option("--small", help="Within a minute, for a first look.")] = False,
    images: Annotated[str | None, typer.Option(help="One's own image files instead of drawn ones.")] = None,
    truth: Annotated[str | None, typer.Option(help="One's own labels, matched by name.")] = None,
    at: Annotated[Path, typer.Option("--at", metavar="DIR", help="Folder to work in.")] = Path("demo"),
) -> None:
    """Walk the whole road."""
    from flows.demo import demo as walk

    walk(at, small, images, truth, lambda line: out.print(as_text(line)), lambda name: _carry_out(Order(name)))


@app.command(help=first_line("serve"))
def serve(
    dataset: DatasetArgument,
    port: Annotated[int, typer.Option(help="Port of the server, on loopback.")] = 4200,
    cron: Annotated[str, typer.Option(help="When reprocess runs by itself.")] = "0 2 * * *",
) -> None:
    """Serve."""
    read_record(Dataset(dataset))
    from flows.serve import serve as run_server

    with _exit_status():
        run_server(
            dataset if "://" in dataset else str(Path(dataset).resolve()),
            port,
            cron,
            lambda line: out.print(as_text(line)),
        )


@app.command(help="Call runs crashed that nobody runs any more, such as a killed worker's: they hold places in queues.")
def unstick(
    minutes: Annotated[float, typer.Option(min=5, help="Silence that makes a run one that nobody runs.")] = 15,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and leave them.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Free the places of runs that nobody runs."""
    if server.configure().startswith("an "):
        raise LookupError(
            "a Prefect server must be running, got none; set PREFECT_API_URL, or start `unet-flows serve`"
        )
    from flows.unstick import unstick as call_crashed

    with _exit_status():
        stuck = call_crashed(minutes, dry_run)
    if as_json:
        print(json.dumps([vars(run) for run in stuck]))
        return
    for run in stuck:
        out.print(as_text(f"{run.state} since {run.since}: {run.name} ({run.id})"))
    out.print(f"{len(stuck)} runs {'would be' if dry_run else 'are'} called crashed")


def _carry_out(order: Order, dry_run: bool = False, as_json: bool = False) -> None:
    """Plan; say what there is to do; do it, unless there is nothing or it was only asked."""
    began, place = time.monotonic(), Dataset(order.dataset)
    overrides = dict(parse_change(change) for change in order.changes)
    record = read_record(place, overrides)
    if overrides and not dry_run:
        for line in set_values(place, overrides):
            err.print(as_text(line))
    plan = make_plan(place, record, order.force, trust=order.stage is not None)
    require_cells(plan, order.stage)
    require_known(plan, order.only)
    works = plan.works(order.stage, order.only or None)
    cost = estimate(place, record, plan, works)
    if works and not dry_run:
        with _exit_status(), lease(place, order.stage or "reprocess", order.wait, _note):
            cost.require_room()
            outcomes = _call(order, began)
        if as_json:
            print(json.dumps([vars(outcome) for outcome in outcomes]))
        else:
            show_outcomes(outcomes, time.monotonic() - began)
            show_set_aside(make_plan(place, record))
        return
    if as_json:
        show_json(plan, works, cost)
    else:
        show_works(plan, works, cost, order.stage, time.monotonic() - began)
    _fail_where_set_aside(plan)


def _call(order: Order, began: float) -> list[Outcome]:
    """Call the flow; Prefect is imported here, once there is something to run."""
    where = server.configure()
    word = f"starting {where}" if where.startswith("an ") else f"using {where}"
    with err.status(word), ThreadPoolExecutor(1) as pool:
        started = pool.submit(server.begin)  # the server starts while torch and the others are imported
        from flows.reprocess import STAGE_FLOWS, reprocess
        from flows.run import SetAside

        started.result()
    only, more = list(order.only) or None, {"refresh": True} if order.refresh else {}
    try:
        if order.stage is None:
            return reprocess(order.dataset, only, None, order.force)  # type: ignore[arg-type]
        return STAGE_FLOWS[order.stage](order.dataset, only, None, order.force is not None, **more)
    except SetAside as error:
        show_outcomes(error.done, time.monotonic() - began)
        raise


def _note(text: str) -> None:
    err.print(f"note: {as_text(text)}")


@contextmanager
def _exit_status() -> Iterator[None]:
    """Whatever the world does wrong becomes one sentence and status 1."""
    try:
        with plainly(_note):
            yield
    except (RuntimeError, OSError) as error:
        err.print(f"[red]failed:[/red] {as_text(error)}")
        raise typer.Exit(1) from error


def _fail_where_set_aside(plan: Plan) -> None:
    if plan.set_aside():
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
