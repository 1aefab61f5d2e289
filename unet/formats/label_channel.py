"""The one channel of labels that were saved as a picture: three equal channels are one, colours are refused."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from unet.formats.stack import RGB, Opened
from unet.sources.stacks import Stack


def one_channel(opened: Opened, stack: Stack) -> Opened:
    """Labels without an axis of channels, where they have one of three that are equal; others with the axes they have.

    What their file says of pixel sizes is of no use, nor are notes of it: the image's are believed.

    Raises:
        ValueError: a plane is read whose channels differ; or ids were saved as JPEG, which keeps none.
    """
    file = stack.truth[0]
    if file.lower().endswith((".jpg", ".jpeg")) and stack.foreground in ("ids", "classes"):
        raise ValueError(f"{file} must be truth of a kind that keeps its ids, got a JPEG; save it as PNG or TIFF")
    opened, at = replace(opened, notes=(), opacity=None), opened.axes.find("c")
    if at < 0 or opened.shape[at] != len(RGB):
        return opened

    def plane(index: tuple[int, ...]) -> np.ndarray:
        channels = list(_channels(opened, at, index))
        for other in channels[1:]:
            if not np.array_equal(channels[0], other, equal_nan=other.dtype.kind == "f"):
                raise ValueError(_colours(file, np.stack(channels)))
        return channels[0]

    axes, shape = opened.axes.replace("c", ""), (*opened.shape[:at], *opened.shape[at + 1 :])
    return replace(opened, axes=axes, shape=shape, plane=plane, channels=("0",), colours=())


def _channels(opened: Opened, at: int, index: tuple[int, ...]) -> Iterator[np.ndarray]:
    for channel in range(len(RGB)):
        yield opened.plane((*index[:at], channel, *index[at:]))


def _colours(file: str, plane: np.ndarray) -> str:
    y, x = np.argwhere((plane != plane[0]).any(axis=0))[0].tolist()
    values = plane[:, y, x].tolist()
    colour, hexadecimal = ", ".join(map(str, values)), f"#{''.join(f'{int(value) & 255:02x}' for value in values)}"
    return (
        f"{file} must hold labels in one channel, got the colour ({colour}) at y {y} x {x}; save a number an object "
        "instead of a colour, or name colours that are classes: foreground classes, with `classes` such as "
        f'{{"{hexadecimal}": nucleus}}'
    )
