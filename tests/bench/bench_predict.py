"""Tiled prediction beside the bare network on resident tiles: useful pixels a second, ratio of medians."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from unet.architecture import Architecture
from unet.inference import predict_image
from unet.model import UNet

RUNS = 3
TILE = 512


def test_useful_pixels_beside_the_bare_network() -> None:
    architecture = Architecture(base=16, depth=3, padding="same", norm="batch")
    network = UNet(architecture).to(memory_format=torch.channels_last).eval()
    image = np.random.default_rng(0).random((1, 2 * TILE, 2 * TILE), np.float32)
    side = architecture.input_size(TILE)
    tile = torch.rand(1, 1, side, side).contiguous(memory_format=torch.channels_last)
    ours, bare = [], []
    for _ in range(RUNS):
        ours.append(_seconds(lambda: predict_image(network, image, TILE)) / image.size)
        with torch.inference_mode():
            bare.append(_seconds(lambda: network(tile)) / side**2)
    ratio = median(bare) / median(ours)
    print(f"\npredict, tiles of {TILE} px: {ratio:.2f} × the bare rate, of {(TILE / side) ** 2:.2f} possible")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
