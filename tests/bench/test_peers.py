"""Other programs get what they need for their best: their scores are the network's, where they have its context."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tests.bench import peers
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

CPU = torch.device("cpu")


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(peers, "WINDOWS", (48, 96))
    torch.manual_seed(0)
    return UNet(Architecture(base=4, depth=1, padding="same", norm="batch")).eval()


def scored(network):
    """Drawn pixels, and round(255·p) of one pass over them."""
    pixels = np.random.default_rng(0).random((1, 192, 192)).astype(np.float32)
    with torch.inference_mode():
        scores = network(torch.from_numpy(pixels)[None]).softmax(dim=1)[0, 1:]
    return pixels, (scores * 255).round().numpy()


def test_blocks_of_torch_em_are_one_pass_but_at_the_edges(network):
    if find_spec("torch_em") is None:  # importing it fails beside a torchvision of another build, which is seen to
        pytest.skip("needs the extra `bench`")
    (pixels, true), inner = scored(network), np.s_[:, 12:-12, 12:-12]
    settings = peers.torch_em_settings(network, CPU)
    assert len(settings) == 4
    for setting in settings.values():
        assert np.abs(setting.predict(pixels)[inner] - true[inner]).max() <= 1


def test_windows_of_monai_are_near_one_pass(network):
    """It averages what lies near a window's edge, where the context is zeros, with what does not."""
    pytest.importorskip("monai", reason="needs the extra `bench`")
    (pixels, true), inner = scored(network), np.s_[:, 12:-12, 12:-12]
    settings = peers.monai_settings(network, CPU)
    assert list(settings) == [
        "window 48, overlap 0.25",
        "window 48, overlap 0.50",
        "window 96, overlap 0.25",
    ]
    for setting in settings.values():
        differences = np.abs(setting.predict(pixels)[inner] - true[inner])
        assert np.median(differences) <= 1


def test_the_best_is_the_fastest_on_the_whole(monkeypatch):
    """Of three that take the same time on the part: on the whole the first two share less of what they read."""
    times = iter([2.0, 1.0, 1.0])
    monkeypatch.setattr(peers, "seconds", lambda work: next(times))
    ways = {"slow": (100, 100, 0), "best": (100, 100, 0), "cramped": (100, 50, 50)}
    settings = {name: peers.Setting(lambda pixels: pixels, *lie) for name, lie in ways.items()}
    found = peers.best_of(settings, np.zeros((1, 100, 100), np.float32), side=1000)
    assert found.name == "best"
    assert found.rates == {"slow": 0.5 / 100, "best": 0.01, "cramped": 1 / 19**2}


@pytest.mark.parametrize("name", ["monai", "torch_em"])
def test_windows_are_as_many_as_are_passed(network, name, monkeypatch):
    if find_spec(name) is None:
        pytest.skip("needs the extra `bench`")
    passed = []
    monkeypatch.setattr(peers, "_scores", lambda network, one: passed.append(one.shape) or one)
    for setting in getattr(peers, f"{name}_settings")(network, CPU).values():
        passed.clear()
        setting.predict(np.zeros((1, 200, 200), np.float32))
        assert sum(shape[0] * shape[2] * shape[3] for shape in passed) == setting.read(200)
