"""Laws of packages: the format's own reader finds nothing wrong, and predicts what we predict."""

import io
import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from unet.images.grey_values import DIVIDE, PERCENTILES
from unet.images.normalisation import Gathering, normalise
from unet.images.synthetic import draw_stack
from unet.network import bioimageio_description, bioimageio_package
from unet.network.inference import predict_image
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

WHY = "needs pip install 'unet-flows[bioimageio]'"
WHOLE = {"rule": PERCENTILES, "low": 0.0, "high": 100.0}
USUAL = {"rule": PERCENTILES, "low": 1.0, "high": 99.8}
PADDED = Architecture(base=4, depth=2, padding="same", norm="batch")
UNPADDED = Architecture(base=4, depth=2, in_channels=2, classes=3)
needs_packages = pytest.mark.usefixtures("packages")
pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning",  # the format's reader loads TorchScript
    "ignore:unclosed file:ResourceWarning",  # and leaves closing to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """What the format needs, and a folder to work in."""
    for name in ("bioimageio.core", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=WHY)
    monkeypatch.chdir(tmp_path)


KINDS = {
    "padded": (PADDED, WHOLE),
    "unpadded": (UNPADDED, {"rule": DIVIDE, "by": 255}),
    "aligned": (Architecture(base=2, depth=1, padding="same", up="bilinear-aligned"), USUAL),
}


def example(architecture, rule, licence="MIT", authors=("Ada L.", "Bob")):
    """What a package is made of."""
    torch.manual_seed(0)
    network = UNet(architecture).eval()
    side = bioimageio_package.example_side(architecture, 40, 64)
    pixels = np.repeat(draw_stack(1, max(side, 64), 1)[0][:, :side, :side], architecture.in_channels, axis=0)
    channels = tuple("ab"[: architecture.in_channels])
    classes = ("background", "object", "other")[: architecture.classes]
    words = bioimageio_package.readme("cells", rule, {"Made": "today"}, {}, "drawn")
    described = bioimageio_description.Described(
        "cells", channels, classes, rule, words, {"model": "cells"}, licence, authors
    )
    return network, pixels, described


@cache
def made(kind):
    """A package's network and its bytes."""
    network, pixels, described = example(*KINDS[kind])
    return network, bioimageio_package.package(network, pixels, described)


READER = """
import gc, json, sys
import numpy
from bioimageio.core import load_model_description, predict, test_model

gc.freeze()  # the reader collects what it left after each of its steps
said = {}
for kind in sys.argv[1:]:
    summary = test_model(f"{kind}.zip")
    said[kind] = [summary.status, [str(detail.name) for detail in summary.details]]
model, image = load_model_description("padded.zip"), numpy.load("image.npy")
for blocks in (None, 4):
    theirs = predict(model=model, inputs={"image": image}, blocksize_parameter=blocks)
    numpy.save(f"scores {blocks}.npy", theirs.members["scores"].data.data)
said["unet"] = "unet" in sys.modules
json.dump(said, open("said.json", "w"))
"""
IMAGE = draw_stack(1, 128, 2)[0][:, :96, :100]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Folder of what the format's reader says of our packages, in a process where this project is not."""
    if not all(map(find_spec, ("bioimageio", "onnxruntime", "onnxscript"))):
        pytest.skip(WHY)
    folder = tmp_path_factory.mktemp("reader")
    for kind in KINDS:
        (folder / f"{kind}.zip").write_bytes(made(kind)[1])
    np.save(folder / "image.npy", IMAGE[None].astype(np.float32))
    subprocess.run([sys.executable, "-I", "-c", READER, *KINDS], cwd=folder, check=True)
    return folder


