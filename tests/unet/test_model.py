"""The network by its numbers: parameters, sizes, layers, initial spread; shapes do not depend on the width."""

import copy
import math

import pytest
import torch
from torch import nn

from unet.architecture import Architecture
from unet.model import UNet


@torch.no_grad()
def shape_of(network, *image):
    return tuple(network(torch.zeros(image)).shape)


@pytest.mark.parametrize(
    ("architecture", "count"),
    [
        (Architecture(), 31_030_658),
        (Architecture(in_channels=3), 31_031_810),
        (Architecture(padding="same"), 31_030_658),
        (Architecture(padding="same", norm="batch"), 31_036_546),
        (Architecture(in_channels=3, padding="same", norm="batch"), 31_037_698),
    ],
)
def test_parameters(architecture, count):
    assert sum(p.numel() for p in UNet(architecture).parameters()) == count


def test_the_papers_23_convolution_layers():
    layers = [m for m in UNet(Architecture(base=1)).modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 23
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in layers) == 4


def test_the_papers_sizes():
    network = UNet(Architecture(base=1))
    seen = []
    for block in (*network.down, *network.up, *network.merge):
        block.register_forward_hook(lambda _, __, out: seen.append((64 * out.shape[1], out.shape[-1])))
    assert shape_of(network, 1, 1, 572, 572) == (1, 2, 388, 388)
    assert seen == [
        *[(64, 568), (128, 280), (256, 136), (512, 64), (1024, 28)],
        *[(512, 56), (512, 52), (256, 104), (256, 100), (128, 200), (128, 196), (64, 392), (64, 388)],
    ]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_size_is_legal_or_refused(padding, depth):
    """What the architecture says of a size is what the layers make of it."""
    architecture = Architecture(in_channels=2, classes=3, base=1, depth=depth, padding=padding)
    network = UNet(architecture)
    legal = 0
    for side in range(architecture.input_size(1), architecture.input_size(1) + 2 * architecture.multiple):
        try:
            expected = architecture.output_size(side)
        except ValueError:
            continue
        legal += 1
        assert shape_of(network, 1, 2, side, side) == (1, 3, expected, expected)
    assert legal == 2


@pytest.mark.parametrize(("size", "nearest"), [((572, 570), "556 and 572"), ((100, 572), "188")])
def test_other_sizes_are_refused(size, nearest):
    with pytest.raises(ValueError, match=rf"input size {min(size)} .*depth 4.*nearest legal: {nearest}$"):
        shape_of(UNet(Architecture(base=1)), 1, 1, *size)


def incoming(layer):
    """Incoming nodes of one output pixel, counted: the weights that a pixel of the output depends on."""
    ones = torch.ones_like(layer.weight)
    pixels = torch.ones(1, layer.in_channels, 4, 4)
    if isinstance(layer, nn.ConvTranspose2d):
        return nn.functional.conv_transpose2d(pixels, ones, stride=2)[0, 0, 2, 2].item()
    return nn.functional.conv2d(pixels, ones)[0, 0, 0, 0].item()


@torch.no_grad()
def test_initial_parameters_are_gaussian_of_the_papers_spread():
    torch.manual_seed(0)
    for layer in UNet(Architecture(base=16, depth=3)).modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            weights, sd = layer.weight, math.sqrt(2 / incoming(layer))
            assert weights.std().item() == pytest.approx(sd, rel=5 / math.sqrt(2 * weights.numel()))
            assert abs(weights.mean().item()) < 5 * sd / math.sqrt(weights.numel())
            assert not layer.bias.any()


@torch.no_grad()
def test_dropout_only_while_training():
    torch.manual_seed(0)
    network, image = UNet(Architecture(base=2, depth=2, dropout=0.5)), torch.rand(1, 1, 44, 44)
    without = UNet(Architecture(base=2, depth=2))
    without.load_state_dict(network.state_dict())
    assert not torch.equal(network(image), network(image))
    assert torch.equal(network.eval()(image), without(image))


def test_dropout_stands_at_the_end_of_the_contracting_path():
    """Of three levels, the last before the bottom and the bottom; the skip sees it too."""
    network = UNet(Architecture(base=1, depth=2, dropout=0.5))
    dropped = []
    network.dropout.register_forward_hook(lambda _, __, out: dropped.append(tuple(out.shape[1:])))
    shape_of(network, 1, 1, 44, 44)
    assert dropped == [(2, 16, 16), (4, 4, 4)]


@torch.no_grad()
def test_the_skip_is_cut_around_its_centre():
    """With the way through the bottom closed, each score is the sum of what stands right above it: one pixel, 20 in."""
    network = UNet(Architecture(base=1, depth=2))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.zero_()
            layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    image = torch.rand(1, 1, 52, 56)
    assert torch.equal(network(image)[0, 0], image[0, 0, 20:-20, 20:-20])


@torch.no_grad()
def test_batch_norm_is_fixed_while_predicting():
    torch.manual_seed(0)
    network = UNet(Architecture(base=2, depth=1, padding="same", norm="batch")).eval()
    before = copy.deepcopy(network.state_dict())
    image = torch.rand(2, 1, 8, 8)
    assert torch.allclose(network(image)[:1], network(image[:1]), atol=1e-6)
    assert all(torch.equal(before[name], values) for name, values in network.state_dict().items())
