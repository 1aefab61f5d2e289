"""Convolutions by half the multiplications beside oneDNN's own and a matrix product, one thread: one run, medians."""

from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import nn

from tests.bench.flops import matrix_product
from tests.bench.measure import machine, seconds
from unet.network.fused_layers import FusedConvolution
from unet.network.winograd import WinogradConvolution

LAYERS = ((32, 32, 180), (64, 32, 180), (64, 64, 128), (128, 64, 128), (128, 128, 88), (256, 256, 64))
"""Channels in and out, and the side in pixels of a block, as networks of base 16 and 32 have them."""
ROUNDS = 9


@torch.inference_mode()
def test_beside_onednn() -> None:
    torch.set_num_threads(1)
    print(f"\n{machine()}\nconvolutions of 3 × 3 and their ReLU; a matrix product: ", end="")
    print(f"{matrix_product(torch.float32, torch.device('cpu')) / 1e9:.0f} GFLOP/s")
    for channels_in, channels_out, side in LAYERS:
        layer = nn.Conv2d(channels_in, channels_out, 3).eval()
        values = torch.randn(1, channels_in, side + 2, side + 2).contiguous(memory_format=torch.channels_last)
        ways: dict[str, nn.Module] = {"onednn": FusedConvolution(layer), "ours": WinogradConvolution(layer)}
        took = {name: _median(partial(way, values)) for name, way in ways.items()}
        of_definition = 2 * 9 * channels_in * channels_out * side**2 / 1e9
        rates = ", ".join(f"{name} {of_definition / took[name]:.0f}" for name in ways)
        print(
            f"  {channels_in} → {channels_out} channels, {side}²: GFLOP/s of the definition: {rates}; "
            f"{took['onednn'] / took['ours']:.2f} ×"
        )


def _median(work: Callable[[], object]) -> float:
    work()
    return median(seconds(work) for _ in range(ROUNDS))
