"""Readers: a stack as a microscope wrote it, opened and read one y x plane at a time.

The law: what is opened has axes in the order t c z y x, each longer than 1 but for y and x, and all of its planes: a
file that was cut short, or that lacks a part of its set, is refused and never read as a shorter stack. Only of points
in time the last may be missing, all of them, as where an acquisition was stopped early: a note says so.

A format is one module of this room with a `READER`, and its suffix in `unet.dataset.image_kinds.READERS`: the list of
formats stands there because `status` finds stacks by it and loads no reader; a reader is loaded with its first file.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from unet.dataset.image_kinds import FORMATS
from unet.dataset.stacks import Grid, Scenes, Stack
from unet.formats.stack import Opened, Reader, SliceAxis, ordered_axes, unlike_names
from unet.formats.stated import as_stated

__all__ = ["Opened", "Reader", "find_scenes", "open_found", "open_stack", "open_truth"]


@contextmanager
def open_found(stack: Stack) -> Iterator[Opened]:
    """A stack as it was found in the sources, with what is stated of it beside its files.

    Raises:
        ValueError, LookupError: as `open_stack`; or the names of its files tell that it cannot be read.
    """
    if stack.refused:
        raise ValueError(stack.refused)
    with open_stack(stack.files, stack.scene, stack.axis, stack.grid) as opened:
        yield as_stated(opened, stack.stated, stack.files[0])


def open_truth(stack: Stack) -> AbstractContextManager[Opened]:
    """The truth of a stack; that of a scene is a file of its own."""
    return open_stack(stack.truth, axis=stack.axis, grid=tuple(of for of in stack.grid if of[0] != "c"))


def open_stack(
    files: Sequence[str], scene: int | None = None, axis: SliceAxis = None, grid: Grid = ()
) -> AbstractContextManager[Opened]:
    """A context that opens the stack in one file or set, or in files that lie along axes, the planes of a grid.

    Args:
        files: one file, which may open others of its set after it; or the slices; or all files of a grid, raster order.
        scene: index of the scene in a file of several.
        axis: what the slices run along; of a single file, what its pages run along where it does not say (else z).
        grid: the axes of a grid, see `Stack.grid`.

    Raises:
        ValueError: a file is broken, or holds what is no stack of planes.
        LookupError: there is no such scene, or no reader for such files.
    """
    if not grid and (axis is None or len(files) == 1):
        return _reader(files[0]).open(files[0], scene, axis)
    return _open_grid(files, grid or ((axis or "z", tuple(files)),))


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
def _open_grid(files: Sequence[str], grid: Grid) -> Iterator[Opened]:
    """Files of one plane or more, whose own axes are none of the grid's."""
    lengths = {axis: len(words) for axis, words in grid}
    with open_stack(files[:1]) as first:
        pass
    if not set(first.axes).isdisjoint(lengths) or math.prod(lengths.values()) != len(files):
        along = " and ".join(f"{length} along {axis}" for axis, length in lengths.items())
        raise ValueError(
            f"each of the files must be a plane of {along}, got {len(files)} files with axes {first.axes} in "
            f"{files[0]}; leave out `slices` or `pattern`"
        )
    sizes = {**lengths, **dict(zip(first.axes, first.shape, strict=True))}
    axes = ordered_axes(sizes)

    def plane(index: tuple[int, ...]) -> np.ndarray:
        at = dict(zip(axes[:-2], index, strict=True))
        file = files[int(np.ravel_multi_index([at.get(a, 0) for a in lengths], list(lengths.values())))]
        with open_stack([file]) as one:
            if (one.axes, one.shape, one.dtype) != (first.axes, first.shape, first.dtype):
                raise ValueError(
                    f"all slices must be alike, got {one.axes} {one.shape} {one.dtype} in {file} "
                    f"but {first.axes} {first.shape} {first.dtype} in {files[0]}; remove what does not belong"
                )
            return one.plane(tuple(at[a] for a in first.axes[:-2]))

    channels = unlike_names(words, lengths["c"]) if (words := dict(grid).get("c")) else first.channels
    shape = tuple(sizes[a] for a in axes)
    said = first.spacing, first.units, channels
    yield Opened(axes, shape, first.dtype, *said, plane, notes=first.notes, colours=() if words else first.colours)
