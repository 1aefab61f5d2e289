"""Units of length and time: how people spell them, and what they are called in OME-Zarr and in tables."""

import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple


class Unit(NamedTuple):
    """A unit that a microscope may name."""

    symbol: str
    """As people write it; in the names of columns without letters beyond ASCII."""
    metres: float | None = None
    """Its length; None for a time."""
    spellings: str = ""
    """Others that files use, in small letters and with the Greek μ, parted by spaces."""


UNITS = {
    "angstrom": Unit("Å", 1e-10),
    "picometer": Unit("pm", 1e-12),
    "nanometer": Unit("nm", 1e-9),
    "micrometer": Unit("µm", 1e-6, "um micron microns \\u00b5m"),
    "millimeter": Unit("mm", 1e-3),
    "centimeter": Unit("cm", 1e-2),
    "meter": Unit("m", 1.0),
    "inch": Unit("in", 0.0254),
    "microsecond": Unit("µs", None, "us"),
    "millisecond": Unit("ms", None, "msec"),
    "second": Unit("s", None, "sec seconds"),
    "minute": Unit("min", None, "minutes"),
    "hour": Unit("h", None, "hours"),
    "day": Unit("d", None, "days"),
}
"""Every unit by its name in OME-Zarr."""


def _plain(spelling: str) -> str:
    return unicodedata.normalize("NFKC", spelling.strip()).lower()


SPELLINGS = {
    _plain(spelling): name for name, unit in UNITS.items() for spelling in (name, unit.symbol, *unit.spellings.split())
}


def unit_named(spelling: str) -> str | None:
    """OME-Zarr's name of a unit, however a file spells it; None where it is none.

    >>> unit_named("µm"), unit_named(" Micron"), unit_named("pixel")
    ('micrometer', 'micrometer', None)
    """
    return SPELLINGS.get(_plain(spelling))


def metres(unit: str) -> float:
    """Length of a unit; LookupError for one that is no length."""
    found = UNITS[unit].metres if unit in UNITS else None
    if found is None:
        raise LookupError(f"a pixel's size must be a length, got the unit {unit!r}")
    return found


def symbol(unit: str) -> str:
    """The symbol of a unit as people write it; an unknown unit stays as it is."""
    return UNITS[unit].symbol if unit in UNITS else unit


def column_symbol(unit: str) -> str:
    """How a unit stands in the name of a column, where not every program takes a µ.

    Inches and picometres keep their whole names, as in tables that were made before.

    >>> column_symbol("micrometer"), column_symbol("inch"), column_symbol("parsec")
    ('um', 'inch', 'parsec')
    """
    return unit if unit in ("inch", "picometer") else symbol(unit).replace("µ", "u").replace("Å", "A")


def pixel_size(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Size of an image's pixels along y and x with its unit; None where it is not known.

    >>> pixel_size({"spacing": {"y": 0.5, "x": 0.5}, "units": {"y": "micrometer", "x": "micrometer"}})
    {'y': 0.5, 'x': 0.5, 'unit': 'micrometer'}
    """
    units = {facts["units"].get(axis) for axis in "yx"}
    unit = units.pop()
    if units or unit not in UNITS or UNITS[unit].metres is None or not all(axis in facts["spacing"] for axis in "yx"):
        return None
    return {axis: facts["spacing"][axis] for axis in "yx"} | {"unit": unit}


def spacing_in_pixels(axes: str, sizes: Mapping[str, float]) -> tuple[float, ...]:
    """Pixel sizes of the space axes, in y x pixels; where one is unknown, pixels are taken as cubes.

    >>> spacing_in_pixels("tzyx", {"z": 1.0, "y": 0.25, "x": 0.25})
    (4.0, 1.0, 1.0)
    """
    known = all(axis in sizes for axis in axes if axis in "zyx")
    return tuple(sizes[axis] / sizes["x"] if known else 1.0 for axis in axes if axis in "zyx")
