"""Floating-point operations of the network, counted from its architecture, and how many this machine can do.

A multiplication and an addition are two. Convolutions alone are counted: norms, activations, poolings, the joining of
maps and the softmax are passes over memory, a hundredth of the operations.
"""

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import torch

from tests.bench.measure import seconds
from unet.settings.architecture import Architecture

SIDES = (2048, 3072, 4096)
"""Sides of the square matrices whose product is timed; the best of them counts."""
TIMES = 3
"""Products of each side that are timed."""


def operations(architecture: Architecture, height: int, width: int) -> int:
    """Floating-point operations of one pass over an image of legal height and width, with transposed convolutions.

    By hand, for base 1, depth 1, padded, on 2² px of one channel: two convolutions of 4 px (9 and 9 products a pixel),
    two of 1 px and twice the channels (18 and 36), the widening to 4 px (2 products each), two of 4 px again (18 and 9)
    and the head for two classes (2): 72 + 54 + 8 + 108 + 8 products.

    >>> operations(Architecture(base=1, depth=1, padding="same"), 2, 2)
    500
    """
    assert architecture.up == "transposed"
    assert not architecture.narrow
    return 2 * sum(_products(architecture, height, width))


def _products(architecture: Architecture, height: int, width: int) -> Iterator[int]:
    """Products of each convolution in turn."""
    lost, base, depth = (2 if architecture.padding == "valid" else 0), architecture.base, architecture.depth
    widths = [architecture.in_channels, *(base * 2**level for level in range(depth + 1))]
    for level, (incoming, outgoing) in enumerate(pairwise(widths)):
        for channels in (incoming, outgoing):
            height, width = height - lost, width - lost
            yield height * width * 9 * channels * outgoing
        if level < depth:
            height, width = height // 2, width // 2
    for skip in reversed(widths[1:-1]):
        height, width = 2 * height, 2 * width
        yield height * width * 2 * skip * skip  # each pixel has one of the half size's, of twice the channels
        for channels in (2 * skip, skip):
            height, width = height - lost, width - lost
            yield height * width * 9 * channels * skip
    yield height * width * base * architecture.classes


def matrix_product(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second of torch's product of square matrices, at the side where it is the fastest."""
    return max(_rate(side, dtype, device) for side in SIDES)


def _rate(side: int, dtype: torch.dtype, device: torch.device) -> float:
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        (left @ right)[0, 0].item()  # waits for a GPU

    multiply()
    return 2 * side**3 / median(seconds(multiply) for _ in range(TIMES))
