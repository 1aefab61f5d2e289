"""TIFF, OME-TIFF and ImageJ's TIFF: scenes, sets of files, what a file says of itself, and its pages.

Left alone, tifffile would read a file that was cut short as a shorter stack, or fill in zeros; `_refuse_truncated` and
`whole_times` stand against it. Pages are decoded one by one: as fast as tifffile's zarr view of a file, with the
memory of one page.
"""

import logging
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

import numpy as np
import tifffile

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.file_colours import colours_of
from unet.formats.micro_manager import GATHERED, index_of, refuse_absurd_set
from unet.formats.ome_files import is_part_of_renamed, named_files, ome_tree, open_ome, strangers
from unet.formats.stack import (
    Opened,
    Pages,
    Reader,
    ReadPlane,
    SliceAxis,
    UnknownAxesError,
    decoding_errors_told,
    stack_of_pages,
)
from unet.formats.tiff_extent import POSITION, at_position, positions, stopped, until, whole_times
from unet.formats.tiff_metadata import ome_pixels, tiff_metadata
from unet.formats.tiff_plausibility import refuse_absurd, refuse_empty_segments, refuse_lost_planes
from unet.sources.image_kinds import SUFFIXES
from unet.sources.stack_names import natural_order
from unet.sources.stacks import Scenes

# What tifffile says there is raised here as an error, or has no consequence.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@contextmanager
def _open_tiff(file: str, scene: int | None, axes: SliceAxis) -> Iterator[Opened]:
    with _tiff(file) as (tif, found):
        scenes = [(series, at) for series in found for at in range(positions(series))]
        if scene is None and len(scenes) > 1:
            raise ValueError(f"the scene must be given, as {file} holds {len(scenes)} of them")
        if not 0 <= (scene or 0) < len(scenes):
            raise LookupError(f"scene must be less than {len(scenes)}, the scenes in {file}, got {scene}")
        series, position = scenes[scene or 0]
        times = whole_times(file, series)
        with decoding_errors_told(file, "TIFF"):
            refuse_absurd(series)
            sizes, channels = tiff_metadata(tif, series)
            colours = colours_of(tif, ome_pixels(tif, series) if tif.is_ome else None)
        pages = at_position(_tiff_pages(file, series, axes), position)
        opened = stack_of_pages(until(pages, times), sizes, channels)
        notes = (*opened.notes, *stopped(series, times))
        palette = _palette(series.keyframe)
        yield replace(opened, colours=colours, notes=notes, is_shared=pages.inner == 2, palette=palette)


def _palette(page: tifffile.TiffPage) -> tuple[int, ...]:
    """Colours of the indices of a page that says that its values are such."""
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None:
        return ()
    red, green, blue = np.asarray(page.colormap, np.uint32) >> 8
    return tuple((red << 16 | green << 8 | blue).tolist())


def _find_scenes(file: str) -> Scenes:
    with _tiff(file) as (tif, scenes), decoding_errors_told(file, "TIFF"):
        found = _files_of_set(tif, scenes)
        is_gathered = scenes[0].kind in GATHERED
        if not (tif.filehandle.path == found[0] if is_gathered else _opens_its_set(tif, Path(file))):
            return Scenes(0)
        others = (_as_named(part, file, tif) for part in (*found, *index_of(tif)) if part != tif.filehandle.path)
        return Scenes(sum(map(positions, scenes)), tuple(others))


def _files_of_set(tif: tifffile.TiffFile, scenes: Sequence[tifffile.TiffPageSeries]) -> list[str]:
    """Real paths of the file and of those that pages lie in besides, in natural order."""
    own = {tif.filehandle.path}
    if scenes[0].kind not in GATHERED and not named_files(ome_tree(tif)) - {tif.filename}:
        return list(own)
    found = {page.parent.filehandle.path for series in scenes for page in series if page is not None}
    return sorted(found | own, key=natural_order)


