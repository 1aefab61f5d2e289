"""A plane to train on: an image, and what training sees of its truth; read window by window, mirrored at its edges.

The stage makes its planes of a dataset, and a small one may be held on a GPU; `training_plane` makes one of two arrays
in memory, for notebooks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unet.images.array_types import IGNORE, Labels
from unet.images.channel_statistics import GreyRange, Statistics, own_range
from unet.images.normalisation import normalise, statistics_of
from unet.images.planes import Plane, mirrored
from unet.images.windows import Window
from unet.settings.weigh import Weigh
from unet.training.loss import balanced_class_weights
from unet.weight_maps.border_weights import weigh_block

RESIDENT = 0.25
"""Share of a GPU's free memory that planes may take up."""


@dataclass(frozen=True)
class TrainingPlane:
    """One plane with truth: image, what training sees of the truth, and the grey values that become 0 and 1."""

    image: Plane
    classes: Plane
    border: Plane
    statistics: Sequence[GreyRange | Statistics]
    """Of each channel, what becomes 0 and 1."""
    name: str = ""
    """Stack and plane, for people."""
    held: tuple[Tensor, Tensor, Tensor] | None = None
    """Normalised image (c, y, x), classes and border (y, x) on the device, where the plane is held there."""


def held_on_device(planes: Sequence[TrainingPlane], device: torch.device) -> list[TrainingPlane]:
    """The planes, held on a GPU where they are in memory and all of them take up a quarter of what is free there."""
    in_memory = all(isinstance(plane.image.array, np.ndarray) for plane in planes)
    if device.type != "cuda" or not in_memory or _device_bytes(planes) > RESIDENT * torch.cuda.mem_get_info(device)[0]:
        return list(planes)
    return [replace(plane, held=_on(plane, device)) for plane in planes]


def _on(plane: TrainingPlane, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    image, classes, border = (torch.from_numpy(layer).to(device) for layer in _read(plane, plane.image.window))
    return image, classes, border


def _device_bytes(planes: Sequence[TrainingPlane]) -> int:
    """Bytes of float32 channels and border, and of classes."""
    windows = ((plane.image.window, 4 * len(plane.statistics) + 4 + 1) for plane in planes)
    return sum(window.height * window.width * each for window, each in windows)


def window_of(plane: TrainingPlane, window: Window) -> tuple[Tensor, Tensor, Tensor]:
    """Image, classes and border of a window that may reach beyond the edges."""
    if plane.held is None:
        image, classes, border = (torch.from_numpy(layer) for layer in _read(plane, window))
        return image, classes, border
    device, whole = plane.held[0].device, plane.image.window
    rows = torch.from_numpy(mirrored(window.y, window.y + window.height, whole.height)).to(device)
    columns = torch.from_numpy(mirrored(window.x, window.x + window.width, whole.width)).to(device)
    image, classes, border = (layer[..., rows[:, None], columns] for layer in plane.held)
    return image, classes, border


def _read(plane: TrainingPlane, window: Window) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Normalised image, classes and border of a window; pixels that are not finite are ignored, as nobody saw them."""
    pixels, classes = plane.image.read(window), plane.classes.read(window)[0]
    if pixels.dtype.kind == "f":
        classes = np.where(np.isfinite(pixels).all(axis=0), classes, np.uint8(IGNORE))
    return normalise(pixels, plane.statistics), classes, plane.border.read(window)[0]


def training_plane(
    image: NDArray[Any], labels: Labels, weigh: Weigh | None = None, ignore: int | None = None
) -> TrainingPlane:
    """One image with the objects that people drew in it, weighed and normalised, as `unet.train` takes it.

    Args:
        image: grey values, y x, or channels y x.
        labels: ids of the objects, 0 = background; y x.
        weigh: how classes and border weights are made of them; default: as the stage's settings.
        ignore: id of pixels that nobody judged.

    >>> plane = training_plane(np.array([[10, 80, 20, 90]]), np.array([[0, 1, 0, 2]]))
    >>> plane.classes.array
    array([[0, 1, 0, 1]], dtype=uint8)
    """
    pixels = image[None] if image.ndim == 2 else image
    if pixels.shape[1:] != labels.shape:
        raise ValueError(f"labels must have the y x of image {pixels.shape[1:]}, got {labels.shape}")
    classes, border = weigh_block(labels, weigh or Weigh(), ignore=ignore)
    channels = Plane(pixels, tuple((number,) for number in range(len(pixels))))
    ranges = [own_range(known) for known in statistics_of(pixels)]
    return TrainingPlane(channels, Plane(classes, ((),)), Plane(border, ((),)), ranges)


def class_weights_of(planes: Sequence[TrainingPlane], balance: float = 0.0) -> list[float]:
    """Weight w_c of each class over some planes, as `Training.class_balance` has it; ignored pixels left out.

    >>> class_weights_of([training_plane(np.array([[10, 80, 20, 90]]), np.array([[0, 1, 0, 0]]))], balance=1)
    [0.6666666666666666, 2.0]
    """
    counts = np.zeros(IGNORE + 1, np.int64)
    for plane in planes:
        counts += np.bincount(plane.classes.read(plane.classes.window).ravel(), minlength=IGNORE + 1)
    present = int(np.flatnonzero(counts[:IGNORE]).max(initial=0)) + 1
    return balanced_class_weights(counts[:present].tolist(), balance)
