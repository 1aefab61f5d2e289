"""Verbs that look at a dataset, or put it in order."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import (
    DatasetArgument,
    JsonFlag,
    OnlyOption,
    exit_status,
    fail_where_set_aside,
    first_line,
    note,
)
from flows.commands.show import as_text, err, out, show_json, show_plan
from flows.commands.work import Order, carry_out
from flows.planning.plan import Plan, make_plan, require_known
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.dataset.record_file import read_record, set_values
from unet.sources.stack_names import shortened
from unet.store.plate_views import update_plate_views

verbs = typer.Typer()


@verbs.command(help="Show what is fresh, stale (and why), missing or set aside, stack by stack.")
def status(
    dataset: DatasetArgument,
    verify: Annotated[bool, typer.Option("--verify", help="Read everything again and compare checksums.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the state of every stack at every stage."""
    place = Dataset(dataset)
    plan = make_plan(place, read_record(place))
    if as_json:
        show_json(plan, list(plan.statuses.values()))
    else:
        show_plan(plan)
    if verify:
        _verify(place, plan)
    fail_where_set_aside(plan)


def _verify(place: Dataset, plan: Plan) -> None:
    """Name every damaged file; status 1 where there is one."""
    from tasks.tools.verify import damage, damage_of_model

    models = dict.fromkeys([*place.members("models"), *place.members("reports")])
    damaged = [line for name in plan.names() for line in damage(place, name)]
    damaged += [line for model in models for line in damage_of_model(place, model)]
    for line in damaged:
        err.print(as_text(line))
    if damaged:
        err.print(f"run `unet-flows reprocess {as_text(place.url)}`, which makes them again")
        raise typer.Exit(1)
    err.print("every file reads, and is what was made")


@verbs.command("export-labels", help="Write segments as TIFF and tables as CSV, for people without zarr.")
def export_labels(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write into.")],
    only: OnlyOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write files anew that are there.")] = False,
) -> None:
    """Export segments and tables; status 1 where files that were there already were kept."""
    from tasks.tools.export_labels import export_labels as export
    from tasks.tools.export_labels import require_own_folder

    place = Dataset(dataset)
    record, kept = read_record(place), list[Path]()
    model, plan = record.model, make_plan(place, record)
    require_known(plan, only or ())
    require_own_folder(place, record.sources, to)
    names = [name for name in plan.names() if (not only or name in only) and place.table(model, name).exists()]
    if not names:
        raise LookupError(f"{dataset} must hold segments of {model}, got none; run `unet-flows reprocess {dataset}`")
    for name in names:
        exported = export(place, name, model, to, overwrite)
        kept += exported.kept
        for path in exported.written:
            out.print(as_text(path))
    if kept:
        said = shortened([str(path) for path in kept])
        err.print(as_text(f"kept, as they were there: {said}; --overwrite writes them anew"))
        raise typer.Exit(1)


@verbs.command(help="Forget stacks and all that was made from them; their source files are left where they are.")
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
    with exit_status(), lease(place, "remove", say=note):
        if kept:  # the source is still there: the record says that it is not taken
            set_values(place, {"exclude": [*record.exclude, *kept]})
        for name in names:
            for folder in place.all_of(name):
                folder.remove()
            out.print(f"{name} is forgotten")
        update_plate_views(place)


@verbs.command(help=first_line("commands.demo"))
def demo(
    small: Annotated[bool, typer.Option("--small", help="Within a minute, for a first look.")] = False,
    images: Annotated[str | None, typer.Option(help="One's own image files instead of drawn ones.")] = None,
    truth: Annotated[str | None, typer.Option(help="One's own labels, matched by name.")] = None,
    at: Annotated[Path, typer.Option("--at", metavar="DIR", help="Folder to work in.")] = Path("demo"),
) -> None:
    """Walk the whole road."""
    from flows.commands.demo import demo as walk

    walk(at, small, images, truth, lambda line: out.print(as_text(line)), lambda name: carry_out(Order(name)))
