"""Segments of a CZI, looked at before libCZI believes them: a wrong number in one ends the whole process there.

A file is a chain of segments, each with a name of 16 bytes, two sizes, and what it holds. The first says where the
directory lies, which has an entry for each tile; the tile's segment repeats that entry behind three sizes.

    ZISRAWFILE … position of the directory      ZISRAWDIRECTORY  count, entries      ZISRAWSUBBLOCK  sizes, entry, data
"""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

from unet.dataset.filesystem import SPARSEST

HEADER = 32
"""Bytes of a segment's name and sizes."""
DIRECTORY = HEADER + 52
"""Where the position of the directory stands in the first segment."""
ENTRIES = HEADER + 128
"""Where entries begin in the directory."""
ENTRY, DIMENSION, MOST_DIMENSIONS = 32, 20, 40
"""Bytes of an entry without its dimensions, of a dimension, and dimensions that an entry has at most."""
LARGEST = 2**26
"""Pixels of a tile at most, whatever its bytes; of more, `SPARSEST` to a byte."""
LEAST = 256
"""Bytes that sizes and entry of a tile take at least."""


def require_sound(file: BinaryIO) -> None:
    """Refuse a file whose directory or tiles claim what cannot be; what else is wrong libCZI tells itself.

    Raises:
        ValueError: says what.
    """
    end = file.seek(0, 2)
    for position in _positions(file, end):
        name, said = _segment(file, position, 16 + ENTRY)
        file.seek(position + HEADER + 16 + ENTRY)
        sizes = _exactly(file, DIMENSION * _dimensions(said[16:]))
        if not name.startswith(b"ZISRAWSUBBLOCK"):
            raise ValueError(f"no tile lies at {position}")
        metadata, attachment, data = struct.unpack("<iiq", said[:16])
        own = max(LEAST, 16 + ENTRY + DIMENSION * _dimensions(said[16:]))
        if min(metadata, attachment, data) < 0:
            raise ValueError(f"the tile at {position} has a size below 0")
        if position + HEADER + own + metadata + attachment + data > end:
            raise ValueError(f"the tile at {position} reaches beyond the end of the file")
        pixels = math.prod(stored or size for size, stored in _sizes(sizes))
        if not 0 < pixels <= max(LARGEST, SPARSEST * data):
            raise ValueError(f"the tile at {position} claims {pixels:,} pixels in {data:,} bytes")


def _positions(file: BinaryIO, end: int) -> Iterator[int]:
    """Position of each tile that the directory names; none where there is no directory."""
    _, first = _segment(file, 0, DIRECTORY - HEADER + 8)
    (at,) = struct.unpack("<q", first[-8:])
    if not 0 < at < end:
        return
    name, said = _segment(file, at, ENTRIES - HEADER)
    (count,) = struct.unpack("<i", said[:4])
    if not name.startswith(b"ZISRAWDIRECTORY") or not 0 <= count <= (end - at) // ENTRY:
        raise ValueError(f"its directory at {at} is none")
    at += ENTRIES
    for _ in range(count):
        file.seek(at)
        entry = _exactly(file, ENTRY)
        yield struct.unpack("<q", entry[6:14])[0]
        at += ENTRY + DIMENSION * _dimensions(entry)


def _segment(file: BinaryIO, at: int, size: int) -> tuple[bytes, bytes]:
    """Name of a segment, and the first bytes of what it holds."""
    if at < 0:
        raise ValueError(f"a segment at {at}")
    file.seek(at)
    content = _exactly(file, HEADER + size)
    return content[:16], content[HEADER:]


def _dimensions(entry: bytes) -> int:
    (count,) = struct.unpack("<i", entry[28:32])
    if entry[:2] != b"DV" or not 0 <= count <= MOST_DIMENSIONS:
        raise ValueError(f"an entry of {count} dimensions")
    return int(count)


def _sizes(dimensions: bytes) -> Iterator[tuple[int, int]]:
    """Pixels along each dimension of a tile, and how many of them are stored; 0 stands for all."""
    for _, _, size, _, stored in struct.iter_unpack("<4siifi", dimensions):
        yield size, stored


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError("it ends within a segment")
    return content
