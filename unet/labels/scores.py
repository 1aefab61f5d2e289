"""Scores: what a model gave each pixel, read block by block from a store, and where they reach a threshold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.store.arrays import Stored
from unet.store.shards import Region


@dataclass(frozen=True)
class Scores:
    """Scores of a model's classes in a store, told by plain values, so that they go to any worker."""

    folder: Folder
    axes: str
    """Axes of the array, c among them."""
    chosen: tuple[int, ...]
    """Classes that are objects; those of the array are 1, 2, … along c."""

    def read(self, block: Region) -> NDArray[Any]:
        """Scores of the chosen classes in a block along the other axes, classes first; halves as float32.

        LookupError or ValueError that names the shard where one is missing or damaged. Numba knows no halves.
        """
        c = self.axes.index("c")
        one = [self._stored.read((*block[:c], slice(k - 1, k), *block[c:])) for k in self.chosen]
        values = np.moveaxis(one[0] if len(one) == 1 else np.concatenate(one, axis=c), c, 0)
        return values.astype(np.float32) if values.dtype == np.float16 else values

    @cached_property
    def _stored(self) -> Stored:
        return Stored(self.folder)  # opened once: that takes as long as reading a small block


def chosen(classes: Sequence[int] | None, axes: str, shape: Sequence[int], model: str) -> tuple[int, ...]:
    """The classes that are objects, by default all; ValueError for a class that the model has no scores of.

    >>> chosen(None, "cyx", (2, 64, 64), "unet")
    (1, 2)
    """
    count = shape[axes.index("c")]
    for wrong in (k for k in classes or () if not 1 <= k <= count):
        raise ValueError(f"segment.classes must be among 1…{count} of {model}, got {wrong}")
    return tuple(sorted(classes or range(1, count + 1)))


def of_any(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores of being any of some classes: their sum, in the scores' own type.

    >>> of_any(np.array([[200, 3], [100, 4]], np.uint8))
    array([255,   7], dtype=uint8)
    """
    if len(scores) == 1:
        return np.asarray(scores[0])
    whole = scores.dtype == np.uint8
    total = scores.sum(axis=0, dtype=np.uint32 if whole else np.float64)
    return np.asarray(np.minimum(total, 255 if whole else 1), scores.dtype)


def own_scores(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores of each class where it is the largest of some classes, the lowest of equal ones, and 0 elsewhere.

    >>> own_scores(np.array([[0.6, 0.1, 0.5], [0.3, 0.7, 0.5]]))
    array([[0.6, 0. , 0.5],
           [0. , 0.7, 0. ]])
    """
    largest = largest_class(scores)
    return np.stack([own_score(scores, largest, row) for row in range(len(scores))])


def own_score(scores: NDArray[Any], largest: NDArray[np.uint8], row: int) -> NDArray[Any]:
    """Scores of one class where it is the largest, as `largest_class` has it, and 0 elsewhere."""
    return np.asarray(np.where(largest == row, scores[row], scores.dtype.type(0)))


def largest_class(scores: NDArray[Any]) -> NDArray[np.uint8]:
    """Which row of some classes' scores is the largest in each pixel, the first of equal ones.

    >>> largest_class(np.array([[0.6, 0.1, 0.5], [0.3, 0.7, 0.5]]))
    array([0, 1, 0], dtype=uint8)
    """
    best, largest = scores[0].copy(), np.zeros(scores.shape[1:], np.uint8)
    for row, each in enumerate(scores[1:], 1):  # not argmax, whose answer takes eight bytes a pixel
        largest[each > best] = row
        np.maximum(best, each, out=best)
    return largest


def reaching(scores: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """Where scores reach a threshold: ≥ ceil(255·t) for uint8."""
    return np.asarray(scores >= (math.ceil(255 * threshold) if scores.dtype == np.uint8 else threshold))


def read_channels(image: Stored, axes: str, wanted: str, block: Region) -> NDArray[Any]:
    """A block of an image along the axes `wanted`, its channels first."""
    region = dict(zip(wanted, block, strict=True))
    values = np.asarray(image[tuple(region.get(axis, slice(None)) for axis in axes)])
    return np.moveaxis(values, axes.index("c"), 0) if "c" in axes else values[None]
