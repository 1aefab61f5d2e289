"""What microscope files hold: every scene with its axes, channels and pixel sizes, or why it cannot be read."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unet.dataset.folder import Json
from unet.formats.label_colours import colour_name, in_colours
from unet.formats.readers import Opened, find_scenes, open_found
from unet.formats.stack import RGB
from unet.reports import pictures
from unet.settings.ingest import Source
from unet.sources.mirror import Mirrored, look_at_remotes
from unet.sources.search import find_stacks
from unet.sources.stacks import Stack

Fetch = Callable[[Sequence[Source]], Mirrored]
"""Looks at sources, and brings what is remote of them to this machine."""
MOST_VALUES = 8
"""Values that are shown at most: more are grey values, or ids."""
LARGEST_LOOK = 2**24
"""Pixels of a plane that is looked at for them."""


PALETTE = "a palette is truth alone, by its indices or by its colours, and no image"


class Inspected(NamedTuple):
    """One stack, and what is said of it."""

    stack: Stack
    values: Json
    """`name`, `files` and `scene`; `axes`, `shape`, `dtype`, `channels`, `pixel_size`, `units`, `notes`; or `error`.

    Of labels of few values or colours `values` as well: shares of the first plane by value.
    """


def inspected(path: str | Path, axes: str = "", fetch: Fetch = look_at_remotes) -> list[Inspected]:
    """What is in a file, or in all files of a folder or an address, a stack each.

    Args:
        path: where they are.
        axes: what the axes of the files are, where they do not say.
        fetch: brings what is remote to this machine, if it is.

    Raises:
        OSError: an address cannot be reached.
        LookupError: there is no such file, or none that is read as an image.
    """
    source = Source(str(path), axes=axes or None)
    found = find_stacks([source], Path.cwd(), find_scenes, mirrored=fetch([source]))
    return [Inspected(stack, _values(stack)) for stack in found.stacks]


def described(found: Inspected) -> Iterator[str]:
    """Lines for a person: the stack, then what is known of it, a line each."""
    values = found.values
    scene = "" if values["scene"] is None else f", scene {values['scene']}"
    yield f"{values['files'][0]}{scene}"
    if "error" in values:
        yield f"  cannot be read: {values['error']}"
        return
    yield f"  {' × '.join(map(str, values['shape']))} ({' '.join(values['axes'])}) {values['dtype']}"
    sizes = [f"{axis} {size:g} {values['units'].get(axis, '')}".strip() for axis, size in values["pixel_size"].items()]
    yield f"  pixel size {', '.join(sizes) or 'unknown'}"
    if len(values["channels"]) > 1 or values["channels"] != ["0"]:
        yield f"  channels {', '.join(values['channels'])}"
    if len(values["files"]) > 1:
        more = len(values["files"]) - 1
        yield f"  with {more} more file{'s'[: more != 1]} of its set"
    if shares := values.get("values"):
        yield f"  its first plane holds {', '.join(f'{value} ({share:.1%})' for value, share in shares.items())}"
    yield from (f"  note: {note}" for note in values["notes"])


def first_picture(found: Sequence[Inspected]) -> bytes:
    """PNG of the first plane of the first stack that can be read.

    Raises:
        ValueError: there is none.
    """
    readable = next((of.stack for of in found if "error" not in of.values), None)
    if readable is None:
        raise ValueError("a picture must be of a stack that can be read, got none")
    with open_found(readable, takes_palette=True) as opened:
        plane = opened.plane((0,) * (len(opened.shape) - 2))
    return pictures.thumbnail(pictures.stretch(plane)[..., None].repeat(3, axis=2))


def _values(stack: Stack) -> Json:
    values: dict[str, Any] = {"name": stack.name, "files": list(stack.files), "scene": stack.scene}
    try:
        with open_found(stack, takes_palette=True) as opened:
            return (
                values
                | {
                    "axes": opened.axes,
                    "shape": list(opened.shape),
                    "dtype": str(opened.dtype),
                    "channels": list(opened.channels),
                    "pixel_size": dict(opened.spacing),
                    "units": dict(opened.units),
                    "notes": [*opened.notes, *([PALETTE] if opened.is_palette else [])],
                }
                | _few_values(opened)
            )
    except (ValueError, LookupError, OSError) as error:
        return values | {"error": str(error)}


def _few_values(opened: Opened) -> Json:
    """Values or colours of the first plane, each with its share, where they are as few as those of classes."""
    is_coloured = opened.dtype == np.uint8 and opened.channels == RGB
    if opened.dtype.itemsize > 1 or ("c" in opened.axes and not is_coloured):
        return {}
    if math.prod(opened.shape[-2:]) > LARGEST_LOOK:
        return {}
    shown = in_colours(opened, "") if is_coloured else opened
    with suppress(ValueError):  # ingest will say what is wrong with it
        found, counts = np.unique(shown.plane((0,) * (len(shown.shape) - 2)), return_counts=True)
        if 1 < found.size <= MOST_VALUES:
            names = [_name(value, opened, is_coloured) for value in found.tolist()]
            return {"values": dict(zip(names, (counts / counts.sum()).tolist(), strict=True))}
    return {}


def _name(value: float, opened: Opened, is_coloured: bool) -> str:
    """A value or a colour for people; of an index of a palette both."""
    if is_coloured:
        return colour_name(int(value))
    has_colour = opened.is_palette and value < len(opened.palette)
    return f"{value:g} {colour_name(opened.palette[int(value)])}" if has_colour else f"{value:g}"
