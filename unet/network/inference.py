"""Seamless prediction: scores of a plane, tile by tile, equal to those of one pass over the whole.

Each tile reads its full context from an image that goes on, mirrored, beyond its edges, and stands at a multiple of
2^depth, so that its poolings fall as the whole's do. Nothing is blended, since there is nothing to hide.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unet.images.planes import Plane
from unet.images.windows import Sides, Window, hull
from unet.network.block_forward import BlockThreads, class_scores, folded, one_by_one
from unet.network.fused_layers import fused
from unet.network.map_memory import MapMemory
from unet.network.numeric_plan import Precision, block_on
from unet.network.tiles import Tile, plan_tiles
from unet.network.unet import UNet

Pixels = NDArray[np.floating[Any]]
Symmetries = Literal[1, 8]
PRECISIONS: dict[Precision, torch.dtype] = {"float32": torch.float32, "float16": torch.float16, "bf16": torch.bfloat16}


def choose_device(asked: str) -> torch.device:
    """The device that was asked for; `auto` takes a GPU where there is one; ValueError where `cuda` is missing."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda must find a GPU, got none on this machine; set device to auto or cpu")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def out_of_memory(error: Exception) -> bool:
    """Whether that was it; of a CPU's memory torch has no error of its own."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def predict_image(
    network: UNet, image: NDArray[Any], tile: int = 1024, test_time_augmentation: Symmetries = 1
) -> Pixels:
    """Scores (classes − 1, y, x) in [0, 1] of a normalised image (channels, y, x): the classes after background.

    The law: for every `tile` the same to 1e-5, that of one pass over the whole image mirrored at its edges. Scores are
    float32, of a network in double precision float64, with which the law holds to 1e-10.

    Args:
        network: in evaluation mode; the image goes to its device.
        image: normalised pixels.
        tile: largest side in pixels of what is written at once.
        test_time_augmentation: 8 = the mean over the square's turns and reflections, at eight times the cost; 1 = none.
    """
    if network.training:
        raise ValueError("the network must be in evaluation mode, got training mode; call network.eval() first")
    if image.ndim != 3:
        raise ValueError(
            f"image must be channels, y, x, got shape {image.shape}; `normalise_image` makes it of one plane"
        )
    like = next(network.parameters())
    threads = torch.get_num_threads()
    plane = Plane(image, tuple((channel,) for channel in range(image.shape[0])))
    predictor = Predictor(
        network=ready_to_predict(network, like.device, like.dtype),
        tile=(tile, tile),
        block=block_on(like.device.type, network.architecture, (tile, tile), threads),
        test_time_augmentation=test_time_augmentation,
        threads=threads,
    )
    around = predictor.reading(plane.window)
    pixels = torch.from_numpy(plane.read(around)).to(like.device, like.dtype)
    scores: Pixels = predictor.predict(pixels[None], around, plane.window).values[0].cpu().numpy()
    return scores


def ready_to_predict(network: UNet, device: torch.device, dtype: torch.dtype = torch.float32) -> UNet:
    """A copy of the network made for prediction there: batch norms folded into convolutions, channels last."""
    return fused(folded(network).to(device, dtype, memory_format=torch.channels_last))  # type: ignore[call-overload]


class RegionScores(NamedTuple):
    """Scores of a window on the device; nothing was waited for."""

    values: Tensor
    """(n, classes − 1, y, x)."""
    finite: Tensor
    """Whether all of them are finite."""


@dataclass(frozen=True)
class Predictor:
    """A network that is `ready_to_predict`, and how it goes over a window."""

    network: UNet
    tile: Sides
    """Largest height and width in pixels of what is written at once."""
    block: int
    """Side in pixels of what a level's convolutions take at once."""
    dtype: torch.dtype | None = None
    """Of the scores: uint8 = round(255·p), or a float; default: float32, of a network in double precision float64."""
    test_time_augmentation: Symmetries = 1
    """8: the mean over the square's turns and reflections."""
    threads: int = 1
    """Threads that share a tile's blocks on a CPU."""
    memory: MapMemory = field(default_factory=MapMemory, repr=False, compare=False)
    """Of the maps, kept from tile to tile."""

    @property
    def step(self) -> int:
        """The origin of a window must be a multiple of so many pixels."""
        architecture = self.network.architecture
        return architecture.multiple if architecture.tileable else self.tile[0]

    def reading(self, window: Window) -> Window:
        """The pixels that are read for a window, whose origin is a multiple of `step`."""
        return hull(tile.read for tile in self._tiles(window))

    def predict(
        self, pixels: Tensor, around: Window, window: Window, skip: Callable[[Window], bool] = lambda _: False
    ) -> RegionScores:
        """Scores of a window.

        Args:
            pixels: normalised, (n, channels, y, x), of the window `around`, on the network's device.
            around: what `reading` says, or more.
            window: what is to be written.
            skip: whether a tile that writes this part of the window is left out; its scores are 0.
        """
        double = next(self.network.parameters()).dtype == torch.float64
        dtype = self.dtype or (torch.float64 if double else torch.float32)
        shape = pixels.shape[0], self.network.architecture.classes - 1, window.height, window.width
        scores = torch.zeros(shape, dtype=dtype, device=pixels.device)
        finite = torch.ones((), dtype=torch.bool, device=pixels.device)
        for tile in self._tiles(window):
            if not skip(tile.write):
                one = self._tile(pixels[..., *tile.read.within(around).slices], tile)
                finite &= one.sum().isfinite()
                scores[..., *tile.write.within(window).slices] = quantised(one, dtype)
        return RegionScores(scores, finite)

    def _tiles(self, window: Window) -> list[Tile]:
        return plan_tiles(window, self.tile, self.network.architecture)

    @torch.inference_mode()
    def _tile(self, pixels: Tensor, tile: Tile) -> Tensor:
        """Scores (n, classes − 1, y, x) of what a tile writes, from the pixels that it reads."""
        like, total = next(self.network.parameters()), None
        each = _block_threads(self.threads) if self.threads > 1 and pixels.device.type == "cpu" else one_by_one
        with _full_precision():
            for turns, flipped in _symmetries(self.test_time_augmentation):
                turned = torch.rot90(pixels.flip(-1) if flipped else pixels, turns, (-2, -1))
                batch = turned.to(like.dtype).contiguous(memory_format=torch.channels_last)
                scores = class_scores(self.network, batch, self.block, each, self.memory)[:, 1:]
                scores = torch.rot90(scores, -turns, (-2, -1))
                scores = scores.flip(-1) if flipped else scores
                total = scores if total is None else total + scores
        assert total is not None
        lost = (pixels.shape[-1] - total.shape[-1]) // 2  # context that an unpadded network has used up already
        written = tile.write.within(tile.read)
        rows, columns = Window(written.y - lost, written.x - lost, written.height, written.width).slices
        mean = total if self.test_time_augmentation == 1 else total / self.test_time_augmentation
        return mean[..., rows, columns]


@cache
def _block_threads(threads: int) -> BlockThreads:
    return BlockThreads(threads)


def quantised(scores: Tensor, dtype: torch.dtype) -> Tensor:
    """Scores in the form they are kept in; as uint8, round(255·p).

    >>> quantised(torch.tensor([0.0, 0.5, 1.0]), torch.uint8).tolist()
    [0, 128, 255]
    """
    return (scores * 255).round_().to(dtype) if dtype == torch.uint8 else scores.to(dtype)


def _symmetries(count: Symmetries) -> Iterator[tuple[int, bool]]:
    """Quarter turns, and whether the image is reflected before."""
    for flipped in (False, True) if count == 8 else (False,):
        for turns in range(4) if count == 8 else (0,):
            yield turns, flipped


@contextmanager
def _full_precision() -> Iterator[None]:
    """TensorFloat-32 switched off: with its 10 bits, tiles of a GPU would agree to 1e-3 and no better."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
