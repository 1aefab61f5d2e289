"""What tests of several stages share: a model that nobody trained."""

import pytest
import torch

from unet.ledger.results import model_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

SMALL = Architecture(base=4, depth=2, padding="same", norm="batch")


@pytest.fixture
def with_model(make, stage):
    """A dataset of one ingested stack "a" and an untrained model "net"."""

    def build(image, architecture=SMALL, channels=("0",)):
        dataset = make({"a": (image, None)})
        stage(dataset, "ingest")
        torch.manual_seed(0)
        result = model_of(dataset, "net")
        network = model_files.Model(UNet(architecture), channels, {"rule": "percentiles"})
        model_files.save(result, result.begin(Recipe("train", 1, {}, {}), {}), network, {}, {})
        return dataset

    return build
