"""OME-Zarr of any version from 0.1 to 0.6, on zarr 2 or 3, and plain zarr arrays of which somebody says the axes.

What is read is the full level. A chunk may be thick: then all of its planes are unpacked together and held, as far as
memory allows, until the next ones are asked for.

```
chunks of 8 planes, of which memory holds 4     plane 0: unpack 0 to 3 · planes 1 to 3: held · plane 4: unpack 4 to 7
```

Chunks that are not there hold the fill value: the format says so, and so does a note.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet.dataset.folder import LEAVING
from unet.formats.ome_zarr_metadata import Multiscale, channels_of, known_axes, multiscale_of, sizes_of
from unet.formats.stack import (
    AXES,
    Opened,
    Pages,
    Reader,
    SliceAxis,
    UnknownAxesError,
    decoding_errors_told,
    stack_of_pages,
)
from unet.sources.stacks import Scenes
from unet.sources.zarr_folders import zarr_images
from unet.sources.zarr_nodes import is_zarr_folder, read_node
from unet.store.source_array import SourceArray, open_source_array

HELD = 2**28
"""Bytes of planes that are held, at most, unless one is larger."""
BY_NUMBER = {5: "tczyx", 2: "yx"}
"""Axes of images that do not say theirs, as of OME-Zarr before 0.3, by how many they are."""


class ZarrStack(NamedTuple):
    """The full level of an image."""

    array: SourceArray
    axes: str
    """One of t c z y x for each axis of the array, or - for one of length 1 that is none of them."""
    said: Multiscale
    channels: list[str]
    colours: tuple[str, ...]


def zarr_stack(file: str, scene: int | None = None, axes: str = "") -> ZarrStack:
    """The full level of an image in an OME-Zarr folder, as it is stored.

    Args:
        file: the folder of the image, or one of several.
        scene: which of several.
        axes: what the axes are, in their order, where the folder does not say or says something else.

    Raises:
        ValueError: it is broken, or holds what is no stack.
    """
    folder = _image_folder(Path(file), scene)
    node = read_node(folder)
    if node.array is None:
        said = multiscale_of(node.ome)
        if LEAVING.search(said.path):
            raise ValueError(f"the path of its full level must stay within it, got {said.path!r}")
        array = open_source_array(str(folder / said.path))
    else:
        array = open_source_array(str(folder))
        said = Multiscale("", known_axes(array.names), (1.0,) * len(array.names))
    names = _axes_of(file, array, said, axes)
    return ZarrStack(array, names, _renamed(said, names), *channels_of(node.ome))


def _image_folder(file: Path, scene: int | None) -> Path:
    if not is_zarr_folder(file):
        raise ValueError(f"it must be a folder that zarr wrote, got {'a file' if file.is_file() else 'none'}")
    images, _ = zarr_images(file)
    if scene is None and len(images) > 1:
        raise ValueError(f"the scene must be given, as it holds {len(images)} of them")
    if scene is not None and not 0 <= scene < len(images):
        raise LookupError(f"{file} has no scene {scene}, but {len(images)} of them")
    return Path(images[scene or 0].path)


def _axes_of(file: str, array: SourceArray, said: Multiscale, stated: str) -> str:
    """The axes of an array, by what is stated, what is said, or the format's own rule."""
    number, lengths = len(array.shape), " × ".join(map(str, array.shape))
    names: Sequence[str] = [axis.name for axis in said.axes]
    if len(stated) > 1:
        if len(stated) != number:
            raise UnknownAxesError(f"axes of {file} must be those that are stated, got {stated} for {lengths} pixels")
        names = stated
    elif not any(names):
        names = BY_NUMBER.get(number if number == 2 or said.path else 0, "")
    if not names:
        raise UnknownAxesError(
            f"{file} does not say what the axes of its {lengths} pixels are; say it by `axes` of its source, as "
            "--axes tzyx"
        )
    names = [name if name in AXES or size > 1 else "-" for name, size in zip(names, array.shape, strict=False)]
    known = [name for name in names if name != "-"]
    if len(names) != number or len(set(known)) < len(known) or not {"y", "x"} <= set(known) <= set(AXES):
        raise UnknownAxesError(
            f"the axes of {file} must be some of t c z y x, each once, got {', '.join(names)} of lengths {lengths}; "
            "say what each is to be by `axes` of its source, as --axes tzyx"
        )
    return "".join(names)


