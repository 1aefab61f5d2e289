"""The scores that settings are found on are those that the stage predicts."""

import numpy as np
import pytest
import torch

from unet.images.normalisation import normalise
from unet.images.synthetic import draw_stack
from unet.images.windows import Window
from unet.network.inference import predict_image
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.training.trained_scores import TrainedScorer
from unet.training.training_plane import training_plane


@pytest.mark.parametrize("window", [Window(0, 0, 90, 70), Window(64, 32, 20, 38)])
def test_windows_are_scored_as_the_whole_plane(window):
    torch.manual_seed(0)
    network = UNet(Architecture(base=4, depth=2, padding="same", classes=3)).eval()
    image, truth = draw_stack(planes=1, side=90, seed=1)
    plane = training_plane(image[0, :, :70], truth[0, :, :70])
    found = TrainedScorer.of(network, torch.device("cpu")).scores(plane, window)
    whole = predict_image(network, normalise(image[:, :, :70], plane.statistics))[:, *window.slices]
    assert (found.dtype, found.shape) == (np.uint8, (2, window.height, window.width))
    np.testing.assert_allclose(found, 255 * whole, atol=0.51)
