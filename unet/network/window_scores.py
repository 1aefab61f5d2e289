"""Scores of one window of some planes, at their image's own pixel size: prepared, computed, and brought back.

Where the network was trained on pixels of another size, the window is predicted at that size:

    the image's pixels:   read (with context)                          window
                            │ rescaled                                    ▲ rescaled back
    the model's pixels:   around ──network, tile by tile──▶ predicted ⊇ needed

The three steps may overlap for several windows: `prepare` and `finish` run on a CPU, `compute` on the device, and
nothing waits for a GPU until `finish` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unet.images.channel_statistics import GreyRange, Statistics
from unet.images.empty_squares import Emptiness
from unet.images.normalisation import normalise
from unet.images.rescaling import Scale, covering, inverse, reading, rescaled
from unet.images.windows import Window
from unet.network.inference import Pixels, Predictor, RegionScores, quantised


@dataclass(frozen=True, eq=False)
class WindowPixels:
    """Pixels that a window's scores are computed from."""

    pixels: torch.Tensor
    """Normalised, (n, channels, y, x), at the model's pixel size."""
    around: Window
    """The window that they fill."""
    empty: Emptiness | None
    """Where there is nothing to see; None where nobody asks."""


@dataclass(frozen=True, eq=False)
class PendingScores:
    """Scores of a window, perhaps still on their way from the device."""

    scores: RegionScores
    predicted: Window
    """The window that they fill, at the model's pixel size."""
    arrival: Any
    """A GPU's event after which they are in memory; None on a CPU."""
    empty: Emptiness | None

    @property
    def are_finite(self) -> bool:
        """Whether all of them are finite; waits until they are there."""
        if self.arrival is not None:
            self.arrival.synchronize()
        return bool(self.scores.finite)


@dataclass(frozen=True)
class WindowPredictor:
    """A predictor with all that lies between it and an image: normalisation, rescaling, empty squares."""

    predictor: Predictor
    dtype: torch.dtype
    """Of the scores that are kept."""
    scale: Scale | None = None
    """Pixels of the model's size for each of the image's; None: as they are."""
    background_below: float | None = None
    """Grey value below which squares of nothing else are background without a look."""

    def reading(self, window: Window) -> Window:
        """The pixels of the image that are read for a window of scores."""
        around = self.predictor.reading(self._predicted(window))
        return reading(around, self.scale) if self.scale else around

    def prepare(
        self, planes: Sequence[NDArray[Any]], window: Window, ranges: Sequence[GreyRange | Statistics]
    ) -> WindowPixels:
        """Planes (channels, y, x) of grey values, as `reading` has them, normalised and at the model's pixel size."""
        around = self.predictor.reading(self._predicted(window))
        pixels = np.stack([normalise(plane, ranges) for plane in planes])
        if self.scale:
            pixels = rescaled(pixels, around, self.scale)
        tensor = torch.from_numpy(pixels)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return WindowPixels(tensor, around, self._empty(planes, window))

    def compute(self, window: Window, seen: WindowPixels) -> PendingScores:
        """Scores of a window on their way to memory: on a GPU nothing is waited for."""
        predicted, empty = self._predicted(window), seen.empty
        pixels = seen.pixels.to(self._device, non_blocking=True)
        nothing = empty is not None and bool(empty.squares.all())

        def skip(tile: Window) -> bool:
            return nothing or (self.scale is None and empty is not None and empty.holds(tile))

        scores = self.predictor.predict(pixels, seen.around, predicted, skip)
        values, finite = (one.to("cpu", non_blocking=True) for one in scores)
        arrival: Any = torch.cuda.Event() if self._device.type == "cuda" else None
        if arrival is not None:
            arrival.record()
        return PendingScores(RegionScores(values, finite), predicted, arrival, empty)

    def finish(self, window: Window, pending: PendingScores) -> NDArray[Any]:
        """Scores (n, classes − 1, y, x) of a window at the image's pixel size, in the type they are kept in."""
        values = self._at_the_images_size(window, pending)
        if pending.empty is not None:
            pending.empty.clear(values)
        return values

    @property
    def _device(self) -> torch.device:
        return self.predictor.network.head.weight.device

    def _predicted(self, window: Window) -> Window:
        """The window that is predicted: at the model's pixel size, and begun where tiles begin."""
        if self.scale is None:
            return window
        needed, step = covering(window, self.scale), self.predictor.step
        y, x = (start // step * step for start in (needed.y, needed.x))
        return Window(y, x, needed.y + needed.height - y, needed.x + needed.width - x)

    def _empty(self, planes: Sequence[NDArray[Any]], window: Window) -> Emptiness | None:
        if self.background_below is None:
            return None
        scale = min(self.scale or (1.0, 1.0))
        context = int(-(-self.predictor.network.architecture.context // min(scale, 1.0)))
        return Emptiness.of(np.stack(planes), self.reading(window), window, context, self.background_below)

    def _at_the_images_size(self, window: Window, pending: PendingScores) -> NDArray[Any]:
        if self.scale is None:
            values: NDArray[Any] = pending.scores.values.numpy()
            return values
        needed = covering(window, self.scale)
        held: Pixels = pending.scores.values[..., *needed.within(pending.predicted).slices].numpy()
        back = rescaled(held, window, inverse(self.scale))
        returned: NDArray[Any] = quantised(torch.from_numpy(back), self.dtype).numpy()
        return returned
