"""PNG files, opened as stacks of one plane."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import imagecodecs
import numpy as np

from unet.dataset.filesystem import open_regular, read_regular, refuse_unwritten
from unet.dataset.stacks import Scenes
from unet.formats.stack import RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages

PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by the colour type of the header; 3, a palette, is missing."""
DEFLATE = 1032
"""Bytes that one of a PNG can become at most."""
OTHER = 2**26
"""Bytes of a PNG that are not of its pixels, such as what a program notes of itself, at most."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "PNG"), open_regular(file) as stream:
        signature, width, height, bits, colour = struct.unpack(">8s8xIIBB", stream.read(26))
        if signature != b"\x89PNG\r\n\x1a\n":
            raise ValueError("it does not begin as one")
        if bits not in (1, 2, 4, 8, 16):
            raise ValueError(f"it claims {bits} bits a sample")
        refuse_unwritten(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
        packed = height * (width * PNG_SAMPLES.get(colour, 1) * bits // 8 + 1)  # each row begins with a byte of its own
        if not packed // DEFLATE <= size <= 2 * packed + OTHER:
            raise ValueError(f"it claims {packed:,} bytes of pixels, which its {size:,} bytes cannot be")
    if colour not in PNG_SAMPLES:
        raise ValueError(f"{file} must hold grey or RGB values, got a palette; save it as grey values or as TIFF")
    samples = PNG_SAMPLES[colour]
    shape = (height, width, samples) if samples > 1 else (height, width)

    def read(_: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, "PNG"):
            decoded: np.ndarray = imagecodecs.png_decode(_without_clear_colour(read_regular(file)))
            return decoded.reshape(shape)

    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    pages = Pages(file, "yxc"[: len(shape)], shape, dtype, len(shape), read, alpha=samples in (2, 4))
    yield stack_of_pages(pages, {}, RGB if samples > 2 else ())


def _without_clear_colour(content: bytes) -> bytes:
    """The PNG without the colour that it calls transparent, which a decoder would make a channel of opacity of."""
    start, end = content.find(b"tRNS", 33), content.find(b"IDAT", 33)
    if not 33 <= start < end:
        return content
    return content[: start - 4] + content[start + 8 + int.from_bytes(content[start - 4 : start]) :]


READER = Reader(_open, lambda file: Scenes(1))
