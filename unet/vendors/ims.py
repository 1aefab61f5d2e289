"""Imaris files, which are HDF5: the finest level of their pyramid.

A channel may lie in a file of its own, which the first one names. What is named must lie in the folder of the file, and
no array may have its values elsewhere: a file that came as data leads nobody to other files of this machine.
"""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stack_names import natural_order
from unet.sources.stacks import Scenes

FINEST = "DataSet/ResolutionLevel 0"


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with ExitStack() as open_files:
        with decoding_errors_told(file, "Imaris file"):
            whole = open_files.enter_context(_hdf5(Path(file)))
            grid = _channels_of_times(whole, open_files, Path(file))
            pages = _pages(file, grid)
            about = [whole.get(f"DataSetInfo/Channel {number}") for number in range(len(grid[0]))]
            colours = tuple(_colour(_text(each, "Color")) for each in about)
            sizes = _sizes(whole, pages)
            names = [_text(each, "Name") for each in about]
        stack = stack_of_pages(pages, sizes, names)
        yield replace(stack, colours=colours if any(colours) else ())


def _find_scenes(file: str) -> Scenes:
    with decoding_errors_told(file, "Imaris file"), ExitStack() as open_files:
        whole = open_files.enter_context(_hdf5(Path(file)))
        grid = _channels_of_times(whole, open_files, Path(file))
        parts = {str(Path(file).with_name(Path(group.file.filename).name)) for times in grid for group in times}
        return Scenes(1, tuple(sorted(parts - {file}, key=natural_order)))


@contextmanager
def _hdf5(file: Path) -> Iterator[h5py.File]:
    with open_regular(str(file)) as stream:
        refuse_unwritten(stream.fileno())
    with h5py.File(file, "r", locking=False) as opened:
        yield opened


def _channels_of_times(whole: h5py.File, open_files: ExitStack, file: Path) -> list[list[h5py.Group]]:
    """The group of each channel of each time point, in files of their own or not."""
    found: list[list[h5py.Group]] = []
    times = _numbered(whole[FINEST], "TimePoint")
    for time in times:
        of_time = whole[FINEST][time]
        channels = _numbered(of_time, "Channel")
        found.append([_followed(of_time, channel, open_files, file) for channel in channels])
    if not found or not found[0] or {len(each) for each in found} != {len(found[0])}:
        raise ValueError("each time point must have the same channels")
    return found


def _numbered(group: h5py.Group, word: str) -> list[str]:
    """Names such as `Channel 0` in a group, by number, none missing."""
    names = sorted((name for name in group if name.startswith(f"{word} ")), key=natural_order)
    if names != [f"{word} {number}" for number in range(len(names))]:
        raise ValueError(f"{word} must be numbered from 0 on, got {', '.join(names)}")
    return names


def _followed(group: h5py.Group, name: str, open_files: ExitStack, file: Path) -> h5py.Group:
    """A group that may be a link into another file of the same folder."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.ExternalLink):
        return group[name]
    beside = os.path.normpath(link.filename)
    if os.path.basename(beside) != beside or beside in ("", os.curdir, os.pardir):  # noqa: PTH119  # a name, not a path
        raise ValueError(f"it may lead to files of its own folder alone, got {link.filename!r}")
    if not file.with_name(beside).is_file():
        raise ValueError(f"it must come with {beside}, which is not there; copy the missing files next to it")
    return open_files.enter_context(_hdf5(file.with_name(beside)))[link.path]


def _pages(file: str, grid: list[list[h5py.Group]]) -> Pages:
    arrays = [[_plain_array(group) for group in of_time] for of_time in grid]
    (shape, *others) = {_shape(group) for of_time in grid for group in of_time}
    (dtype, *other_types) = {array.dtype for of_time in arrays for array in of_time}
    if others or other_types:
        raise ValueError("its channels and time points must all be of one shape and type")

    def read(index: tuple[int, ...]) -> np.ndarray:
        time, channel, z = index
        with decoding_errors_told(file, "Imaris file"):
            plane: np.ndarray = arrays[time][channel][z, : shape[1], : shape[2]]  # it may be padded to whole chunks
            return plane

    return Pages(file, "tczyx", (len(grid), len(grid[0]), *shape), dtype, 2, read)


def _plain_array(group: h5py.Group) -> h5py.Dataset:
    """The values of a channel; refused where they are not all in the file."""
    link, array = group.get("Data", getlink=True), group["Data"]
    if isinstance(link, h5py.ExternalLink) or array.is_virtual or array.external or array.ndim != 3:
        raise ValueError(f"{array.name} must hold values z y x of its own")
    chunks = array.chunks or array.shape
    wanted = math.prod(-(-size // chunk) for size, chunk in zip(array.shape, chunks, strict=True))
    stored = array.id.get_num_chunks() if array.chunks else int(array.id.get_storage_size() >= array.nbytes)
    if stored < wanted:
        raise ValueError(f"{array.name} must have all of its {wanted} chunks, got {stored}: it is not whole")
    return array


def _shape(group: h5py.Group) -> tuple[int, int, int]:
    """Planes, rows and columns that were recorded."""
    stored = group["Data"].shape
    z, y, x = (int(_text(group, f"ImageSize{axis}") or size) for axis, size in zip("ZYX", stored, strict=True))
    if not (0 < z <= stored[0] and 0 < y <= stored[1] and 0 < x <= stored[2]):
        raise ValueError(f"its size {z} × {y} × {x} does not fit its array {stored}")
    return z, y, x


def _sizes(whole: h5py.File, pages: Pages) -> SaidSizes:
    """Sizes of pixels by the extent of the image, and of time points by the first two."""
    image = whole.get("DataSetInfo/Image")
    unit = _text(image, "Unit")
    sizes: dict[str, tuple[Any, str]] = {}
    for axis, number, count in zip("xyz", range(3), reversed(pages.shape[2:]), strict=False):
        low, high = _text(image, f"ExtMin{number}"), _text(image, f"ExtMax{number}")
        if low and high:
            sizes[axis] = ((float(high) - float(low)) / count, unit)
    first, second = (_text(whole.get("DataSetInfo/TimeInfo"), f"TimePoint{number}") for number in (1, 2))
    if first and second:
        sizes["t"] = ((datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds(), "s")
    return sizes


def _colour(said: str) -> str:
    """RRGGBB of three shares of one, such as `1.000 0.000 0.000`."""
    shares = said.split()
    return "".join(f"{round(255 * min(1.0, max(0.0, float(each)))):02X}" for each in shares) if len(shares) == 3 else ""


def _text(group: Any, name: str) -> str:
    """An attribute, which Imaris writes letter by letter; "" where there is none."""
    value = group.attrs.get(name) if group is not None else None
    if isinstance(value, np.ndarray):
        value = b"".join(np.atleast_1d(value).tolist())
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else str(value or "")


READER = Reader(_open, _find_scenes)
