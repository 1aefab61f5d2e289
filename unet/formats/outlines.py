"""Outlines that people drew around objects, filled into planes of ids.

The law: a pixel is an object's where its centre lies within the outline, (x + 0.5, y + 0.5) for column x and row y, as
ImageJ and QuPath count; a centre on an edge is within if the object lies to its right, or below it. So outlines that
share an edge share no pixel and leave none out between them. Of several rings, such as holes, a pixel is within if it
is within an odd number of them.

    ring (1, 1) (4, 1) (4, 3) (1, 3)      row 1: columns 1 2 3
                                          row 2: columns 1 2 3

The ids are 1, 2, 3 … in the order of the files; where outlines overlap, the later one lies on top, with a note that
says of how many pixels. Rejected: `skimage.draw.polygon2mask`, which knows no holes, and where edges touch both sides.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unet.formats.stack import Opened
from unet.sources.image_kinds import OUTLINES

Ring = NDArray[np.float64]
"""Corners (x, y) of a closed line, in pixels from the upper left corner of the image."""
LARGEST = 2**31
"""Pixels that a corner may be away from the image's; more is no picture's."""
CROSSED_AT_ONCE = 2**22
"""Crossings of rows and edges that are held at a time."""


@dataclass(frozen=True)
class Outline:
    """One object, or part of an object in one plane."""

    rings: tuple[Ring, ...]
    at: Mapping[str, int]
    """Positions along axes of the image, from 0; on all planes along an axis that is not named."""
    name: str
    """What its file calls it, for people."""
    word: str = ""
    """What its file says of its class: ImageJ's number of a group, 0 for none; the name of QuPath's classification."""


@dataclass(frozen=True)
class Drawn:
    """What files of outlines hold."""

    outlines: tuple[Outline, ...]
    left_out: Mapping[str, int]
    """Kinds of what has no area, such as points, each with how many there are."""


@contextmanager
def open_outlines(files: Sequence[str], sizes: Mapping[str, int], axis: str | None = None) -> Iterator[Opened]:
    """Labels of a stack that are filled in from outlines.

    Args:
        files: files of outlines, in the order of their ids.
        sizes: length of each axis of the image that they were drawn on.
        axis: what slices run along, of which each has a file where there are several.

    Raises:
        ValueError: a file is broken, or holds nothing that lies on this image.
    """
    drawn = [_drawn(file, sizes) for file in files]
    of_slices = [{axis: n} if axis and len(files) > 1 else {} for n in range(len(files))]
    outlines = [
        replace(outline, at={**at, **outline.at})
        for each, at in zip(drawn, of_slices, strict=True)
        for outline in each.outlines
    ]
    for outline in outlines:
        _require_place(files[0], outline, sizes)
    if not outlines:
        raise ValueError(f"{files[0]} must hold outlines of objects, got {_listed(drawn) or 'none'}; draw areas")
    axes = "".join(axis for axis in sizes if axis != "c")
    filling = Filling(tuple(outlines), axes, tuple(sizes[axis] for axis in axes))
    notes, words = _notes(files[0], drawn, filling), tuple(outline.word for outline in outlines)
    yield Opened(axes, filling.shape, np.dtype(np.uint32), {}, {}, ("0",), filling.plane, notes, words=words)


def require_readable(file: str) -> None:
    """Refuse a file of outlines that is broken, or not whole yet."""
    _drawn(file, {})


Box = tuple[slice, slice]
"""Rows and columns of a plane."""


def inside(rings: Iterable[Ring], box: Box) -> NDArray[np.bool_]:
    """Which pixels of a part of a plane have their centre within the rings.

    >>> square = np.array([[1, 0], [3, 0], [3, 1], [1, 1]])
    >>> inside([square], (slice(0, 2), slice(0, 4))).astype(int).tolist()
    [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = (part.stop - part.start for part in box)
    flips = np.zeros((height, width + 1), np.uint8)  # where a row goes from outside to inside, or back
    for ring in rings:
        for rows, columns in _crossings(np.asarray(ring, np.float64), box):
            np.bitwise_xor.at(flips, (rows, columns), 1)
    within: NDArray[np.bool_] = np.bitwise_xor.accumulate(flips, axis=1)[:, :width] == 1
    return within


def _crossings(ring: Ring, box: Box) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows whose middle an edge crosses, each with the first column whose centre is not left of that; by many edges.

    An edge crosses a row if one end lies above its middle, and the other not: two edges that meet there cross once. It
    is taken from its upper end, whichever way the ring goes round, so that a neighbour's is rounded alike.
    """
    after = np.roll(ring, -1, axis=0)
    is_down = (ring[:, 1] <= after[:, 1])[:, None]
    (x0, y0), (x1, y1) = np.where(is_down, ring, after).T, np.where(is_down, after, ring).T
    top, left = box[0].start, box[1].start
    first, last = (np.clip(np.ceil(y - 0.5), top, box[0].stop) for y in (y0, y1))
    counts = (last - first).astype(np.intp)
    for edges in _runs(counts):
        edge = np.repeat(np.arange(len(ring))[edges], counts[edges])
        starts = np.repeat(np.cumsum(counts[edges]) - counts[edges], counts[edges])
        rows = np.arange(len(edge)) - starts + first[edge]
        x = x0[edge] + (rows + 0.5 - y0[edge]) * (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
        columns = np.clip(np.ceil(x - 0.5), left, box[1].stop)
        yield (rows - top).astype(np.intp), (columns - left).astype(np.intp)


def _runs(counts: NDArray[np.intp]) -> Iterator[slice]:
    """Edges in runs of not too many crossings."""
    total, start = np.cumsum(counts), 0
    while start < len(counts):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + CROSSED_AT_ONCE, side="right")))
        yield slice(start, stop)
        start = stop


@dataclass(frozen=True)
class Filling:
    """Outlines on the planes of an image."""

    outlines: tuple[Outline, ...]
    axes: str
    shape: tuple[int, ...]

    def plane(self, index: tuple[int, ...]) -> np.ndarray:
        """The ids of the plane at an index of the leading axes."""
        plane = np.zeros(self.shape[-2:], np.uint32)
        self._fill(plane, index, np.zeros(len(self.outlines), np.int64))
        return plane

    @cached_property
    def counts(self) -> tuple[NDArray[np.int64], int]:
        """Pixels that each outline holds on all planes, and how many of them lie below later outlines."""
        pixels, covered = np.zeros(len(self.outlines), np.int64), 0
        for index in sorted(self._numbers):
            covered += self._fill(np.zeros(self.shape[-2:], np.uint32), index, pixels)
        return pixels, covered

    @cached_property
    def _numbers(self) -> dict[tuple[int, ...], list[int]]:
        """Numbers of the outlines on each plane, from 0."""
        found: dict[tuple[int, ...], list[int]] = {}
        for number, outline in enumerate(self.outlines):
            leading = zip(self.axes[:-2], self.shape, strict=False)
            for index in product(*([outline.at[a]] if a in outline.at else range(size) for a, size in leading)):
                found.setdefault(index, []).append(number)
        return found

    def _fill(self, plane: np.ndarray, index: tuple[int, ...], pixels: NDArray[np.int64]) -> int:
        """Write ids into a plane, and add to the pixels of each; returns how many lie below later outlines."""
        covered = 0
        for number in self._numbers.get(tuple(index), ()):
            box, within = self._within(self.outlines[number])
            pixels[number] += np.count_nonzero(within)
            covered += int(np.count_nonzero(plane[box][within]))
            plane[box][within] = number + 1
        return covered

    def _within(self, outline: Outline) -> tuple[Box, NDArray[np.bool_]]:
        """Box of a plane that an outline lies in, and the pixels of it that are within."""
        corners = np.concatenate(outline.rings)
        ends = np.clip([np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))], 0, self.shape[:-3:-1])
        (left, top), (right, bottom) = ends.astype(int).tolist()
        box = slice(top, bottom), slice(left, right)
        return box, inside(outline.rings, box)


def _drawn(file: str, sizes: Mapping[str, int]) -> Drawn:
    try:
        drawn: Drawn = import_module(f"unet.formats.{OUTLINES[Path(file).suffix.lower()]}").read(file, sizes)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = str(error) or type(error).__name__
        raise ValueError(f"{file} is no readable file of outlines ({why}): save it again where it was drawn") from error
    for outline in drawn.outlines:
        corners = np.concatenate(outline.rings)
        if not np.isfinite(corners).all() or np.abs(corners).max() > LARGEST:
            odd = corners[~(np.abs(corners) <= LARGEST)][0]
            raise ValueError(f"{file} must hold corners in pixels, got {odd} in {outline.name}; save it again")
    return drawn


def _require_place(file: str, outline: Outline, sizes: Mapping[str, int]) -> None:
    for axis, place in outline.at.items():
        if not 0 <= place < sizes.get(axis, 1):
            raise ValueError(
                f"{file} must lie on its image, got {outline.name} on {axis} {place + 1} of {sizes.get(axis, 1)}; "
                "give the outlines that were drawn on this image"
            )


def _notes(file: str, drawn: Sequence[Drawn], filling: Filling) -> tuple[str, ...]:
    """What a person should know of outlines that were filled in, a sentence each."""
    notes, count = [], len(filling.outlines)
    if _listed(drawn):
        notes.append(f"{_listed(drawn)} of {file} left out, as they enclose nothing")
    along = filling.axes[:-2]
    spread = sum(not set(along) <= set(outline.at) for outline in filling.outlines)
    if spread:
        notes.append(f"{spread} of the {count} outlines of {file} say no plane, and lie on all along {' '.join(along)}")
    pixels, covered = filling.counts
    empty = int(np.count_nonzero(pixels == 0))
    if empty == count:
        raise ValueError(f"{file} must lie on its image, got {empty} outlines beside it; corners must be in pixels")
    if empty:
        notes.append(f"{empty} of the {count} outlines of {file} hold no pixel's centre of the image")
    if covered:
        notes.append(f"outlines of {file} overlap by {covered} pixels, where the later one lies on top")
    return tuple(notes)


def _listed(drawn: Sequence[Drawn]) -> str:
    counts = sum((Counter(each.left_out) for each in drawn), Counter[str]())
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
