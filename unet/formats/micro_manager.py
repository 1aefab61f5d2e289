"""Sets of Micro-Manager, which tifffile gathers by itself: what they say is looked at before it is believed.

    MMStack    x_MMStack.ome.tif, x_MMStack_1.ome.tif, …: each has a map of its planes; one prefix is one set
    NDTiff     x_NDTiffStack.tif, x_NDTiffStack_1.tif, …: NDTiff.index beside them says in which file each plane lies

Left alone, tifffile opens whatever the index names, wherever that lies, waits at a pipe of a fitting name, takes an
index that was cut short for a shorter stack, and makes a list as long as the positions in either span.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tifffile

from unet.dataset.filesystem import open_regular, read_regular
from unet.formats.tiff_plausibility import MOST_PLANES

INDEX = "NDTiff.index"
GATHERED = ("mmstack", "ndtiff")
"""What tifffile calls series whose files it finds otherwise than by OME-XML."""
LENGTH, REST = struct.Struct("<I"), struct.Struct("<IiiiiIii")
COUNTS = ("Channels", "Slices", "Frames", "Positions")
"""How the summary of an MMStack calls the axes of its map, in their order."""


def refuse_absurd_set(tif: tifffile.TiffFile) -> None:
    """Refuse a set that lies elsewhere, is not whole, or speaks of more planes than there can be."""
    folder = Path(tif.filehandle.dirname)
    if tif.is_ndtiff:
        _refuse_index(folder / INDEX, tif.filename)
    elif tif.is_mmstack:
        for each in folder.glob("*_MMStack*.tif"):
            open_regular(str(each)).close()
        _refuse_map(tif.micromanager_metadata or {})


def index_of(tif: tifffile.TiffFile) -> tuple[str, ...]:
    """The file that says where the planes of an NDTiff lie; of any other TIFF none."""
    return (str(Path(tif.filehandle.dirname) / INDEX),) if tif.is_ndtiff else ()


def _refuse_index(index: Path, own: str) -> None:
    entries = list(_entries(read_regular(str(index))))
    names = {name for _, name in entries}
    for name in sorted(names):
        file = index.parent / name
        if Path(name).name != name or not file.exists() or file.is_dir():
            raise ValueError(f"{INDEX} must name files that lie beside it, got {name!r}")
        open_regular(str(file)).close()
    if own not in names:
        raise ValueError(f"{INDEX} beside it must name it, got {', '.join(sorted(names)[:3]) or 'nothing'}")
    axes = {axis for at, _ in entries for axis in at}
    _refuse_spans([_span([at[axis] for at, _ in entries if axis in at]) for axis in axes])


def _entries(content: bytes) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Position and file of each plane in an index."""
    at = 0
    while at < len(content):
        position, at = _text(content, at)
        name, at = _text(content, at)
        at += REST.size
        if at > len(content):
            raise ValueError(f"{INDEX} is cut short at {len(content)} bytes")
        yield json.loads(position), name


def _text(content: bytes, at: int) -> tuple[str, int]:
    """A text that its length stands before, and where it ends."""
    if at + LENGTH.size > len(content):
        raise ValueError(f"{INDEX} is cut short at {len(content)} bytes")
    end = at + LENGTH.size + LENGTH.unpack_from(content, at)[0]
    return content[at + LENGTH.size : end].decode(errors="replace"), end


def _span(positions: Sequence[Any]) -> int:
    numbers = [position for position in positions if isinstance(position, int)]
    return len(set(positions)) if len(numbers) < len(positions) else max(numbers) - min(numbers) + 1


def _refuse_map(settings: Mapping[str, Any]) -> None:
    summary, places = settings["Summary"], settings["IndexMap"]
    _refuse_spans([max(int(places[:, n].max()) + 1, int(summary.get(key, 1))) for n, key in enumerate(COUNTS)])


def _refuse_spans(spans: Sequence[int]) -> None:
    if math.prod(spans) > MOST_PLANES:
        raise ValueError(f"it speaks of {' × '.join(map(str, spans))} planes, of which there can be {MOST_PLANES:,}")
