"""Segments beside truth, plane by plane: what each plane scores, and the pixels of both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset
from unet.evaluation.metrics import METRICS
from unet.images.planes import Plane, planes
from unet.ledger.generations import Result
from unet.ledger.recipes import ignored_id
from unet.ledger.results import labels_of
from unet.store import ome
from unet.store.arrays import open_array
from unet.training.split import PlaneRange


@dataclass(frozen=True)
class Scored:
    """One plane's figures."""

    part: PlaneRange
    plane: int
    values: dict[str, float]
    objects: int


def score(dataset: Dataset, part: PlaneRange, model: str) -> list[Scored]:
    """Figures of every plane of a part."""
    return [
        _score_plane(part, plane, *compared(dataset, part.stack, model, plane))
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


def _score_plane(part: PlaneRange, plane: int, truth: NDArray[Any], segments: NDArray[Any]) -> Scored:
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
