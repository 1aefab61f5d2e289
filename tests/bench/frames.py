"""Drawn truth of any size for the benches: round cells, one in each square of a grid, gaps of a few pixels."""

import numpy as np
from numpy.typing import NDArray


def cells(side: int, pitch: int, ndim: int = 2) -> NDArray[np.int32]:
    """A frame (or volume) of `side` pixels with one cell in each square (or cube) of `pitch` pixels."""
    draw, count = np.random.default_rng(0), side // pitch
    radius = draw.uniform(0.3 * pitch, 0.48 * pitch, (count,) * ndim).repeat(pitch, 0)
    squares = np.zeros((side,) * ndim, np.float32)
    for axis in range(ndim):
        if axis:
            radius = radius.repeat(pitch, axis)
        shift = draw.uniform(-pitch / 12, pitch / 12, (count,) * ndim)
        for other in range(ndim):
            shift = shift.repeat(pitch, other)
        place = (np.arange(side) % pitch - pitch / 2).reshape([-1 if a == axis else 1 for a in range(ndim)])
        squares += (place - shift) ** 2
    ids = np.arange(1, count**ndim + 1, dtype=np.int32).reshape((count,) * ndim)
    for axis in range(ndim):
        ids = ids.repeat(pitch, axis)
    return np.where(squares < radius**2, ids, 0)


def microscopy(side: int) -> NDArray[np.uint16]:
    """A frame of blurred texture with the noise of a camera, which packs like one of a microscope."""
    from scipy.ndimage import gaussian_filter

    draw = np.random.default_rng(0)
    texture = gaussian_filter(draw.normal(size=(side, side)), 4)
    return draw.poisson(np.clip(300 * texture / texture.std() + 2000, 0, None)).astype(np.uint16)
