"""Detail of a channel: how sharp it is, and whether details are brighter or darker than what lies around them.

*Sharpness* is the share of the contrast over 16 pixels that is there within 2 pixels already. Differences over 2 and
over 16 pixels are multiplied with those of the row (or column) two further on, and the products are averaged. The noise
of two rows is independent, so that it is no part of the products' mean, and neither gain nor offset is part of their
ratio: an image taken again, brighter or noisier, is as sharp as before; out of focus it is not.

    a ······ b        (b − a)(d − c): what both rows have of an edge
    ·        ·
    c ······ d

*Polarity* is the skewness of how far blocks of 4 × 4 pixels stand out of those 8 pixels beside them: below 0 where
details are dark, as the seams of cells that touch, above 0 where they are bright, as seams of a stain of membranes.
An inverted image has the other sign, though its grey values may be spread as before.

Rejected: the variance of the Laplacian, which is mostly noise in fluorescence; the power spectrum, which needs windows
as wide as the objects; and the histogram's skewness, of which cells that cover half of an image have none.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.block_statistics import Thinned

SIDE = 32
"""Pixels of a tile's side."""
FINE, COARSE = 2, 16
"""Pixels over which contrast is compared."""
BELOW = 2
"""Rows, or columns, between two differences that are multiplied: neighbours may share noise."""
BLOCK, BESIDE = 4, 2
"""Pixels of a block's side, and blocks from one to those it is compared with."""
MOST_TILES = 2**11
"""Tiles of a channel that are kept, at most; then every 11th alone, and so on."""
AT_ONCE = 2**8
"""Tiles that are measured at a time, as their pixels are widened to 8 bytes each."""
CERTAIN = 3.0
"""Standard errors by which contrast must differ from none: an empty image has no detail."""
LEAST = 1e-3
"""The least sharpness that is told."""
COLUMNS = 5
"""Of a tile: fine and coarse contrast, how far blocks stand out, squared and to the power of three, and its mean."""


class Detail(NamedTuple):
    """Detail of a channel, with what chance does to it: standard errors, as told by how tiles differ."""

    sharpness: float
    """From 0 to about 1."""
    polarity: float
    """Skewness; above 0 where details are bright."""
    sharpness_error: float
    """Of its logarithm."""
    polarity_error: float
    mean_error: float
    """Of the mean grey value: large where a field of view holds few objects."""


@dataclass
class DetailGathering:
    """The detail of a channel in the making."""

    tiles: Thinned = field(default_factory=lambda: Thinned(MOST_TILES))

    def add(self, plane: NDArray[Any]) -> None:
        """Take in a plane or a part of one; tiles with pixels that are not finite are left out."""
        height, width = (size // SIDE for size in plane.shape)
        cut = plane[: height * SIDE, : width * SIDE].reshape(height, SIDE, width, SIDE).transpose(0, 2, 1, 3)
        due = np.arange(height * width)[self.tiles.due()]
        parts = (due[start : start + AT_ONCE] for start in range(0, due.size, AT_ONCE))
        found = [_measured(cut[part // width, part % width].astype(np.float64)) for part in parts]
        self.tiles.add(np.concatenate([np.empty((0, COLUMNS)), *found]), height * width)

    def finish(self) -> Detail | None:
        """Detail of all tiles; None where there is no contrast to be seen.

        >>> gathering = DetailGathering()
        >>> gathering.add((np.indices((64, 64)) // 20 % 2).sum(0))
        >>> round(gathering.finish().sharpness, 3)
        0.133
        """
        kept = np.concatenate([np.empty((0, COLUMNS)), *self.tiles.kept])
        fine, coarse, squares, cubes, means = kept[np.isfinite(kept).all(1)].T
        if coarse.size < 2 or coarse.mean() <= CERTAIN * _error(coarse) or squares.mean() <= 0:
            return None
        ratio = max(float(fine.mean() / coarse.mean()), LEAST)
        scale = squares.mean()
        skewness = float(cubes.mean() / scale**1.5)
        by_tile = cubes / scale**1.5 - 1.5 * skewness * squares / scale  # what each adds to it, to first order
        of_ratio = _error(fine - ratio * coarse) / float(ratio * coarse.mean())
        return Detail(ratio, skewness, of_ratio, _error(by_tile), _error(means))


def _error(values: NDArray[np.float64]) -> float:
    """Standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(values.size))


@njit(cache=True, nogil=True)
def _measured(tiles: Any) -> Any:
    """The columns (n, 5) of tiles (n, y, x)."""
    found = np.zeros((len(tiles), COLUMNS))
    for n, tile in enumerate(tiles):
        found[n, 0], found[n, 1] = _contrast(tile, FINE), _contrast(tile, COARSE)
        found[n, 2], found[n, 3] = _standing_out(tile)
        found[n, 4] = tile.mean()
    return found


@njit(cache=True, nogil=True)
def _contrast(tile: Any, lag: int) -> float:
    """Mean product of differences over so many pixels with those of the row, or column, two further on."""
    total = 0.0
    for y in range(SIDE - BELOW):
        for x in range(SIDE - lag):
            total += (tile[y, x + lag] - tile[y, x]) * (tile[y + BELOW, x + lag] - tile[y + BELOW, x])
            total += (tile[x + lag, y] - tile[x, y]) * (tile[x + lag, y + BELOW] - tile[x, y + BELOW])
    return total / (2 * (SIDE - BELOW) * (SIDE - lag))


@njit(cache=True, nogil=True)
def _standing_out(tile: Any) -> tuple[float, float]:
    """Mean square and mean cube of how far blocks stand out of the two beside them, and of those above and below."""
    count = SIDE // BLOCK
    means = np.zeros((count, count))
    for y in range(SIDE):
        for x in range(SIDE):
            means[y // BLOCK, x // BLOCK] += tile[y, x] / BLOCK**2
    squares, cubes = 0.0, 0.0
    for i in range(count):
        for j in range(BESIDE, count - BESIDE):
            along = 2 * means[i, j] - means[i, j - BESIDE] - means[i, j + BESIDE]
            down = 2 * means[j, i] - means[j - BESIDE, i] - means[j + BESIDE, i]
            squares += along**2 + down**2
            cubes += along**3 + down**3
    number = 2 * count * (count - 2 * BESIDE)
    return squares / number, cubes / number
