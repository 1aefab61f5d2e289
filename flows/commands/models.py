"""Verbs that bring models in, and take them out."""

from typing import Annotated, Literal

import typer

from flows.commands.options import DatasetArgument, WaitFlag, exit_status, note
from flows.commands.show import as_text, err, out
from unet.dataset.folder import Dataset, Folder
from unet.dataset.lease import lease
from unet.dataset.record_file import read_record, set_values
from unet.ledger.found_settings import untuned
from unet.ledger.results import learnt_names, model_of

verbs = typer.Typer()


@verbs.command(
    "import", help="Bring a model, ours or a checkpoint of milesial's, into the dataset under a name of its own."
)
def import_model(
    dataset: DatasetArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="models/MODEL of another dataset, or milesial's .pth.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What it will be called here.")],
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Names of its classes of objects, in order; by default those it has."),
    ] = None,
    wait: WaitFlag = False,
) -> None:
    """Bring in a model."""
    from tasks.parity import measure_import
    from unet.network.model_files import bring_in

    place = Dataset(dataset)
    record = read_record(place, {"predict.model": name})
    with exit_status(), lease(place, "import", wait, note):
        names = None if classes is None else tuple(each.strip() for each in classes.split(","))
        brought = bring_in(place, Folder(path), name, names)
        for each in brought.facts.get("notes", []):
            note(each)
        for line in set_values(place, {"predict.model": name}):
            err.print(as_text(line))
        lines = [f"it is {one.line}" for one in measure_import(place, name, record.predict.device)]
        without, learnt = untuned(place, name, record.segment), learnt_names(model_of(place, name).attributes())
    if without:
        note(f"it has no settings of segment of its own: {without}; `unet-flows tune {dataset}` finds them by truth")
    for line in lines:
        note(line)
    if len(learnt) > 1:
        note(f"its classes of objects are {', '.join(learnt)}")
    out.print(f"{name} is in {place.model(name).url}; next: unet-flows reprocess {dataset}")


@verbs.command("export", help="Write a model as one file for other programs; it is read back and compared first.")
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
    from tasks.tools.export_model import Signature
    from tasks.tools.export_model import export_model as export

    with exit_status():
        out.print(as_text(export(Dataset(dataset), model, form, to, Signature(licence, tuple(authors or ())))))
