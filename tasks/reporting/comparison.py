"""Segments beside truth: what each plane scores, or block of planes, of any class and of each; the pixels of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset
from unet.evaluation.block_figures import Subject, WindowPixels, block_figures, figures_of
from unet.evaluation.confusion import Confusion, confusion
from unet.evaluation.contingency import Contingency
from unet.evaluation.object_errors import object_errors
from unet.images.array_types import Labels
from unet.images.planes import Plane, planes
from unet.images.windows import Window
from unet.labels.class_of_ids import ClassOfIds, read_classes
from unet.ledger.generations import Result
from unet.ledger.results import labels_of, learnt_names, model_of
from unet.ledger.truth_state import ignored_id
from unet.reports.class_figures import compared_names
from unet.reports.plot_sums import PlotSums
from unet.settings.evaluate import OBJECTS
from unet.store import ome
from unet.store.arrays import open_array
from unet.store.tables import read_table
from unet.training.split import PlaneRange

SIDE = 4096
"""Pixels of y and x that are read at once: a shard."""


@dataclass(frozen=True)
class Scored:
    """Figures of a plane, or of a block of planes in which segments go on."""

    part: PlaneRange
    plane: int
    """Its number; of a block that of the first one."""
    values: dict[str, float]
    objects: int
    by_class: Mapping[str, "Scored"] = field(default_factory=dict)
    """The same of each class by its name, from its own objects and segments; none where there is but one."""
    confusion: Confusion | None = None
    """Which class was found for objects of each."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """How many objects and segments were found, missed, invented, merged and split."""
    segments: int = 0
    sums: PlotSums | None = field(default=None, compare=False)
    """What plots are made of; none of a class."""


@dataclass(frozen=True)
class ClassOf:
    """The classes of a stack's objects and segments, by their numbers in one list of names."""

    names: tuple[str, ...]
    truth: ClassOfIds
    segments: NDArray[np.uint8]
    """Class of each id of the segments, from 0."""

    @property
    def numbers(self) -> range:
        """Of the names, from 1."""
        return range(1, len(self.names) + 1)

    def of_pixels(self, truth: Labels, segments: Labels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Class of each pixel of a plane in truth and in the segments; 0 for background."""
        return self.truth.of(truth), self.segments[segments]

    def of_table(self, table: Contingency) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Class of each object and of each segment."""
        return self.of_pixels(table.object_ids, table.segment_ids)

    def subject(self, number: int) -> Subject:
        """What leaves the objects and segments of one class alone."""

        def of_class(window: WindowPixels) -> WindowPixels:
            true, found = self.of_pixels(window.truth, window.segments)
            return WindowPixels(window.truth * (true == number), window.segments * (found == number), window.judged)

        return of_class


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


def score(
    dataset: Dataset, part: PlaneRange, model: str, names: tuple[str, ...] = (), metrics: Sequence[str] = OBJECTS
) -> list[Scored]:
    """Figures of a part by these metrics, and of each of these classes: by planes, or by blocks of 3-D segments."""
    classes = classes_of(dataset, part.stack, model, names)
    both = BothLabels.of(dataset, part.stack, model)
    return [_score_block(part, planes, both, classes, metrics) for planes in scored_planes(part, both.depth)]


def scored_planes(part: PlaneRange, depth: int) -> Iterator[range]:
    """The planes that are scored together: those of a part in which objects go on, over so many planes of a frame.

    >>> list(scored_planes(PlaneRange("a", 4, 12, "validation"), 5))
    [range(4, 5), range(5, 10), range(10, 12)]
    """
    start = part.start
    while start < part.stop:
        stop = min(part.stop, (start // depth + 1) * depth)
        yield range(start, stop)
        start = stop


@dataclass(frozen=True, eq=False)
class BothLabels:
    """A stack's truth and the segments of a model, read window by window."""

    truth: list[Plane]
    segments: list[Plane]
    ignored: int | None
    """Id of what nobody judged."""
    depth: int
    """Planes of a frame in which objects and segments go on; 1 where those of either end at their plane."""

    @classmethod
    def of(cls, dataset: Dataset, name: str, model: str) -> "BothLabels":
        """Those of a dataset. Objects of masks are what is connected in a plane, hence end there."""
        truth, segments = labels_of(dataset, name, "truth"), labels_of(dataset, name, model)
        attributes, dimensions = segments.attributes(), segments.committed().recipe.settings.get("dimensions")
        axes, shape = ome.axes_of(attributes), open_array(segments.folder / ome.first_level(attributes)).shape
        is_solid = dimensions == 3 and "z" in axes and foreground_of(dataset, name) == "ids"
        depth = shape[axes.index("z")] if is_solid else 1
        return cls(labels_planes(truth), labels_planes(segments), ignored_id(dataset, name), depth)

    def read(self, plane: int, window: Window | None = None) -> WindowPixels:
        """Pixels of a window, default: the whole plane; what nobody judged is background in both."""
        truth, segments = (pixels(of[plane], window) for of in (self.truth, self.segments))
        if self.ignored is None:
            return WindowPixels(truth, segments)
        judged = truth != self.ignored
        return WindowPixels(truth * judged, segments * judged, judged)

    def windows(self, plane: int) -> Iterator[WindowPixels]:
        """Windows of a plane one after the other, each of a size that memory is made for."""
        whole, other = self.truth[plane].window, self.segments[plane].window
        if whole != other:
            sides = [f"{window.height} x {window.width}" for window in (whole, other)]
            raise ValueError(f"truth must have the pixels of segments, got {sides[0]}, {sides[1]}; draw it anew")
        for y, x in product(range(0, whole.height, SIDE), range(0, whole.width, SIDE)):
            yield self.read(plane, Window(y, x, min(SIDE, whole.height - y), min(SIDE, whole.width - x)))


def _score_block(
    part: PlaneRange, planes: range, both: BothLabels, classes: ClassOf | None, metrics: Sequence[str]
) -> Scored:
    subjects = [_whole, *(classes.subject(number) for number in classes.numbers)] if classes else [_whole]
    found = block_figures((both.windows(plane) for plane in planes), metrics, subjects)
    whole = replace(_scored(part, planes, found.table, found.of_planes[0], metrics), sums=PlotSums.of(found.table))
    if classes is None:
        return whole
    true, of_segments = classes.of_table(found.table)
    by_class = {
        name: _scored(part, planes, found.table.of(true == number, of_segments == number), of_planes, metrics)
        for name, number, of_planes in zip(classes.names, classes.numbers, found.of_planes[1:], strict=True)
    }
    return replace(whole, by_class=by_class, confusion=confusion(found.table, true, of_segments, len(classes.names)))


def _scored(
    part: PlaneRange, planes: range, table: Contingency, of_planes: dict[str, float], metrics: Sequence[str]
) -> Scored:
    values, errors = figures_of(table, of_planes, metrics), object_errors(table).counts()
    return Scored(
        part,
        planes.start,
        values,
        table.objects.size,
        errors=errors,
        segments=table.segments.size,
    )


def _whole(window: WindowPixels) -> WindowPixels:
    """All objects and segments."""
    return window


def compared(dataset: Dataset, name: str, model: str, plane: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth and segments of a plane; what nobody judged is background in both."""
    truth, segments, _ = BothLabels.of(dataset, name, model).read(plane)
    return truth, segments


def foreground_of(dataset: Dataset, name: str) -> Any:
    """What objects are in a stack's truth as its source has it: `ids`, `classes`, or a value of a mask."""
    stamp = labels_of(dataset, name, "truth").stamp()
    return stamp.recipe.settings.get("foreground", "ids") if stamp else "ids"


def labels_planes(labels: Result) -> list[Plane]:
    """Planes of a stack's truth or segments."""
    attributes = labels.attributes()
    return planes(open_array(labels.folder / ome.first_level(attributes)), ome.axes_of(attributes))


def pixels(plane: Plane, window: Window | None = None) -> NDArray[Any]:
    """A window of a plane (y, x), of its first channel; default: the whole plane."""
    read: NDArray[Any] = plane.read(window or plane.window)[0]
    return read
