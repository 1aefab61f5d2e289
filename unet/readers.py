"""Readers: a stack as a microscope wrote it, opened and read one y x plane at a time.

The law: what is opened has axes in the order t c z y x, each longer than 1 but for y and x, and all of its planes: a
file that was cut short, or that lacks a part of its set, is refused and never read as a shorter stack. Left alone,
tifffile would do that, or fill in zeros; `_refuse_truncated` and `_refuse_gaps` stand against it.

A format is one entry of `READERS`. Pages are decoded one by one: as fast as tifffile's zarr view of a file, with the
memory of one page. Pixel sizes come from OME-XML, else from ImageJ, else from the resolution tags where those are per
centimetre; inches are what printers use, and are not believed.
"""

import errno
import logging
import math
import struct
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import tifffile

from unet.sources import SUFFIXES, natural_order

# What tifffile says there is raised here as an error, or has no consequence.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

AXES = "tczyx"
RGB = ("red", "green", "blue")
Plane = Callable[[tuple[int, ...]], np.ndarray]
SliceAxis = Literal["z", "t"] | None
Sizes = Mapping[str, tuple[float, str]]


@dataclass(frozen=True)
class Opened:
    """A stack opened for reading, in one thread at a time."""

    axes: str
    """Some of `tczyx`, in this order, always ending in `yx`; t, c and z of length 1 are left out."""
    shape: tuple[int, ...]
    """Length of each axis."""
    dtype: np.dtype[Any]
    """Type of the planes, in native byte order; a mask of bits is uint8 of 0 and 1."""
    spacing: Mapping[str, float]
    """Pixel size by axis, in `units`; an axis of unknown size is absent."""
    units: Mapping[str, str]
    """Unit by axis as OME-Zarr names it, such as `micrometer` or `second`; absent where `spacing` is."""
    channels: tuple[str, ...]
    """Names of the channels, no two alike; one even when there is no axis c; "0", "1", … where the file has none."""
    plane: Plane
    """The plane (y, x) at an index of the leading axes, such as (t, z) of t z y x; a new array at each call."""


class Reader(NamedTuple):
    """How files of one format are read."""

    open: Callable[[str, int | None, SliceAxis], AbstractContextManager[Opened]]
    count_scenes: Callable[[str], int]


def open_stack(
    files: Sequence[str], scene: int | None = None, axis: SliceAxis = None
) -> AbstractContextManager[Opened]:
    """Context of the stack of one file, or of slices, one plane a file, in this order along `axis`.

    Args:
        files: one file, or the slices.
        scene: index of the scene in a file of several.
        axis: what the slices run along; of a single file, what its pages run along where it does not say (else z).

    Raises:
        ValueError: a file is broken, or holds what is no stack of planes.
        LookupError: there is no such scene, or no reader for such files.
    """
    if len(files) == 1:
        return _reader(files[0]).open(files[0], scene, axis)
    assert axis is not None
    return _open_slices(files, axis)


def count_scenes(file: str) -> int:
    """Number of scenes in a file; 0 where it is a part of a set that another file opens.

    Levels of a pyramid and thumbnails are no scenes. A set of OME-TIFFs that name each other is opened by the first of
    them in natural order, or by the one that has the OME-XML if the others have none.

    Raises:
        ValueError: the file is broken.
    """
    return _reader(file).count_scenes(file)


def _reader(file: str) -> Reader:
    suffix = Path(file).suffix.lower()
    if suffix not in READERS:
        raise LookupError(f"{file} must be an image of a known kind, got {suffix!r}; known are {', '.join(SUFFIXES)}")
    return READERS[suffix]