def _as_named(part: str, file: str, tif: tifffile.TiffFile) -> str:
    """Path of another file of a set by the folder that its opener was found in, which a link may lead to."""
    beside = Path(file).parent / os.path.relpath(part, tif.filehandle.dirname)
    return str(beside) if beside.exists() and beside.samefile(part) else part


@contextmanager
def _tiff(file: str) -> Iterator[tuple[tifffile.TiffFile, list[tifffile.TiffPageSeries]]]:
    with decoding_errors_told(file, "TIFF"):
        _refuse_truncated(file)
        tif = open_ome(file)
    with tif:
        with decoding_errors_told(file, "TIFF"):
            refuse_absurd_set(tif)
            scenes = [s for s in tif.series if not s.keyframe.is_reduced and s.size and s.name not in BESIDE_SLIDES]
            if not scenes:
                raise ValueError("it holds no image")
            refuse_lost_planes(tif)
            missing = [] if tif.series[0].kind.lower() == "ome" else strangers(ome_tree(tif), Path(file))
        _refuse_strangers(file, missing)
        yield tif, scenes


@contextmanager
def scenes_of(file: str) -> Iterator[list[tifffile.TiffPageSeries]]:
    """The scenes of a TIFF, opened."""
    with _tiff(file) as (_, scenes), decoding_errors_told(file, "TIFF"):
        yield scenes


