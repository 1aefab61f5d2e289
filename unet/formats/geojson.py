"""GeoJSON as QuPath writes it: outlines of objects, their corners in pixels of the whole image.

A file is a collection of features, a list of them or a single one. A plane that is not said is the first, as QuPath
means it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from unet.dataset.filesystem import read_regular
from unet.formats.outlines import Drawn, Outline

UNCLASSIFIED = "Unclassified"
"""What QuPath calls objects without a class."""
LARGEST = 2**26
"""Bytes of a file: as values of Python it takes ten times its size."""


def read(file: str, sizes: Mapping[str, int]) -> Drawn:
    """The outlines in a file."""
    content = read_regular(file, LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it holds more than {LARGEST:,} bytes; export fewer objects a file")
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("its values lie in each other without end") from error
    outlines, left_out = [], Counter[str]()
    for number, feature in enumerate(_features(values), 1):
        for geometry in _geometries(feature.get("geometry") or {}):
            rings = _rings(geometry)
            if rings:
                said = feature.get("properties") or {}
                name = str(said.get("name") or f"object {number}")
                outlines.append(Outline(rings, _place(geometry, sizes), name, _word(said.get("classification"))))
            else:
                left_out[str(geometry.get("type") or "object without a geometry")] += 1
    return Drawn(tuple(outlines), left_out)


def _word(classification: Any) -> str:
    """Name of a class as QuPath shows it; of a derived one all of its names.

    >>> _word({"name": "Tumor"}), _word({"names": ["Tumor", "Positive"]}), _word(None)
    ('Tumor', 'Tumor: Positive', 'Unclassified')
    """
    said = classification if isinstance(classification, dict) else {"name": classification}
    names = said.get("names")
    joined = ": ".join(map(str, names)) if isinstance(names, list) else said.get("name")
    return str(joined) if joined else UNCLASSIFIED


def _features(values: Any) -> list[dict[str, Any]]:
    found = values.get("features", [values]) if isinstance(values, dict) else values
    if not isinstance(found, list) or not all(isinstance(each, dict) and "geometry" in each for each in found):
        raise ValueError("it must hold features with a geometry, as GeoJSON does")
    return found


def _geometries(geometry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The geometry, or those of a collection, as an object of several parts is."""
    if geometry.get("type") != "GeometryCollection":
        yield geometry
        return
    for part in geometry.get("geometries", []):
        yield {"plane": geometry.get("plane"), **part}


def _rings(geometry: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """Rings of all polygons of a geometry; none where it has no area."""
    found = geometry.get("coordinates", [])
    polygons = {"Polygon": [found], "MultiPolygon": found}.get(str(geometry.get("type")), [])
    rings = [np.array([corner[:2] for corner in ring], np.float64) for polygon in polygons for ring in polygon]
    return tuple(ring.reshape(-1, 2) for ring in rings if len(ring))


def _place(geometry: dict[str, Any], sizes: Mapping[str, int]) -> dict[str, int]:
    """Its plane, along the axes that the image has or that it says itself; channels are all drawn on alike."""
    plane = geometry.get("plane") or {}
    return {axis: int(plane.get(axis, 0)) for axis in "tz" if axis in sizes or plane.get(axis, 0)}
