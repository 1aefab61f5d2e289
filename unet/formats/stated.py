"""What is stated of a stack beside its files, put in the place of what they say."""

from dataclasses import replace

from unet.dataset.stacks import Stated
from unet.formats.stack import Opened

UNITS = {"t": "second"}
"""Units of stated sizes by axis; micrometers are those of all others."""


def as_stated(opened: Opened, stated: Stated, file: str) -> Opened:
    """The opened stack with the channels and pixel sizes that are stated of it.

    Raises:
        ValueError: it has another number of channels, or no such axis.
    """
    if stated.channels:
        if len(stated.channels) != len(opened.channels):
            raise ValueError(
                f"channels must name each channel of {file}, got {len(stated.channels)} names for "
                f"{len(opened.channels)}; mend `channels` of its source"
            )
        opened = replace(opened, channels=stated.channels)
    sizes = {axis: size for axis, size in stated.pixel_size if axis in opened.axes}
    units = {axis: UNITS.get(axis, "micrometer") for axis in sizes}
    return replace(opened, spacing={**opened.spacing, **sizes}, units={**opened.units, **units})
