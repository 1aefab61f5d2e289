"""Convolutions made for prediction: the values of torch's own layers, and of its own alone where there is no other."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.unet.network.test_block_forward import FORMS, network_of
from unet.network.block_forward import class_scores, folded
from unet.network.fused_layers import FusedConvolution, can_fuse, fused
from unet.network.padding import convolved


@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("padding", [0, 1])
@torch.inference_mode()
def test_two_convolutions_are_torchs(channels, padding):
    torch.manual_seed(channels)
    plain = nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    ).eval()
    packed = nn.Sequential(*(FusedConvolution(layer) for layer in plain if isinstance(layer, nn.Conv2d)))
    values = torch.randn(2, channels, 20, 31).contiguous(memory_format=torch.channels_last)
    expected = convolved(plain, values, padding)
    assert expected.shape[-2:] == ((20, 31) if padding else (16, 27))
    np.testing.assert_allclose(convolved(packed, values, padding), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(packed(values), plain(values), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", [16, 512])
def test_scores_of_fused_layers_are_the_networks(form, block):
    network = network_of(2, form).float()
    image = torch.rand(1, 2, *([network.architecture.input_size(70)] * 2))
    with torch.no_grad():
        expected = network(image).softmax(dim=1)
    ready = fused(folded(network))
    assert any(isinstance(layer, FusedConvolution) for layer in ready.modules())
    np.testing.assert_allclose(class_scores(ready, image, block), expected, rtol=0, atol=1e-5)
    with torch.inference_mode():
        np.testing.assert_allclose(ready(image).softmax(dim=1), expected, rtol=0, atol=1e-5)


def test_what_onednn_does_not_offer_is_torchs(monkeypatch):
    weight = torch.zeros(1)
    assert can_fuse(weight)
    assert not can_fuse(weight.double())
    assert not can_fuse(weight.half())
    assert not can_fuse(torch.zeros(1, device="meta"))
    network = folded(network_of(1, FORMS[0]))
    assert not any(isinstance(layer, FusedConvolution) for layer in fused(network).modules())
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can_fuse(weight)
