"""Verbs that look at what microscopes wrote: what a file holds, and what becomes a dataset's source."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import DatasetArgument, JsonFlag, exit_status, say
from flows.commands.show import json_text
from unet.dataset.folder import Dataset
from unet.settings.remote import is_remote

verbs = typer.Typer()

SIZE = re.compile(r"(?:([tzyx])=)?([0-9.eE+-]+)$")


@verbs.command(help="Write a commented dataset.yaml after a look at the sources; on a dataset, add or change one.")
def init(
    dataset: DatasetArgument,
    images: Annotated[str, typer.Option(help="Folder of image files, or one file; or their address.")],
    truth: Annotated[
        list[str] | None,
        typer.Option(help="Folder of labels that people drew, matched by name; or NAME=FOLDER for each class."),
    ] = None,
    slices: Annotated[str | None, typer.Option(help="z or t: each folder of single planes is one stack.")] = None,
    foreground: Annotated[
        str | None,
        typer.Option(help="How truth is read: ids, 255 (the non-zero value is object), 0 (zero is) or classes."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE=NAME", help="What stands for each class in truth, such as '1=nucleus,2=mitosis'."),
    ] = None,
    class_of: Annotated[
        str | None, typer.Option("--class-of", help="Folder that tells the class of each id: label images, or CSVs.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="How files of single planes are named, such as '{name}_z{z}_c{c}.tif'.")
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(help="What names of truth have behind those of images, such as _mask."),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="What names of its stacks begin with, such as day2-.")] = None,
    axes: Annotated[str | None, typer.Option(help="The files' axes where they say none or wrong ones: tzyx.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="A,B", help="Names of the channels, in their order.")] = None,
    pixel_size: Annotated[
        str | None, typer.Option(metavar="SIZES", help="Micrometers, such as 0.1 for y and x, or z=0.5,y=0.1,x=0.1.")
    ] = None,
) -> None:
    """Write a commented `dataset.yaml`."""
    from flows.commands.init import initialise

    given: dict[str, Any] = {"images": images, "slices": slices, "prefix": prefix, "axes": axes, "class_of": class_of}
    given["truth"] = parsed_places(truth) if truth else None
    given["classes"] = parsed_classes(classes) if classes else None
    given["pattern"] = pattern
    given["foreground"] = int(foreground) if foreground and foreground.isdigit() else foreground
    given["suffix"] = suffix
    given["channels"] = [name.strip() for name in channels.split(",")] if channels else None
    given["pixel_size"] = parsed_sizes(pixel_size) if pixel_size else None
    for line in initialise(Dataset(dataset), given, asked):
        say(line)


def asked(question: str) -> bool:
    """Whether a person at the terminal says yes; where nobody is there, no."""
    return sys.stdin.isatty() and sys.stdout.isatty() and typer.confirm(question)


def parsed_sizes(text: str) -> dict[str, float]:
    """Sizes by axis; a number alone is that of y and x.

    >>> parsed_sizes("0.1"), parsed_sizes("z=0.5, 0.1")
    ({'y': 0.1, 'x': 0.1}, {'z': 0.5, 'y': 0.1, 'x': 0.1})
    """
    sizes: dict[str, float] = {}
    for part in text.split(","):
        found = SIZE.match(part.strip())
        if found is None:
            raise ValueError(f"--pixel-size must be like 0.1 or z=0.5,y=0.1,x=0.1, got {text!r}")
        sizes |= dict.fromkeys(found[1] or "yx", float(found[2]))
    return sizes


def parsed_places(written: Sequence[str]) -> str | dict[str, str]:
    """The folder of truth, or those of its classes by name.

    >>> parsed_places(["labels"]), parsed_places(["nucleus=a", "mitosis=b"])
    ('labels', {'nucleus': 'a', 'mitosis': 'b'})
    """
    parts = [text.partition("=") for text in written]
    pairs = [(name, place) for name, parted, place in parts if parted and not is_remote(name)]
    if len(written) == 1 and (not pairs or Path(written[0]).exists()):
        return written[0]
    return _once("--truth", "nucleus=DIR --truth mitosis=DIR", written, pairs)


def parsed_classes(written: Sequence[str]) -> dict[str, str]:
    """Names of classes by what stands for them.

    >>> parsed_classes(["1=nucleus,2=mitosis", "255=ignore"]), parsed_classes(["Tumor: Positive=cell"])
    ({'1': 'nucleus', '2': 'mitosis', '255': 'ignore'}, {'Tumor: Positive': 'cell'})
    """
    parts = [part.strip() for text in written for part in text.split(",")]
    pairs = [(key.strip(), name.strip()) for key, parted, name in (part.rpartition("=") for part in parts) if parted]
    return _once("--classes", "1=nucleus,2=mitosis", parts, pairs)


def _once(option: str, like: str, written: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    if len(pairs) != len(written):
        raise ValueError(f"{option} must be like {like}, got {' '.join(written)}")
    if len(names := dict(pairs)) != len(pairs):
        raise ValueError(f"{option} must name each once, got {', '.join(key for key, _ in pairs)}")
    return names


@verbs.command("inspect", help="Say what any microscope file holds: scenes, axes, channels, pixel sizes, other files.")
def inspect_verb(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, folders or addresses of them.")],
    axes: Annotated[str | None, typer.Option(help="Axes of the files where they do not say, such as tzyx.")] = None,
    picture: Annotated[str | None, typer.Option(metavar="PNG", help="Write the first plane as a picture.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Inspect."""
    from flows.planning.fetch import fetched
    from tasks.tools.inspection import described, first_picture, inspected

    with exit_status():
        found = [of for file in files for of in inspected(file, axes or "", fetched)]
        if picture:
            Path(picture).write_bytes(first_picture(found))
    if as_json:
        print(json_text([of.values for of in found]))
    else:
        for of in found:
            for line in described(of):
                say(line)
    if any("error" in of.values for of in found):
        raise typer.Exit(1)