def _renamed(said: Multiscale, names: str) -> Multiscale:
    """What is said of sizes, by the axes that are read; nothing of an axis that is another one now."""
    if len(said.axes) != len(names):
        return Multiscale(said.path, (), ())
    kept = [place for place, axis in enumerate(said.axes) if axis.name == names[place]]
    return Multiscale(said.path, tuple(said.axes[i] for i in kept), tuple(said.scale[i] for i in kept))


class _Planes:
    """Planes of an array, of which thick chunks are unpacked once where memory holds them."""

    def __init__(self, array: SourceArray, axes: str) -> None:
        self.array, self.axes = array, axes
        by_axis = {axis: place for place, axis in enumerate(axes)}
        self.shape = tuple(array.shape[by_axis[a]] if a in by_axis else 1 for a in AXES)
        self.chunk = tuple(array.chunk[by_axis[a]] if a in by_axis else 1 for a in AXES[:-2])
        self.runs = self._runs()
        self.first: tuple[int, ...] = ()
        self.block = np.empty(0, array.dtype)

    def read(self, index: tuple[int, ...]) -> np.ndarray:
        """The plane at t, c, z; a new array."""
        first = tuple(map(_begin, index, self.chunk, self.runs))
        if first != self.first or not self.block.size:
            self.block = np.empty(0, self.array.dtype)  # before the next one is there
            self.block, self.first = self._slab(first), first
        within = tuple(at - start for at, start in zip(index, first, strict=True))
        plane: np.ndarray = self.block[within].copy()
        return plane

    def _runs(self) -> tuple[int, ...]:
        """How many planes are read together along t, c and z, all within one chunk; z is kept longest."""
        runs = [min(step, size) for step, size in zip(self.chunk, self.shape, strict=False)]
        room = max(HELD // (math.prod(self.shape[-2:]) * self.array.dtype.itemsize), 1)
        for axis in range(3):
            others = math.prod(runs[:axis] + runs[axis + 1 :])
            runs[axis] = max(min(runs[axis], room // others), 1)
        return tuple(runs)

    def _slab(self, first: tuple[int, ...]) -> np.ndarray:
        stops = (
            min(start + run, start // step * step + step, size)
            for start, run, step, size in zip(first, self.runs, self.chunk, self.shape, strict=False)
        )
        spans = dict(zip(AXES, map(slice, first, stops), strict=False))
        spans |= {"y": slice(0, self.shape[-2]), "x": slice(0, self.shape[-1]), "-": slice(0, 1)}
        block = self.array.read(tuple(spans[axis] for axis in self.axes))
        named = [axis for axis in self.axes if axis != "-"]
        block = block.reshape([size for size, axis in zip(block.shape, self.axes, strict=True) if axis != "-"])
        block = block.transpose([named.index(axis) for axis in AXES if axis in named])
        return np.expand_dims(block, tuple(place for place, axis in enumerate(AXES) if axis not in named))


def _begin(at: int, chunk: int, run: int) -> int:
    """Where the run begins that holds a place: runs begin anew in each chunk."""
    start = at // chunk * chunk
    return start + (at - start) // run * run


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "OME-Zarr"):
        found = zarr_stack(file, scene, axis or "")
        planes, array = _Planes(found.array, found.axes), found.array

    def read(index: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, "OME-Zarr"):
            return planes.read(index)

    stack = stack_of_pages(Pages(file, AXES, planes.shape, array.dtype, 2, read), sizes_of(found.said), found.channels)
    lacks = f"{array.missing:,} of its chunks are not there, and hold {array.fill_value} by the format"
    colours = found.colours if len(found.colours) == len(stack.channels) else ()
    yield replace(stack, notes=(*stack.notes, *[lacks] * (array.missing > 0)), colours=colours)


def _find_scenes(file: str) -> Scenes:
    return Scenes(len(zarr_images(Path(file))[0]))


READER = Reader(_open, _find_scenes, takes_axes=True)
