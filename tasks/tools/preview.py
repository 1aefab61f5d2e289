"""A first look at a source, before anything is set: what its stacks are, and how its truth would be read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unet.evaluation import pictures
from unet.formats.readers import open_found, open_truth
from unet.formats.stack import Opened
from unet.labels.truth_values import has_smoothed_edges, kept_truth, require_fit
from unet.sources.stacks import Stack


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
    with open_truth(stack, dict(zip(image.axes, image.shape, strict=True))) as truth:
        labels, kept = truth.plane((0,) * (len(truth.shape) - 2)), kept_truth(truth, stack)
        ids, notes = next(kept.planes), (*truth.notes, *kept.notes, *_misfit(stack, image, truth))
    objects = (ids != 0) & (ids != (0 if kept.ignore is None else kept.ignore))
    picture = pictures.png(pictures.tint(plane, objects)) if objects.shape == plane.shape else None
    values = int(np.unique(labels).size)
    return SourcePreview(words, picture, values, float(objects.mean()), has_smoothed_edges(labels), notes)


def _misfit(stack: Stack, image: Opened, truth: Opened) -> Iterator[str]:
    """Why ingest would refuse truth of another shape."""
    of_image = [size for axis, size in zip(image.axes, image.shape, strict=True) if axis != "c"]
    try:
        require_fit(stack.name, truth.axes, truth.shape, of_image)
    except ValueError as error:
        yield f"{error}; it will be set aside"
