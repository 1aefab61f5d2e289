"""The network: Ronneberger, Fischer and Brox 2015, and its padded form with batch norm.

| Architecture                                 | parameters | context | tiles equal the whole    |
|----------------------------------------------|------------|---------|--------------------------|
| `Architecture()`, the paper's                | 31,030,658 | 92 px   | everywhere               |
| `Architecture(padding="same", norm="batch")` | 31,036,546 | 96 px   | everywhere, halo dropped |
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from unet.architecture import Architecture

__all__ = ["Architecture", "UNet"]


class DoubleConvolution(nn.Sequential):
    """Two 3 × 3 convolutions, each followed by the norm, if any, and ReLU."""

    def __init__(self, incoming: int, outgoing: int, architecture: Architecture) -> None:
        super().__init__(
            *_convolution(incoming, outgoing, architecture), *_convolution(outgoing, outgoing, architecture)
        )


class UNet(nn.Module):
    """Class scores before softmax, (n, classes, y, x), of images (n, channels, y, x).

    The output of unpadded networks is smaller by the context on every side: 572 → 388 px at depth 4.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        widths = [architecture.base * 2**level for level in range(architecture.depth + 1)]
        incoming = [architecture.in_channels, *widths]
        self.down = nn.ModuleList(DoubleConvolution(i, o, architecture) for i, o in zip(incoming, widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(w, w // 2, 2, stride=2) for w in reversed(widths[1:]))
        self.merge = nn.ModuleList(DoubleConvolution(w, w // 2, architecture) for w in reversed(widths[1:]))
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Conv2d(widths[0], architecture.classes, 1)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of a batch; ValueError names the nearest legal sizes of an image that would pool unevenly."""
        for side in image.shape[-2:]:
            self.architecture.output_size(side)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            image = block(nn.functional.max_pool2d(image, 2) if level else image)
            if level >= self.architecture.depth - 1:  # "at the end of the contracting path"; the skip sees it too
                image = self.dropout(image)
            skips.append(image)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            image = merge(torch.cat([_centre(skips.pop(), widened := up(image)), widened], dim=1))
        return cast("Tensor", self.head(image))


def _convolution(incoming: int, outgoing: int, architecture: Architecture) -> list[nn.Module]:
    normed = architecture.norm == "batch"
    padding = 1 if architecture.padding == "same" else 0
    convolution = nn.Conv2d(incoming, outgoing, 3, padding=padding, bias=not normed)
    return [convolution, *([nn.BatchNorm2d(outgoing)] if normed else []), nn.ReLU(inplace=True)]


def _centre(skip: Tensor, like: Tensor) -> Tensor:
    """The middle of `skip`, as large as `like`."""
    y, x = ((skip.shape[axis] - like.shape[axis]) // 2 for axis in (-2, -1))
    return skip[..., y : y + like.shape[-2], x : x + like.shape[-1]]


def _initialise(module: nn.Module) -> None:
    """Gaussian of standard deviation √(2/N), N the fan-in (He et al. 2015, as the paper asks)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # Each output pixel of a 2 × 2 transposed convolution of stride 2 has one input pixel; torch would count four.
        pixels = 1 if isinstance(module, nn.ConvTranspose2d) else math.prod(module.kernel_size)
        nn.init.normal_(module.weight, std=math.sqrt(2 / (module.in_channels * pixels)))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
