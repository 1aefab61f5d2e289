"""A plane to train on, made of two arrays in memory: for notebooks; the stage reads its planes from a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import IGNORE, Labels
from unet.images.normalisation import statistics_of
from unet.images.planes import Plane
from unet.settings.weigh import Weigh
from unet.training.loss import balanced_class_weights
from unet.training.samples import TrainingPlane
from unet.weight_maps.border_weights import weigh_block


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
    return TrainingPlane(channels, Plane(classes, ((),)), Plane(border, ((),)), statistics_of(pixels))


def class_weights_of(planes: Sequence[TrainingPlane]) -> list[float]:
    """Weight w_c of each class over some planes, by which all classes count alike; ignored pixels left out.

    >>> class_weights_of([training_plane(np.array([[10, 80, 20, 90]]), np.array([[0, 1, 0, 2]]))])
    [1.0, 1.0]
    """
    counts = np.zeros(IGNORE + 1, np.int64)
    for plane in planes:
        counts += np.bincount(plane.classes.read(plane.classes.window).ravel(), minlength=IGNORE + 1)
    present = int(np.flatnonzero(counts[:IGNORE]).max(initial=0)) + 1
    return balanced_class_weights(counts[:present].tolist())
