"""Seamless prediction: scores of a plane, tile by tile, equal to those of one pass over the whole.

Each tile reads its full context from an image that goes on, mirrored, beyond its edges, and stands at a multiple of
2^depth, so that its poolings fall as the whole's do. Nothing is blended, since there is nothing to hide.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unet.mirror import Plane
from unet.model import UNet
from unet.tiles import Tile, Window, plan_tiles

Pixels = NDArray[np.floating[Any]]
Read = Callable[[Window], Pixels]


def choose_device(asked: str) -> torch.device:
    """The device that was asked for; `auto` takes a GPU where there is one; ValueError where `cuda` is missing."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda must find a GPU, got none on this machine; set device to auto or cpu")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def predict_image(network: UNet, image: NDArray[Any], tile: int = 1024) -> Pixels:
    """Scores (classes − 1, y, x) in [0, 1] of a normalised image (channels, y, x): the classes after background.

    The law: for every `tile` the same to 1e-5, that of one pass over the whole image mirrored at its edges. Scores are
    float32, of a network in double precision float64, with which the law holds to 1e-10.
    """
    plane = Plane(image, tuple((channel,) for channel in range(image.shape[0])))
    return predict_region(network, plane.read, plane.window, tile)


def predict_region(network: UNet, read: Read, region: Window, tile: int) -> Pixels:
    """Scores (classes − 1, y, x) in [0, 1] of one region, whose origin is a multiple of 2^depth.

    Args:
        network: in evaluation mode, on its device.
        read: gives the normalised pixels (channels, y, x) of a window that may reach beyond the image.
        region: what is to be written.
        tile: largest side of a tile's written rectangle in pixels.
    """
    if network.training:
        raise ValueError("the network must be in evaluation mode, got training mode; call network.eval() first")
    double = next(network.parameters()).dtype == torch.float64
    shape = network.architecture.classes - 1, region.height, region.width
    scores = np.empty(shape, np.float64 if double else np.float32)
    for one in plan_tiles(region, tile, network.architecture):
        scores[(slice(None), *one.write.within(region).slices)] = predict_tile(network, read(one.read), one)
    return scores


@torch.inference_mode()
def predict_tile(network: UNet, pixels: Pixels, tile: Tile) -> Pixels:
    """Scores (classes − 1, y, x) of what a tile writes, from the pixels (channels, y, x) that it reads."""
    like = next(network.parameters())
    batch = torch.from_numpy(pixels)[None].to(like.device, like.dtype, memory_format=torch.channels_last)
    with _full_precision():
        scores = torch.softmax(network(batch), dim=1)[0, 1:]
    lost = (pixels.shape[-1] - scores.shape[-1]) // 2  # context that an unpadded network has used up already
    written = tile.write.within(tile.read)
    rows, columns = Window(written.y - lost, written.x - lost, written.height, written.width).slices
    written_scores: Pixels = scores[:, rows, columns].cpu().numpy()
    return written_scores


@contextmanager
def _full_precision() -> Iterator[None]:
    """TensorFloat-32 switched off: with its 10 bits, tiles of a GPU would agree to 1e-3 and no better."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def quantise(scores: Pixels) -> NDArray[np.uint8]:
    """Scores as uint8, round(255·p).

    >>> quantise(np.array([0.0, 0.5, 1.0], np.float32)).tolist()
    [0, 128, 255]
    """
    return np.rint(scores * 255).astype(np.uint8)
