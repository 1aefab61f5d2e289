"""A network whose values are rounded gives what torch's own half precision gives, but for the order of its sums."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from unet.images.planes import Plane
from unet.network.inference import Predictor, ready_to_predict
from unet.network.padding import PaddedAnew
from unet.network.rounding import rounding
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

CPU = torch.device("cpu")
FORMS = [("valid", "none", "transposed"), ("same", "batch", "transposed"), ("same", "batch", "bilinear")]
HALVES = [torch.bfloat16, torch.float16]


@lru_cache
@torch.no_grad()
def network_of(form):
    torch.manual_seed(0)
    network = UNet(Architecture(2, 3, 4, 2, *form)).eval()
    side = network.architecture.input_size(1)
    network.head.weight /= network(torch.rand(1, 2, side, side)).std()
    return network


def scores_of(network):
    image = np.random.default_rng(0).random((2, 40, 36), np.float32)
    plane = Plane(image, ((0,), (1,)))
    predictor = Predictor(network, (64, 64), 64, torch.float32)
    around = predictor.reading(plane.window)
    return predictor.predict(torch.from_numpy(plane.read(around))[None], around, plane.window).values.numpy()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", HALVES)
def test_rounded_scores_are_as_far_from_float32_as_torchs_own(form, dtype):
    plain = ready_to_predict(network_of(form), CPU)
    exact, rounded = scores_of(plain), scores_of(rounding(network_of(form), dtype))
    own = scores_of(ready_to_predict(network_of(form), CPU, dtype))
    far, own_far = np.abs(rounded - exact).mean(), np.abs(own - exact).mean()
    assert far > 0
    assert 0.5 < far / own_far < 2
    assert np.abs(rounded - own).mean() < 1.5 * own_far


@pytest.mark.parametrize("dtype", HALVES)
def test_every_value_that_a_layer_hands_on_is_one_of_half_precision_and_the_network_is_left_alone(dtype):
    plain = network_of(FORMS[1])
    before, seen = scores_of(plain), []
    network = rounding(plain, dtype)
    for layer in network.modules():
        if isinstance(layer, PaddedAnew | torch.nn.ConvTranspose2d) or layer is network.head:
            layer.register_forward_hook(lambda _, __, output: seen.append(output))
    scores_of(network)
    assert seen
    assert all(values.dtype == torch.float32 and torch.equal(values, values.to(dtype).float()) for values in seen)
    assert all(torch.equal(values, values.to(dtype).float()) for values in network.parameters())
    np.testing.assert_array_equal(scores_of(plain), before)


def test_what_is_too_large_for_float16_is_not_finite_as_there():
    network = network_of(FORMS[0])
    with torch.no_grad():
        network.head.weight *= 1e7
    assert not np.isfinite(scores_of(rounding(network, torch.float16))).all()
    assert np.isfinite(scores_of(rounding(network, torch.bfloat16))).all()