@contextmanager
def _readable(file: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence; errors of the world, which may pass, stay as they are."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which is a seek to a nonsensical offset
            raise
        raise ValueError(f"{file} is not a readable {kind} ({error}): copy it again from the microscope") from error


# Slices


@contextmanager
def _open_slices(files: Sequence[str], axis: Literal["z", "t"]) -> Iterator[Opened]:
    with open_stack(files[:1]) as first:
        pass
    if not set(first.axes) <= set("cyx"):
        raise ValueError(f"each slice must be one plane, got axes {first.axes} in {files[0]}; leave out `slices`")
    sizes = {axis: len(files), **dict(zip(first.axes, first.shape, strict=True))}
    axes = _ordered(sizes)

    def plane(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(axes[:-2], index, strict=True))
        file = files[at.pop(axis)]
        with open_stack([file]) as one:
            if (one.axes, one.shape, one.dtype) != (first.axes, first.shape, first.dtype):
                raise ValueError(
                    f"all slices must be alike, got {one.axes} {one.shape} {one.dtype} in {file} "
                    f"but {first.axes} {first.shape} {first.dtype} in {files[0]}; remove what does not belong"
                )
            return one.plane(tuple(at.values()))

    shape = tuple(sizes[a] for a in axes)
    yield Opened(axes, shape, first.dtype, first.spacing, first.units, first.channels, plane)


# PNG

PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by the colour type of the header; 3, a palette, is missing."""


@contextmanager
def _open_png(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _readable(file, "PNG"), Path(file).open("rb") as stream:
        signature, width, height, bits, colour = struct.unpack(">8s8xIIBB", stream.read(26))
        if signature != b"\x89PNG\r\n\x1a\n":
            raise ValueError("it does not begin as one")
    if colour not in PNG_SAMPLES:
        raise ValueError(f"{file} must hold grey or RGB values, got a palette; save it as grey values or as TIFF")
    samples = PNG_SAMPLES[colour]
    shape = (height, width, samples) if samples > 1 else (height, width)

    def read(_: int) -> np.ndarray:
        with _readable(file, "PNG"):
            decoded: np.ndarray = imagecodecs.png_decode(Path(file).read_bytes())
            return decoded.reshape(shape)

    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    pages = _Pages(file, "yxc"[: len(shape)], shape, dtype, len(shape), read, alpha=samples in (2, 4))
    yield _opened(pages, {}, RGB if samples > 2 else ())


# TIFF


@contextmanager
def _open_tiff(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _tiff(file) as (tif, scenes):
        if scene is None and len(scenes) > 1:
            raise ValueError(f"the scene must be given, as {file} holds {len(scenes)} of them")
        if not 0 <= (scene or 0) < len(scenes):
            raise LookupError(f"scene must be less than {len(scenes)}, the scenes in {file}, got {scene}")
        series = scenes[scene or 0]
        _refuse_gaps(file, series)
        with _readable(file, "TIFF"):
            sizes, channels = _metadata(tif, series)
        yield _opened(_tiff_pages(file, series, axis), sizes, channels)


def _count_tiff(file: str) -> int:
    with _tiff(file) as (tif, scenes), _readable(file, "TIFF"):
        return len(scenes) if _opens_its_set(tif, Path(file)) else 0


@contextmanager
def _tiff(file: str) -> Iterator[tuple[tifffile.TiffFile, list[tifffile.TiffPageSeries]]]:
    with _readable(file, "TIFF"):
        _refuse_truncated(file)
        tif = tifffile.TiffFile(file)
    with tif:
        with _readable(file, "TIFF"):
            scenes = [series for series in tif.series if not series.keyframe.is_reduced and series.size]
            if not scenes:
                raise ValueError("it holds no image")
        yield tif, scenes


ORDERS = {b"II": "<", b"MM": ">"}
PUBLIC = 0x8000
"""Tags from here on are private, and what some microscopes write there is no offset."""
TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type in a tag."""


def _refuse_truncated(file: str) -> None:
    """Refuse a TIFF whose directories or descriptions lie beyond its end; planes beyond it fail as they are read."""
    with Path(file).open("rb") as stream:
        head = stream.read(8)
        if head[:2] not in ORDERS:
            raise ValueError("it does not begin as one")
        order = ORDERS[head[:2]]
        big = struct.unpack(order + "H", head[2:4])[0] == 43
        offsets, entries = (order + "Q", order + "Q") if big else (order + "I", order + "H")
        seen = {0}
        position = _number(stream, offsets, 8 if big else 4)
        while position not in seen:
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


def _refuse_gaps(file: str, series: tifffile.TiffPageSeries) -> None:
    missing = sum(page is None for page in series)
    if missing:
        raise ValueError(
            f"{file} must come with all planes of its set, got {len(series) - missing} of {len(series)}; "
            "copy the missing files next to it"
        )


def _opens_its_set(tif: tifffile.TiffFile, file: Path) -> bool:
    root = _xml(tif)
    pointer = root.find("{*}BinaryOnly")
    if pointer is not None:
        opener = file.with_name(Path(pointer.get("MetadataFile", "")).name or file.name)
        return opener == file or opener.suffix.lower() not in READERS or not opener.exists()
    names = {Path(uuid.get("FileName", "")).name for uuid in root.iterfind("{*}Image/{*}Pixels/{*}TiffData/{*}UUID")}
    if file.name not in names:
        return True
    return file.name == min((name for name in names if file.with_name(name).is_file()), key=natural_order)


def _xml(tif: tifffile.TiffFile) -> ElementTree.Element:
    return ElementTree.fromstring(tif.ome_metadata or "<OME/>")


def _tiff_pages(file: str, series: tifffile.TiffPageSeries, axis: SliceAxis) -> "_Pages":
    page = series.keyframe
    inner = len(page.shape)
    if series.shape[-inner:] != page.shape:
        raise ValueError(f"{file} must hold whole planes, got pages {page.shape} of a stack {series.shape}")
    ours = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x", "S": "c", "I": axis or "z", "Q": axis or "z"}
    axes = "".join(ours.get(letter, "?") for letter in series.axes)
    if "?" in axes or len(set(axes)) < len(axes) or not axes.endswith(("yx", "yxc")):
        raise ValueError(
            f"the axes of {file} must be some of T C Z Y X, each once, got {series.axes}; save it as OME-TIFF"
        )
    alpha = "S" in page.axes and page.extrasamples[-1:] in ((1,), (2,))
    return _Pages(file, axes, series.shape, series.dtype, inner, _page_reader(file, series), alpha)


def _page_reader(file: str, series: tifffile.TiffPageSeries) -> Callable[[int], np.ndarray]:
    """Function that decodes a page; where one directory stands for all pages, they follow each other in the file."""
    page, tif = series.keyframe, series.keyframe.parent
    stored = page.dtype and page.dtype.newbyteorder(tif.byteorder)

    def read(number: int) -> np.ndarray:
        with _readable(file, "TIFF"):
            if series.is_truncated and series.dataoffset is not None:
                offset = series.dataoffset + number * page.nbytes
                return tif.filehandle.read_array(stored, page.size, offset).reshape(page.shape)
            one = series[number]
        assert one is not None
        return _decoded(one)

    return read


def _decoded(page: tifffile.TiffPage | tifffile.TiffFrame) -> np.ndarray:
    handle = page.parent.filehandle
    reopened = handle.closed  # as are all files of a set but the one that opens it
    if reopened:
        handle.open()
    try:
        with _readable(handle.path, "TIFF"):
            return page.asarray().reshape(page.shape)
    finally:
        if reopened:
            handle.close()


# What a file says of itself

UNITS = {
    spelling: unit
    for unit, spellings in {
        "angstrom": "å",
        "picometer": "pm",
        "nanometer": "nm",
        "micrometer": "μm um micron microns \\u00b5m",
        "millimeter": "mm",
        "centimeter": "cm",
        "meter": "m",
        "inch": "in",
        "microsecond": "μs us",
        "millisecond": "ms msec",
        "second": "s sec seconds",
        "minute": "min minutes",
        "hour": "h hours",
        "day": "d days",
    }.items()
    for spelling in (unit, *spellings.split())
}
"""OME-Zarr's name of a unit by its other spellings, in small letters and with the Greek μ."""


COLOURS = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)


