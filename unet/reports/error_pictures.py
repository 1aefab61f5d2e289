"""Pictures of a model's errors: what was found, missed, invented, merged and split, by colour and by shape.

Outlines of segments are solid, those of truth dashed, both in the colour of the kind; every error has a sign at its
middle besides, so that nobody needs the colours (of Okabe and Ito 2008) to read one. What was found has none: it is
ordinary. A picture of a large plane is of its most telling part, and a small plane is enlarged, pixel by pixel; it
holds few colours, and so is exact and small.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unet.evaluation.object_errors import FOUND, KINDS, ObjectErrors
from unet.reports.pictures import Bytes, grey_picture, object_edges

SIDE = 640
"""Pixels either way of the part that is shown of a large plane."""
SHOWN_SIDE = 960
"""Pixels either way up to which a plane is shown whole, and a small one is enlarged, at most four times."""
LARGEST_TABLE = 2**26
"""Id up to which kinds are looked up in a table of all ids."""
HALO = (16, 16, 16)
UNCERTAIN = 0.75
"""Mean score of a segment below which it is marked where there is no truth."""


class Look(NamedTuple):
    """How one kind is drawn."""

    colour: tuple[int, int, int]
    sign: str
    """As it stands in words; empty of what has none."""
    meaning: str


LOOKS: Mapping[str, Look] = {
    "found": Look((0, 158, 115), "", "overlap (IoU) with a segment above one half"),
    "missed": Look((213, 94, 0), "✕", "an object that no segment fits"),
    "invented": Look((240, 228, 66), "+", "a segment that fits no object"),
    "merged": Look((204, 121, 167), "▲", "objects that one segment holds together"),
    "split": Look((86, 180, 233), "▼", "an object cut into several segments"),
    "certain": Look((0, 158, 115), "", "mean score of 0.75 and more"),
    "uncertain": Look((230, 159, 0), "?", "mean score below 0.75"),
}
"""Kinds of objects and segments, the last two where there is no truth."""


@dataclass(frozen=True)
class PixelSize:
    """Size of a pixel along x."""

    value: float = 1.0
    unit: str = "px"
    """Its symbol."""


class Kinds(NamedTuple):
    """What some labels are: their ids, ascending, and the place in `LOOKS` of each."""

    ids: NDArray[Any]
    kinds: NDArray[np.uint8]

    def of_pixels(self, labels: NDArray[Any]) -> NDArray[np.uint8]:
        """One more than the kind of each pixel's label; 0 for background, and for labels that are not told of."""
        if not self.ids.size:
            return np.zeros(labels.shape, np.uint8)
        highest = max(int(self.ids[-1]), int(labels.max(initial=0)))
        if highest <= LARGEST_TABLE:  # a byte a pixel, where a search takes eight
            table = np.zeros(highest + 1, np.uint8)
            table[self.ids] = self.kinds + 1
            found: NDArray[np.uint8] = table[labels]
            return found
        at = np.clip(np.searchsorted(self.ids, labels), 0, self.ids.size - 1)
        return np.where((labels > 0) & (self.ids[at] == labels), self.kinds[at] + 1, 0).astype(np.uint8)


class Picture(NamedTuple):
    """A picture (y, x, 3), and the part of the plane it shows."""

    pixels: Bytes
    part: tuple[slice, slice]


def picture_of_errors(
    plane: NDArray[Any],
    truth: NDArray[Any],
    segments: NDArray[Any],
    ids: tuple[NDArray[Any], NDArray[Any]],
    errors: ObjectErrors,
    size: PixelSize,
) -> Picture:
    """A plane with its objects and segments, what became of each, and a scale bar.

    Args:
        plane: grey values, (y, x).
        truth: ids of the objects.
        segments: ids of the segments.
        ids: those of objects and of segments, as the table has them of which the errors are.
        errors: what became of these.
        size: of a pixel.
    """
    both = Kinds(ids[0], errors.objects), Kinds(ids[1], errors.segments)
    part = telling_part(*(kinds.of_pixels(labels) for kinds, labels in zip(both, (truth, segments), strict=True)))
    return _picture(plane, truth, segments, both, part, size)


