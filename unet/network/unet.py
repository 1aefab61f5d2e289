"""The network: Ronneberger, Fischer and Brox 2015, and what became of it.

Parameters are those of 1 channel, 2 classes and base 64; all but the first architecture have `padding="same"` and
`norm="batch"` besides what is named; `A` to `E` are the forms of milesial's checkpoints (`unet.network.milesial`).

| Architecture                           | form       | parameters | context | tiles equal the whole    |
|----------------------------------------|------------|------------|---------|--------------------------|
| `Architecture()`, the paper's          |            | 31,030,658 | 92 px   | everywhere               |
| `padding="same", norm="batch"`         | E          | 31,036,546 | 96 px   | everywhere, halo dropped |
| `up="bilinear"`                        |            | 17,261,890 | 112 px  | everywhere, halo dropped |
| `up="bilinear-aligned"`                | E          | 17,261,890 | 112 px  | never                    |
| `bias=True`                            | C, D       | 31,042,434 | 96 px   | everywhere, halo dropped |
| `bias=True, up="bilinear-aligned"`     | C, D       | 17,266,306 | 112 px  | never                    |
| `bias=True, narrow=True`               | A, B       | 14,787,842 | 96 px   | everywhere, halo dropped |
| the same with `up="bilinear-aligned"`  | A, B       | 13,394,242 | 112 px  | never                    |

The context is that of depth 4; `unet.settings.architecture` has the rule.
"""

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from unet.settings.architecture import Architecture

__all__ = ["Architecture", "UNet"]


class DoubleConvolution(nn.Sequential):
    """Two 3 × 3 convolutions, each followed by the norm, if any, and ReLU."""

    def __init__(self, incoming: int, middle: int, outgoing: int, architecture: Architecture) -> None:
        super().__init__(*_convolution(incoming, middle, architecture), *_convolution(middle, outgoing, architecture))


class UNet(nn.Module):
    """Class scores before softmax, (n, classes, y, x), of images (n, channels, y, x).

    The output of unpadded networks is smaller by the context on every side: 572 → 388 px at depth 4.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        skips = [architecture.base * 2**level for level in range(architecture.depth)]
        bottom = skips[-1] * _shrinkage(architecture)
        widths = [architecture.in_channels, *skips, bottom]
        self.down = nn.ModuleList(DoubleConvolution(i, o, o, architecture) for i, o in pairwise(widths))
        self.up = nn.ModuleList(_widening(skip, architecture) for skip in reversed(skips))
        self.merge = nn.ModuleList(_merging(skip, architecture) for skip in reversed(skips))
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Conv2d(skips[0], architecture.classes, 1)
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
            image = merge(_joined(skips.pop(), up(image)))
        return cast("Tensor", self.head(image))


def _convolution(incoming: int, outgoing: int, architecture: Architecture) -> list[nn.Module]:
    normed = architecture.norm == "batch"
    padding = 1 if architecture.padding == "same" else 0
    convolution = nn.Conv2d(incoming, outgoing, 3, padding=padding, bias=architecture.bias or not normed)
    return [convolution, *([nn.BatchNorm2d(outgoing)] if normed else []), nn.ReLU(inplace=True)]


def _shrinkage(architecture: Architecture) -> int:
    """Factor by which a map loses channels on its way up to the next skip: 2 in the paper."""
    return 2 if architecture.up == "transposed" and not architecture.narrow else 1


def _widening(skip: int, architecture: Architecture) -> nn.Module:
    """Twice the height and width, and as many channels as the skip it meets."""
    if architecture.up == "transposed":
        return nn.ConvTranspose2d(skip * _shrinkage(architecture), skip, 2, stride=2)
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=architecture.up == "bilinear-aligned")


def _merging(skip: int, architecture: Architecture) -> DoubleConvolution:
    """Convolutions of a skip and a widened map; their output is what the next widening takes."""
    last = skip == architecture.base
    outgoing = skip if last or _shrinkage(architecture) == 2 else skip // 2
    return DoubleConvolution(2 * skip, outgoing if architecture.narrow else skip, outgoing, architecture)


def _joined(skip: Tensor, widened: Tensor) -> Tensor:
    """Both side by side: a larger skip is cut around its centre, for unpadded networks.

    A skip larger by the one pixel that pooling an odd side dropped keeps it: the widened map ends with a zero.
    """
    y, x = (skip.shape[axis] - widened.shape[axis] for axis in (-2, -1))
    if max(y, x) > 1:
        skip = skip[..., y // 2 : y // 2 + widened.shape[-2], x // 2 : x // 2 + widened.shape[-1]]
    elif y or x:
        widened = nn.functional.pad(widened, (0, x, 0, y))
    return torch.cat([skip, widened], dim=1)


def _initialise(module: nn.Module) -> None:
    """Gaussian of standard deviation √(2/N), N the fan-in (He et al. 2015, as the paper asks)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # Each output pixel of a 2 × 2 transposed convolution of stride 2 has one input pixel; torch would count four.
        pixels = 1 if isinstance(module, nn.ConvTranspose2d) else math.prod(module.kernel_size)
        nn.init.normal_(module.weight, std=math.sqrt(2 / (module.in_channels * pixels)))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
