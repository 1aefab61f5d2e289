"""Convolutions made for prediction: with their ReLU in one go, and weights laid out once, where oneDNN offers it.

Of one input channel torch cannot tell the two orders of memory apart, and takes a path for it that is ten times as
slow, a tenth of a whole pass; weights that were laid out say which is meant. Where channels are many, half of the
multiplications do.
"""

import torch
from torch import Tensor, nn

from unet.network.padding import PaddedAnew
from unet.network.unet import UNet
from unet.network.winograd import WinogradConvolution, fits


class FusedConvolution(PaddedAnew):
    """A 3 × 3 convolution and its ReLU, on a CPU."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.padding, self.bias = convolution.padding, convolution.bias
        weight = convolution.weight.detach()
        self.packed = torch.ops.mkldnn._reorder_convolution_weight(weight, convolution.padding, (1, 1), (1, 1), 1)

    def forward(self, values: Tensor, padding: int | None = None) -> Tensor:
        """Values after both; `padding` in pixels where it is not the layer's own."""
        sides = self.padding if padding is None else (padding, padding)
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            values, self.packed, self.bias, sides, (1, 1), (1, 1), 1, "relu", [], ""
        )
        return fused


def fused(network: UNet) -> UNet:
    """The network, its convolutions fused with their ReLUs where they can be; it has no batch norms (`folded`)."""
    if can_fuse(network.head.weight):
        for levels in (network.down, network.merge):
            for level, double in enumerate(levels):
                layers = [_fused(layer) for layer in double.children() if isinstance(layer, nn.Conv2d)]
                levels[level] = nn.Sequential(*layers)
    return network


def _fused(convolution: nn.Conv2d) -> nn.Module:
    by_half = fits(convolution.in_channels, convolution.out_channels, convolution.weight.dtype)
    return WinogradConvolution(convolution) if by_half else FusedConvolution(convolution)


def can_fuse(weight: Tensor) -> bool:
    """Whether oneDNN has them for such weights."""
    offered = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    kinds = [torch.float32, *([torch.bfloat16] if offered and torch.ops.mkldnn._is_mkldnn_bf16_supported() else [])]
    return offered and weight.device.type == "cpu" and weight.dtype in kinds
