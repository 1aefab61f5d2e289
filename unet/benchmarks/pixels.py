"""The pixels of a benchmark's files: grey images, labels and markers, refused where they cannot be meant."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.benchmarks.layouts import BenchmarkUnit
from unet.formats.readers import open_stack
from unet.formats.stack import Opened
from unet.images.array_types import Mask

Array = NDArray[Any]


def plane_count(unit: BenchmarkUnit) -> int:
    """Number of planes of a unit; its files are not read but for the heads of those that hold all of them.

    Raises:
        ValueError: labels in one file are of more planes, or fewer: nobody knows which belong together.
    """
    count = _planes_of(unit.images)
    labels = count if unit.has_masks or not unit.truth else _planes_of(unit.truth)
    if labels != count:
        raise ValueError(
            f"{unit.truth[0]} must hold as many planes as {unit.images[0]}, {count}, got {labels}; copy both again"
        )
    return count


def _planes_of(files: Sequence[str]) -> int:
    if len(files) > 1:
        return len(files)
    with open_stack(files) as opened:
        return opened.shape[opened.axes.index("z")] if "z" in opened.axes else 1


def read_images(unit: BenchmarkUnit, planes: Sequence[int], *, to_grey: bool = False) -> Array:
    """Some planes of a unit's images (n y x), in their own type.

    Args:
        unit: what is read.
        planes: places of the planes, from 0.
        to_grey: whether colours become grey, their mean; else they are refused.

    Raises:
        ValueError: files are damaged, coloured, or not all of one size.
    """
    return _stacked([_grey(*_opened(unit.images, plane), to_grey) for plane in planes])


def read_truth(unit: BenchmarkUnit, planes: Sequence[int]) -> Array:
    """The labels of some planes of a unit that is no sequence (n y x); of masks, ids from 1 in the order of the files.

    Raises:
        ValueError: files are damaged, hold what are no labels, or are not of their image's size.
    """
    if unit.has_masks:
        return _ids_of_masks(unit)[None]
    found = []
    for plane in planes:
        labels, file = _opened(unit.truth, plane)
        found.append((_labels(labels, file), file))
        _require_size(*found[-1], *_size_of_image(unit, plane))
    return _stacked(found)


def read_cells(unit: BenchmarkUnit, planes: Sequence[int]) -> Mask:
    """Which pixels of sections are cell, by labels of which all are 0 or one other value."""
    labels = read_truth(unit, planes)
    values = np.unique(labels)
    if values.size > 2 or (values.size == 2 and values[0] != 0):
        listed = ", ".join(map(str, values[:4]))
        raise ValueError(f"{unit.truth[0]} must hold 0 for membranes and one value for cells, got {listed}")
    return np.asarray(labels > 0)


def read_labels(file: str, like: tuple[int, ...], of: str) -> Array:
    """The labels of one frame in a file, which must be as large as the image of that frame.

    Args:
        file: labels or markers.
        like: height and width of the image.
        of: the image's file, for the sentence.

    Raises:
        ValueError: the file is damaged, holds what are no labels, or is of another size.
    """
    labels = _labels(_opened((file,), 0)[0], file)
    _require_size(labels, file, like, of)
    return labels


def _ids_of_masks(unit: BenchmarkUnit) -> Array:
    """Ids of objects that have a mask each; a pixel in two of them is of the first."""
    size, of = _size_of_image(unit, 0)
    ids = np.zeros(size, np.uint16)
    for number, file in enumerate(unit.truth, 1):
        mask = read_labels(file, size, of)
        ids[(mask > 0) & (ids == 0)] = number
    return ids


def _size_of_image(unit: BenchmarkUnit, plane: int) -> tuple[tuple[int, ...], str]:
    """Height and width of a plane's image, and its file."""
    file = unit.images[plane if len(unit.images) > 1 else 0]
    with open_stack([file]) as opened:
        return opened.shape[-2:], file


def _opened(files: Sequence[str], plane: int) -> tuple[Array, str]:
    """A plane (c y x, or y x) and its file: a page of the only one, or one of many."""
    file = files[plane if len(files) > 1 else 0]
    with open_stack([file]) as opened:
        pages = dict(zip(opened.axes[:-2], opened.shape, strict=False))
        along = [axis for axis in pages if axis != "c"]
        number = plane if len(files) == 1 else 0
        if len(along) > 1 or number >= (pages[along[0]] if along else 1) or (along and len(files) > 1):
            size = " × ".join(map(str, opened.shape))
            raise ValueError(f"{file} must hold plane {number} of a stack of planes, got {size} ({opened.axes})")
        return _channels(opened, dict.fromkeys(along, number)), file


def _channels(opened: Opened, at: dict[str, int]) -> Array:
    """One plane, with all channels before it where there are several."""
    channels = opened.shape[opened.axes.index("c")] if "c" in opened.axes else 1
    planes = [opened.plane(tuple(({**at, "c": c})[axis] for axis in opened.axes[:-2])) for c in range(channels)]
    return planes[0] if len(planes) == 1 else np.stack(planes)


def _grey(plane: Array, file: str, to_grey: bool) -> tuple[Array, str]:
    if plane.ndim == 2:
        return plane, file
    if not to_grey:
        raise ValueError(f"{file} must hold one grey channel, got {len(plane)}; take the file of the challenge")
    return plane.mean(0).round().astype(plane.dtype), file


def _labels(plane: Array, file: str) -> Array:
    """Labels of one channel; colours only where all are alike."""
    if plane.dtype.kind == "f":
        raise ValueError(f"{file} must hold labels in whole numbers, got {plane.dtype}; take the file of the challenge")
    if plane.ndim == 3:
        if (plane != plane[:1]).any():
            raise ValueError(
                f"{file} must hold labels in one channel, got {len(plane)}; take the file of the challenge"
            )
        plane = plane[0]
    if plane.min(initial=0) < 0:
        raise ValueError(f"{file} must hold labels ≥ 0, got {plane.min()}; take the file of the challenge")
    return plane


def _require_size(labels: Array, file: str, size: tuple[int, ...], of: str) -> None:
    if labels.shape != size:
        wanted, got = (" × ".join(map(str, each)) for each in (size, labels.shape))
        raise ValueError(f"{file} must be as large as {of}, {wanted}, got {got}; copy both again")


def _stacked(planes: Sequence[tuple[Array, str]]) -> Array:
    """Planes of one size in one array."""
    first, of = planes[0]
    for plane, file in planes:
        if plane.shape != first.shape or plane.dtype != first.dtype:
            wanted, got = (f"{' × '.join(map(str, each.shape))} {each.dtype}" for each in (first, plane))
            raise ValueError(f"{file} must be like {of}, {wanted}, got {got}; copy both again")
    return np.stack([plane for plane, _ in planes])
