"""The law of passes: block by block, without batch norms, the scores are those of the network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.network.block_forward import class_scores, folded
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

few = settings(deadline=None, max_examples=25)
FORMS = [
    {"padding": "valid"},
    {"padding": "valid", "norm": "batch", "bias": True},
    {"padding": "same"},
    {"padding": "same", "norm": "batch"},
    {"padding": "same", "norm": "batch", "bias": True, "narrow": True},
    {"padding": "same", "norm": "batch", "up": "bilinear"},
    {"padding": "same", "norm": "batch", "up": "bilinear", "narrow": True},
    {"padding": "same", "norm": "batch", "up": "bilinear-aligned"},
]


@torch.no_grad()
def network_of(depth, form):
    torch.manual_seed(depth)
    network = UNet(Architecture(in_channels=2, classes=3, base=4, depth=depth, **form)).double().eval()
    for name, values in network.state_dict().items():
        if values.is_floating_point() and values.ndim == 1:
            values.uniform_(0.5, 1.5) if name.endswith("running_var") else values.normal_()
    return network


@few
@given(st.integers(1, 3), st.sampled_from(FORMS), st.tuples(*[st.integers(1, 30)] * 2), st.sampled_from([8, 14, 64]))
def test_a_pass_in_blocks_is_the_networks(depth, form, sides, block):
    network = network_of(depth, form)
    image = torch.rand(2, 2, *(network.architecture.input_size(side) for side in sides), dtype=torch.float64)
    with torch.no_grad():
        expected = network(image).softmax(dim=1)
    scores = class_scores(folded(network), image, block)
    assert scores.shape == expected.shape
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_folding_leaves_no_norm_and_the_network_as_it_was(form):
    network = network_of(2, form)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    made = folded(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in made.modules())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert not made.training


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 1e-2), (torch.bfloat16, 6e-2)])
def test_half_precision_is_near_single_precision(dtype, most):
    """As a GPU computes it, here on the CPU; the figures are of a network whose scores are far from 0 and 1."""
    network = folded(network_of(3, FORMS[3])).float()
    image = torch.rand(1, 2, 96, 96)
    with torch.no_grad():
        network.head.weight /= network(image).std() / 2
    expected = class_scores(network, image, 64)
    scores = class_scores(network.to(dtype), image.to(dtype), 64)
    assert scores.dtype == torch.float32
    assert expected.std() > 0.1
    assert (scores - expected).abs().max() < most
