"""Labels that are told by their colours: RGB pictures, palettes and grey pictures as one channel of 0xRRGGBB.

A pixel that is not seen, its opacity being 0, has no colour, whatever a program left there: it is `CLEAR`. One that is
seen through has the colour that is stored. Of a grey picture, as programs save one that is all black, 128 is #808080.

    (255, 136, 0)       0xff8800
    (255, 136, 0, 0)    0x1000000, not seen
    index 3             the palette's colour 3
"""

import numpy as np
from numpy.typing import NDArray

from unet.formats.stack import CLEAR, RGB, Opened


def colour_name(value: int) -> str:
    """A colour as people write it.

    >>> colour_name(0xFF8800), colour_name(CLEAR)
    ('#ff8800', 'not seen')
    """
    return "not seen" if value == CLEAR else f"#{value:06x}"


def in_colours(opened: Opened, file: str) -> Opened:
    """The colour of each pixel of an opened file, in one channel of numbers.

    Raises:
        ValueError: its values are no colours of 8 bits a channel.
    """
    at = opened.axes.find("c")
    if opened.dtype != np.uint8 or (at >= 0 and opened.shape[at] != len(RGB)):
        shown = f"{opened.shape[at] if at >= 0 else 1} channels of {opened.dtype}"
        raise ValueError(f"{file} must hold colours, red, green and blue of 8 bits each, got {shown}; save it as PNG")

    def plane(index: tuple[int, ...]) -> NDArray[np.uint32]:
        channels = [(*index[:at], channel, *index[at:]) for channel in range(len(RGB))] if at >= 0 else [index]
        colours = _colours(opened, [opened.plane(each).astype(np.uint32) for each in channels])
        if opened.opacity is not None:
            colours[opened.opacity(channels[0]) == 0] = CLEAR
        return colours

    axes = opened.axes.replace("c", "")
    shape = tuple(size for axis, size in zip(opened.axes, opened.shape, strict=True) if axis != "c")
    return Opened(axes, shape, np.dtype(np.uint32), opened.spacing, opened.units, ("0",), plane, opened.notes)


def _colours(opened: Opened, channels: list[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    if len(channels) == len(RGB):
        red, green, blue = channels
        return red * np.uint32(0x10000) + green * np.uint32(0x100) + blue
    (values,) = channels
    if not opened.palette:
        return values * np.uint32(0x010101)
    table = np.full(256, CLEAR, np.uint32)  # an index without a colour is none that is seen
    table[: len(opened.palette)] = opened.palette[:256]
    found: NDArray[np.uint32] = table[values]
    return found
