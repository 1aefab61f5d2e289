"""Olympus's OIF and OIB, by the library `oiffile`: settings, and a TIFF a plane.

x.oif    settings; x.oif.files/s_C001Z002T003.tif, …: planes
x.oib    the same in one file, which is a file system of its own (OLE)
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from oiffile import SettingsFile

from unet.dataset.filesystem import open_regular, read_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.formats.tiff_plausibility import refuse_absurd
from unet.sources.stack_names import natural_order
from unet.sources.stacks import Scenes
from unet.vendors.compound_file import Compound, refuse_absurd_header

PLANE = re.compile(r"s_((?:[A-Z]\d+)+)\.tif", re.IGNORECASE)
"""Name of a plane: a letter and a number for each axis, the numbers from 1 on."""
LETTERS = {"T": "t", "Z": "z", "C": "c"}
WAVELENGTHS = "L"
"""Axis of emission wavelengths, which become channels."""
ANY_SIZE = {"X": "x", "Y": "y"}
SIDEWAYS = {"Z": "scanned in x and z: its y is depth", "T": "scanned in x and t: its y is time"}
AXES = 8
"""Axes of which the settings speak, such as `Axis 0 Parameters Common`."""


@dataclass(frozen=True)
class _Files:
    """Settings, and the files of the planes by the numbers of their names."""

    settings: Mapping[str, Mapping[str, Any]]
    planes: Mapping[tuple[tuple[str, int], ...], str]
    read: Callable[[str], bytes]

    def axis(self, letter: str) -> Mapping[str, Any]:
        """What the settings say of an axis."""
        tables = (self.settings.get(f"Axis {number} Parameters Common", {}) for number in range(AXES))
        return next((table for table in tables if table.get("AxisCode") == letter), {})

    @property
    def order(self) -> str:
        """Letters of all axes that were scanned, the innermost first."""
        return str(self.settings["Axis Parameter Common"]["AxisOrder"])


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _files(file) as files:
        with decoding_errors_told(file, _kind(file)):
            pages, notes = _pages(file, files)
            sizes = _sizes(files)
            names = [_name(files.settings, number) for number in range(1, 1 + files.axis("C").get("MaxSize", 0))]
        stack = stack_of_pages(pages, sizes, names)
        yield replace(stack, notes=(*stack.notes, *notes))


def _find_scenes(file: str) -> Scenes:
    with _files(file) as files:
        beside = Path(f"{file}.files")
        is_oif = _kind(file) == "OIF"
        return Scenes(1, tuple(str(beside / name) for name in files.planes.values()) if is_oif else ())


def _kind(file: str) -> str:
    return Path(file).suffix[1:].upper()


@contextmanager
def _files(file: str) -> Iterator[_Files]:
    with ExitStack() as now:
        with decoding_errors_told(file, _kind(file)):
            with open_regular(file) as stream:
                refuse_unwritten(stream.fileno())
            found = _beside(file) if _kind(file) == "OIF" else _inside(file, now)
            if not found.planes:
                raise ValueError("it holds no plane" if _kind(file) == "OIB" else f"{file}.files holds no plane")
        yield found


def _beside(file: str) -> _Files:
    """Files in the folder beside an OIF."""
    folder = Path(f"{file}.files")
    if not folder.is_dir():
        raise ValueError(f"it must come with the folder {folder.name}, which is not there; copy it next to it")
    settings = SettingsFile(io.BytesIO(read_regular(file)), Path(file).name)
    names = sorted((path.name for path in folder.iterdir()), key=natural_order)
    return _Files(settings, _planes(names), lambda name: read_regular(str(folder / name)))


def _inside(file: str, now: ExitStack) -> _Files:
    """Files within an OIB."""
    refuse_absurd_header(file)
    whole = now.enter_context(Compound(file))
    info = SettingsFile(io.BytesIO(whole.content("OibInfo.txt")), "OibInfo.txt")["OibSaveInfo"]
    stored = {path.rpartition("/")[2]: path for path in whole.files()}
    streams = {name.rpartition("/")[2]: stored[key] for key, name in info.items() if key.startswith("Stream")}
    main = streams[str(info[info["MainFileName"]]).rpartition("/")[2]]
    settings = SettingsFile(io.BytesIO(whole.content(main)), "settings")
    return _Files(settings, _planes(sorted(streams, key=natural_order)), lambda name: whole.content(streams[name]))


def _planes(names: Sequence[str]) -> dict[tuple[tuple[str, int], ...], str]:
    """Files of planes by their axes and numbers, from 0 on."""
    matches = [match for name in names if (match := PLANE.fullmatch(name))]
    return {tuple((a, int(n) - 1) for a, n in re.findall(r"([A-Z])(\d+)", m[1].upper())): m[0] for m in matches}


def _pages(file: str, files: _Files) -> tuple[Pages, tuple[str, ...]]:
    """Planes, and what is to be said of how they were scanned."""
    across, down = files.order[0], files.order[1]
    if across != "X" or down not in ("Y", *SIDEWAYS):
        raise ValueError(f"its planes must lie in x and y, got {across} and {down}")
    first = next(iter(files.planes))
    leading = [axis for axis, _ in first]
    sizes = {axis: 1 + max(dict(at).get(axis, 0) for at in files.planes) for axis in leading}
    claimed = {axis: 1 if axis == down else int(files.axis(axis).get("MaxSize", 0)) for axis in leading}
    if (wanted := _missing(files, leading, {a: max(sizes[a], claimed[a]) for a in leading})) is not None:
        raise ValueError(f"it must come with its plane {wanted}, which is not there; copy it again")
    names = LETTERS | ({} if sizes.get("C", 1) > 1 else {WAVELENGTHS: "c"})
    kept = [axis for axis in leading if sizes[axis] > 1]
    if down in kept:
        raise ValueError(f"its {down} must be an axis of its planes or one of files, got both")
    shape = (int(files.axis(down)["MaxSize"]), int(files.axis(across)["MaxSize"]))

    def read(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(kept, index, strict=True))
        with decoding_errors_told(file, _kind(file)):
            return _decoded(files, files.planes[tuple((axis, at.get(axis, 0)) for axis in leading)], shape)

    dtype = _type(files, first)
    axes = "".join(names.get(axis, axis) for axis in kept) + "yx"
    pages = Pages(file, axes, (*(sizes[axis] for axis in kept), *shape), dtype, 2, read)
    return pages, (SIDEWAYS[down],) if down in SIDEWAYS else ()


def _missing(files: _Files, leading: Sequence[str], sizes: Mapping[str, int]) -> str | None:
    """Name of the first plane that is not there; None where all are."""
    if not all(0 < size <= 10_000_000 for size in sizes.values()):
        raise ValueError(f"its axes claim {' × '.join(map(str, sizes.values()))} planes")
    for number in np.ndindex(*(sizes[axis] for axis in leading)):  # it ends at the first that is not there
        at = tuple(zip(leading, number, strict=True))
        if at not in files.planes:
            return f"s_{''.join(f'{axis}{index + 1:03}' for axis, index in at)}.tif"
    return None


def _type(files: _Files, first: tuple[tuple[str, int], ...]) -> np.dtype[Any]:
    with tifffile.TiffFile(io.BytesIO(files.read(files.planes[first]))) as tif:
        page = tif.pages.first
        assert page.dtype is not None
        return page.dtype


def _decoded(files: _Files, name: str, shape: tuple[int, int]) -> np.ndarray:
    content = files.read(name)
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        refuse_absurd(tif.series[0])
        page = tif.pages.first
        ends = [start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > len(content):
            raise ValueError(f"truncated: {name} is cut short")
        if page.shape != shape:
            raise ValueError(f"its planes must be {shape}, got {page.shape} in {name}")
        return page.asarray()


def _name(settings: Mapping[str, Mapping[str, Any]], number: int) -> str:
    """Name of a channel, by its dye."""
    said = settings.get(f"GUI Channel {number} Parameters", {})
    return str(said.get("DyeName") or said.get("CH Name") or "")


def _sizes(files: _Files) -> SaidSizes:
    """Sizes of pixels, and of steps along the other axes: the settings say where these begin and end."""
    sizes = {}
    for place, letter in zip("xyzt", "XYZT", strict=True):
        said = files.axis(letter)
        count, unit = int(said.get("MaxSize", 0)), str(said.get("UnitName") or said.get("PixUnit") or "")
        if count > 1 and "EndPosition" in said and "StartPosition" in said:
            steps = count if letter in ANY_SIZE else count - 1
            size = abs(float(said["EndPosition"]) - float(said["StartPosition"])) / steps
            sizes[place] = (size / 1000, "µm") if unit == "nm" else (size, unit)  # z is in nm, and x and y are not
    reference = files.settings.get("Reference Image Parameter", {})
    for place, key in (("x", "WidthConvertValue"), ("y", "HeightConvertValue")):
        if reference.get(key):
            sizes[place] = (reference[key], str(reference.get(key.replace("Value", "Unit"), "um")).strip('"'))
    down = files.order[1]
    if down == "Z" and "z" in sizes:
        sizes["y"] = sizes.pop("z")
    elif down == "T":
        sizes.pop("y", None)
    return sizes


READER = Reader(_open, _find_scenes)