def _metadata(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[Sizes, Sequence[str]]:
    """Sizes of a pixel with their units, as far as the file gives them, and the names of the channels."""
    names = RGB if series.keyframe.photometric in COLOURS and "S" in series.keyframe.axes else ()
    if tif.is_ome:
        sizes, channels = _ome_metadata(tif, series)
        return sizes, names or channels
    return (_imagej_sizes(tif, series) if tif.is_imagej else _tag_sizes(series)), names


def _ome_metadata(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[Sizes, Sequence[str]]:
    images = _xml(tif).findall("{*}Image")
    number = tif.series.index(series)
    if len(images) != len(tif.series):  # tifffile leaves out images of which there are no pages
        images, number = [image for image in images if image.get("Name") == series.name], 0
    pixels = images[number].find("{*}Pixels") if images else None
    if pixels is None:
        return {}, ()
    sizes = {
        a: (float(pixels.get(f"PhysicalSize{a.upper()}", 0)), pixels.get(f"PhysicalSize{a.upper()}Unit", "µm"))
        for a in "zyx"
    }
    time = (float(pixels.get("TimeIncrement", 0)), pixels.get("TimeIncrementUnit", "s"))
    return {"t": time, **sizes}, [channel.get("Name", "") for channel in pixels.iterfind("{*}Channel")]


def _imagej_sizes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    said = tif.imagej_metadata or {}
    unit = str(said.get("unit", ""))
    y, x = (_per_pixel(series, tag) for tag in ("YResolution", "XResolution"))
    interval = (float(said.get("finterval", 0)), str(said.get("tunit", "s")))
    return {"t": interval, "z": (abs(float(said.get("spacing", 0))), unit), "y": (y, unit), "x": (x, unit)}


def _tag_sizes(series: tifffile.TiffPageSeries) -> Sizes:
    if series.keyframe.resolutionunit != tifffile.RESUNIT.CENTIMETER:
        return {}
    y, x = (_per_pixel(series, tag) for tag in ("YResolution", "XResolution"))
    return {"y": (1e4 * y, "µm"), "x": (1e4 * x, "µm")}


def _per_pixel(series: tifffile.TiffPageSeries, tag: str) -> float:
    """Units a pixel, which the tag has as pixels a unit; 0 where it does not say."""
    pixels, units = series.keyframe.tags.valueof(tag, (0, 1))
    return units / pixels if pixels else 0.0


def _known(sizes: Sizes, axes: str) -> tuple[dict[str, float], dict[str, str]]:
    """Sizes and units of the axes of which both are known: a size in pixels or without a unit says nothing."""
    named = {a: UNITS.get(unicodedata.normalize("NFKC", unit.strip()).lower()) for a, (_, unit) in sizes.items()}
    units = {a: unit for a, unit in named.items() if unit and a in axes and 0 < sizes[a][0] < math.inf}
    return {a: sizes[a][0] for a in units}, units


def _channel_names(given: Sequence[str], count: int) -> tuple[str, ...]:
    """Names of `count` channels, no two alike: the number takes the place of a missing name and follows a repeated one.

    >>> _channel_names(["DAPI", "", "DAPI"], 4)
    ('DAPI', '1', 'DAPI 2', '3')
    """
    names: list[str] = []
    for number in range(count):
        name = given[number] if number < len(given) else ""
        names.append(f"{name} {number}".strip() if not name or name in names else name)
    return tuple(names)


# From pages to planes


class _Pages(NamedTuple):
    """What a file holds, as it is stored: `shape` along `axes`, of which the last `inner` lie within a page."""

    file: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    inner: int
    read: Callable[[int], np.ndarray]
    alpha: bool


def _ordered(sizes: Mapping[str, int]) -> str:
    return "".join(a for a in AXES if a in "yx" or sizes.get(a, 1) > 1)


def _opened(pages: _Pages, sizes: Sizes, channels: Sequence[str]) -> Opened:
    if pages.dtype.kind not in "buif":
        raise ValueError(f"the pixels of {pages.file} must be numbers or bits, got {pages.dtype}; convert them")
    dtype = np.dtype(np.uint8) if pages.dtype.kind == "b" else pages.dtype.newbyteorder("=")
    lengths = dict(zip(pages.axes, pages.shape, strict=True))
    if pages.alpha:
        lengths["c"] -= 1
    axes = _ordered(lengths)
    spacing, units = _known(sizes, axes)
    names = _channel_names(channels, lengths.get("c", 1))
    return Opened(axes, tuple(lengths[a] for a in axes), dtype, spacing, units, names, _planes(pages, axes, dtype))


def _planes(pages: _Pages, axes: str, dtype: np.dtype[Any]) -> Plane:
    leading, within = pages.axes[: -pages.inner], pages.axes[-pages.inner :]
    read = lru_cache(maxsize=1)(pages.read)  # the samples of a page are asked for one after another

    def plane(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(axes[:-2], index, strict=True))
        page = read(int(np.ravel_multi_index([0, *(at.get(a, 0) for a in leading)], [1, *pages.shape[: -pages.inner]])))
        if pages.alpha:
            _refuse_transparent(pages, page)
        chosen = page[tuple(slice(None) if a in "yx" else at.get(a, 0) for a in within)]
        return chosen.astype(dtype)

    return plane


def _refuse_transparent(pages: _Pages, page: np.ndarray) -> None:
    opaque = np.iinfo(page.dtype).max if page.dtype.kind in "iu" else 1
    if (page.take(-1, axis=pages.axes[-pages.inner :].index("c")) != opaque).any():
        raise ValueError(f"{pages.file} must be opaque, got an alpha channel that is not; save it without transparency")


TIFF = Reader(_open_tiff, _count_tiff)
READERS: Mapping[str, Reader] = {".tif": TIFF, ".tiff": TIFF, ".png": Reader(_open_png, lambda file: 1)}
"""How files are read, by their last suffix; `unet.sources.SUFFIXES` names the same kinds."""
