"""What a stage made → a few small pictures of it: what a person would look at first.

Read are the coarsest levels of pyramids, of one plane in the middle, or a window: no large array is ever read for it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.reporting.comparison import compared_classes, segment_classes, truth_classes
from tasks.reporting.report_pictures import weights_png
from unet.dataset.folder import Dataset, Folder
from unet.images.planes import planes
from unet.images.windows import Window
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, learnt_names, model_of, report_of, scores_of, weights_of
from unet.ledger.truth_state import is_withdrawn
from unet.reports import pictures
from unet.store import ome
from unet.store.arrays import open_array

log = logging.getLogger(__name__)

OF_REPORT = ("worst", "only", "median", "best", "uncertain-1")
"""Pictures of a report, the most telling first; the last one where there is no truth."""
WINDOW_SIDE = 2048
"""Pixels either way of the window in which the weights are looked at."""


@dataclass(frozen=True)
class Picture:
    """A picture with its title, as PNG."""

    title: str
    png: bytes


def gallery(dataset: Dataset, stage: str, model: str, names: Sequence[str], count: int) -> list[Picture]:
    """Pictures, at most so many, of what a stage made of these stacks or of the model."""
    drawn: list[Picture] = []
    for title, draw in _drawings(dataset, stage, model, names):
        if len(drawn) == count:
            break
        try:
            png = draw()
        except Exception as error:  # a picture less is no reason to show nothing
            log.warning("%s %s is not shown: %s", stage, title, str(error) or type(error).__name__)
            continue
        if png is not None:
            drawn.append(Picture(f"{stage} {title}", png))
    return drawn


def _drawings(
    dataset: Dataset, stage: str, model: str, names: Sequence[str]
) -> Iterator[tuple[str, Callable[[], bytes | None]]]:
    """Titles of all pictures of a stage, and what draws them."""
    if stage in ("train", "evaluate"):
        result = model_of(dataset, model) if stage == "train" else report_of(dataset, model)
        for name in ("training", "samples") if stage == "train" else OF_REPORT:
            yield f"{model}: {name}", partial(_file, result, name)
        return
    draw = {"ingest": _image, "weigh": _weights, "predict": _scores, "segment": _segments}[stage]
    for name in names:
        yield name, partial(draw, dataset, name, model)


def _file(result: Result, name: str) -> bytes | None:
    return (result.folder / result.committed().generation / f"{name}.png").read()


def _image(dataset: Dataset, name: str, _: str) -> bytes:
    plane, truth = _small(image_of(dataset, name)), labels_of(dataset, name, "truth")
    if not _is_truth_shown(dataset, name):
        return pictures.png(pictures.tint(plane, np.zeros(plane.shape, np.uint8)))
    ids, known = _small(truth), truth_classes(dataset, name)
    return pictures.png(pictures.tint(plane, known.of(ids) if known else ids != 0))


def _is_truth_shown(dataset: Dataset, name: str) -> bool:
    return labels_of(dataset, name, "truth").stamp() is not None and not is_withdrawn(dataset, name)


def _scores(dataset: Dataset, name: str, model: str) -> bytes | None:
    scores = scores_of(dataset, model, name)
    if scores.stamp() is None or not _last_level(scores).exists():  # dropped, as predict.keep_scores says
        return None
    values = _small(scores)
    part = values / np.iinfo(values.dtype).max if values.dtype.kind in "iu" else values
    return pictures.png(pictures.shade(_small(image_of(dataset, name)), part))


def _segments(dataset: Dataset, name: str, model: str) -> bytes:
    plane, truth = _small(image_of(dataset, name)), labels_of(dataset, name, "truth")
    drawn = _small(truth) if _is_truth_shown(dataset, name) else None
    segments, learnt = _small(labels_of(dataset, name, model)), learnt_names(model_of(dataset, model).attributes())
    if len(learnt) == 1:
        return pictures.png(pictures.outlines(plane, segments, drawn))
    found = pictures.class_outlines(plane, segments, segment_classes(dataset, name, model)[segments])
    known, names = truth_classes(dataset, name), compared_classes(dataset, model, [name])
    if drawn is None or not (known and names):
        return pictures.png(found)
    true = pictures.class_outlines(plane, drawn, known.in_order(names).of(drawn))
    return pictures.png(pictures.side_by_side(true, found))


def _weights(dataset: Dataset, name: str, _: str) -> bytes:
    """Weights of the middle plane, where they are largest within a window around its middle."""
    result, truth = weights_of(dataset, name), labels_of(dataset, name, "truth")
    arrays = [open_array(result.folder / result.attributes()["arrays"][key]) for key in ("classes", "border")]
    arrays.append(open_array(ome.full_level(truth)))
    axes = result.committed().facts["axes"]
    height, width = arrays[0].shape[-2:]
    y, x = (max((size - WINDOW_SIDE) // 2, 0) for size in (height, width))
    window = Window(y, x, min(height, WINDOW_SIDE), min(width, WINDOW_SIDE))
    classes, border, ids = (_middle(array, axes, window) for array in arrays)
    return weights_png(dataset, name, ids, classes, border, (y, x))[0]


def _small(result: Result) -> NDArray[Any]:
    """The middle plane of the coarsest level of a committed image, label or scores, its first channel or class."""
    return _middle(open_array(_last_level(result)), ome.axes_of(result.attributes()))


def _last_level(result: Result) -> Folder:
    return result.folder / str(result.attributes()["ome"]["multiscales"][0]["datasets"][-1]["path"])


def _middle(array: Any, axes: str, window: Window | None = None) -> NDArray[Any]:
    all_planes = planes(array, axes)
    plane = all_planes[len(all_planes) // 2]
    pixels: NDArray[Any] = plane.read(window or plane.window)[0]
    return pixels
