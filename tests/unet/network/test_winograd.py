"""Laws of convolutions by half the multiplications: values and errors are those of the convolution by definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.unet.network.test_block_forward import FORMS, network_of
from unet.network import winograd
from unet.network.block_forward import class_scores, folded
from unet.network.fused_layers import FusedConvolution, fused
from unet.network.unet import UNet
from unet.network.winograd import FEWEST, WinogradConvolution, fits
from unet.settings.architecture import Architecture


def layer_of(channels_in, channels_out, padding, bias=True):
    torch.manual_seed(channels_in)
    return nn.Conv2d(channels_in, channels_out, 3, padding=padding, bias=bias).eval()


def channels_last(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


def exact(layer, values, padding):
    """In double precision, by definition."""
    bias = layer.bias.double() if layer.bias is not None else None
    return nn.functional.conv2d(values.double(), layer.weight.double(), bias, padding=padding).relu()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([8, 32]),
    st.sampled_from([8, 40]),
    st.integers(3, 21),
    st.integers(3, 21),
    st.sampled_from([None, 0, 1]),
    st.booleans(),
)
@torch.inference_mode()
def test_values_are_those_of_the_convolution(batch, channels_in, channels_out, height, width, padding, bias):
    layer = layer_of(channels_in, channels_out, 1, bias)
    values = channels_last(batch, channels_in, height, width)
    expected = exact(layer, values, 1 if padding is None else padding)
    found = WinogradConvolution(layer)(values, padding)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@torch.inference_mode()
def test_errors_are_as_small_as_by_definition():
    layer = layer_of(64, 64, 0)
    values = channels_last(1, 64, 66, 66)
    expected = exact(layer, values, 0)
    ours, theirs = (make(layer)(values) - expected for make in (WinogradConvolution, FusedConvolution))
    assert ours.abs().max() < 2 * theirs.abs().max()
    assert ours.square().mean() < 3 * theirs.square().mean()


@torch.inference_mode()
def test_strips_change_no_value(monkeypatch):
    layer, values = layer_of(32, 32, 1), channels_last(2, 32, 30, 45)
    whole = WinogradConvolution(layer)(values)
    for room in (1, 2500):
        monkeypatch.setattr(winograd, "ROOM", room)
        assert torch.equal(WinogradConvolution(layer)(values), whole)


@torch.inference_mode()
def test_values_in_any_order_of_memory_give_the_same():
    layer, values = layer_of(32, 32, 1), torch.randn(1, 32, 12, 12)
    laid_out = values.contiguous(memory_format=torch.channels_last)
    assert torch.equal(WinogradConvolution(layer)(values), WinogradConvolution(layer)(laid_out))


@pytest.mark.parametrize("form", FORMS)
@torch.inference_mode()
def test_scores_of_a_network_are_its_own(form, monkeypatch):
    network = network_of(2, form).float()
    image = torch.rand(1, 2, *([network.architecture.input_size(70)] * 2))
    expected = network(image).softmax(dim=1)
    monkeypatch.setattr(winograd, "FEWEST", 8)
    ready = fused(folded(network))
    assert any(isinstance(layer, WinogradConvolution) for layer in ready.modules())
    np.testing.assert_allclose(class_scores(ready, image, 24), expected, rtol=0, atol=1e-5)


def test_many_channels_in_single_precision_are_convolved_so(monkeypatch):
    assert fits(FEWEST, FEWEST, torch.float32)
    assert not fits(FEWEST - 1, FEWEST, torch.float32)
    assert not fits(FEWEST, FEWEST - 1, torch.float32)
    assert not fits(FEWEST, FEWEST, torch.bfloat16)
    ready = fused(folded(UNet(Architecture(base=16, depth=1, padding="same")).eval()))
    kinds = [type(layer) for double in (*ready.down, *ready.merge) for layer in double.children()]
    assert kinds == [FusedConvolution, FusedConvolution, FusedConvolution, WinogradConvolution, *[FusedConvolution] * 2]
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert not fits(FEWEST, FEWEST, torch.float32)
