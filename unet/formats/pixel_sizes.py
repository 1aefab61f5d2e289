"""Pixel sizes as a file says them, and which of them are believed.

A size that is wrong is worse than none: areas and volumes in tables would be off by thousands, silently. So what a
file says is believed only where number and unit make sense for a microscope; of anything else a note says why not.
Resolutions of printers (72 or 300 pixels an inch, whatever unit they are written in) are of the page that some program
once would have printed. An inch itself is a printer's unit: no microscope writes it, so none is believed.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from unet.images.units import UNITS, unit_named

SaidSizes = Mapping[str, tuple[Any, str]]
"""By axis: the size of a pixel as the file says it, a number or text that should be one, and its unit as spelled."""

NO_UNIT = {"", "pixel", "pixels", "px", "reference frame", "frame", "frames", "slice", "slices", "none"}
"""Units by which a file says that it knows no size."""
PRINTERS = (72, 96, 150, 300, 600, 1200)
"""Pixels an inch that programs write where nobody gave a size."""
INCH = 0.0254
SMALLEST, LARGEST = 1e-13, 1e-2
"""Metres a pixel below which, or from which on, no microscope has made it."""
LONGEST = 366 * 24 * 3600.0
"""Seconds between two frames that nobody waits for."""
SECONDS = {
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}


class BelievedSizes(NamedTuple):
    """Sizes of a stack's pixels, by axis, where they are known."""

    spacing: dict[str, float]
    units: dict[str, str]
    """As OME-Zarr names them; of the same axes as `spacing`."""
    notes: tuple[str, ...]
    """What the file says and is not believed, a sentence each."""


def believed_sizes(said: SaidSizes, axes: str) -> BelievedSizes:
    """The sizes along some axes that are known, and why others are taken as unknown though the file says something.

    >>> believed_sizes({"y": (0.5, "um"), "x": ("0.5", "micron")}, "yx").spacing
    {'y': 0.5, 'x': 0.5}
    >>> believed_sizes({"y": (1 / 72, "inch"), "x": (1 / 72, "inch")}, "yx").notes
    ('size along y and x taken as unknown: 72 pixels an inch, which is a resolution of printers',)
    """
    spacing, units, doubts = dict[str, float](), dict[str, str](), dict[str, list[str]]()
    for axis in (axis for axis in axes if axis in said):
        size, unit = _number(said[axis][0]), unit_named(said[axis][1])
        why = _doubt(axis, size, unit, *said[axis])
        if why is None and size is not None and unit is not None:
            spacing[axis], units[axis] = size, unit
        elif why:
            doubts.setdefault(why, []).append(axis)
    notes = (f"size along {' and '.join(of)} taken as unknown: {why}" for why, of in doubts.items())
    return BelievedSizes(spacing, units, tuple(notes))


def _number(said: Any) -> float | None:
    try:
        return float(said)
    except (TypeError, ValueError):
        return None


def _doubt(axis: str, size: float | None, unit: str | None, said: Any, spelled: str) -> str | None:
    """Why a size is not believed; "" where the file says itself that it knows none, None where it is believed."""
    if spelled.strip().lower() in NO_UNIT:
        return ""
    if size is None:
        return f"{said!r} is no number"
    if unit is None:
        return f"{size:g} {spelled} is of no known unit"
    if not 0 < size < math.inf:
        return f"{size:g} {spelled} is no size"
    if (UNITS[unit].metres is None) != (axis == "t"):
        return f"{size:g} {spelled} is of the wrong kind of unit"
    return _doubt_of_time(size, unit) if axis == "t" else _doubt_of_length(axis, size, unit, spelled)


def _doubt_of_time(size: float, unit: str) -> str | None:
    return None if size * SECONDS[unit] <= LONGEST else f"{size:g} {unit}s between two frames are too long to be true"


def _doubt_of_length(axis: str, size: float, unit: str, spelled: str) -> str | None:
    metres = size * (UNITS[unit].metres or math.nan)
    an_inch = INCH / metres
    printers = [dots for dots in PRINTERS if math.isclose(an_inch, dots, rel_tol=1e-3)]
    if axis != "z" and printers:
        return f"{printers[0]} pixels an inch, which is a resolution of printers"
    if unit == "inch":
        return "" if size == 1 else f"{an_inch:.6g} pixels an inch, a unit of printers"
    if not SMALLEST <= metres < LARGEST:
        return f"{size:g} {spelled} is no pixel of a microscope"
    return None
