"""Readers: a stack as a microscope wrote it, opened and read one y x plane at a time.

The law: what is opened has axes in the order t c z y x, each longer than 1 but for y and x, and all of its planes: a
file that was cut short, or that lacks a part of its set, is refused and never read as a shorter stack. Only of points
in time the last may be missing, all of them, as where an acquisition was stopped early: a note says so.

A format is one module of this room with a `READER`, and its suffix in `unet.sources.image_kinds.READERS`: the list of
formats stands there because `status` finds stacks by it and loads no reader; a reader is loaded with its first file.

Libraries that are small and pure come with every installation; those that are compiled and large with the extra
`vendor`, and a file of theirs is refused in a sentence that names it where it is not installed.
"""

import math
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from unet.formats.index_files import is_named_by_index
from unet.formats.label_channel import one_channel
from unet.formats.label_colours import in_colours
from unet.formats.outlines import open_outlines
from unet.formats.stack import Opened, Reader, SliceAxis, ordered_axes, unlike_names
from unet.formats.stated import as_stated, renamed, require_known_axes
from unet.settings.classes import kind_of_keys
from unet.sources.image_kinds import FORMATS, VENDORS, format_of, is_outlines
from unet.sources.stacks import Grid, Scenes, Stack

__all__ = ["MissingPackageError", "Opened", "Reader", "find_scenes", "open_found", "open_stack", "open_truth"]

PACKAGES = {"czi": "pylibCZIrw", "ims": "h5py", "bioio_plugins": "bioio"}
"""What a reader imports that not every installation has."""
EXTRAS = {
    "czi": "pip install unet-flows[vendor]",
    "ims": "pip install unet-flows[vendor]",
    "bioio_plugins": "pip install unet-flows[bioio] and its plugin for such files, or export them as OME-TIFF",
}
"""What a person does about it."""


class MissingPackageError(ValueError):
    """A package that reads such files is not installed; a stack that failed by it is tried again once it is."""

    def __init__(self, file: str, suffix: str, package: str, remedy: str) -> None:
        super().__init__(f"{file} must wait, as reading {suffix} needs {package}, which is not installed: {remedy}")
        self.file = str(Path(sysconfig.get_path("platlib"), package, "__init__.py"))


@contextmanager
def open_found(stack: Stack, takes_palette: bool = False) -> Iterator[Opened]:
    """A stack as it was found in the sources, with what is stated of it beside its files.

    Args:
        stack: as it was found.
        takes_palette: whether it may be a palette's indices, which are no grey values, but may be truth.

    Raises:
        ValueError, LookupError: as `open_stack`; or the names of its files tell that it cannot be read.
    """
    if stack.refused:
        raise ValueError(stack.refused)
    with open_stack(stack.files, stack.scene, stack.axis, stack.grid, stack.stated.axes) as opened:
        if opened.is_palette and not takes_palette:
            raise ValueError(
                f"{stack.files[0]} must hold grey or RGB values, got a palette; save it as grey values or as TIFF"
            )
        yield as_stated(opened, stack.stated, stack.files[0])


@contextmanager
def open_truth(stack: Stack, sizes: Mapping[str, int]) -> Iterator[Opened]:
    """The truth of a stack, one channel; that of a scene is a file of its own.

    Args:
        stack: as it was found in the sources.
        sizes: length of each axis of its image, which files of outlines do not tell.

    Raises:
        ValueError, LookupError: as `open_stack`; or it holds what are no labels.
    """
    if is_outlines(stack.truth[0]):
        with open_outlines(stack.truth, sizes, stack.axis) as outlines:
            yield outlines
        return
    grid = tuple(of for of in stack.grid if of[0] != "c") if len(stack.truth) > 1 else ()
    axes, is_coloured = stack.stated.axes.replace("c", ""), kind_of_keys(dict(stack.classes)) == "colours"
    with open_stack(stack.truth, axis=stack.axis, grid=grid, axes=axes, is_coloured=is_coloured) as opened:
        yield one_channel(opened, stack)


