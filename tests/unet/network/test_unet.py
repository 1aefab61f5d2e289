"""The network by its numbers: parameters, sizes, layers, initial spread; shapes do not depend on the width."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from unet.network import unet
from unet.network.unet import UNet
from unet.settings.architecture import Architecture


@torch.no_grad()
def shape_of(network, *image):
    return tuple(network(torch.zeros(image)).shape)


def count(architecture):
    with torch.device("meta"):
        return sum(p.numel() for p in UNet(architecture).parameters())


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (Architecture(), 31_030_658),
        (Architecture(in_channels=3), 31_031_810),
        (Architecture(padding="same"), 31_030_658),
        (Architecture(padding="same", norm="batch"), 31_036_546),
        (Architecture(in_channels=3, padding="same", norm="batch"), 31_037_698),
    ],
)
def test_parameters(architecture, expected):
    assert count(architecture) == expected


def test_the_table_of_the_family_is_true():
    """Each row's settings give its parameters and its context."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in unet.__doc__.splitlines() if "px" in line]
    before = {}
    for cell, _, parameters, context, tiles in rows:
        settings = dict(re.findall(r'(\w+)="?([\w-]+)"?', cell.replace("`", " ")))
        settings = (before if "the same" in cell else {}) | settings
        padded = {} if "paper" in cell else {"padding": "same", "norm": "batch"}
        architecture = Architecture(**padded | {k: True if v == "True" else v for k, v in settings.items()})
        assert (f"{count(architecture):,}", f"{architecture.context} px") == (parameters, context)
        assert architecture.tileable == (tiles != "never")
        before = settings
    assert len(rows) == 8


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


FORMS = [("valid", "transposed"), ("same", "transposed"), ("same", "bilinear"), ("same", "bilinear-aligned")]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(("padding", "up"), FORMS)
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_size_is_legal_or_refused(padding, up, depth, narrow):
    """What the architecture says of a size is what the layers make of it."""
    architecture = Architecture(2, 3, 2, depth, padding, up=up, narrow=narrow)
    network = UNet(architecture)
    legal = 0
    least = architecture.input_size(1)
    for side in range(least, least + 2 * architecture.multiple):
        try:
            expected = architecture.output_size(side)
        except ValueError:
            continue
        legal += 1
        assert shape_of(network, 1, 2, side, least) == (1, 3, expected, architecture.output_size(least))
    assert legal == (2 if architecture.tileable else 2 * architecture.multiple)


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


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(base=16, depth=3),
        Architecture(base=16, depth=3, padding="same", norm="batch", bias=True, narrow=True),
        Architecture(base=16, depth=3, padding="same", up="bilinear"),
    ],
)
@torch.no_grad()
def test_initial_parameters_are_gaussian_of_the_papers_spread(architecture):
    torch.manual_seed(0)
    for layer in UNet(architecture).modules():
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


def trained(architecture):
    """As if it were trained, in double precision: the norms have seen something, and every channel is alive."""
    torch.manual_seed(architecture.depth)
    network = UNet(architecture).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.bias, 0.5, 1)
    return network.eval()


def difference(network, image, origin, side):
    """How far each score of a tile of so many pixels is from the whole's, in standard deviations, context dropped."""
    tile, context = slice(origin, origin + side), network.architecture.context
    with torch.no_grad():
        whole = network(image)
        found = (whole[..., tile, tile] - network(image[..., tile, tile])).abs().amax(dim=(0, 1)) / whole.std()
    return found, found[context:-context, context:-context]


TILEABLE = [
    Architecture(base=4, depth=depth, padding="same", norm="batch", up=up, narrow=narrow, bias=narrow)
    for depth in (1, 2, 3, 4, 5)
    for up, narrow in (("transposed", False), ("transposed", True), ("bilinear", False), ("bilinear", True))
]


@pytest.mark.parametrize("architecture", TILEABLE, ids=lambda a: f"{a.up}-{a.depth}-{a.narrow}")
def test_a_tile_equals_the_whole_once_its_context_is_dropped(architecture):
    multiple, side = architecture.multiple, 2 * architecture.context + architecture.multiple
    image = torch.rand(1, 1, 2 * multiple + side, 3 * multiple + side, dtype=torch.float64)
    all_of_it, middle = difference(trained(architecture), image, multiple, side)
    assert all_of_it.max() > 1e-3
    assert middle.max() < 1e-12


@pytest.mark.parametrize("architecture", [a for a in TILEABLE if a.depth == 4], ids=lambda a: f"{a.up}-{a.narrow}")
def test_a_tile_that_pools_out_of_phase_differs(architecture):
    side = 2 * architecture.context + 16
    image = torch.rand(1, 1, side + 32, side + 32, dtype=torch.float64)
    assert difference(trained(architecture), image, 8, side)[1].max() > 1e-3


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("narrow", [False, True])
def test_with_corners_aligned_no_context_is_enough(depth, narrow):
    architecture = Architecture(1, 2, 4, depth, "same", "batch", "bilinear-aligned", narrow=narrow)
    multiple, side = architecture.multiple, 2 * architecture.context + architecture.multiple
    image = torch.rand(1, 1, side + 4 * multiple, side + 4 * multiple, dtype=torch.float64)
    assert difference(trained(architecture), image, multiple, side)[1].max() > 1e-3


@pytest.mark.parametrize(("up", "rows"), [("transposed", [8, 22, 46, 94, 190]), ("bilinear", [9, 25, 53, 109, 221])])
@torch.no_grad()
def test_rows_of_a_tile_that_feel_its_edge(up, rows):
    """NaN beyond the edges of a tile spreads to whatever depends on them, exactly: in double precision nothing else."""
    for depth, expected in enumerate(rows, start=1):
        architecture = Architecture(base=1, depth=depth, padding="same", up=up)
        context, multiple = architecture.context, architecture.multiple
        side = 2 * context + multiple
        image = torch.full((1, 1, side + 2 * multiple, multiple), torch.nan, dtype=torch.float64)
        image[..., multiple:-multiple, :] = 1
        felt = UNet(architecture).double()(image)[0, 0, multiple:-multiple].isnan().any(dim=1).numpy()
        assert np.flatnonzero(~felt).tolist() == list(range(expected, side - expected))
        assert expected <= context < expected + (multiple if depth > 1 else 6)
