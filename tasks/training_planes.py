"""Planes of a dataset's stacks, as training takes them: in memory where they fit, else read window by window."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unet.dataset.folder import Dataset, Json
from unet.images.array_types import IGNORE
from unet.images.channel_statistics import Statistics
from unet.images.grey_values import StackStatistics, by_rule
from unet.images.planes import Plane, planes
from unet.ledger.results import image_of, weights_of
from unet.network.model_files import channel_indices
from unet.settings.classes import OBJECT
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.split import PlaneRange, Subset
from unet.training.training_plane import TrainingPlane


@dataclass(frozen=True)
class View:
    """What a network sees of a stack: its channels by name, and the rule they are normalised by."""

    channels: tuple[str, ...]
    normalisation: Mapping[str, Any]


def image_facts(dataset: Dataset, name: str) -> Json:
    """What is known of a stack's image; LookupError where there is none."""
    return image_of(dataset, name).committed().facts


def stack_statistics(dataset: Dataset, name: str, channels: Sequence[str]) -> StackStatistics:
    """Statistics of some channels of a stack, and the source it came from."""
    facts = image_facts(dataset, name)
    chosen = channel_indices(channels, facts["channels"], name)
    statistics = [Statistics(**facts["statistics"][c]) for c in chosen]
    return StackStatistics(name, facts.get("source_folder", ""), statistics)


def planes_by_subset(
    dataset: Dataset, parts: Sequence[PlaneRange], view: View, memory: float
) -> dict[Subset, list[TrainingPlane]]:
    """Planes that train and planes that validate; held in memory if all of them take up at most `memory` GB.

    Those that are to test the model are not even opened.
    """
    by_subset: dict[Subset, list[TrainingPlane]] = {"training": [], "validation": []}
    used = [part for part in parts if part.use in by_subset]
    resident = sum(_bytes(dataset, part, view) for part in used) <= memory * 1e9
    for part in used:
        found = _planes_of(dataset, part, view)
        by_subset[part.use] += [_held(plane) for plane in found] if resident else found
    return by_subset


def class_counts(dataset: Dataset, parts: Sequence[PlaneRange]) -> list[int]:
    """Number of pixels of each class over some parts of the data; ignored pixels are left out."""
    totals = np.zeros(IGNORE + 1, np.int64)
    for part in parts:
        for counts in weights_of(dataset, part.stack).committed().facts["counts"][part.start : part.stop]:
            totals[: len(counts)] += counts
    classes = totals[:IGNORE]
    found: list[int] = classes[: int(np.flatnonzero(classes).max(initial=-1)) + 1].tolist()
    return found


def require_classes(dataset: Dataset, parts: Sequence[PlaneRange], classes: Sequence[str]) -> list[int]:
    """Number of pixels of background and each of these classes over what trains.

    Raises:
        ValueError: a class is missing there, or weights were made with other classes.
    """
    stacks = dict.fromkeys(part.stack for part in parts)
    made_with = {stack: weights_of(dataset, stack).committed().facts.get("classes", [OBJECT]) for stack in stacks}
    for stack, names in made_with.items():
        if list(classes) != names and max(len(classes), len(names)) > 1:
            raise ValueError(
                f"weights must be of {', '.join(classes)}, got {', '.join(names)} in {stack}; run `unet-flows weigh`"
            )
    counts = class_counts(dataset, [part for part in parts if part.use == "training"])
    counts += [0] * (len(classes) + 1 - len(counts))
    if not (counts[0] and sum(counts[1:])):
        raise ValueError(
            f"training must see background and objects, got {counts[0]} and {sum(counts[1:])} pixels of them; look at "
            "the truth, and at `foreground` of its source"
        )
    if lost := [name for name, count in zip(classes, counts[1:], strict=True) if not count]:
        raise ValueError(
            f"training must see each class, got no pixel of {', '.join(lost)} in any stack that trains; draw some "
            "there, have other stacks validate (train.validation), or take it out of the source's classes"
        )
    return counts


def _planes_of(dataset: Dataset, part: PlaneRange, view: View) -> list[TrainingPlane]:
    """Planes of one part, read from the store."""
    image, weights = image_of(dataset, part.stack), weights_of(dataset, part.stack)
    facts, _ = image.committed().facts, weights.committed()
    arrays, axes = weights.attributes()["arrays"], facts["axes"]
    chosen = channel_indices(view.channels, facts["channels"], part.stack)
    known = stack_statistics(dataset, part.stack, view.channels)
    ranges = by_rule(view.normalisation, known.channels, part.stack, known.source)
    pixels = planes(open_array(ome.full_level(image)), axes, chosen)
    classes = planes(open_array(weights.folder / arrays["classes"]), axes.replace("c", ""))
    border = planes(open_array(weights.folder / arrays["border"]), axes.replace("c", ""))
    layers = list(zip(pixels, classes, border, strict=True))
    return [TrainingPlane(*layers[n], ranges, f"{part.stack} plane {n}") for n in range(part.start, part.stop)]


def _held(plane: TrainingPlane) -> TrainingPlane:
    """The plane in memory."""
    return replace(plane, image=_read(plane.image), classes=_read(plane.classes), border=_read(plane.border))


def _read(plane: Plane) -> Plane:
    pixels = plane.read(plane.window)
    return Plane(pixels, tuple((channel,) for channel in range(pixels.shape[0])))


def _bytes(dataset: Dataset, part: PlaneRange, view: View) -> int:
    """Bytes of image, classes and border of a part."""
    facts = image_facts(dataset, part.stack)
    pixels: int = math.prod(facts["shape"][-2:]) * (part.stop - part.start)
    return pixels * (8 * len(view.channels) + 1 + 4)
