"""The colours in which a TIFF says that its channels are to be shown."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

BLACK = "000000"
"""Taken for no colour, as nothing would be seen in it."""


def colours_of(tif: tifffile.TiffFile, pixels: ElementTree.Element | None) -> tuple[str, ...]:
    """Colour of each channel as RRGGBB, "" where it has none; none at all where the file speaks of no colours.

    Args:
        tif: the file.
        pixels: what its OME-XML says of the scene's pixels, if it has any.
    """
    return imagej_colours(tif.imagej_metadata or {}) if pixels is None else ome_colours(pixels)


def ome_colours(pixels: ElementTree.Element) -> tuple[str, ...]:
    """Colour of each channel of OME-XML's `Pixels` as RRGGBB; "" where it has none.

    >>> text = '<Pixels><Channel Color="16711935"/><Channel/><Channel Color="-1"/></Pixels>'
    >>> ome_colours(ElementTree.fromstring(text))
    ('00FF00', '', 'FFFFFF')
    """
    return tuple(_rgb_of_signed(channel.get("Color", "")) for channel in pixels.iterfind("{*}Channel"))


def imagej_colours(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Colour of each channel's brightest grey value in ImageJ's look-up tables as RRGGBB; none where there are none.

    >>> green = np.zeros((3, 256), np.uint8)
    >>> green[1] = np.arange(256)
    >>> imagej_colours({"LUTs": [green]})
    ('00FF00',)
    """
    tables = (np.asarray(table) for table in metadata.get("LUTs") or ())
    return tuple(_seen(bytes(table[:, -1]).hex().upper()) if table.shape == (3, 256) else "" for table in tables)


def _rgb_of_signed(number: str) -> str:
    """RRGGBB of OME's signed number of 32 bits, which are those of red, green, blue and opacity."""
    try:
        return _seen(f"{int(number) & 0xFFFFFFFF:08X}"[:6])
    except ValueError:
        return ""


def _seen(colour: str) -> str:
    return "" if colour == BLACK else colour
