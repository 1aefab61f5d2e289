"""Files of Princeton Instruments and Photometrics (SPE), by the library `imageio`: frames one after another.

Nothing in a file says what its frames run along; as with any other, z is meant where nobody says t.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import imageio.v2 as imageio
import numpy as np

from unet.dataset.filesystem import open_regular, refuse_unwritten
from unet.formats.stack import Opened, Pages, Reader, SliceAxis, decoding_errors_told, stack_of_pages
from unet.sources.stacks import Scenes

FRAMES_AT = 1446
"""Where the header says how many frames there are."""


@contextmanager
def _open(file: str, scene: int | None, axis: SliceAxis) -> Iterator[Opened]:
    with decoding_errors_told(file, "SPE"):
        with open_regular(file) as stream:
            refuse_unwritten(stream.fileno())
            stream.seek(FRAMES_AT)
            (claimed,) = struct.unpack("<i", stream.read(4))
        with warnings.catch_warnings(action="ignore"):  # of frames that are not there
            opened = imageio.get_reader(file, format="SPE")
    with opened:
        with decoding_errors_told(file, "SPE"):
            first, count = opened.get_data(0), opened.get_length()
            if count < claimed:  # else a file that was cut short would be a shorter stack
                raise ValueError(f"it claims {claimed} frames and holds {count}")

        def read(index: tuple[int, ...]) -> np.ndarray:
            with decoding_errors_told(file, "SPE"):
                return np.asarray(opened.get_data(*index))

        yield stack_of_pages(Pages(file, f"{axis or 'z'}yx", (count, *first.shape), first.dtype, 2, read), {}, ())


READER = Reader(_open, lambda file: Scenes(1))
