"""Leica's LIF, LOF and XLIF, by the library `liffile`: images of a file, and tiles of a mosaic, are scenes.

A scan in x and z has no y: its depth is taken for y, and a note says so. Where such scans were made one after another
along y, the stack is put upright: z, y, x as in any other.

    x.xlif    says what an image is; its planes are in a LOF, or in many TIFF, PNG or JPEG files

What an XLIF names must lie beside it, or in the folder above: a file that came as data leads to no other place.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from liffile import LifFile, LifImage
from liffile.liffile import LifFileType

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.image_kinds import FORMATS
from unet.sources.stacks import Scenes
from unet.vendors.xlif_parts import named_parts

PLAIN = (".tif", ".png", ".jpg")
"""Suffixes of files of planes that an XLIF may name, beside LOF."""
SPECTRAL = "λΛ"
"""Axes of excitation and emission wavelengths, which become channels."""
NUMBERS = {"1": "x", "2": "y", "3": "z", "4": "t"}
"""Axes by the number that the file's XML has for them."""
COLOURS = {
    "Red": "FF0000", "Green": "00FF00", "Blue": "0000FF", "Cyan": "00FFFF", "Magenta": "FF00FF", "Yellow": "FFFF00",
}  # fmt: skip
"""Colours of Leica's look-up tables by name; of others, such as Gray, nothing is said."""
UPRIGHT = "scanned in x and z, one scan after another along y: read as z y x"
SIDEWAYS = "scanned in x and z: its y is depth"


class _Scene(NamedTuple):
    image: LifImage
    tile: int


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _scenes(file) as scenes:
        with decoding_errors_told(file, "LIF"):
            image, tile = scenes[scene or 0]
            pages, notes = _pages(file, image, tile)
            names, colours = (RGB, ()) if pages.axes.endswith("yxc") else _channels(image)
            sizes = _sizes(image, sideways=SIDEWAYS in notes)
        stack = stack_of_pages(pages, sizes, names)
        yield replace(stack, notes=(*stack.notes, *notes), colours=colours)


def _find_scenes(file: str) -> Scenes:
    with _scenes(file) as scenes:
        parts = named_parts(file) if scenes[0].image.memory_block.frames else ()
        return Scenes(len(scenes), tuple(parts))


@contextmanager
def _scenes(file: str) -> Iterator[list[_Scene]]:
    with decoding_errors_told(file, "LIF"), open_regular(file) as stream:
        refuse_unwritten(stream.fileno())
        length = os.fstat(stream.fileno()).st_size
    with decoding_errors_told(file, "LIF"):
        opened = LifFile(file)
    with opened:
        with decoding_errors_told(file, "LIF"):
            if opened.xml_element.find("./Element/Children/Reference") is not None:
                raise ValueError("it leads to other files of an experiment; take those")
            images = [image for image in opened.images if isinstance(image, LifImage) and image.size]
            if not images:
                raise ValueError("it holds no image")
            for image in images:
                _require_whole(image, named_parts(file) if opened.type is LifFileType.XLIF else None, length)
            scenes = [_Scene(image, tile) for image in images for tile in range(image.sizes.get("M", 1))]
        yield scenes


def _require_whole(image: LifImage, parts: Sequence[str] | None, length: int) -> None:
    """Refuse an image whose pixels lie beyond the end of the file, or are fewer than it claims.

    Args:
        image: of a LIF, LOF or XLIF.
        parts: files that an XLIF names.
        length: bytes of the file.
    """
    block = image.memory_block
    if parts is None:
        if block.size < image.nbytes or block.offset < 0 or block.offset + block.size > length:
            raise ValueError(f"{image.name} claims {image.nbytes:,} bytes of pixels, which are not there")
        return
    held = max((frame.offset + frame.size for frame in block.frames), default=0)
    if not parts or block.size < image.nbytes or held < image.nbytes:
        raise ValueError(f"{image.name} claims {image.nbytes:,} bytes of pixels, and names files of {held:,}")
    for part in parts:
        _require_readable(part)


