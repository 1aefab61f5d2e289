"""ROI files of ImageJ, `.roi` or the `.zip` that its ROI manager saves: outlines with the plane that each lies on.

`roifile` reads them, by the author of tifffile: 2,000 lines of Python that need numpy alone, hence installed with us.
What it gives of an oval is a polygon of a few corners; here an oval is one of as many as make it exact to 0.01 px.
"""

import io
import logging
import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from roifile import ROI_TYPE, ImagejRoi

from unet.dataset.filesystem import read_regular
from unet.formats.outlines import Drawn, Outline

# What roifile says there is of a ROI that encloses nothing, which is told, or of its name.
logging.getLogger("roifile").setLevel(logging.CRITICAL)

LARGEST = 2**27
"""Bytes of all ROIs of a file; a million cells take less."""
WITH_AREA = (ROI_TYPE.POLYGON, ROI_TYPE.RECT, ROI_TYPE.OVAL, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)


def read(file: str, sizes: Mapping[str, int]) -> Drawn:
    """The outlines in a file; those of an image with several channels are of all of them."""
    outlines, left_out = [], Counter[str]()
    for number, (name, content) in enumerate(_members(file), 1):
        roi = ImagejRoi.frombytes(content)
        rings = _rings(roi) if roi.roitype in WITH_AREA else ()
        if rings:
            called = roi.name or name or f"ROI {number}"
            outlines.append(Outline(rings, _place(roi, sizes), called, str(roi.group)))
        else:
            left_out[roi.roitype.name.lower()] += 1
    return Drawn(tuple(outlines), left_out)


def _members(file: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each ROI."""
    content = read_regular(file, LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it holds more than {LARGEST:,} bytes")
    if not file.lower().endswith(".zip"):
        yield "", content
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [each for each in archive.infolist() if each.filename.lower().endswith(".roi")]
        if not members:
            raise ValueError("it holds no .roi")
        left = LARGEST
        for each in members:
            with archive.open(each) as stream:
                member = stream.read(left + 1)  # whatever size it claims
            left -= len(member)
            if left < 0:
                raise ValueError(f"unpacked, it holds more than {LARGEST:,} bytes")
            yield each.filename, member


def _rings(roi: ImagejRoi) -> tuple[np.ndarray, ...]:
    """Rings of what encloses an area; none where it does not."""
    if roi.roitype == ROI_TYPE.OVAL:
        return (_oval(roi),)
    if roi.roitype == ROI_TYPE.RECT and roi.subpixelrect and not roi.composite:
        left, top, right, bottom = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
        return (np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64),)
    rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in roi.coordinates(multi=True)]
    return tuple(ring for ring in rings if len(ring) > 2)


def _oval(roi: ImagejRoi) -> np.ndarray:
    box = (roi.xd, roi.yd, roi.widthd, roi.heightd) if roi.subpixelrect else None
    left, top, width, height = box or (roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top)
    corners = max(16, math.ceil(math.pi * math.sqrt(max(width, height) / 0.04)))
    angle = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([left + width / 2 * (1 + np.cos(angle)), top + height / 2 * (1 + np.sin(angle))], axis=1)


def _place(roi: ImagejRoi, sizes: Mapping[str, int]) -> dict[str, int]:
    """Its plane: by axis, or as the number of a plane among all, channels fastest; ImageJ counts from 1, 0 is all."""
    said = {"z": roi.z_position, "t": roi.t_position}
    if any(said.values()) or roi.c_position:
        return {axis: place - 1 for axis, place in said.items() if place and (axis in sizes or place > 1)}
    leading = {axis: sizes.get(axis, 1) for axis in "tzc"}
    if roi.position < 1 or not sizes or math.prod(leading.values()) == 1:
        return {}
    if roi.position > math.prod(leading.values()):
        raise ValueError(f"{roi.name} lies on plane {roi.position} of {math.prod(leading.values())}")
    places = np.unravel_index(roi.position - 1, tuple(leading.values()))
    return {axis: int(place) for axis, place in zip(leading, places, strict=True) if axis != "c" and axis in sizes}
