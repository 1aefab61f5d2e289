"""DeltaVision files, by the library `mrc`.

Planes are read from the file, not from the map of it that the library makes: of a file that shrinks meanwhile, a map
ends the process without a word.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from mrc import DVFile

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

KIND = "DeltaVision file"


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, KIND):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
        with DVFile(file) as opened:
            sizes, dtype, start = opened.sizes, opened.data.dtype, opened.data.offset
            spacing = {axis: (size, "µm") for axis, size in zip("xyz", opened.voxel_size, strict=True)}
            waves = [getattr(opened.hdr, f"wave{number}", 0) for number in range(1, sizes.get("C", 1) + 1)]
    shape = tuple(sizes.values())
    pixels = shape[-2] * shape[-1]

    def read(index: tuple[int, ...]) -> np.ndarray:
        with decoding_errors_told(file, KIND):
            number = int(np.ravel_multi_index((0, *index), (1, *shape[:-2])))
            plane = np.fromfile(file, dtype, pixels, offset=start + number * pixels * dtype.itemsize)
            return plane.reshape(shape[-2:])  # which fails where it is cut short

    pages = Pages(file, "".join(sizes).lower(), shape, dtype, 2, read)
    yield stack_of_pages(pages, spacing, [f"{wave} nm" if wave else "" for wave in waves])


READER = Reader(_open, lambda file: Scenes(1))
