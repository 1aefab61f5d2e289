"""Squares of a region in which there is nothing to see, and whose scores are 0 without a look.

A square is empty where no grey value that its scores depend on, its own and those of the context around it, reaches a
least value. The law: that depends on the region's place and on the image alone, not on the tiles it is predicted in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.windows import Window

SQUARE = 512
"""Side of a square in pixels, counted from the region's corner."""


@dataclass(frozen=True, eq=False)
class Emptiness:
    """Which squares of a region's planes are empty."""

    region: Window
    squares: NDArray[np.bool_]
    """(n, rows, columns) of squares."""

    @classmethod
    def of(cls, pixels: NDArray[Any], around: Window, region: Window, context: int, least: float) -> "Emptiness":
        """Emptiness of a region, from the grey values (n, channels, y, x) of the window `around`.

        >>> pixels = np.zeros((1, 1, 8, 1040))
        >>> pixels[..., 1039] = 9
        >>> Emptiness.of(pixels, Window(0, 0, 8, 1040), Window(0, 0, 8, 1040), 16, 5).squares.tolist()
        [[[True, False, False]]]
        """
        found = np.zeros((len(pixels), -(-region.height // SQUARE), -(-region.width // SQUARE)), np.bool_)
        for row, column, square in _squares(region):
            seen = Window(
                square.y - context, square.x - context, square.height + 2 * context, square.width + 2 * context
            )
            rows, columns = (slice(max(part.start, 0), part.stop) for part in seen.within(around).slices)
            found[:, row, column] = ~(pixels[..., rows, columns] >= least).any(axis=(1, 2, 3))
        return cls(region, found)

    def holds(self, window: Window) -> bool:
        """Whether a window within the region is empty in all planes."""
        rows, columns = (
            slice(part.start // SQUARE, -(-part.stop // SQUARE)) for part in window.within(self.region).slices
        )
        return bool(self.squares[:, rows, columns].all())

    def clear(self, scores: Any) -> None:
        """Set the scores (n, …, y, x) of all empty squares to 0."""
        for row, column, square in _squares(self.region):
            for plane in np.flatnonzero(self.squares[:, row, column]):
                scores[int(plane)][..., *square.within(self.region).slices] = 0


def _squares(region: Window) -> Iterator[tuple[int, int, Window]]:
    for row, y in enumerate(range(0, region.height, SQUARE)):
        for column, x in enumerate(range(0, region.width, SQUARE)):
            height, width = min(SQUARE, region.height - y), min(SQUARE, region.width - x)
            yield row, column, Window(region.y + y, region.x + x, height, width)
