"""Pictures of a report: the best, the median and the worst plane, and what training saw."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.reporting.comparison import Scored, classes_of, compared, labels_planes, pixels
from unet.dataset.folder import Dataset, Folder
from unet.evaluation import pictures
from unet.evaluation.metrics import METRICS
from unet.evaluation.report import ReportPicture
from unet.evaluation.tuning_picture import class_sentences, plot_class_tuning, plot_tuning, tuning_sentences
from unet.images.planes import planes
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import found_with
from unet.ledger.generations import Generation
from unet.ledger.results import image_of, labels_of, model_of, weights_of
from unet.settings.classes import OBJECT
from unet.settings.segment import Segment
from unet.store import ome
from unet.store.arrays import open_array
from unet.weight_maps.picture import PlaneView, telling_window, weights_picture

PLANES_COMPARED = 32
"""Planes, spread evenly, among which the one with the most weight is shown."""


def examples(
    dataset: Dataset, model: str, scored: Sequence[Scored], folder: Folder, classes: tuple[str, ...] = ()
) -> list[ReportPicture]:
    """The best, the median and the worst plane of the validation part, by the first metric, drawn into the folder.

    Where there are classes outlines are in their colours, of truth on the left and of segments on the right.
    """
    return [_example(dataset, model, title, one, folder, classes) for title, one in _chosen(scored)]


def seen_by_training(
    dataset: Dataset, model: str, scored: Sequence[Scored], generation: Generation
) -> list[ReportPicture]:
    """What training saw: the weights of the plane with the most of them, and augmented samples."""
    return [*_weights_picture(dataset, scored, generation), *_samples(dataset, model, generation)]


def how_found(dataset: Dataset, model: str, settings: Segment, generation: Generation) -> tuple[list[str], str | None]:
    """What is to be said of the settings of segment, and where the plot lies by which they were found."""
    found, classes = found_with(dataset, model), segmented_classes(dataset, model, settings)
    numbers = classes.numbers[0]
    several = classes.by_class
    said = class_sentences(settings, several, found) if several else tuning_sentences(settings, numbers, found)
    own = {name: (found or {}).get("by_class", {}).get(name, {}) for name in classes.learnt} if several else {}
    if any(own.values()):
        used = {name: each.threshold for name, each in several.items()}
        (generation.folder / "tuning.png").write(plot_class_tuning(own, used))
    elif found and "curve" in found:
        (generation.folder / "tuning.png").write(plot_tuning(found, numbers.threshold))
    else:
        return said, None
    return said, f"{generation.name}/tuning.png"


def _chosen(scored: Sequence[Scored]) -> list[tuple[str, Scored]]:
    part = [s for s in scored if s.part.use == "validation"] or scored
    told = next(iter(scored[0].values), "") if scored else ""
    is_error = bool(told) and METRICS[told].better == "lower"
    known = [one for one in part if math.isfinite(one.values[told])]
    ranked = sorted(known, key=lambda one: one.values[told], reverse=not is_error)
    if not ranked:
        return []
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    return [(f"{word}: {ranked[at].part.stack}, plane {ranked[at].plane}", ranked[at]) for word, at in places.items()]


def _example(  # a plane of a model, by what it is drawn, and where
    dataset: Dataset, model: str, title: str, scored: Scored, folder: Folder, names: tuple[str, ...]
) -> ReportPicture:
    name = f"{title.partition(':')[0]}.png"
    (folder / name).write(pictures.png(_overlay(dataset, model, scored, names)))
    figures = ", ".join(f"{metric} {value:.3f}" for metric, value in scored.values.items())
    return ReportPicture(title, f"{folder.name}/{name}", figures)


def _overlay(dataset: Dataset, model: str, scored: Scored, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """A plane with the outlines of segments and truth, (y, x, 3); by class side by side."""
    image, name = image_of(dataset, scored.part.stack), scored.part.stack
    array = open_array(ome.full_level(image))
    plane = pixels(planes(array, image.committed().facts["axes"])[scored.plane])
    truth, segments = compared(dataset, name, model, scored.plane)
    classes = classes_of(dataset, name, model, names)
    if classes is None:
        return pictures.outlines(plane, segments, truth)
    true, found = classes.of_pixels(truth, segments)
    left, right = pictures.class_outlines(plane, truth, true), pictures.class_outlines(plane, segments, found)
    return pictures.side_by_side(left, right)


def _samples(dataset: Dataset, model: str, generation: Generation) -> list[ReportPicture]:
    """Augmented samples, as training drew them; none of an imported model."""
    made = model_of(dataset, model)
    sheet = (made.folder / made.committed().generation / "samples.png").read()
    if sheet is None:
        return []
    (generation.folder / "samples.png").write(sheet)
    words = "The first samples of training: above as they were drawn, below as they were changed."
    return [ReportPicture("augmented samples", f"{generation.name}/samples.png", words)]


def _weights_picture(dataset: Dataset, scored: Sequence[Scored], generation: Generation) -> list[ReportPicture]:
    """Picture of truth, classes and border weights of the plane with the most weight, out of a few planes."""
    stamps = {name: weights_of(dataset, name).stamp() for name in {s.part.stack for s in scored}}
    weighed = [s for s in scored if stamps[s.part.stack] is not None]
    if not weighed:
        return []
    looked = weighed[:: -(-len(weighed) // PLANES_COMPARED)]
    chosen = max(looked, key=lambda s: float(_weights(dataset, s, "border").sum(dtype=np.float64)))
    border, name = _weights(dataset, chosen, "border"), chosen.part.stack
    truth = pixels(labels_planes(labels_of(dataset, name, "truth"))[chosen.plane])
    picture, window = weights_png(dataset, name, truth, _weights(dataset, chosen, "classes"), border)
    (generation.folder / "weights.png").write(picture)
    title = f"what training sees: {name}, plane {chosen.plane}"
    return [ReportPicture(title, f"{generation.name}/weights.png", _caption(border, window))]


def weights_png(
    dataset: Dataset,
    name: str,
    truth: NDArray[Any],
    classes: NDArray[Any],
    border: NDArray[Any],
    origin: tuple[int, int] = (0, 0),
) -> tuple[bytes, tuple[slice, slice]]:
    """Picture of where weights are largest in a window of a plane that begins at `origin`, and where that is in it."""
    window, facts = telling_window(border), image_of(dataset, name).committed().facts
    y, x = (start + part.start for start, part in zip(origin, window, strict=True))
    weighed = weights_of(dataset, name).committed()
    settings, names = weighed.recipe.settings, weighed.facts.get("classes", [OBJECT])
    plane = PlaneView(y, x, facts["spacing"].get("x"), facts["units"].get("x", ""))
    highest = settings["w0"] + settings.get("edge", 0.0)
    return weights_picture(truth[window], classes[window], border[window], highest, plane, names), window


def _weights(dataset: Dataset, scored: Scored, array: str) -> NDArray[Any]:
    """Classes or border weights of a plane."""
    result = weights_of(dataset, scored.part.stack)
    stored = open_array(result.folder / result.attributes()["arrays"][array])
    return pixels(planes(stored, result.committed().facts["axes"])[scored.plane])


def _caption(border: NDArray[Any], window: tuple[slice, slice]) -> str:
    y, x = window
    made = "Truth, the classes made of it, and the weights that keep neighbours apart"
    if border[window].shape == border.shape:
        return f"{made}, in the plane where they are largest."
    part = f"y {y.start} – {y.stop}, x {x.start} – {x.stop} of {border.shape[0]} × {border.shape[1]} pixels"
    return f"{made}, where they are largest: {part}."
