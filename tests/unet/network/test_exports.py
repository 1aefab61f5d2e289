"""Laws of exports: the file alone gives what the network gives, for any batch and every legal size."""

import io
import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from unet.network import exports
from unet.network.exports import (
    ABOUT_KEY,
    legal_sizes,
    onnx_model,
    require_packages,
    torch_program,
    torchscript,
    with_softmax,
)
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

ARCHITECTURES = {
    "unpadded": Architecture(base=4, depth=2, in_channels=2, dropout=0.5),
    "padded": Architecture(base=4, depth=2, padding="same", norm="batch", classes=3),
    "bilinear": Architecture(base=4, depth=1, padding="same", norm="batch", up="bilinear"),
    "aligned": Architecture(
        base=4, depth=1, padding="same", norm="batch", up="bilinear-aligned", bias=True, narrow=True
    ),
}
ABOUT = {"channels": ["DAPI", "µm"], "sizes": [1, 2]}


@pytest.fixture(params=ARCHITECTURES)
def kind(request):
    return request.param


@cache
def network_of(kind):
    torch.manual_seed(0)
    made = UNet(ARCHITECTURES[kind])
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):  # as one that has seen something
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return made.to(memory_format=torch.channels_last).eval()  # as it predicts


@cache
def program_of(kind):
    """A torch program of the network; each takes seconds to make."""
    network = network_of(kind)
    return torch_program(network, network.architecture, images(network.architecture, 1, 1, 2), ABOUT)


def images(architecture, batch, up, right):
    """Random images of the least legal size and so many steps more."""
    least, step = legal_sizes(architecture)
    shape = batch, architecture.in_channels, least + up * step, least + right * step
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def agrees(run, network, softmax=False):
    """Whether other batches and sizes than the one checked on give the same: 1e-4 of scores and of probabilities."""
    for batch, up, right in [(1, 0, 0), (3, 0, 2), (2, 5, 1)]:
        image = images(network.architecture, batch, up, right)
        with torch.no_grad():
            expected = network(torch.from_numpy(image))
        given = torch.as_tensor(run(image)).detach()
        likely = torch.softmax(expected, dim=1)
        if not softmax:
            assert given.shape == expected.shape
            assert (given - expected).abs().max() <= 1e-4 * max(1, expected.abs().max())
            given = torch.softmax(given, dim=1)
        assert (given - likely).abs().max() <= 1e-4


def test_a_torch_program_gives_what_the_network_gives(kind):
    network, about = network_of(kind), {ABOUT_KEY: ""}
    program = torch.export.load(io.BytesIO(program_of(kind)), extra_files=about).module()
    agrees(lambda image: program(torch.from_numpy(image)), network)
    assert json.loads(about[ABOUT_KEY]) == ABOUT
    with pytest.raises(AssertionError, match="Guard failed"):
        program(torch.from_numpy(images(network.architecture, 1, 0, 1)[..., :-1]))


def test_an_onnx_model_gives_what_the_network_gives(kind):
    network = network_of(kind)
    runtime = pytest.importorskip("onnxruntime", reason="needs pip install 'unet-flows[onnx]'")
    pytest.importorskip("onnxscript", reason="needs pip install 'unet-flows[onnx]'")
    content = onnx_model(network, network.architecture, images(network.architecture, 1, 1, 2), ABOUT)
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (image,), (scores,) = session.get_inputs(), session.get_outputs()
    architecture = network.architecture
    assert (image.name, image.shape) == ("image", ["n", architecture.in_channels, "y", "x"])
    assert (scores.name, scores.shape) == ("scores", ["n", architecture.classes, "y_out", "x_out"])
    assert json.loads(session.get_modelmeta().custom_metadata_map[ABOUT_KEY]) == ABOUT
    agrees(lambda pixels: session.run(None, {"image": pixels})[0], network)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_with_softmax_gives_probabilities(kind):
    network = network_of(kind)
    content = torchscript(with_softmax(network), network.architecture, images(network.architecture, 1, 1, 2))
    program = torch.jit.load(io.BytesIO(content))
    agrees(lambda image: program(torch.from_numpy(image)), network, softmax=True)


def test_a_torch_program_runs_where_this_project_is_not(tmp_path):
    network = network_of("unpadded")
    image = images(network.architecture, 1, 1, 2)
    (tmp_path / "unet.pt2").write_bytes(program_of("unpadded"))
    np.save(tmp_path / "image.npy", image)
    code = """
import sys
import numpy, torch
scores = torch.export.load("unet.pt2").module()(torch.from_numpy(numpy.load("image.npy")))
numpy.save("scores.npy", scores.detach().numpy())
assert "unet" not in sys.modules
"""
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)
    with torch.no_grad():
        np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), network(torch.from_numpy(image)), atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_legal_sizes_are_those_that_the_network_takes(depth, padding):
    architecture = Architecture(depth=depth, padding=padding)
    least, step = legal_sizes(architecture)

    def legal(size):
        try:
            return architecture.output_size(size) > 0
        except ValueError:
            return False

    for size in range(least, least + 3 * step):
        assert legal(size) == ((size - least) % step == 0)
    if padding == "valid":
        assert not any(map(legal, range(1, least)))


def test_a_network_in_training_mode_is_refused():
    network = UNet(Architecture(base=2, depth=1))
    with pytest.raises(ValueError, match="must be in evaluation mode"):
        torch_program(network, network.architecture, images(network.architecture, 1, 0, 0), {})


def test_a_file_that_gives_something_else_is_not_handed_out():
    calls = []

    class Drifting(nn.Module):
        """Gives something else at each call, of which a graph can hold one alone."""

        def forward(self, image):
            calls.append(image)
            return image + len(calls)

    architecture = Architecture(depth=1)
    with pytest.raises(RuntimeError, match=r"must give its scores to 0\.0001"):
        torch_program(Drifting().eval(), architecture, images(architecture, 1, 0, 0), {})


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    require_packages("torch")
    monkeypatch.setattr(exports, "NEEDS", {"onnx": ("json", "onnx_that_is_not_there", "nothing.at_all")})
    said = "got no onnx_that_is_not_there, nothing.at_all; run pip install 'unet-flows\\[onnx\\]'"
    with pytest.raises(ImportError, match=said):
        require_packages("onnx")
