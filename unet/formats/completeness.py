"""Whether all files of a stack are there, and each is complete to its last byte.

It reads directories and ends, not pixels: quick on a file of any size. What it cannot see: a copy that first takes all
its room and then fills it holds zeros where pixels are to come; only that it changes meanwhile tells of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import tifffile

from unet.dataset.filesystem import open_regular
from unet.formats.class_table import read_class_table
from unet.formats.outlines import require_readable
from unet.formats.readers import find_scenes, open_stack
from unet.formats.stack import UnknownAxesError
from unet.formats.tiff import scenes_of
from unet.formats.tiff_extent import positions, refuse_gaps
from unet.sources.image_kinds import FORMATS, is_class_table, is_outlines

PNG_END = b"IEND\xaeB`\x82"
"""Type and check sum of the last chunk of every PNG."""


def require_whole(files: Sequence[str], scene: int | None = None, each: bool = False) -> set[str]:
    """All files that a stack is read from, other files of its set included; ValueError where one is not whole.

    Args:
        files: one file, which may open others of its set after it; or the slices, or all of a grid.
        scene: index of the scene in a file of several.
        each: whether each of the files is opened, as those of a grid are.

    Raises:
        ValueError: a file is not whole, or lacks a part of its set; it says which.
        OSError: a file is gone, or cannot be read.
    """
    is_each = each or any(is_outlines(file) for file in files)
    return {part for file in (files if is_each else files[:1]) for part in _parts_of(file, scene)}


def _parts_of(file: str, scene: int | None) -> set[str]:
    """Files that one file is read from; of a format that tells no more, that it opens must do."""
    if FORMATS.get(Path(file).suffix.lower()) == "tiff":
        return _tiff(file, scene)
    if file.lower().endswith(".png"):
        _require_png_end(file)
    if is_outlines(file):
        require_readable(file)
        return {file}
    if is_class_table(file):
        read_class_table(file)
        return {file}
    with suppress(UnknownAxesError), open_stack([file], scene):
        pass
    return {file, *find_scenes(file).parts}


def _require_png_end(file: str) -> None:
    with open_regular(file) as stream:
        stream.seek(-min(len(PNG_END), stream.seek(0, 2)), 2)
        if stream.read() != PNG_END:
            raise ValueError(f"{file} must end as a PNG does, got something else: it is not whole")


def _tiff(file: str, scene: int | None) -> set[str]:
    with scenes_of(file) as scenes:
        count = sum(map(positions, scenes))
        for series in scenes:
            refuse_gaps(file, series)
        parts = {part for series in scenes for part in _parts(series)}
    with suppress(UnknownAxesError), open_stack([file], scene if count > 1 else None):
        pass  # what its axes are a source may say
    return {file, *parts}


def _parts(series: tifffile.TiffPageSeries) -> Iterator[str]:
    for page in series:
        if page is None:
            continue
        handle, last = page.parent.filehandle, series.is_truncated  # one directory for all planes
        ends = [start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if last and series.dataoffset is not None:
            ends.append(series.dataoffset + series.nbytes)
        if max(ends, default=0) > handle.size:
            raise ValueError(f"{handle.path} must hold {max(ends)} bytes at least, got {handle.size}: it is not whole")
        yield handle.path
