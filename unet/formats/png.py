"""PNG files, opened as stacks of one plane.

Values are those that are stored: of 1, 2 and 4 bits they are not spread over eight, of a palette they are the indices
of its colours.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np

from unet.dataset.filesystem import open_regular, read_regular, refuse_unwritten
from unet.formats.stack import CLEAR, RGB, Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

PALETTE = 3
PNG_SAMPLES = {0: 1, 2: 3, PALETTE: 1, 4: 2, 6: 4}
"""Samples of a pixel by the colour type of the header."""
DEFLATE = 1032
"""Bytes that one of a PNG can become at most."""
OTHER = 2**26
"""Bytes of a PNG that are not of its pixels, such as what a program notes of itself, at most."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "PNG"), open_regular(file) as stream:
        head = stream.read(26).ljust(26, b"\0")
        signature, width, height, bits, colour = struct.unpack(">8s8xIIBB", head)
        if signature != b"\x89PNG\r\n\x1a\n":
            raise ValueError("it does not begin as one")
        if bits not in (1, 2, 4, 8, 16):
            raise ValueError(f"it claims {bits} bits a sample")
        refuse_unwritten(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
        if colour not in PNG_SAMPLES:
            raise ValueError(f"it claims colours of type {colour}")
        packed = height * (width * PNG_SAMPLES[colour] * bits // 8 + 1)  # each row begins with a byte of its own
        if not packed // DEFLATE <= size <= 2 * packed + OTHER:
            raise ValueError(f"it claims {packed:,} bytes of pixels, which its {size:,} bytes cannot be")
    samples = PNG_SAMPLES[colour]
    shape = (height, width, samples) if samples > 1 else (height, width)

    def read(_: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, "PNG"):
            content = read_regular(file)
            kept = _as_grey(content) if colour == PALETTE else _without_clear_colour(content)
            decoded: np.ndarray = imagecodecs.png_decode(kept)
            return (decoded // (255 // (2**bits - 1)) if bits < 8 else decoded).reshape(shape)

    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    pages = Pages(file, "yxc"[: len(shape)], shape, dtype, len(shape), read, alpha=samples in (2, 4))
    opened = stack_of_pages(pages, {}, RGB if samples > 2 else ())
    if colour == PALETTE:
        opened = replace(opened, is_palette=True, palette=_palette(read_regular(file)))
    yield opened


def _palette(content: bytes) -> tuple[int, ...]:
    """Colours of the indices of a PNG; those that are called transparent are not seen."""
    chunks = {chunk[4:8]: chunk[8:-4] for chunk in _chunks(content)}
    values, opacity = chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b"")
    colours = (int.from_bytes(values[at : at + 3]) for at in range(0, len(values) - 2, 3))
    return tuple(CLEAR if opacity[n : n + 1] == b"\0" else colour for n, colour in enumerate(colours))


def _chunks(content: bytes) -> Iterator[bytes]:
    """Chunks of a PNG: bytes of their data, type, data and check sum."""
    at = 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        yield content[at:end]
        at = end


def _as_grey(content: bytes) -> bytes:
    """The PNG without its palette, so that the indices are its grey values."""
    parts = [content[:8]]
    for chunk in _chunks(content):
        kind = chunk[4:8]
        if kind == b"IHDR":
            header = kind + chunk[8:17] + b"\0" + chunk[18:21]
            chunk = chunk[:4] + header + struct.pack(">I", zlib.crc32(header))  # noqa: PLW2901
        parts += [chunk] if kind not in (b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sPLT") else []
    return b"".join(parts)


def _without_clear_colour(content: bytes) -> bytes:
    """The PNG without the colour that it calls transparent, which a decoder would make a channel of opacity of."""
    start, end = content.find(b"tRNS", 33), content.find(b"IDAT", 33)
    if not 33 <= start < end:
        return content
    return content[: start - 4] + content[start + 8 + int.from_bytes(content[start - 4 : start]) :]


READER = Reader(_open, lambda file: Scenes(1))