def said_by(reader):
    return json.loads((reader / "said.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_reader_reproduces_the_test_output_with_both_weights(reader, kind):
    status, details = said_by(reader)[kind]
    assert status == "passed", details
    ran = {name for name in ("torchscript", "onnx") if any(name in detail for detail in details)}
    assert ran == {"torchscript", "onnx"}


def test_the_reader_needs_nothing_of_this_project(reader):
    assert not said_by(reader)["unet"]


def test_tiled_by_the_reader_scores_are_ours_up_to_the_edges(reader):
    gathering = Gathering()
    gathering.add(IMAGE)
    ours = predict_image(made("padded")[0], normalise(IMAGE, [gathering.finish(0, 100)]))
    for blocks in (None, 4):
        np.testing.assert_allclose(np.load(reader / f"scores {blocks}.npy")[0, 1:], ours, atol=1e-5)


@needs_packages
def test_what_is_in_a_package():
    with ZipFile(io.BytesIO(made("unpadded")[1])) as file:
        assert {"README.md", "bioimageio.yaml", "cover.png", "weights.onnx", "weights.pt"} <= set(file.namelist())
        said = YAML(typ="safe").load(file.read("bioimageio.yaml"))
        readme = file.read("README.md").decode()
        with Image.open(io.BytesIO(file.read("cover.png"))) as cover:
            assert cover.size == (40, 40)  # what the example covers of an image of 40 × 64
    assert said["format_version"].startswith("0.5")
    assert (said["license"], [a["name"] for a in said["authors"]]) == ("MIT", ["Ada L.", "Bob"])
    assert said["cite"][0]["doi"] == "10.1007/978-3-319-24574-4_28"
    assert said["config"]["unet_flows"] == {"model": "cells"}
    y, x = said["inputs"][0]["axes"][-2:]
    assert y["size"] == x["size"] == {"min": 44, "step": 4}
    assert [axis["size"]["offset"] for axis in said["outputs"][0]["axes"][-2:]] == [-40, -40]
    assert "grey values of 0 to 255" in readme
    assert "## Validation" in readme


def test_several_classes_are_told_by_name_and_shown_in_their_colours():
    words = bioimageio_package.readme("cells", USUAL, {}, {}, "drawn", ("nucleus", "mitosis"))
    assert "A U-Net that tells nucleus, mitosis from background" in words
    assert "segments of a class" in words
    side = PADDED.input_size(PADDED.multiple)
    scores = np.zeros((3, side, side), np.float32)
    scores[0], scores[1, :, : side // 2], scores[2, :, side // 2 :] = 0.1, 0.8, 0.9
    png = bioimageio_package.cover(np.zeros((side, side)), scores, PADDED)
    with Image.open(io.BytesIO(png)) as image:
        shown = {colour for _, colour in image.convert("RGB").getcolors()}
    assert {(230, 159, 0), (86, 180, 233)} <= shown


@pytest.mark.parametrize(
    "architecture", [PADDED, UNPADDED, Architecture(), Architecture(padding="same", up="bilinear")]
)
@pytest.mark.parametrize("sides", [(1, 1), (50, 300), (256, 256), (5000, 7000)])
def test_an_example_is_legal_and_covers_no_more_than_the_image(architecture, sides):
    side = bioimageio_package.example_side(architecture, *sides)
    architecture.output_size(side)
    covered = side - 2 * architecture.context
    assert 0 < covered <= 256 + 4
    assert covered < min(sides) + architecture.multiple + 4


def test_figures_stand_with_their_intervals_and_undefined_ones_do_not():
    figures = {
        "iou": {"value": 0.75, "low": 0.5, "high": 0.875, "n": 3},
        "seg": {"value": None, "low": None, "high": None, "n": 0},
    }
    page = bioimageio_package.readme("cells", USUAL, {"Made": "today"}, figures, "drawn")
    assert "- iou: 0.750 (0.500 – 0.875, n = 3 planes)\n" in page
    assert "seg:" not in page
    assert "percentiles 1 and 99.8 of each channel" in page


@needs_packages
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"licence": "my own"}, "a licence must be an SPDX identifier, such as CC-BY-4.0, got 'my own'"),
        ({"authors": ("A/B",)}, "an author must be a name without slashes, got 'A/B'"),
    ],
)
def test_what_the_format_would_not_have_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        bioimageio_package.package(*example(*KINDS["padded"], **given))
