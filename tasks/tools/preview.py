"""A first look at a source, before anything is set: what its stacks are, and how its truth would be read."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.formats.readers import open_found, open_truth
from unet.formats.stack import Opened
from unet.labels.class_of_ids import ClassOfIds
from unet.labels.classed_truth import open_kept
from unet.labels.connected import connected_segments
from unet.labels.truth_values import KeptTruth, has_smoothed_edges, require_fit
from unet.reports import pictures
from unet.settings.classes import class_colour
from unet.sources.stacks import Stack

MOST_CLASSES = 12
"""Values that are taken for classes at most, where nobody said that they are ids."""


@dataclass(frozen=True)
class SourcePreview:
    """One stack in a line, and, where it has truth, a picture with the pixels tinted that would be objects."""

    words: str
    picture: bytes | None
    values: int
    """Distinct values of the truth's first plane."""
    share: float
    """Share of the truth's first plane that would be object."""
    is_smoothed: bool = False
    """Whether it looks like a mask with smoothed edges."""
    notes: tuple[str, ...] = ()
    """What else is to be said of the truth."""
    classes: tuple[tuple[str, float], ...] = ()
    """Classes of the truth, each with its share of the first plane."""
    outlined: tuple[tuple[str, int], ...] = ()
    """What outlines say of their classes, each with how many do."""
    likely: tuple[int, ...] = ()
    """Values of the first plane that look like classes, and not like ids."""


def preview_of(stack: Stack) -> SourcePreview:
    """A look at a stack's first plane and its truth."""
    with open_found(stack) as image:
        plane = image.plane((0,) * (len(image.shape) - 2))
        words = f"{' × '.join(map(str, image.shape))} ({' '.join(image.axes)}) {image.dtype}"
        names = f", channels {', '.join(image.channels)}" if len(image.channels) > 1 else ""
        sizes = [
            f"{axis} {image.spacing[axis]:g} {image.units.get(axis, '')}".strip()
            for axis in image.axes
            if axis in image.spacing
        ]
    words += names + (f", pixel size {', '.join(sizes)}" if sizes else ", pixel size unknown")
    words += f" ({'; '.join(image.notes)})" if image.notes else ""
    if not stack.truth:
        return SourcePreview(words, None, 0, 0.0)
    lengths = dict(zip(image.axes, image.shape, strict=True))
    with open_kept(stack, lengths) as kept:
        ids, notes = next(kept.planes), (*kept.notes, *_misfit(stack, image, kept))
    objects = (ids != 0) & (ids != (0 if kept.ignore is None else kept.ignore))
    known = kept.classes.found_so_far() if kept.classes else ClassOfIds.of_one()
    classes = known.of(np.where(objects, ids, 0))
    picture = pictures.png(_tinted(plane, classes)) if objects.shape == plane.shape else None
    found = SourcePreview(words, picture, 0, float(objects.mean()), notes=notes)
    if not stack.classes:
        return _with_values(found, stack, lengths)
    shares = (float((classes == number).mean()) for number in range(1, len(known.names) + 1))
    return replace(found, classes=tuple(zip(known.names, shares, strict=True)))


def _tinted(plane: NDArray[Any], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB picture of a plane: objects are orange, or the colours of their classes where there are several."""
    picture = pictures.tint(plane, classes == 1)
    for number in range(2, int(classes.max(initial=0)) + 1):
        mixed = np.frombuffer(bytes.fromhex(class_colour(number)[1:]), np.uint8)
        picture[classes == number] = picture[classes == number] // 2 + mixed // 2
    return picture


def _with_values(found: SourcePreview, stack: Stack, sizes: Mapping[str, int]) -> SourcePreview:
    """The same with what the values of truth look like, where they have no classes yet."""
    with open_truth(stack, sizes) as truth:
        labels, said = truth.plane((0,) * (len(truth.shape) - 2)), Counter(truth.words)
    values = np.unique(labels)
    return replace(
        found,
        values=int(values.size),
        is_smoothed=has_smoothed_edges(labels),
        outlined=tuple(said.most_common()) if len(said) > 1 else (),
        likely=_likely_classes(labels, values, found.share),
    )


def _likely_classes(labels: NDArray[Any], values: NDArray[Any], share: float) -> tuple[int, ...]:
    """Values that look like classes: few, and on many areas, or on most of the plane; ids are on one area each."""
    objects = values[values > 0]
    if not MOST_CLASSES >= objects.size > 1 or values.min() < 0 or (objects != np.floor(objects)).any():
        return ()
    areas = sum(int(connected_segments(labels == value).max()) for value in objects)
    is_likely = areas >= 2 * objects.size or share > 0.5
    return tuple(objects.astype(int).tolist()) if is_likely else ()


def _misfit(stack: Stack, image: Opened, truth: KeptTruth) -> Iterator[str]:
    """Why ingest would refuse truth of another shape."""
    of_image = [size for axis, size in zip(image.axes, image.shape, strict=True) if axis != "c"]
    try:
        require_fit(stack.name, truth.axes, truth.shape, of_image)
    except ValueError as error:
        yield f"{error}; it will be set aside"
