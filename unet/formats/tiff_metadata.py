"""What a TIFF says of its pixels: their sizes, and the names of its channels.

Both come from OME-XML, else from what ImageJ, MetaMorph, MetaXpress, Zeiss (LSM) or Aperio (SVS) note, else from the
resolution tags; what of it is believed stands in `pixel_sizes`.
"""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from unet.formats.ome_files import ome_tree
from unet.formats.pixel_sizes import SaidSizes
from unet.formats.stack import RGB

COLOURS = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)


def tiff_metadata(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[SaidSizes, Sequence[str]]:
    """Sizes of a pixel with their units, as far as the file gives them, and the names of the channels."""
    names = RGB if series.keyframe.photometric in COLOURS and "S" in series.keyframe.axes else ()
    if tif.is_ome:
        sizes, channels = _ome_metadata(tif, series)
        return sizes, names or channels
    if tif.is_imagej:
        return _imagej_sizes(tif, series), names
    return {**_tag_sizes(series), **_makers_sizes(tif)}, names or _lsm_names(tif)


def ome_pixels(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> ElementTree.Element | None:
    """What OME-XML says of a scene's pixels; None where it says nothing."""
    images = ome_tree(tif).findall("{*}Image")
    number = tif.series.index(series)
    if len(images) != len(tif.series):  # tifffile leaves out images of which there are no pages
        images, number = [image for image in images if image.get("Name") == series.name], 0
    return images[number].find("{*}Pixels") if images else None


def _ome_metadata(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[SaidSizes, Sequence[str]]:
    pixels = ome_pixels(tif, series)
    if pixels is None:
        return {}, ()
    named = {a: f"PhysicalSize{a.upper()}" for a in "zyx"}
    sizes = {a: (pixels.get(name), pixels.get(f"{name}Unit") or "µm") for a, name in named.items()}
    sizes["t"] = (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit") or "s")
    given = {a: size for a, size in sizes.items() if size[0] is not None}
    return given, [channel.get("Name", "") for channel in pixels.iterfind("{*}Channel")]


def _imagej_sizes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> SaidSizes:
    """Sizes as ImageJ writes them: `unit` is that of x, and of y and z where `yunit` and `zunit` are not there."""
    said = tif.imagej_metadata or {}
    unit = str(said.get("unit", ""))
    sizes = dict(_tag_sizes(series))
    if unit.strip():
        sizes = {a: (_per_pixel(series, tag), str(said.get(f"{a}unit", unit))) for a, tag in RESOLUTIONS.items()}
    if "spacing" in said:
        z = said["spacing"]
        sizes["z"] = (abs(z) if isinstance(z, int | float) else z, str(said.get("zunit", unit)))
    if said.get("finterval"):
        sizes["t"] = (said["finterval"], str(said.get("tunit") or "s"))
    elif isinstance(said.get("fps"), int | float) and said["fps"] > 0:
        sizes["t"] = (1 / said["fps"], "s")  # frames a second, whatever `tunit` is
    return {a: size for a, size in sizes.items() if a not in RESOLUTIONS or size[0]}


def _makers_sizes(tif: tifffile.TiffFile) -> dict[str, tuple[Any, str]]:
    """Sizes as microscopes note them in tags of their own."""
    if tif.is_stk:
        said = tif.stk_metadata or {}
        unit, steps = str(said.get("CalibrationUnits", "")), np.atleast_1d(said.get("ZDistance", []))
        sizes = {"y": said.get("YCalibration"), "x": said.get("XCalibration"), "z": steps[0] if steps.size else None}
        return {axis: (size, unit) for axis, size in sizes.items() if size}
    if tif.is_lsm:
        said = tif.lsm_metadata or {}
        metres = {axis: said.get(f"VoxelSize{axis.upper()}") for axis in "zyx"}
        sizes = {axis: (size * 1e6, "µm") for axis, size in metres.items() if size}
        return sizes | ({"t": (said["TimeIntervall"], "s")} if said.get("TimeIntervall") else {})
    if tif.is_metaseries:  # ImageXpress
        said = (tif.metaseries_metadata or {}).get("PlaneInfo", {})
        unit = str(said.get("spatial-calibration-units", ""))
        found_sizes = {axis: said.get(f"spatial-calibration-{axis}") for axis in "yx"}
        return {axis: (size, unit) for axis, size in found_sizes.items() if size and said.get(CALIBRATED)}
    found = APERIO.search(tif.pages.first.description) if tif.is_svs else None
    return dict.fromkeys("yx", (found[1], "µm")) if found else {}


def _lsm_names(tif: tifffile.TiffFile) -> Sequence[str]:
    said = (tif.lsm_metadata or {}) if tif.is_lsm else {}
    return [str(name) for name in said.get("ChannelColors", {}).get("ColorNames", [])]


CALIBRATED = "spatial-calibration-state"
APERIO = re.compile(r"\|MPP = ([\d.]+)")
RESOLUTIONS = {"y": "YResolution", "x": "XResolution"}
"""Tags that hold pixels a unit, by axis."""
MICROMETRES: dict[int, float] = {
    tifffile.RESUNIT.CENTIMETER: 1e4,
    tifffile.RESUNIT.MILLIMETER: 1e3,
    tifffile.RESUNIT.MICROMETER: 1.0,
}


def _tag_sizes(series: tifffile.TiffPageSeries) -> SaidSizes:
    unit = series.keyframe.resolutionunit
    sizes = {a: size for a, tag in RESOLUTIONS.items() if (size := _per_pixel(series, tag))}
    if unit == tifffile.RESUNIT.INCH:
        return {a: (size, "inch") for a, size in sizes.items()}
    return {a: (MICROMETRES[unit] * size, "µm") for a, size in sizes.items() if unit in MICROMETRES}


def _per_pixel(series: tifffile.TiffPageSeries, tag: str) -> float:
    """Units a pixel, which the tag has as pixels a unit; 0 where it does not say."""
    pixels, units = series.keyframe.tags.valueof(tag, (0, 1))
    return units / pixels if pixels else 0.0
