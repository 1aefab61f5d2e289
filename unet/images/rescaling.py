"""An image brought to another pixel size, window by window, for models that were trained on larger or smaller pixels.

Each new pixel is a mean of the old ones around its centre, weighted by a triangle as wide as two of the larger pixels
(linear interpolation where pixels get smaller, its anti-aliased form where they get larger). The law: a window is the
same window of the whole, bit for bit, since weights depend on a pixel's place in the whole alone.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unet.images.units import metres
from unet.images.windows import Window

Scale = tuple[float, float]
"""New pixels for each old one, along y and x."""


def scale_to(model: Mapping[str, Any], image: Mapping[str, Any]) -> Scale:
    """Pixels of the model's size for each of the image's, from what `pixel_size` says of both.

    >>> size = {"y": 0.5, "x": 0.5, "unit": "micrometer"}
    >>> scale_to(size, {"y": 250, "x": 1000, "unit": "nanometer"})
    (0.5, 2.0)
    """
    units = metres(image["unit"]) / metres(model["unit"])
    y, x = (round(image[axis] / model[axis] * units, 6) for axis in "yx")  # 6 digits: sizes come rounded
    return y, x


def reading(wanted: Window, scale: Scale) -> Window:
    """The old pixels that the new ones of a window are made of; both may reach beyond the image.

    >>> reading(Window(0, 0, 2, 4), (0.5, 1.0))
    Window(y=-1, x=0, height=6, width=4)
    """
    rows, columns = _reach(wanted.y, wanted.height, scale[0]), _reach(wanted.x, wanted.width, scale[1])
    return Window(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])


def rescaled(pixels: NDArray[Any], wanted: Window, scale: Scale) -> NDArray[np.float32]:
    """New pixels (…, y, x) of a window, from the old ones (…, y, x) of `reading(wanted, scale)`.

    >>> rescaled(np.array([[[0.0, 4.0, 8.0]]]), Window(0, 0, 1, 3), (1.0, 1.0)).tolist()
    [[[0.0, 4.0, 8.0]]]
    """
    rows, columns = _weights(wanted.y, wanted.height, scale[0]), _weights(wanted.x, wanted.width, scale[1])
    planes = pixels.reshape(-1, *pixels.shape[-2:]).astype(np.float32)
    new = [(columns @ np.ascontiguousarray((rows @ plane).T)).T for plane in planes]
    return np.stack(new).astype(np.float32).reshape(*pixels.shape[:-2], wanted.height, wanted.width)


def covering(window: Window, scale: Scale) -> Window:
    """New pixels from which the old ones of a window can be made again: `rescaled` with `inverse(scale)`."""
    return reading(window, inverse(scale))


def inverse(scale: Scale) -> Scale:
    """The scale from the new pixels back to the old ones."""
    return 1 / scale[0], 1 / scale[1]


def _support(position: int, scale: float) -> tuple[float, float, int, int]:
    """Centre and half width of a new pixel's triangle in old pixels, and the old pixels [first, last) within."""
    centre, half = (position + 0.5) / scale - 0.5, max(1.0, 1 / scale)
    return centre, half, math.floor(centre - half) + 1, math.ceil(centre + half)


def _reach(start: int, count: int, scale: float) -> tuple[int, int]:
    return _support(start, scale)[2], _support(start + count - 1, scale)[3]


def _weights(start: int, count: int, scale: float) -> csr_array:
    """Weights of old pixels (columns) in new ones (rows)."""
    first, last = _reach(start, count, scale)
    values, columns, ends = [], [], [0]
    for position in range(start, start + count):
        centre, half, low, high = _support(position, scale)
        near = np.arange(low, high)
        weights = np.maximum(1 - np.abs(near - centre) / half, 0)
        values.append(weights / weights.sum())
        columns.append(near - first)
        ends.append(ends[-1] + near.size)
    data = np.concatenate(values).astype(np.float32)
    return csr_array((data, np.concatenate(columns), ends), shape=(count, last - first))
