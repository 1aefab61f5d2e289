"""An image without edges: every plane goes on for ever, mirrored at its true edges without repeating the edge pixel.

Both training and prediction read through here, so that what the network saw at an edge is what it will see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.windows import Window


def mirrored(start: int, stop: int, size: int) -> NDArray[np.intp]:
    """Index within `size` of each position in [start, stop), mirrored again and again beyond the edges.

    >>> mirrored(-2, 5, 3)
    array([2, 1, 0, 1, 2, 1, 0])
    """
    if size == 1:
        return np.zeros(stop - start, np.intp)
    period = 2 * (size - 1)
    position = np.arange(start, stop) % period
    return np.minimum(position, period - position)


@dataclass(frozen=True)
class Plane:
    """One y x plane of an array, through some of its channels: `array[index]` for each of `indices`.

    The array may be a numpy or a zarr one; only the pixels asked for are read.
    """

    array: Any
    indices: tuple[tuple[int, ...], ...]

    @property
    def window(self) -> Window:
        """The whole plane."""
        height, width = self.array.shape[-2:]
        return Window(0, 0, height, width)

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels (channels, y, x) of a window that may reach beyond the edges."""
        height, width = self.array.shape[-2:]
        y, x = mirrored(window.y, window.y + window.height, height), mirrored(window.x, window.x + window.width, width)
        rows, columns = slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1)
        hull = np.stack([np.asarray(self.array[(*index, rows, columns)]) for index in self.indices])
        if hull.shape[1:] == (window.height, window.width) and window.y == rows.start and window.x == columns.start:
            return hull
        return hull.take(y - rows.start, axis=1).take(x - columns.start, axis=2)


def planes(array: Any, axes: str, channels: Sequence[int] = (0,)) -> list[Plane]:
    """Every t and z plane of an array, in raster order, each with the chosen channels.

    >>> [p.indices for p in planes(np.zeros((2, 3, 8, 8)), "czyx", (0, 1))][0]
    ((0, 0), (1, 0))
    """
    leading = dict(zip(axes[:-2], array.shape[:-2], strict=True))
    places = np.ndindex(*(size for axis, size in leading.items() if axis != "c"))
    return [Plane(array, tuple(_index(leading, place, c) for c in channels)) for place in places]


def _index(leading: Mapping[str, int], place: Sequence[int], channel: int) -> tuple[int, ...]:
    rest = iter(place)
    return tuple(channel if axis == "c" else next(rest) for axis in leading)