def _require_readable(part: str) -> None:
    """Refuse a file of an XLIF that no reader of such files opens: the library believes whatever it claims."""
    suffix = Path(part).suffix.lower()
    if suffix == ".lof":
        with _scenes(part) as scenes:
            if scenes[0].image.memory_block.frames:
                raise ValueError(f"{part} must hold its own pixels")
    elif suffix in PLAIN:
        reader: Reader = import_module(f"unet.formats.{FORMATS[suffix]}").READER
        with reader.open(part, None, None):
            pass
    else:
        raise ValueError(f"its planes must be in files {', '.join(('.lof', *PLAIN))}, got {Path(part).name}")


def _pages(file: str, image: LifImage, tile: int) -> tuple[Pages, tuple[str, ...]]:
    """Frames of an image, or of one tile of its mosaic, and what is to be said of how it was scanned."""
    sizes, within = dict(image.sizes), image.frames.frame_dims
    tiles = {"M": tile} if "M" in sizes else {}
    leading = [axis for axis in sizes if axis not in (*within, "M")]

    def frame(at: Mapping[str, int]) -> np.ndarray:
        with decoding_errors_told(file, "LIF"):
            decode: Callable[..., np.ndarray] = image.frame
            return decode(**tiles, **at)

    if within[:2] == ("Z", "X") and "Y" in leading:
        return _upright(file, image, [axis for axis in leading if axis != "Y"], frame), (UPRIGHT,)
    if within[:2] not in (("Y", "X"), ("Z", "X")):
        raise ValueError(f"its planes must lie in x and y, or in x and z, got {' and '.join(within)}")
    names = _names(leading, sizes)
    axes = names + ("yxS" if "c" in names else "yxc")[: len(within)]
    shape = tuple(sizes[axis] for axis in (*leading, *within))
    pages = Pages(
        file, axes, shape, image.dtype, len(within), lambda index: frame(dict(zip(leading, index, strict=True)))
    )
    return pages, (SIDEWAYS,) if within[0] == "Z" else ()


def _upright(file: str, image: LifImage, leading: list[str], frame: Callable[[Mapping[str, int]], np.ndarray]) -> Pages:
    """Planes y x of what was scanned in z and x, one scan a y: each is put together of a line of every scan."""
    sizes = image.sizes

    @lru_cache(maxsize=1)  # the planes of a volume are asked for one after another
    def volume(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(leading, index, strict=True))
        return np.stack([frame({**at, "Y": y}) for y in range(sizes["Y"])], axis=1)

    axes, shape = _names(leading, sizes) + "zyx", tuple(sizes[axis] for axis in (*leading, "Z", "Y", "X"))
    return Pages(file, axes, shape, image.dtype, 2, lambda index: volume(index[:-1])[index[-1]])


def _names(axes: Sequence[str], sizes: Mapping[str, int]) -> str:
    """Our letters of some axes; wavelengths are channels where there are no others. Others keep their own."""
    spectral = [axis for axis in SPECTRAL if sizes.get(axis, 1) > 1 and sizes.get("C", 1) == 1]
    names = {"T": "t", "Z": "z"} | {spectral[0] if spectral else "C": "c"}
    return "".join(names.get(axis, axis) for axis in axes)


def _channels(image: LifImage) -> tuple[list[str], tuple[str, ...]]:
    """Names of the channels, by their dyes, and their colours."""
    said = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    colours = tuple(COLOURS.get(channel.get("LUTName", ""), "") for channel in said)
    dyes = [
        each.findtext("Value") or ""
        for channel in said
        for each in channel.iter("ChannelProperty")
        if each.findtext("Key") == "DyeName"
    ]
    return dyes, colours if any(colours) else ()


def _sizes(image: LifImage, sideways: bool) -> SaidSizes:
    """Sizes of pixels: the file has the length from the middle of the first to that of the last."""
    said = image.xml_element.findall("./Data/Image/ImageDescription/Dimensions/DimensionDescription")
    steps = {NUMBERS[number]: dim for dim in said if (number := dim.get("DimID", "")) in NUMBERS}
    sizes = {axis: _step(dim) for axis, dim in steps.items() if int(dim.get("NumberOfElements", 1)) > 1}
    if sideways and "z" in sizes:
        sizes["y"] = sizes.pop("z")
    return sizes


def _step(dim: ElementTree.Element) -> tuple[float, str]:
    step, unit = abs(float(dim.get("Length", 0))) / (int(dim.get("NumberOfElements", 2)) - 1), dim.get("Unit", "")
    return (step * 1e6, "µm") if unit == "m" else (step, unit)


READER = Reader(_open, _find_scenes)