BESIDE_SLIDES = ("Thumbnail", "Label", "Macro", "Overview")
"""Pictures that scanners of whole slides put beside the slide."""
ORDERS = {b"II": "<", b"MM": ">"}
PUBLIC = 0x8000
"""Tags from here on are private, and what some microscopes write there is no offset."""
TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type in a tag."""


def _refuse_truncated(file: str) -> None:
    """Refuse a TIFF whose directories or descriptions lie beyond its end, or lead in a circle; planes fail as read."""
    with open_regular(file) as stream:
        head = stream.read(8)
        if head[:2] not in ORDERS:
            raise ValueError("it does not begin as one")
        refuse_unwritten(stream.fileno())
        order = ORDERS[head[:2]]
        big = struct.unpack(order + "H", head[2:4])[0] == 43
        offsets, entries = (order + "Q", order + "Q") if big else (order + "I", order + "H")
        seen: set[int] = set()
        position = _number(stream, offsets, 8 if big else 4)
        while position:
            if position in seen:
                raise ValueError(f"its directories lead in a circle, back to byte {position}")
            seen.add(position)
            position = _next_directory(stream, position, order, offsets, entries)


def _next_directory(stream: BinaryIO, position: int, order: str, offsets: str, entries: str) -> int:
    """Offset of the directory after the one at `position`; 0 after the last."""
    entry = struct.Struct(f"{order}HH{offsets[1]}")
    value = struct.calcsize(offsets)
    first = position + struct.calcsize(entries)
    end = first + _number(stream, entries, position) * (entry.size + value)
    stream.seek(first)
    table = stream.read(end - first)
    following = _number(stream, offsets, end)
    for at in range(0, len(table), entry.size + value):
        tag, kind, count = entry.unpack_from(table, at)
        length = TYPES.get(kind, 0) * count
        if tag < PUBLIC and length > value:
            _number(stream, "B", struct.unpack_from(offsets, table, at + entry.size)[0] + length - 1)
    return following


def _number(stream: BinaryIO, kind: str, position: int) -> int:
    """The number at a position in a file."""
    stream.seek(position)
    data = stream.read(struct.calcsize(kind))
    if len(data) < struct.calcsize(kind):
        raise ValueError(f"truncated at {stream.seek(0, 2)} bytes, it goes on at {position}")
    number: int = struct.unpack(kind, data)[0]
    return number


def _refuse_strangers(file: str, names: list[str]) -> None:
    """Refuse a file whose OME-XML speaks of other files alone: its own pages would be read as they happen to lie."""
    if names:
        raise ValueError(
            f"{file} must lie with the files of its set, as its OME-XML says that all planes are in {names[0]}"
            f"{f' and {len(names) - 1} others' if len(names) > 1 else ''}, got none of them; give the files back the "
            "names that they were written with, or copy the missing ones next to it"
        )


def _opens_its_set(tif: tifffile.TiffFile, file: Path) -> bool:
    root = ome_tree(tif)
    pointer = root.find("{*}BinaryOnly")
    if pointer is not None:
        opener = file.with_name(Path(pointer.get("MetadataFile", "")).name or file.name)
        is_here = opener != file and opener.name.lower().endswith(SUFFIXES) and opener.exists()
        return not is_here and not is_part_of_renamed(root, file)
    names = named_files(root)
    if file.name not in names:
        return True
    return file.name == min((name for name in names if file.with_name(name).is_file()), key=natural_order)


def _tiff_pages(file: str, series: tifffile.TiffPageSeries, axes: SliceAxis) -> "Pages":
    page, stated = series.keyframe, axes or "z"
    inner = len(page.shape)
    if series.shape[-inner:] != page.shape:
        raise ValueError(f"{file} must hold whole planes, got pages {page.shape} of a stack {series.shape}")
    ours = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x", "S": "c", "I": stated[0], "Q": stated[0], "R": POSITION}
    is_whole = 1 < len(stated) == len(series.axes)
    axes = stated if is_whole else "".join(ours.get(letter, "?") for letter in series.axes)
    if "?" in axes or len(set(axes)) < len(axes) or not axes.endswith(("yx", "yxc")):
        raise UnknownAxesError(
            f"the axes of {file} must be some of T C Z Y X, each once, got {series.axes} of lengths "
            f"{' × '.join(map(str, series.shape))}; save it as OME-TIFF, or say what each is to be by `axes` of its "
            "source, as --axes tzyx"
        )
    alpha = "S" in page.axes and page.extrasamples[-1:] in ((1,), (2,))
    return Pages(file, axes, series.shape, series.dtype, inner, _page_reader(file, series), alpha)


def _page_reader(file: str, series: tifffile.TiffPageSeries) -> ReadPlane:
    """Function that decodes a page, in several threads if asked: they read one after another, and decode at once.

    Where one directory stands for all pages, they follow each other in the file.
    """
    leading = series.shape[: -len(series.keyframe.shape)]
    page, tif, lock = series.keyframe, series.keyframe.parent, RLock()
    stored = page.dtype and page.dtype.newbyteorder(tif.byteorder)

    def read(index: tuple[int, ...]) -> np.ndarray:
        number = int(np.ravel_multi_index((0, *index), (1, *leading)))
        with decoding_errors_told(file, "TIFF"):
            if series.is_truncated and series.dataoffset is not None:
                offset = series.dataoffset + number * page.nbytes
                with lock:
                    return tif.filehandle.read_array(stored, page.size, offset).reshape(page.shape)
            with lock:
                one = series[number]
                is_open = one is not None and not one.parent.filehandle.closed
        assert one is not None
        if is_open:
            decoded = _decoded(one, lock)
        else:
            with lock, _reopened(one.parent):
                decoded = _decoded(one, lock)
        if decoded.shape != page.shape:
            alike = f"{page.shape}, got {decoded.shape} in plane {number}"
            raise ValueError(f"{file} must hold planes that are all {alike}; copy it again from the microscope")
        return decoded

    return read


def _decoded(page: tifffile.TiffPage | tifffile.TiffFrame, lock: Any) -> np.ndarray:
    with decoding_errors_told(page.parent.filehandle.path, "TIFF"):
        refuse_empty_segments(page)
        return page.asarray(lock=lock).reshape(page.shape)


@contextmanager
def _reopened(tif: tifffile.TiffFile) -> Iterator[None]:
    """Opens a file of a set for a while: all are closed but the one that opens the set."""
    tif.filehandle.open()
    try:
        yield
    finally:
        tif.filehandle.close()


READER = Reader(_open_tiff, _find_scenes, takes_axes=True)
