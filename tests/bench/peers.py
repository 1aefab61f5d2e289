"""Other programs that predict an image tile by tile, each at the best of its settings on this machine.

MONAI averages windows that overlap, by a quarter (its default) or by twice the network's context; torch-em cuts a halo
of the context off each block. Both are given what is given to ours: a network in evaluation mode that lies channels
last, inference mode, torch's threads, float32, normalised pixels; and both hold image and scores in memory, which is
the fastest for them. The network is as trained: that its norms can be folded into its convolutions is no doing of a
tiler's. Which window is best depends on caches, so all are tried, on a part of the image; the best is measured on all.
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.bench.measure import seconds
from unet.network.unet import UNet

WINDOWS = (256, 384, 512, 1024, 2048)
"""Sides in pixels of what the network is given at once."""
Pixels = NDArray[np.float32]
Tiler = Callable[[Pixels], NDArray[np.uint8]]
"""Scores (classes − 1, y, x) as round(255·p), of normalised pixels (channels, y, x)."""


class Setting(NamedTuple):
    """A tiler at one of its settings, and how its windows lie: `window` px each, from one to the next `step`."""

    predict: Tiler
    window: int
    step: int
    shared: int
    """Pixels that neighbours share within the image; of halos none, as they reach beyond it."""

    def read(self, side: int) -> int:
        """Pixels of all windows that a square image is cut into.

        >>> Setting(print, 4, 3, 1).read(4), Setting(print, 4, 3, 1).read(7), Setting(print, 4, 2, 0).read(4)
        (16, 64, 64)
        """
        return (self.window * max(-(-(side - self.shared) // self.step), 1)) ** 2


class Best(NamedTuple):
    """The fastest of some settings."""

    name: str
    predict: Tiler
    rates: dict[str, float]
    """Mpx a second of all that were tried, by their names, as expected on the whole image."""


def best_of(settings: Mapping[str, Setting], pixels: Pixels, side: int) -> Best:
    """The fastest on an image of `side` pixels, by the time that each takes a window of this part of it.

    On the part itself large windows would seem slow or fast by how they happen to fit it.
    """
    rates = {}
    for name, setting in settings.items():
        setting.predict(pixels[:, : setting.window, : setting.window])
        took = seconds(lambda setting=setting: setting.predict(pixels))
        rates[name] = side**2 / 1e6 / (took * setting.read(side) / setting.read(pixels.shape[-1]))
    name = max(rates, key=rates.__getitem__)
    return Best(name, settings[name].predict, rates)


def monai_settings(network: UNet, device: torch.device) -> dict[str, Setting]:
    """MONAI's `sliding_window_inference` at each window and overlap; ImportError without MONAI.

    Batches of several windows are slower on a CPU, and left out.
    """
    infer = importlib.import_module("monai.inferers").sliding_window_inference

    def setting(window: int, overlap: float) -> Setting:
        def predict(pixels: Pixels) -> NDArray[np.uint8]:
            with torch.inference_mode():
                image = torch.from_numpy(pixels)[None]
                scores = infer(
                    image, window, 1, lambda one: _scores(network, one), overlap, sw_device=device, device="cpu"
                )
                return _kept(scores[0])

        step = int(window * (1 - overlap))
        return Setting(predict, window, step, window - step)

    return {
        f"window {window}, overlap {overlap:.2f}": setting(window, overlap)
        for window in WINDOWS
        for overlap in sorted({0.25, 2 * network.architecture.context / window})
        if overlap < 1
    }


def torch_em_settings(network: UNet, device: torch.device) -> dict[str, Setting]:
    """torch-em's two predictions with a halo at each window; ImportError without torch-em."""
    module, context = _torch_em_prediction(), network.architecture.context
    on: list[int | str] = [device.index or 0] if device.type == "cuda" else ["cpu"]

    def setting(name: str, window: int) -> Setting:
        def predict(pixels: Pixels) -> NDArray[np.uint8]:
            output = np.empty((network.architecture.classes - 1, *pixels.shape[1:]), np.uint8)
            block, halo = (window - 2 * context,) * 2, (context,) * 2
            getattr(module, name)(
                pixels, network, on, block, halo, output, None, _as_bytes, with_channels=True, disable_tqdm=True,
                prediction_function=_inferred,
            )  # fmt: skip
            return output

        return Setting(predict, window, window - 2 * context, 0)

    return {
        f"{name}, window {window}": setting(name, window)
        for window in WINDOWS
        if window > 2 * context
        for name in ("predict_with_halo", "predict_with_halo_pipelined")
    }


def _scores(network: UNet, images: Tensor) -> Tensor:
    scores: Tensor = network(images.contiguous(memory_format=torch.channels_last)).softmax(dim=1)[:, 1:]
    return scores


def _inferred(network: UNet, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return _scores(network, images)


def _as_bytes(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    return _kept(torch.from_numpy(scores))


def _kept(scores: Tensor) -> NDArray[np.uint8]:
    kept: NDArray[np.uint8] = (scores * 255).round_().to(torch.uint8).numpy()
    return kept


def _torch_em_prediction() -> Any:
    """The module, whose package imports torchvision for its figures in TensorBoard.

    A torchvision built for CUDA cannot load its operators beside a torch for CPUs, and fails as it is imported, for the
    names of two of them. Nothing here calls them, so the names alone will do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("torch_em.util.prediction")
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
        for name in [name for name in sys.modules if name.split(".")[0] in ("torchvision", "torch_em")]:
            del sys.modules[name]
        _declare("torchvision", ("nms", "qnms"))
        return importlib.import_module("torch_em.util.prediction")


def _declare(namespace: str, names: Iterable[str]) -> None:
    for name in names:
        torch.library.define(f"{namespace}::{name}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
