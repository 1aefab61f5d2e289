"""How parameters move: the learning rate, and how many steps some minutes allow."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.train import Training
from unet.training.optimiser import TIMED, optimiser_of, rate_at, running_average, steps_within

NETWORK = Architecture(base=2, depth=1, padding="same", norm="batch")


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [rate_at(step, 100, 0.01) for step in range(1, 101)]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    assert all(later < sooner for sooner, later in itertools.pairwise(rates[5:]))
    assert rates[52] == pytest.approx(0.005, rel=0.05)
    assert 0 < rates[-1] < 1e-5


@given(st.floats(0.01, 100), st.floats(1e-3, 100), st.integers(1, 10_000))
def test_steps_fit_into_the_minutes_or_are_those_timed(minutes, seconds, steps):
    found = steps_within(minutes, seconds, steps)
    assert found <= steps
    assert found * seconds <= 60 * minutes * (1 + 1e-9) or found == min(TIMED, steps)
    assert found == steps or (found + 1) * seconds > 60 * minutes * (1 - 1e-9)


def test_each_optimiser_is_what_its_name_says():
    network = UNet(NETWORK)
    adamw = optimiser_of(network, Training(weight_decay=0.5))
    sgd = optimiser_of(network, Training(optimiser="sgd", momentum=0.7))
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["weight_decay"] == 0.5
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.defaults["momentum"] == 0.7


def test_norms_are_averaged_too_and_counts_are_taken_over():
    network = UNet(NETWORK)
    averaged = running_average(network, 0.9)
    averaged.update_parameters(network)
    norm = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    before = norm.running_mean.clone()
    norm.running_mean += 1
    norm.num_batches_tracked += 7
    averaged.update_parameters(network)
    kept = next(m for m in averaged.module.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert torch.allclose(kept.running_mean, before + 1 - 2 / 11)
    assert kept.num_batches_tracked == 7


def test_nothing_is_averaged_where_nobody_asks():
    assert running_average(UNet(NETWORK), 0.0) is None
