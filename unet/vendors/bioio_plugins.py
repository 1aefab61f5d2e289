"""What an installed plugin of `bioio` reads: the last resort, for formats that no reader of ours knows.

Olympus's VSI and OIR come here, too: no library that is small and well kept reads them all. What a plugin takes for
granted (that a file is whole, that missing planes are zeros) is taken as it is; a note says who read the file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from bioio import BioImage

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

LETTERS = {"T": "t", "C": "c", "Z": "z"}


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    image = _image(file)
    with decoding_errors_told(file, _kind(file)):
        image.set_scene(scene or 0)
        pages = _pages(file, image)
        names = [str(name) for name in image.channel_names or ()]
        stack = stack_of_pages(pages, _sizes(image), RGB if pages.axes.endswith("yxc") else names)
    yield replace(stack, notes=(*stack.notes, f"read by {type(image.reader).__module__.partition('.')[0]}"))


def _find_scenes(file: str) -> Scenes:
    image = _image(file)
    with decoding_errors_told(file, _kind(file)):
        return Scenes(len(image.scenes))


def _kind(file: str) -> str:
    return f"{os.path.splitext(file)[1].lower()} file"  # noqa: PTH122  # it is text


def _image(file: str) -> BioImage:
    with decoding_errors_told(file, _kind(file)):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
        return BioImage(file)


def _pages(file: str, image: BioImage) -> Pages:
    """Planes, one at a time; those of a colour camera hold their samples."""
    order, shape = image.dims.order, image.shape
    sizes = dict(zip(order, shape, strict=True))
    others = [axis for axis in order if axis not in "TCZYXS" and sizes[axis] > 1]
    inner = "YXS" if sizes.get("S", 1) > 1 else "YX"
    is_colour = inner == "YXS" and sizes.get("C", 1) == 1
    leading = [*others, *(axis for axis in "TCZ" if axis in sizes and not (axis == "C" and is_colour))]

    def read(index: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, _kind(file)):
            lazy = image.get_image_dask_data(inner, **dict(zip(leading, index, strict=True)))
            return np.asarray(lazy.compute(scheduler="synchronous"))

    axes = "".join(LETTERS.get(axis, axis) for axis in leading) + ("yxc" if is_colour else "yxS")[: len(inner)]
    return Pages(file, axes, tuple(sizes[a] for a in (*leading, *inner)), image.dtype, len(inner), read)


def _sizes(image: BioImage) -> SaidSizes:
    """Sizes of pixels, which bioio has in µm where a file tells them."""
    said = image.physical_pixel_sizes
    sizes = zip("zyx", (said.Z, said.Y, said.X), strict=True)
    return {axis: (size, "µm") for axis, size in sizes if size}


READER = Reader(_open, _find_scenes)