def picture_of_certainty(
    plane: NDArray[Any], segments: NDArray[Any], ids: NDArray[Any], scores: NDArray[Any], size: PixelSize
) -> Picture:
    """A plane without truth with its segments, those of a low mean score marked, and a scale bar."""
    certain, uncertain = (list(LOOKS).index(name) for name in ("certain", "uncertain"))
    kinds = Kinds(ids, np.where(scores < UNCERTAIN, uncertain, certain).astype(np.uint8))
    of_pixels = kinds.of_pixels(segments)
    part = telling_part(np.where(of_pixels == uncertain + 1, 2, of_pixels > 0).astype(np.uint8))
    nothing = np.zeros(segments.shape, np.uint8)
    none = Kinds(nothing.ravel()[:0], np.zeros(0, np.uint8))
    return _picture(plane, nothing, segments, (none, kinds), part, size)


def telling_part(*kinds: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The part of a plane with most pixels of errors, or else of objects; of one that is not large all of it.

    Args:
        kinds: of each pixel of truth and of segments, as `Kinds.of_pixels` has it.
    """
    shape = kinds[0].shape
    if max(shape) <= SHOWN_SIDE:
        return slice(0, shape[0]), slice(0, shape[1])
    wrong = np.maximum.reduce([each > FOUND + 1 for each in kinds])
    seen = wrong if wrong.any() else np.maximum.reduce([each > 0 for each in kinds])
    step = SIDE // 4
    counts = np.add.reduceat(np.add.reduceat(seen, range(0, shape[0], step), 0, int), range(0, shape[1], step), 1, int)
    sums = np.lib.stride_tricks.sliding_window_view(counts, [min(4, size) for size in counts.shape]).sum(axis=(2, 3))
    corner = np.unravel_index(sums.argmax(), sums.shape)
    y, x = (min(int(at) * step, max(size - SIDE, 0)) for at, size in zip(corner, shape, strict=True))
    return slice(y, min(y + SIDE, shape[0])), slice(x, min(x + SIDE, shape[1]))


def _picture(
    plane: NDArray[Any],
    truth: NDArray[Any],
    segments: NDArray[Any],
    kinds: tuple[Kinds, Kinds],
    part: tuple[slice, slice],
    size: PixelSize,
) -> Picture:
    """The part enlarged, dashed outlines of truth below solid ones of segments, then the signs and the scale bar."""
    step = max(1, max(plane.shape) // 2048)  # grey values are those of the whole plane, a sample tells them
    grey = grey_picture(plane[part], plane[::step, ::step])
    large = max(each for each in (1, 2, 4) if each == 1 or max(grey.shape) * each <= SHOWN_SIDE)
    drawn = _enlarged(grey, large)
    palette = np.array([(0, 0, 0), *(look.colour for look in LOOKS.values())], np.uint8)
    for labels, known, is_dashed in ((truth, kinds[0], True), (segments, kinds[1], False)):
        edge, of_pixels = _edges(labels[part], large), _enlarged(known.of_pixels(labels[part]), large)
        shown = edge & (of_pixels > 0) & (_dashes(edge.shape, large) if is_dashed else True)
        drawn[shown] = palette[of_pixels[shown]]
    image = Image.fromarray(drawn)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"  # no shades of grey: few colours make a small file
    for at, (labels, known) in enumerate(zip((truth, segments), kinds, strict=True)):
        _draw_signs(pen, labels[part], known, large, is_truth=not at)
    _draw_scale_bar(pen, image.size, large, size)
    return Picture(np.asarray(image), part)


def _edges(labels: NDArray[Any], large: int) -> NDArray[np.bool_]:
    """Outermost pixels of the labels, drawn one pixel wide, or two where the picture is enlarged."""
    half = max(large // 2, 1)
    return _enlarged(object_edges(_enlarged(labels, half)), large // half)


def _dashes(shape: tuple[int, ...], large: int) -> NDArray[np.bool_]:
    y, x = np.indices(shape, sparse=True)
    dashed: NDArray[np.bool_] = (y + x) // (3 * max(large // 2, 1) + 1) % 2 == 0
    return dashed


def _enlarged(pixels: NDArray[Any], times: int) -> NDArray[Any]:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _draw_signs(pen: ImageDraw.ImageDraw, labels: NDArray[Any], kinds: Kinds, large: int, is_truth: bool) -> None:
    """A sign at the middle of each error: missed and split objects and merged ones, invented and uncertain segments."""
    of_truth = ("missed", "split", "merged")
    names = list(LOOKS)
    for label, y, x in _middles(labels):
        at = int(np.searchsorted(kinds.ids, label))
        name = names[kinds.kinds[at]] if at < kinds.ids.size and kinds.ids[at] == label else "found"
        if LOOKS[name].sign and is_truth == (name in of_truth):
            _draw_sign(pen, name, (x + 0.5) * large, (y + 0.5) * large)


def _middles(labels: NDArray[Any]) -> list[tuple[int, float, float]]:
    """Each label of a plane with the mean of its pixels' rows and columns."""
    y, x = np.nonzero(labels)
    ids, places, counts = np.unique(labels[y, x], return_inverse=True, return_counts=True)
    rows, columns = (np.bincount(places, axis, len(ids)) / np.maximum(counts, 1) for axis in (y, x))
    return list(zip(ids.tolist(), rows.tolist(), columns.tolist(), strict=True))


def _draw_sign(pen: ImageDraw.ImageDraw, name: str, x: float, y: float) -> None:
    """One sign, of lines with a dark rim, about a dozen pixels across."""
    for width, colour in ((6, HALO), (3, LOOKS[name].colour)):
        r = 6
        if name == "missed":
            pen.line([(x - r, y - r), (x + r, y + r)], colour, width)
            pen.line([(x - r, y + r), (x + r, y - r)], colour, width)
        elif name == "invented":
            pen.line([(x - r - 1, y), (x + r + 1, y)], colour, width)
            pen.line([(x, y - r - 1), (x, y + r + 1)], colour, width)
        elif name == "uncertain":
            pen.text((x, y), "?", colour, _font(18), "mm", stroke_width=width // 2 - 1)
        else:
            up = 1 if name == "merged" else -1
            grown = r + (2 if width > 3 else 0)
            corners = [(x, y - up * grown * 1.2), (x + grown * 1.2, y + up * grown), (x - grown * 1.2, y + up * grown)]
            pen.polygon(corners, colour)


def _draw_scale_bar(pen: ImageDraw.ImageDraw, shape: tuple[int, int], large: int, size: PixelSize) -> None:
    """A white bar of a round length in the lower right corner, about a fifth of the picture, with its length."""
    width, height = shape
    length = round_length(width / large * size.value / 5)
    across = length / size.value * large
    right, bottom = width - 14, height - 14
    for grown, colour in ((2, HALO), (0, (255, 255, 255))):
        pen.rectangle([right - across - grown, bottom - 4 - grown, right + grown, bottom + grown], colour)
    font = _font(max(12, min(20, width // 30)))
    word, middle = f"{length:g} {size.unit}", (right - across / 2, bottom - 9)
    pen.text(middle, word, (255, 255, 255), font, "ms", stroke_width=2, stroke_fill=HALO)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings along: Pillow's own has no µ."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf", size)


def round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50 … (or 0.5, 0.2 …) that is no longer.

    >>> round_length(33), round_length(0.7), round_length(10)
    (20.0, 0.5, 10.0)
    """
    power = math.floor(math.log10(most) + 1e-9)
    return max(float(f"{digit}e{power}") for digit in (1, 2, 5) if float(f"{digit}e{power}") <= most * 1.000001)


assert list(LOOKS)[: len(KINDS)] == list(KINDS), "the first looks are those of the kinds of errors, by number"
