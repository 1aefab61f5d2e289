"""JPEG files, opened as stacks of one plane, with a note: their grey values are not those that the microscope wrote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np
from tifffile.tifffile import jpeg_shape

from unet.dataset.filesystem import open_regular, read_regular, refuse_unwritten
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

NOTE = "a JPEG: its grey values were changed when it was saved; take the microscope's own file where there is one"
HEADER = 2**24
"""Bytes within which the size of the picture stands; what programs note before it is a few segments of 64 KiB."""
END, TAIL = b"\xff\xd9", 2**16
"""What a picture ends with, and bytes within which: some programs note things after it."""
DENSEST = 1024
"""Pixels that a byte can stand for: a block of 64 takes two bits a component, at most four blocks share a colour."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "JPEG"), open_regular(file) as stream:
        refuse_unwritten(stream.fileno())
        head = stream.read(HEADER)
        if not head.startswith(b"\xff\xd8"):
            raise ValueError("it does not begin as one")
        _, height, width, samples = jpeg_shape(head)
        size = os.fstat(stream.fileno()).st_size
        if not 0 < height * width <= DENSEST * size:
            raise ValueError(f"it claims {height} × {width} pixels, which its {size:,} bytes cannot be")
    if samples not in (1, 3):
        raise ValueError(f"{file} must hold grey or RGB values, got {samples} components; save it as TIFF")
    shape = (height, width, samples) if samples > 1 else (height, width)

    def read(_: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, "JPEG"):
            content = read_regular(file)
            if END not in content[-TAIL:]:
                raise ValueError("it does not end as one: it is not whole")  # the codec would fill in grey
            decoded: np.ndarray = imagecodecs.jpeg8_decode(content)
            return decoded.reshape(shape)

    pages = Pages(file, "yxc"[: len(shape)], shape, np.dtype(np.uint8), len(shape), read)
    stack = stack_of_pages(pages, {}, RGB if samples > 1 else ())
    yield replace(stack, notes=(*stack.notes, NOTE))


READER = Reader(_open, lambda file: Scenes(1))
