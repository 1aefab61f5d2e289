"""Where samples that show a class may lie: squares of each plane, so that the rarest class is found without a search.

A window shows a class where it holds one of its pixels. Drawn again and again until it does, a window would be any of
those that show the class, all alike likely, mirror images at the edges counted; where one window in 10,000 does, that
takes 10,000 draws. So centres are drawn, evenly, from squares alone out of which a window could show it:

    · · · · · · ·      side of a square: an eighth of a window's; `r` the reach of a window from its centre
    · r r r r r ·      x: squares that hold pixels of the class; r: others out of which it may be seen
    · r r x r r ·      of the windows drawn, half or more show it; those that do not are drawn again
    · r r r r r ·
    · · · · · · ·

The law: no window that shows the class lies elsewhere, so those that are drawn and show it are drawn as they were
without squares. A pixel is shown in proportion to the windows around it that show the class: most where the class is,
and as often as any other pixel in the samples that need not show one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from unet.images.array_types import IGNORE, Indices, Mask
from unet.images.windows import Window
from unet.training.training_plane import TrainingPlane

PARTS = 8
"""Squares along a window's side."""
ROWS = 2**10
"""Rows of a plane that are looked at at once, or a few more."""


@dataclass(frozen=True, eq=False)
class ClassPlaces:
    """Squares of the planes out of which a window may show one class."""

    of_class: int
    square: int
    """Side in pixels."""
    plane: Indices
    """Of each square the number of its plane."""
    row: Indices
    column: Indices
    ends: NDArray[np.float64]
    """Sum of the chances of the squares up to each; a square's is in proportion to its pixels."""

    def draw(self, planes: Sequence[TrainingPlane], draw: np.random.Generator) -> tuple[TrainingPlane, float, float]:
        """A plane, and where in it a centre lies, from 0 to 1 along y and along x."""
        at = int(np.searchsorted(self.ends, draw.random() * self.ends[-1], "right"))
        at = min(at, self.ends.size - 1)
        plane = planes[self.plane[at]]
        y, x = (
            float(draw.uniform(*_edges(size, self.square)[number : number + 2]))
            for size, number in zip(_sizes(plane), (self.row[at], self.column[at]), strict=True)
        )
        return plane, y, x


def places_of_classes(planes: Sequence[TrainingPlane], side: int) -> list[ClassPlaces]:
    """Places of each class of objects in these planes, for windows of `side` pixels; all planes are looked at."""
    square = max(side // PARTS, 1)
    reach = math.ceil((side // 2 + 2) / square)  # a pixel may be seen mirrored, one farther than without
    found: dict[int, list[tuple[int, Mask]]] = {}
    for number, plane in enumerate(planes):
        for of_class, held in _squares_with(plane, square).items():
            near = maximum_filter(held.astype(np.uint8), 2 * reach + 1, mode="constant") > 0
            found.setdefault(of_class, []).append((number, near))
    return [_places(planes, of_class, square, found[of_class]) for of_class in sorted(found)]


def _squares_with(plane: TrainingPlane, square: int) -> dict[int, Mask]:
    """Which squares of a plane hold pixels of each class of objects that is there."""
    height, width = _sizes(plane)
    shape, found = (-(-height // square), -(-width // square)), dict[int, Mask]()
    rows = -(-ROWS // square) * square
    for top in range(0, height, rows):
        classes = plane.classes.read(Window(top, 0, min(rows, height - top), width))[0]
        for of_class in np.flatnonzero(np.bincount(classes.reshape(-1), minlength=IGNORE)[1:IGNORE]) + 1:
            mask = np.logical_or.reduceat(classes == of_class, np.arange(0, len(classes), square), axis=0)
            mask = np.logical_or.reduceat(mask, np.arange(0, width, square), axis=1)
            held = found.setdefault(int(of_class), np.zeros(shape, np.bool_))
            held[top // square : top // square + len(mask)] = mask
    return found


def _places(
    planes: Sequence[TrainingPlane], of_class: int, square: int, near: Sequence[tuple[int, Mask]]
) -> ClassPlaces:
    row, column = (np.concatenate(each) for each in zip(*(np.nonzero(mask) for _, mask in near), strict=True))
    chances = []
    for number, mask in near:
        height, width = _sizes(planes[number])
        y, x = (np.diff(_edges(size, square)) for size in (height, width))
        chances.append((height * width * np.outer(y, x))[mask])
    plane = np.concatenate([np.full(np.count_nonzero(mask), number) for number, mask in near])
    return ClassPlaces(of_class, square, plane, row, column, np.cumsum(np.concatenate(chances)))


def _edges(size: int, square: int) -> NDArray[np.float64]:
    """Where squares begin and end along an axis of `size` pixels, whose first and last pixel centre are 0 and 1."""
    return np.minimum(np.arange(-(-size // square) + 1) * square / max(size - 1, 1), 1.0)


def _sizes(plane: TrainingPlane) -> tuple[int, int]:
    return plane.image.window.height, plane.image.window.width
