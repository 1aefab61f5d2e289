"""PNG files, opened as stacks of one plane."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np

from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages

PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by the colour type of the header; 3, a palette, is missing."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "PNG"), Path(file).open("rb") as stream:
        signature, width, height, bits, colour = struct.unpack(">8s8xIIBB", stream.read(26))
        if signature != b"\x89PNG\r\n\x1a\n":
            raise ValueError("it does not begin as one")
    if colour not in PNG_SAMPLES:
        raise ValueError(f"{file} must hold grey or RGB values, got a palette; save it as grey values or as TIFF")
    samples = PNG_SAMPLES[colour]
    shape = (height, width, samples) if samples > 1 else (height, width)

    def read(_: int) -> np.ndarray:
        with decoding_errors_told(file, "PNG"):
            decoded: np.ndarray = imagecodecs.png_decode(Path(file).read_bytes())
            return decoded.reshape(shape)

    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    pages = Pages(file, "yxc"[: len(shape)], shape, dtype, len(shape), read, alpha=samples in (2, 4))
    yield stack_of_pages(pages, {}, RGB if samples > 2 else ())


READER = Reader(_open, lambda file: 1)
