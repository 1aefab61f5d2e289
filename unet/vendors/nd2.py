"""Nikon's ND2, by the library `nd2`: positions of the stage are scenes.

Left alone, the library gives zeros for a frame that is not in the file; an experiment that was stopped early is read
as far as it went in whole time points, and any other lack is refused.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import nd2
import numpy as np
from nd2.structures import TimeLoop

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

LOOPS = {"T": "t", "Z": "z"}
"""Loops that are axes of a stack; P, the positions, are its scenes; what others are a person must say."""
WITHIN = {"C": "c", "Y": "y", "X": "x", "S": "c"}
"""Axes of a frame; S, the samples of a colour camera, stands for channels where there are no others."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with _file(file) as opened:
        with decoding_errors_told(file, "ND2"):
            pages, notes = _pages(file, opened, scene or 0)
            channels = [each.channel for each in opened.metadata.channels or ()]
            sizes = _sizes(opened)
            is_colour = "S" in opened.sizes and "C" not in opened.sizes
        stack = stack_of_pages(pages, sizes, RGB if is_colour else [channel.name for channel in channels])
        colours = () if is_colour else tuple("{:02X}{:02X}{:02X}".format(*c.color[:3]) for c in channels)
        yield replace(stack, notes=(*stack.notes, *notes), colours=colours)


def _find_scenes(file: str) -> Scenes:
    with _file(file) as opened, decoding_errors_told(file, "ND2"):
        return Scenes(opened.sizes.get("P", 1))


@contextmanager
def _file(file: str) -> Iterator[nd2.ND2File]:
    with decoding_errors_told(file, "ND2"):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
        if not nd2.is_supported_file(file):
            raise ValueError("it does not begin as one")
        opened = nd2.ND2File(file)
    with opened:
        yield opened


def _pages(file: str, opened: nd2.ND2File, scene: int) -> tuple[Pages, tuple[str, ...]]:
    """Frames of one position, and what is to be said of those that are not there."""
    sizes = dict(opened.sizes)
    loops = [axis for axis in sizes if axis not in WITHIN]
    within = [axis for axis in sizes if axis in WITHIN]
    counts = [sizes[axis] for axis in loops]
    sizes, notes = _whole_part(sizes, loops, _frames_there(opened))
    leading = [axis for axis in loops if axis != "P"]
    names = {**LOOPS, **WITHIN} | ({"S": "S"} if "C" in within else {})
    axes = "".join(names.get(axis, axis) for axis in (*leading, *within))
    shape = tuple(sizes[axis] for axis in (*leading, *within))
    frame = tuple(sizes[axis] for axis in within)

    def read(index: tuple[int, ...]) -> np.ndarray:
        at = {**dict(zip(leading, index, strict=True)), "P": scene}
        number = int(np.ravel_multi_index((0, *(at[axis] for axis in loops)), (1, *counts)))
        with decoding_errors_told(file, "ND2"):
            return opened.read_frame(number).reshape(frame)

    return Pages(file, axes, shape, opened.dtype, len(within), read), notes


def _frames_there(opened: nd2.ND2File) -> int:
    """How many of the first frames are in the file without a gap."""
    chunks = getattr(opened._rdr, "chunkmap", None)  # only here it is told from a frame of zeros
    if not isinstance(chunks, Mapping):  # the format before 2012, which is read by position
        return int(opened.attributes.sequenceCount)
    return next(number for number in itertools.count() if f"ImageDataSeq|{number}!".encode() not in chunks)


def _whole_part(sizes: dict[str, int], loops: list[str], there: int) -> tuple[dict[str, int], tuple[str, ...]]:
    """Sizes of what is whole, where an experiment was stopped: its time points, if time is the outermost loop."""
    planned = math.prod(sizes[axis] for axis in loops)
    if there >= planned:
        return sizes, ()
    times = there * sizes["T"] // planned if loops[:1] == ["T"] else 0
    if not times:
        raise ValueError(f"it holds {there} of {planned} planes")
    return sizes | {"T": times}, (
        f"it was stopped early: {times} of {sizes['T']} time points are whole, and are taken",
    )


def _sizes(opened: nd2.ND2File) -> SaidSizes:
    """Sizes of pixels in µm where they were calibrated, and of a time point in milliseconds."""
    channels = opened.metadata.channels or ()
    volume = channels[0].volume if channels else None
    calibrated = zip("xyz", volume.axesCalibrated, volume.axesCalibration, strict=True) if volume else ()
    sizes = {axis: (size, "µm") for axis, is_known, size in calibrated if is_known}
    for loop in opened.experiment:
        if isinstance(loop, TimeLoop) and (step := loop.parameters.periodDiff.avg or loop.parameters.periodMs):
            sizes["t"] = (step, "ms")
    return sizes


READER = Reader(_open, _find_scenes)