def open_stack(
    files: Sequence[str],
    scene: int | None = None,
    axis: SliceAxis = None,
    grid: Grid = (),
    axes: str = "",
    is_coloured: bool = False,
) -> AbstractContextManager[Opened]:
    """A context that opens the stack in one file or set, or in files that lie along axes, the planes of a grid.

    Args:
        files: one file, which may open others of its set after it; or the slices; or all files of a grid, raster order.
        scene: index of the scene in a file of several.
        axis: what the slices run along; of a single file, what its pages run along where it does not say (else z).
        grid: the axes of a grid, see `Stack.grid`.
        axes: what the axes of each file are, in its order, where it does not say or says something else.
        is_coloured: whether the values are to be the colours of pixels, one number each, see `label_colours`.

    Raises:
        ValueError: a file is broken, or holds what is no stack of planes.
        LookupError: there is no such scene, or no reader for such files.
    """
    if not grid and (axis is None or len(files) == 1):
        return _open_file(files[0], scene, axis, axes, is_coloured)
    return _open_grid(files, grid or ((axis or "z", tuple(files)),), axes, is_coloured)


def find_scenes(file: str) -> Scenes:
    """What a file is opened for: how many scenes, of which files; none where another file of its set opens it.

    Levels of a pyramid and thumbnails are no scenes. A set of OME-TIFFs that name each other is opened by the first of
    them in natural order, or by the one that has the OME-XML if the others have none. Planes that an index of Leica,
    MetaMorph or Olympus names are opened by that.

    Raises:
        ValueError: the file is broken.
    """
    return Scenes(0) if is_named_by_index(file) else _reader(file).find_scenes(file)


def _reader(file: str) -> Reader:
    module = format_of(file)
    suffix = Path(file).suffix.lower()
    if module is None:
        raise LookupError(f"{file} must be an image of a known kind, got {suffix!r}; known are {', '.join(FORMATS)}")
    try:
        room = "vendors" if module in VENDORS else "formats"
        reader: Reader = import_module(f"unet.{room}.{module}").READER
    except ModuleNotFoundError as error:
        if error.name != PACKAGES.get(module):
            raise
        raise MissingPackageError(file, suffix, error.name or "", EXTRAS[module]) from error
    return reader


@contextmanager
def _open_file(file: str, scene: int | None, axis: SliceAxis, axes: str, is_coloured: bool = False) -> Iterator[Opened]:
    reader = _reader(file)
    with reader.open(file, scene, axes if axes and reader.takes_axes else axis) as opened:
        found = opened if reader.takes_axes else renamed(opened, axes)
        require_known_axes(found, file)
        yield in_colours(found, file) if is_coloured else found


@contextmanager
def _open_grid(files: Sequence[str], grid: Grid, stated: str, is_coloured: bool = False) -> Iterator[Opened]:
    """Files of one plane or more, whose own axes are none of the grid's."""
    lengths = {axis: len(words) for axis, words in grid}
    with open_stack(files[:1], axes=stated, is_coloured=is_coloured) as first:
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
        with open_stack([file], axes=stated, is_coloured=is_coloured) as one:
            if (one.axes, one.shape, one.dtype) != (first.axes, first.shape, first.dtype):
                raise ValueError(
                    f"all slices must be alike, got {one.axes} {one.shape} {one.dtype} in {file} "
                    f"but {first.axes} {first.shape} {first.dtype} in {files[0]}; remove what does not belong"
                )
            return one.plane(tuple(at[a] for a in first.axes[:-2]))

    channels = unlike_names(words, lengths["c"]) if (words := dict(grid).get("c")) else first.channels
    shape = tuple(sizes[a] for a in axes)
    said, colours = (first.spacing, first.units, channels), () if words else first.colours
    yield Opened(axes, shape, first.dtype, *said, plane, first.notes, colours, first.is_palette, is_shared=True)
