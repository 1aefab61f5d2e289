"""How a stack is predicted: at which pixel size, in which windows, and what bounds its numeric plan; plain values."""

import math
from dataclasses import dataclass

import numpy as np

from unet.dataset.folder import Json
from unet.images.rescaling import Scale, reading, scale_to
from unet.images.units import pixel_size
from unet.images.windows import Window
from unet.network.block_sides import UNKNOWN
from unet.network.numeric_plan import VRAM_PART, PlanLimits, Precision
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict
from unet.store.shards import Layout, plane_layout, regions

SAME_SIZE = 0.01
"""Difference of pixel sizes, as a fraction, that is none."""


@dataclass(frozen=True)
class Machine:
    """What a numeric plan is made for."""

    device: str
    """Kind of device: `cpu` or `cuda`."""
    threads: int = 1
    """Threads of torch in each process."""
    free: float = 0.0
    """Bytes of a GPU's memory that are free; 0 on a CPU."""
    cache: float = UNKNOWN
    """Bytes of the last cache for each core of a CPU."""


def asked_precision(settings: Predict) -> Precision:
    """Precision of the network's arithmetic that is asked for; float32 where nobody has chosen for `auto`.

    Who chooses is `unet.network.parity`; what it chose stands in the settings.
    """
    return "float32" if settings.precision == "auto" else settings.precision


def scores_axes(axes: str) -> str:
    """Axes of the scores: the image's, with the classes as c.

    >>> scores_axes("zyx")
    'czyx'
    """
    return "".join(axis for axis in "tczyx" if axis in axes or axis == "c")


def scores_layout(facts: Json, classes: int, dtype: str) -> Layout:
    """Layout of the scores of an image, of which these facts are known: a shard is of one class and plane.

    >>> scores_layout({"axes": "zyx", "shape": (3, 5000, 600)}, classes=1, dtype="uint8").shard
    (1, 1, 4096, 600)
    """
    axes = scores_axes(facts["axes"])
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True)) | {"c": classes}
    return plane_layout(tuple(sizes[axis] for axis in axes), np.dtype(dtype).itemsize)


def plane_windows(layout: Layout) -> list[Window]:
    """The shards of one plane."""
    return [Window(y.start, x.start, y.stop - y.start, x.stop - x.start) for y, x in regions(layout.plane)]


def scale_of(name: str, facts: Json, model: str, own: Json | None, settings: Predict) -> Scale | None:
    """Pixels of the model's size for each of the image's; None where they are alike, or one is not known.

    Args:
        name: of the stack, for people.
        facts: what is known of its image.
        model: its name, for people.
        own: size of the pixels that the model was trained on.
        settings: whether images are rescaled, and how far apart sizes may be.

    Raises:
        ValueError: they are too far apart.
    """
    size = pixel_size(facts)
    if size is None or own is None:
        return None
    scale, limit = scale_to(own, size), settings.max_pixel_size_ratio
    if max(abs(math.log(one)) for one in scale) <= SAME_SIZE:
        return None
    if settings.rescale:
        return scale
    if max(max(one, 1 / one) for one in scale) > limit:
        raise ValueError(
            f"{name} must have pixels within {limit:g} × those that {model} was trained on, {_as_words(own)}, got "
            f"{_as_words(size)}; set predict.rescale to true, or raise predict.max_pixel_size_ratio"
        )
    return None


def _as_words(size: Json) -> str:
    return f"{size['y']:g} × {size['x']:g} {size['unit']}"


def plan_limits(
    architecture: Architecture, settings: Predict, facts: Json, scale: Scale | None, machine: Machine
) -> PlanLimits:
    """Bounds of the numeric plan of a stack."""
    shard = scores_layout(facts, architecture.classes - 1, settings.dtype).shard[-2:]
    height, width = (min(side, size) for side, size in zip(shard, facts["shape"][-2:], strict=True))
    if scale:
        window = reading(Window(0, 0, height, width), (1 / scale[0], 1 / scale[1]))
        height, width = window.height + architecture.multiple, window.width + architecture.multiple
    return PlanLimits(
        architecture=architecture,
        sides=(height, width),
        device=machine.device,
        precision=asked_precision(settings),
        score_bytes=np.dtype(settings.dtype).itemsize,
        memory=machine.free * VRAM_PART if machine.device == "cuda" else settings.memory_gb * 1e9,
        largest=settings.max_tile,
        threads=machine.threads,
        cache=machine.cache,
    )
