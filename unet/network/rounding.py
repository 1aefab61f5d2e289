"""A network whose values are rounded as those of half precision are, on a device that has no arithmetic of it.

Such a device would take ten times as long as with float32. What is rounded there is known: parameters, and the values
that each layer hands on; sums are taken in float32. So a float32 network that rounds these gives the scores of half
precision but for the order of its sums, as two devices do.

Rejected: torch's own half precision on any CPU, which is the same values and takes minutes where this takes seconds.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unet.network.block_forward import folded
from unet.network.padding import PaddedAnew
from unet.network.unet import UNet

OTHERS = (nn.ConvTranspose2d, nn.Upsample)
"""What makes new values beside convolutions: all between only chooses among them or lays them side by side."""


def rounding(network: UNet, dtype: torch.dtype) -> UNet:
    """A float32 network for prediction all values of which are numbers of `dtype`, of one in evaluation mode.

    >>> from unet.settings.architecture import Architecture
    >>> network = rounding(UNet(Architecture(base=2, depth=1, padding="same")).eval(), torch.bfloat16)
    >>> scores = network(torch.rand(1, 1, 4, 4))
    >>> bool((scores == scores.bfloat16()).all()), scores.dtype
    (True, torch.float32)
    """
    rounded: UNet = folded(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(_rounded(parameter, dtype))
    for double in (*rounded.down, *rounded.merge):
        for place, layer in enumerate(double):
            if isinstance(layer, nn.Conv2d):
                double[place] = _RoundedConvolution(layer, dtype)
    for layer in (rounded.head, *(each for each in rounded.modules() if isinstance(each, OTHERS))):
        layer.register_forward_pre_hook(partial(_round_inputs, dtype))
        layer.register_forward_hook(partial(_round_output, dtype))
    return rounded


class _RoundedConvolution(PaddedAnew):
    """A convolution whose values are rounded, before and after."""

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.convolution, self.padding, self.dtype = convolution, convolution.padding, dtype

    def forward(self, values: Tensor, padding: int | None = None) -> Tensor:
        own, sides = self.convolution, self.padding if padding is None else padding
        made = nn.functional.conv2d(_rounded(values, self.dtype), own.weight, own.bias, padding=sides)
        return _rounded(made, self.dtype)


def _rounded(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype).to(values.dtype)


def _round_inputs(dtype: torch.dtype, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_rounded(values, dtype) for values in inputs)


def _round_output(dtype: torch.dtype, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
    return _rounded(output, dtype)
