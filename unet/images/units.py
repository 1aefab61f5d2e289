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
    "angstrom": Unit("Å", 1e-10, "ångström angstroms"),
    "picometer": Unit("pm", 1e-12, "picometers picometre picometres"),
    "nanometer": Unit("nm", 1e-9, "nanometers nanometre nanometres"),
    "micrometer": Unit("µm", 1e-6, "um μ micron microns micrometers micrometre micrometres \\u00b5m \\u03bcm"),
    "millimeter": Unit("mm", 1e-3, "millimeters millimetre millimetres"),
    "centimeter": Unit("cm", 1e-2, "centimeters centimetre centimetres"),
    "meter": Unit("m", 1.0, "meters metre metres"),
    "inch": Unit("in", 0.0254, 'inches "'),
    "nanosecond": Unit("ns", None, "nsec nanosec nanoseconds"),
    "microsecond": Unit("µs", None, "us usec microsec microseconds"),
    "millisecond": Unit("ms", None, "msec millisec milliseconds"),
    "second": Unit("s", None, "sec secs seconds"),
    "minute": Unit("min", None, "mins minutes"),
    "hour": Unit("h", None, "hr hrs hours"),
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


def spacing_in_pixels(
    axes: str, sizes: Mapping[str, float], units: Mapping[str, str] | None = None
) -> tuple[float, ...]:
    """Pixel sizes of the space axes, in y x pixels; where one is unknown, pixels are taken as cubes.

    Sizes in another unit than that of x are brought to it; without `units` all are in one.

    >>> spacing_in_pixels("tzyx", {"z": 1.0, "y": 0.25, "x": 0.25})
    (4.0, 1.0, 1.0)
    >>> micrometre = dict.fromkeys("yx", "micrometer")
    >>> spacing_in_pixels("zyx", {"z": 500, "y": 0.25, "x": 0.25}, {"z": "nanometer", **micrometre})
    (2.0, 1.0, 1.0)
    """
    space = [axis for axis in axes if axis in "zyx"]
    if not all(axis in sizes for axis in space):
        return tuple(1.0 for _ in space)
    in_x = {axis: _ratio((units or {}).get(axis), (units or {}).get("x")) for axis in space}
    return tuple(sizes[axis] * in_x[axis] / sizes["x"] for axis in space)


def _ratio(unit: str | None, other: str | None) -> float:
    """How many of another length one of this is; 1 where they are alike or not known."""
    return 1.0 if unit == other or unit is None or other is None else metres(unit) / metres(other)
