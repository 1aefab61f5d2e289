"""DeltaVision files, by the library `mrc`."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from mrc import DVFile

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.dataset.stacks import Scenes
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "DeltaVision file"):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
        opened = DVFile(file)
    with opened:
        with decoding_errors_told(file, "DeltaVision file"):
            values, sizes = opened.data, opened.sizes
            pages = Pages(
                file, "".join(sizes).lower(), values.shape, values.dtype, 2, lambda index: np.asarray(values[index])
            )
            spacing = {axis: (size, "µm") for axis, size in zip("xyz", opened.voxel_size, strict=True)}
            waves = [getattr(opened.hdr, f"wave{number}", 0) for number in range(1, sizes.get("C", 1) + 1)]
        yield stack_of_pages(pages, spacing, [f"{wave} nm" if wave else "" for wave in waves])


READER = Reader(_open, lambda file: Scenes(1))
