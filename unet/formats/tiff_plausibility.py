"""Whether a TIFF can hold what it claims, told before memory is taken for it; reasons are told by who opens the file.

Left alone, tifffile believes what a file says: 66 kB that claim 60,000 × 60,000 pixels take 3.6 GB, OME-XML that speaks
of a billion planes a list of as many, tiles of 0 bytes become zeros, and an ImageJ stack that lost its end one plane.
The law: what a file claims is at most what its bytes can be unpacked to, and no pixel is of nothing.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import tifffile

RATIOS: dict[int, int] = {
    tifffile.COMPRESSION.NONE: 8,
    tifffile.COMPRESSION.PACKBITS: 512,
    tifffile.COMPRESSION.LZW: 11_000,
    tifffile.COMPRESSION.ADOBE_DEFLATE: 8_300,
    tifffile.COMPRESSION.DEFLATE: 8_300,
}
"""Bytes of pixels that a byte of a file can become, by its codec, eight times as many as bits become bytes."""
LARGEST_RATIO = 50_000
"""The same of all other codecs: of zstd, which repeats a byte 131,072 times in four."""
MOST_PLANES = 4_000_000
"""Planes of a scene: an hour of a thousand frames a second."""
ALONG = ("Start", "End", "Step")


def refuse_absurd_xml(xml: str, file: Path, pixels_of_page: int) -> None:
    """Refuse OME-XML that speaks of more planes than there can be: than bytes in the files that it names.

    A plane that it calls larger than a page of the file is read as so many planes. What is no XML, or no number, is for
    others to refuse.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return
    most = min(MOST_PLANES, sum(_sizes(root, file)))
    for pixels in root.iterfind("{*}Image/{*}Pixels"):
        planes = math.prod(_whole(pixels.get(f"Size{axis}")) for axis in "ZCT")
        pages = planes * _whole(pixels.get("SizeY")) * _whole(pixels.get("SizeX")) // max(1, pixels_of_page)
        data = [_whole(value) for each in pixels.iterfind("{*}TiffData") for value in each.attrib.values()]
        _refuse_more(max([planes, pages, *data]), most)
    for along in (each for each in root.iter() if each.tag.endswith(("AlongZ", "AlongT", "AlongC"))):
        start, end, step = (_number(along.get(name), default) for name, default in zip(ALONG, (0, 0, 1), strict=True))
        _refuse_more((end - start) / step if step else math.inf, most)


def refuse_absurd(series: tifffile.TiffPageSeries) -> None:
    """Refuse a scene that claims more pixels than its files can hold; ValueError says why."""
    page = series.keyframe
    ratio = RATIOS.get(page.compression, LARGEST_RATIO)
    files = {one.parent.filehandle.path: one.parent.filehandle.size for one in series if one is not None}
    stored = min(sum(page.databytecounts), page.parent.filehandle.size)
    tile = math.prod(page.chunks) * page.nbytes // max(1, page.size) if page.is_tiled else 0
    for claimed, held in (
        (series.nbytes, sum(files.values())),
        (max(page.nbytes, tile), stored),
    ):
        if claimed > held * ratio:
            raise ValueError(f"it claims {claimed:,} bytes of pixels, which its {held:,} bytes cannot be")


def refuse_empty_segments(page: tifffile.TiffPage | tifffile.TiffFrame) -> None:
    """Refuse a page of which tiles or strips lie nowhere, which would become zeros."""
    expected, held = math.prod(page.chunked), zip(page.dataoffsets, page.databytecounts, strict=False)
    there = sum(offset > 0 and size > 0 for offset, size in held)
    if there < expected and page.compression == tifffile.COMPRESSION.NONE and len(page.dataoffsets) == 1:
        expected = 1  # strips that follow each other are told as one
    if there < expected:
        raise ValueError(f"only {there} of {expected} tiles or strips of a plane are there")


def refuse_lost_planes(tif: tifffile.TiffFile) -> None:
    """Refuse an ImageJ stack with fewer planes than it says: the only directory stands for all, whatever is left."""
    said = (tif.imagej_metadata or {}).get("images", 1)
    pages = ((series.size, series.keyframe) for series in tif.series)
    held = sum(size // max(1, page.imagelength * page.imagewidth * page.samplesperpixel) for size, page in pages)
    if isinstance(said, int) and held < said:
        raise ValueError(f"of the {said:,} planes of which ImageJ's description speaks {held:,} can be read")


def _sizes(root: ElementTree.Element, file: Path) -> Iterator[int]:
    """Bytes of the files that OME-XML names and that are here, the one that it stands in among them."""
    named = {Path(uuid.get("FileName", "")).name for uuid in root.iterfind("{*}Image/{*}Pixels/{*}TiffData/{*}UUID")}
    for name in {file.name, *named} - {""}:
        path = file.with_name(name)
        if path.is_file():
            yield os.stat(path).st_size  # noqa: PTH116


def _refuse_more(claimed: float, most: int) -> None:
    if not claimed <= most:
        raise ValueError(f"its OME-XML speaks of {claimed:,.0f} planes, of which there can be {most:,} at most")


def _whole(text: str | None) -> int:
    return int(text) if text and text.strip().lstrip("+-").isdecimal() else 1


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
