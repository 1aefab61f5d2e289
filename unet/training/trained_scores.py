"""Scores that a network gives the planes it is trained and validated on, as soon as it is trained."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unet.images.windows import Window
from unet.network.inference import Predictor, ready_to_predict
from unet.network.numeric_plan import block_on
from unet.network.tiles import FIXED_SIDE
from unet.network.unet import UNet
from unet.training.training_plane import TrainingPlane, window_of


@dataclass(frozen=True)
class TrainedScorer:
    """A trained network, ready to score windows of training planes as the stage scores images: without a seam."""

    predictor: Predictor

    @classmethod
    def of(cls, network: UNet, device: torch.device) -> "TrainedScorer":
        """The scorer of a network in evaluation mode, on a device."""
        ready, sides = ready_to_predict(network, device), (FIXED_SIDE, FIXED_SIDE)
        threads = torch.get_num_threads()
        block = block_on(device.type, network.architecture, sides, threads)
        return cls(Predictor(ready, sides, block, torch.uint8, threads=threads))

    def scores(self, plane: TrainingPlane, window: Window) -> NDArray[Any]:
        """Scores (classes − 1, y, x) of a window whose corner is a multiple of 512 px, as uint8 = round(255·p)."""
        around = self.predictor.reading(window)
        pixels = window_of(plane, around)[0].to(self.predictor.network.head.weight.device)
        values = self.predictor.predict(pixels[None], around, window).values[0]
        return np.asarray(values.cpu().numpy())
