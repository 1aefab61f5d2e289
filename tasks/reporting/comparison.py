"""Segments beside truth, plane by plane: what each plane scores, of any class and of each, and the pixels of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset
from unet.evaluation.class_figures import compared_names
from unet.evaluation.confusion import Confusion, confusion
from unet.evaluation.metrics import METRICS
from unet.images.array_types import Labels
from unet.images.planes import Plane, planes
from unet.labels.class_of_ids import ClassOfIds, read_classes
from unet.ledger.generations import Result
from unet.ledger.recipes import ignored_id
from unet.ledger.results import labels_of, learnt_names, model_of
from unet.store import ome
from unet.store.arrays import open_array
from unet.store.tables import read_table
from unet.training.split import PlaneRange


@dataclass(frozen=True)
class Scored:
    """One plane's figures."""

    part: PlaneRange
    plane: int
    values: dict[str, float]
    objects: int
    by_class: Mapping[str, "Scored"] = field(default_factory=dict)
    """The same of each class by its name, from its own objects and segments; none where there is but one."""
    confusion: Confusion | None = None
    """Which class was found for objects of each."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """How many objects and segments were found, missed, invented, merged and split."""
    segments: int = 0


@dataclass(frozen=True)
class ClassOf:
    """The classes of a stack's objects and segments, by their numbers in one list of names."""

    names: tuple[str, ...]
    truth: ClassOfIds
    segments: NDArray[np.uint8]
    """Class of each id of the segments, from 0."""

    def of_pixels(self, truth: Labels, segments: Labels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Class of each pixel of a plane in truth and in the segments; 0 for background."""
        return self.truth.of(truth), self.segments[segments]


def compared_classes(dataset: Dataset, model: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes that stacks are compared by; none where the model has one, or truth names none of them."""
    learnt = learnt_names(model_of(dataset, model).attributes())
    if len(learnt) == 1:
        return ()
    truths = [truth_classes(dataset, name) for name in names]
    return compared_names(learnt, [each for known in truths if known for each in known.names])


def truth_classes(dataset: Dataset, name: str) -> ClassOfIds | None:
    """The class of each id of a stack's truth; None where there is none, or it names no classes."""
    truth = labels_of(dataset, name, "truth")
    stamp = truth.stamp()
    return read_classes(truth) if stamp and "classes" in stamp.facts else None


def classes_of(dataset: Dataset, name: str, model: str, names: tuple[str, ...]) -> ClassOf | None:
    """The classes of a stack's objects and segments; None where its truth names none."""
    known = truth_classes(dataset, name) if names else None
    return ClassOf(names, known.in_order(names), segment_classes(dataset, name, model)) if known else None


def segment_classes(dataset: Dataset, name: str, model: str) -> NDArray[np.uint8]:
    """Number of the class of each id of a stack's segments, from id 0."""
    table = read_table(dataset, model, name)
    count = labels_of(dataset, name, model).committed().facts["count"]
    classes = np.zeros(count + 1, np.uint8)
    classes[table["id"].to_numpy()] = table["class"].to_numpy()
    return classes


def score(dataset: Dataset, part: PlaneRange, model: str, names: tuple[str, ...] = ()) -> list[Scored]:
    """Figures of every plane of a part, and of each of these classes."""
    classes = classes_of(dataset, part.stack, model, names)
    return [
        _score_plane(part, plane, *compared(dataset, part.stack, model, plane), classes)
        for plane in range(part.start, part.stop)
    ]


def compared(dataset: Dataset, name: str, model: str, plane: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth and segments of a plane; what nobody judged is background in both."""
    truth, segments = (pixels(labels_planes(labels_of(dataset, name, labels))[plane]) for labels in ("truth", model))
    ignored = ignored_id(dataset, name)
    if ignored is None:
        return truth, segments
    judged = truth != ignored
    return truth * judged, segments * judged


def _score_plane(
    part: PlaneRange, plane: int, truth: NDArray[Any], segments: NDArray[Any], classes: ClassOf | None
) -> Scored:
    whole = _figures(part, plane, truth, segments)
    if classes is None:
        return whole
    true, found = classes.of_pixels(truth, segments)
    by_class = {
        name: _figures(part, plane, truth * (true == number), segments * (found == number))
        for number, name in enumerate(classes.names, 1)
    }
    return replace(whole, by_class=by_class, confusion=confusion(truth, segments, true, found, len(classes.names)))


def _figures(part: PlaneRange, plane: int, truth: NDArray[Any], segments: NDArray[Any]) -> Scored:
    values = {name: float(metric.function(truth, segments)) for name, metric in METRICS.items() if metric.function}
    return Scored(part, plane, values, int(np.unique(truth[truth > 0]).size))


def labels_planes(labels: Result) -> list[Plane]:
    """Planes of a stack's truth or segments."""
    attributes = labels.attributes()
    return planes(open_array(labels.folder / ome.first_level(attributes)), ome.axes_of(attributes))


def pixels(plane: Plane) -> NDArray[Any]:
    """The whole plane (y, x), of its first channel."""
    whole: NDArray[Any] = plane.read(plane.window)[0]
    return whole
