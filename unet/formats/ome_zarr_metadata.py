"""What OME-Zarr says of an image: where its full level lies, axes, pixel sizes, channels and their colours.

Versions differ in where things stand. Up to 0.2 there are no axes: they are t c z y x. In 0.3 axes are names, from 0.4
on they have types and units, and scales of pixels: one of the level, and one of all levels on top. From 0.6 on axes
stand in coordinate systems, each transformation says from which it leads to which; pixel sizes are those in the first
system that the level is led to by scales.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import AXES

Json = Mapping[str, Any]
OF_TYPES = {"time": "t", "channel": "c"}
HEX = re.compile("#?([0-9A-Fa-f]{6})")


class Axis(NamedTuple):
    """An axis as it is stored."""

    name: str
    """One of t c z y x, or what the file calls another one."""
    unit: str = ""


class Multiscale(NamedTuple):
    """What is said of an image."""

    path: str
    """Of the full level, below the image's group."""
    axes: tuple[Axis, ...]
    """As they are stored; none where there is no word of them."""
    scale: tuple[float, ...]
    """Size of a pixel along each axis."""


def multiscale_of(ome: Json) -> Multiscale:
    """The first pyramid of a group.

    Raises:
        ValueError: it is not described as the format asks.
    """
    try:
        pyramid = ome["multiscales"][0]
        level = pyramid["datasets"][0]
        path = str(level["path"]).removeprefix("./").rstrip("/")
        steps = _listed(level.get("coordinateTransformations")), _listed(pyramid.get("coordinateTransformations"))
        systems = _listed(pyramid.get("coordinateSystems"))
        if systems:
            return Multiscale(path, *_in_systems(systems, *steps))
        axes = known_axes(pyramid.get("axes") or [])
        return Multiscale(path, axes, _scale_of([*steps[0], *steps[1]], len(axes)))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(f"its multiscales must name a level as OME-Zarr asks, got none ({said[:120]})") from error


def _in_systems(systems: list[Json], of_level: list[Json], of_all: list[Json]) -> tuple[tuple[Axis, ...], Any]:
    """Axes and scale in the first system that the level is led to."""
    step = of_level[0] if of_level else {}
    own = next((each for each in systems if each["name"] == _name(step.get("output"))), systems[0])
    axes, scale = known_axes(own["axes"]), _scale_of([step], len(own["axes"]))
    first = systems[0]
    further = [
        each for each in of_all if (_name(each.get("input")), _name(each.get("output"))) == (own["name"], first["name"])
    ]
    if first is own or not further or not _is_scale(further[0]) or len(first["axes"]) != len(axes):
        return axes, scale
    more = _scale_of(further[:1], len(axes))
    units = [axis.unit for axis in known_axes(first["axes"])]
    both = zip(axes, units, strict=True)
    return tuple(Axis(axis.name, unit) for axis, unit in both), tuple(a * b for a, b in zip(scale, more, strict=True))


def _name(said: Any) -> str:
    """Name of a coordinate system, which drafts of 0.6 had without a mapping around it."""
    return str(said.get("name", "")) if isinstance(said, Mapping) else str(said or "")


def _is_scale(step: Json) -> bool:
    inner = _listed(step.get("transformations"))
    return step.get("type") in ("scale", "identity", "translation") or (
        step.get("type") == "sequence" and all(map(_is_scale, inner))
    )


def _scale_of(steps: Sequence[Json], number: int) -> tuple[float, ...]:
    """All scales of some transformations, one after another; those of other kinds have none."""
    sizes = [1.0] * number
    for step in steps:
        if step.get("type") == "sequence":
            factors: Sequence[Any] = _scale_of(_listed(step.get("transformations")), number)
        else:
            factors = step["scale"] if step.get("type") == "scale" and isinstance(step.get("scale"), list) else ()
        if len(factors) == number:
            sizes = [size * float(factor) for size, factor in zip(sizes, factors, strict=True)]
    return tuple(sizes)


def known_axes(said: Sequence[Any]) -> tuple[Axis, ...]:
    """Axes by our names: by type and by name, whatever the case of its letters; space that bears no such name is z y x.

    >>> [axis.name for axis in known_axes(["T", "lambda", "y", "x"])]
    ['t', 'lambda', 'y', 'x']
    >>> [axis.name for axis in known_axes([{"name": n, "type": "space"} for n in ("row", "col")])]
    ['y', 'x']
    """
    each = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in said]
    names = [OF_TYPES.get(str(axis.get("type"))) or str(axis.get("name", "")) for axis in each]
    names = [name.lower() if name.lower() in AXES else name for name in names]
    space = [place for place, axis in enumerate(each) if axis.get("type") == "space"]
    if not {names[place] for place in space} <= set("zyx") and len(space) <= 3:
        for place, name in zip(space, "zyx"[-len(space) :], strict=True):
            names[place] = name
    return tuple(Axis(name, str(axis.get("unit") or "")) for name, axis in zip(names, each, strict=True))


def sizes_of(found: Multiscale) -> SaidSizes:
    """Sizes of pixels as the file says them: 1 without a unit is what is written where nothing is known."""
    known = zip(found.axes, found.scale, strict=True)
    return {axis.name: (size, axis.unit) for axis, size in known if axis.name in "tzyx" and math.isfinite(size)}


def channels_of(ome: Json) -> tuple[list[str], tuple[str, ...]]:
    """Names and colours of the channels, RRGGBB, as `omero` has them; none where it is not there."""
    omero = ome.get("omero")
    each = [c for c in _listed(omero.get("channels")) if isinstance(c, Mapping)] if isinstance(omero, Mapping) else []
    names = [str(channel.get("label") or channel.get("name") or "") for channel in each]
    matches = [HEX.fullmatch(str(channel.get("color", ""))) for channel in each]
    colours = tuple(match[1].upper() if match and int(match[1], 16) else "" for match in matches)  # black shows nothing
    return names, colours if any(colours) else ()


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []
