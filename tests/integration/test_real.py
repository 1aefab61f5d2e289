"""Promises on real microscopy: tiles of any size give the scores and the segments of the whole."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from tasks.predict import of_this_process, predict_stack
from unet.images.channel_statistics import Statistics
from unet.images.normalisation import normalise
from unet.images.planes import Plane
from unet.images.windows import Window
from unet.labels.connected import connected_segments
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import image_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.block_forward import class_scores
from unet.network.inference import ready_to_predict
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict

DATA = os.environ.get("UNET_FLOWS_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="UNET_FLOWS_DATA does not name the folder of real microscopy")

SECTIONS = 2
ARCHITECTURE = Architecture(base=8, depth=4, padding="same", norm="batch")


@pytest.fixture(scope="module")
def sections():
    files = sorted((Path(str(DATA)) / "isbi2012_em/image").iterdir())[:SECTIONS]
    return np.stack([tifffile.imread(file) for file in files])


def network_for(pixels):
    """A network whose norms know these pixels, and whose scores are neither all alike nor all 0 or 1."""
    torch.manual_seed(0)
    network = UNet(ARCHITECTURE)
    with torch.no_grad():
        for _ in range(30):  # batch norm's running statistics
            network(torch.from_numpy(pixels[:, None, :256, :256]))
        network.eval()
        scores = network(torch.from_numpy(pixels[:1, None, :256, :256]))
        difference = scores[:, 1] - scores[:, 0]
        network.head.weight *= 1 / difference.std()
        network.head.bias.zero_()
        scores = network(torch.from_numpy(pixels[:1, None, :256, :256]))
        network.head.bias[1] = -(scores[:, 1] - scores[:, 0]).median()
    return network


@pytest.fixture
def dataset(make, stage, sections):
    dataset = make({"a": (sections, None)})
    stage(dataset, "ingest")
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    model = model_files.Model(network_for(normalise(sections[None], statistics)[0]), ("0",), {"rule": "percentiles"})
    result = model_of(dataset, "net")
    model_files.save(result, result.begin(Recipe("train", 1, {}, {}), {}), model, {}, {})
    return dataset


def predicted(dataset, level, tile):
    settings = Predict(model="net", dtype="float32", max_tile=tile)
    scores_of(dataset, "net", "a").folder.remove()
    recipe = predict_recipe(dataset, "net", "a", settings)
    predict_stack(dataset, "a", "net", settings, recipe, of_this_process("cpu"))
    return level(scores_of(dataset, "net", "a"))[0]


def in_one_pass(dataset, pixels, prepare=lambda network: ready_to_predict(network, torch.device("cpu"))):
    """Scores of whole sections, mirrored at their edges by the context, by torch's own forward pass."""
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    network, context = prepare(model_files.load(dataset, "net").network), ARCHITECTURE.context
    padded = np.pad(normalise(pixels[None], statistics)[0], [(0, 0), *[(context, context)] * 2], mode="reflect")
    with torch.inference_mode():
        scores = network(torch.from_numpy(padded[:, None])).softmax(dim=1)[:, 1]
    return scores.numpy()[:, context:-context, context:-context]


def test_three_sizes_of_tiles_equal_the_whole_and_so_do_their_segments(dataset, level, sections):
    whole = in_one_pass(dataset, sections)
    as_trained = in_one_pass(dataset, sections, lambda network: network)
    np.testing.assert_allclose(whole, as_trained, rtol=0, atol=1e-4)  # norms apart from convolutions round otherwise
    assert 0.2 < (whole > 0.5).mean() < 0.8
    expected = connected_segments(whole >= 0.5)
    for tile in (64, 208, 512):
        scores = predicted(dataset, level, tile)
        np.testing.assert_allclose(scores, whole, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(connected_segments(scores >= 0.5), expected)
    assert expected.max() > 50


def test_an_origin_that_is_off_by_8_px_gives_other_scores(dataset, sections):
    """Tiles begin at multiples of 16, and this is why: half of that away every pooling falls elsewhere."""
    statistics = [Statistics(**image_of(dataset, "a").committed().facts["statistics"][0])]
    network = ready_to_predict(model_files.load(dataset, "net").network, torch.device("cpu"))
    plane = Plane(normalise(sections[:1], statistics), ((0,),))
    whole, context = in_one_pass(dataset, sections[:1])[0], ARCHITECTURE.context
    for origin, least in ((112, None), (120, 1e-3)):
        pixels = plane.read(Window(origin - context, origin - context, 64 + 2 * context, 64 + 2 * context))
        scores = class_scores(network, torch.from_numpy(pixels[None]), 64)[0, 1, context:-context, context:-context]
        difference = np.abs(scores.numpy() - whole[origin : origin + 64, origin : origin + 64]).max()
        assert difference < 1e-5 if least is None else difference > least
