"""Operations are counted as torch counts them, convolution by convolution, on a network that is run."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.bench.flops import matrix_product, operations
from unet.network.unet import UNet
from unet.settings.architecture import Architecture


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(base=1, depth=1, padding="same"),
        Architecture(base=4, depth=3, padding="same", norm="batch"),
        Architecture(in_channels=3, classes=5, base=2, depth=2, padding="same"),
        Architecture(in_channels=2, base=3, depth=2),
    ],
)
def test_operations_are_those_of_a_network_that_is_run(architecture):
    height, width = architecture.input_size(8), architecture.input_size(24)
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        UNet(architecture).eval()(torch.zeros(1, architecture.in_channels, height, width))
    assert operations(architecture, height, width) == counted.get_total_flops()


def test_a_product_has_a_rate(monkeypatch):
    monkeypatch.setattr("tests.bench.flops.SIDES", (8, 16))
    assert matrix_product(torch.float32, torch.device("cpu")) > 0
