"""Readers: a stack as a microscope wrote it, opened and read one y x plane at a time.

The law: what is opened has axes in the order t c z y x, each longer than 1 but for y and x, and all of its planes: a
file that was cut short, or that lacks a part of its set, is refused and never read as a shorter stack.

A format is one module of this room with a `READER`, and its suffix in `unet.dataset.sources.FORMATS`: the list of
formats stands there because `status` finds stacks by it and loads no reader; a reader is loaded with its first file.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np

from unet.dataset.sources import FORMATS, Scenes
from unet.formats.stack import Opened, Reader, SliceAxis, ordered_axes

__all__ = ["Opened", "Reader", "find_scenes", "open_stack"]


def open_stack(
    files: Sequence[str], scene: int | None = None, axis: SliceAxis = None
) -> AbstractContextManager[Opened]:
    """A context that opens the stack in one file or set, or in slices: one plane a file, in this order along `axis`.

    Args:
        files: one file, which may open others of its set after it; or the slices.
        scene: index of the scene in a file of several.
        axis: what the slices run along; of a single file, what its pages run along where it does not say (else z).

    Raises:
        ValueError: a file is broken, or holds what is no stack of planes.
        LookupError: there is no such scene, or no reader for such files.
    """
    if axis is None or len(files) == 1:
        return _reader(files[0]).open(files[0], scene, axis)
    return _open_slices(files, axis)


def find_scenes(file: str) -> Scenes:
    """What a file is opened for: how many scenes, of which files; none where another file of its set opens it.

    Levels of a pyramid and thumbnails are no scenes. A set of OME-TIFFs that name each other is opened by the first of
    them in natural order, or by the one that has the OME-XML if the others have none.

    Raises:
        ValueError: the file is broken.
    """
    return _reader(file).find_scenes(file)


def _reader(file: str) -> Reader:
    suffix = Path(file).suffix.lower()
    if suffix not in FORMATS:
        raise LookupError(f"{file} must be an image of a known kind, got {suffix!r}; known are {', '.join(FORMATS)}")
    reader: Reader = import_module(f"unet.formats.{FORMATS[suffix]}").READER
    return reader


@contextmanager
def _open_slices(files: Sequence[str], axis: Literal["z", "t"]) -> Iterator[Opened]:
    with open_stack(files[:1]) as first:
        pass
    if not set(first.axes) <= set("cyx"):
        raise ValueError(f"each slice must be one plane, got axes {first.axes} in {files[0]}; leave out `slices`")
    sizes = {axis: len(files), **dict(zip(first.axes, first.shape, strict=True))}
    axes = ordered_axes(sizes)

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
    said = first.spacing, first.units, first.channels
    yield Opened(axes, shape, first.dtype, *said, plane, notes=first.notes, colours=first.colours, is_shared=True)
