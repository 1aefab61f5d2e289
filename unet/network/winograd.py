"""Convolutions of 3 × 3 and their ReLU by half the multiplications (Winograd 1980; Lavin and Gray 2016, F(4, 3)).

Of four outputs in a row the six inputs are transformed, multiplied by six transformed weights instead of by twelve, and
transformed back; down the columns the convolution is what it was:

    (y, x, c) ──forth──▶ (x / 4, y, 6 · c) ──6 convolutions down the columns──▶ (x / 4, y, 6 · c) ──back──▶ (y, x, c)

The points of the transform are 0, ±√½, ±√2 and ∞, so that no coefficient is above 2.83: results are as far from exact
ones as those of the convolution by its definition. Rejected: the points 0, ±1, ±2 and ∞, as far again and more; rows
and columns at once, a quarter of the multiplications, but those are no convolutions that a library has; and
transforming 16 channels, which costs what it saves. The error follows the largest of the six inputs: beside a value 10⁵
times as large as its neighbours theirs is 10⁴ times as large, which the maps of normalised, clipped images do not hold.

Measured on two cores with AVX2, of 32 to 256 channels: 1.2 to 1.7 × the rate of oneDNN's own, which is that of a matrix
product; `tests/bench/bench_winograd.py` says it of another machine.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from unet.network.padding import PaddedAnew

Values = NDArray[np.float32]
Transform = Callable[..., None]
AT_ONCE, READ = 4, 6
"""Outputs in a row that are computed at once, and inputs that they are computed from."""
POINTS = (0.0, -(0.5**0.5), 0.5**0.5, -(2.0**0.5), 2.0**0.5)
"""Where the polynomials of inputs and weights are multiplied; the sixth is infinity."""
FEWEST = 32
"""Channels, in and out, below which transforming them costs what it saves."""
KNOWN = ("AVX2", "AVX512")
"""Processors on which convolutions in groups are as fast as others; of those of other makers nobody has looked."""
ROOM = 100_000
"""Transformed values of each of the six that are at hand at once: with what becomes of them they stay in the cache."""


def fits(channels_in: int, channels_out: int, dtype: torch.dtype) -> bool:
    """Whether such a convolution is faster this way."""
    known = torch.backends.cpu.get_cpu_capability() in KNOWN
    return known and min(channels_in, channels_out) >= FEWEST and dtype == torch.float32


def transformed_weights(weight: Tensor) -> Tensor:
    """Weights (out, in, 3, 3) as six groups (6 · out, in, 1, 3) of those that transformed columns are convolved with.

    The polynomial of a row's three weights at each point, by the product of its distances to the others (G).
    """
    rows = [[a**power / _distances(a) for power in range(3)] for a in POINTS] + [[0.0, 0.0, 1.0]]
    groups = torch.einsum("pk,oiyk->poiy", torch.tensor(rows, dtype=torch.float64), weight.double())
    return groups.reshape(-1, weight.shape[1], 1, 3).to(weight.dtype)


def _distances(point: float) -> float:
    return float(np.prod([point - other for other in POINTS if other != point]))


class WinogradConvolution(PaddedAnew):
    """A 3 × 3 convolution and its ReLU, on a CPU; in float32, whose error is that of the convolution by definition."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.padding, self.bias = convolution.padding, _plain_bias(convolution)
        weights = transformed_weights(convolution.weight.detach())
        self.packed = torch.ops.mkldnn._reorder_convolution_weight(weights, (0, 0), (1, 1), (1, 1), READ)

    def forward(self, values: Tensor, padding: int | None = None) -> Tensor:
        """Values after both; `padding` in pixels where it is not the layer's own."""
        rim = int(self.padding[0]) if padding is None else padding
        width = values.shape[-1] + 2 * rim - 2
        if width < AT_ONCE:
            values = nn.functional.pad(values, (0, AT_ONCE - width))
        lines = values.permute(0, 2, 3, 1).contiguous().numpy()
        sides = lines.shape[1] + 2 * rim - 2, lines.shape[2] + 2 * rim - 2
        out = np.empty((len(lines), *sides, len(self.bias)), np.float32)
        for before, after in zip(lines, out, strict=True):
            self._convolve(before, after, rim)
        return torch.from_numpy(out).permute(0, 3, 1, 2)[..., :width]

    def _convolve(self, values: Values, out: Values, rim: int) -> None:
        """Fill `out` (y, x, out) with the output of `values` (y, x, in) within a rim of zeros, columns by columns.

        The last four outputs of a row end with it; they may be computed twice.
        """
        (height, width, channels), last = values.shape, out.shape[1] - AT_ONCE
        starts, rows = np.minimum(np.arange(0, last + AT_ONCE, AT_ONCE), last), height + 2 * rim
        step = max(ROOM // max(channels, len(self.bias)) // rows, 1)
        room = np.empty(min(step, len(starts)) * rows * READ * channels, np.float32)
        for some in np.split(starts, range(step, len(starts), step)):
            columns = room[: len(some) * rows * READ * channels]
            _forth(channels)(values.reshape(-1), columns, some, height, width, rim)
            found = torch.ops.mkldnn._convolution_pointwise(
                torch.from_numpy(columns.reshape(1, 1, -1, READ * channels)).permute(0, 3, 1, 2),
                *(self.packed, None, (0, 0), (1, 1), (1, 1), READ, "none", [], ""),
            )
            products = found.permute(0, 2, 3, 1).numpy().reshape(-1)
            _back(len(self.bias))(products, self.bias, out.reshape(-1), some, *out.shape[:2])


def _plain_bias(convolution: nn.Conv2d) -> Values:
    bias = convolution.bias
    return np.zeros(convolution.out_channels, np.float32) if bias is None else bias.detach().numpy().copy()


HALF, TWO, FIVE_HALVES, ZERO = (np.float32(value) for value in (0.5, 2.0, 2.5, 0.0))
SMALL, LARGE, SMALL_CUBE, LARGE_CUBE = (np.float32(2.0**power) for power in (-0.5, 0.5, -1.5, 1.5))


@cache
def _forth(channels: int) -> Transform:
    """Transforms columns (Bᵀ); of a number of channels that the compiler knows, which makes it eight times as fast."""

    @njit(cache=True, nogil=True)
    def forth(values: Values, columns: Values, starts: NDArray[np.int64], height: int, width: int, rim: int) -> None:
        at, length = 0, 6 * channels
        edge = np.zeros(length, np.float32)
        for start in starts:
            first, behind = max(start - rim, 0), min(start - rim + 6, width)
            for y in range(-rim, height + rim):
                made, begin = columns[at : at + length], (y * width + first) * channels
                at += length
                if y < 0 or y >= height:
                    made[:] = ZERO
                    continue
                read = values[begin : begin + (behind - first) * channels]
                if behind - first < 6:
                    shift = (first - start + rim) * channels
                    edge[shift : shift + len(read)] = read
                    read = edge
                for c in range(channels):
                    one, two = read[channels + c], read[2 * channels + c]
                    three, four = read[3 * channels + c], read[4 * channels + c]
                    even, odd = four - TWO * two, SMALL * (three - TWO * one)
                    even_2, odd_2 = four - HALF * two, LARGE * (three - HALF * one)
                    made[c] = read[c] - FIVE_HALVES * two + four
                    made[channels + c] = even - odd
                    made[2 * channels + c] = even + odd
                    made[3 * channels + c] = even_2 - odd_2
                    made[4 * channels + c] = even_2 + odd_2
                    made[5 * channels + c] = one - FIVE_HALVES * three + read[5 * channels + c]
            edge[:] = ZERO

    transform: Transform = forth
    return transform


@cache
def _back(channels: int) -> Transform:
    """Transforms products back to four outputs each (Aᵀ), adds the bias, and cuts off what is negative."""

    @njit(cache=True, nogil=True)
    def back(products: Values, bias: Values, out: Values, starts: NDArray[np.int64], height: int, width: int) -> None:
        at = 0
        for start in starts:
            for y in range(height):
                first = (y * width + start) * channels
                read, made = products[at : at + 6 * channels], out[first : first + 4 * channels]
                for c in range(channels):
                    even, odd = read[2 * channels + c] + read[channels + c], read[2 * channels + c] - read[channels + c]
                    even_2 = read[4 * channels + c] + read[3 * channels + c]
                    odd_2 = read[4 * channels + c] - read[3 * channels + c]
                    made[c] = max(read[c] + even + even_2 + bias[c], ZERO)
                    made[channels + c] = max(SMALL * odd + LARGE * odd_2 + bias[c], ZERO)
                    made[2 * channels + c] = max(HALF * even + TWO * even_2 + bias[c], ZERO)
                    made[3 * channels + c] = max(
                        SMALL_CUBE * odd + LARGE_CUBE * odd_2 + read[5 * channels + c] + bias[c], ZERO
                    )
                at += 6 * channels
            at += 12 * channels  # the convolution ran on from one column into the next

    transform: Transform = back
    return transform
