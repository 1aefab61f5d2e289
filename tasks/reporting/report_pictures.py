"""Pictures of a report: the worst, the median and the best plane, the least certain ones, and what training saw."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.reporting.comparison import Scored, classes_of, compared, labels_planes, pixels
from tasks.reporting.unjudged_stacks import Unjudged, segment_scores
from unet.dataset.folder import Dataset, Folder
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import METRICS
from unet.evaluation.object_errors import object_errors
from unet.evaluation.parts import headline_part
from unet.images.planes import planes
from unet.images.units import pixel_size, symbol
from unet.ledger.class_settings import segmented_classes
from unet.ledger.found_settings import found_with
from unet.ledger.generations import Generation
from unet.ledger.results import image_of, labels_of, model_of, weights_of
from unet.reports import pictures
from unet.reports.error_pictures import PixelSize, picture_of_certainty, picture_of_errors
from unet.reports.page_pictures import data_url
from unet.reports.report import ReportPicture
from unet.reports.report_plots import ReportPlot, plot_thresholds
from unet.reports.tuning_words import class_sentences, tuning_sentences
from unet.settings.classes import OBJECT
from unet.settings.segment import Segment
from unet.store import ome
from unet.store.arrays import open_array
from unet.weight_maps.picture import PlaneView, telling_window, weights_picture

LEAST_CERTAIN = 3
"""Stacks without truth that are shown."""
PLANES_COMPARED = 32
"""Planes, spread evenly, among which the one with the most weight is shown."""


def error_pictures(dataset: Dataset, model: str, scored: Sequence[Scored], folder: Folder) -> list[ReportPicture]:
    """The worst, the median and the best plane of the headline by the first metric, with what became of each object.

    They are drawn into the folder, too.
    """
    return [_errors(dataset, model, word, one, folder) for word, one in _chosen(scored)]


def class_pictures(
    dataset: Dataset, model: str, scored: Sequence[Scored], folder: Folder, classes: tuple[str, ...]
) -> list[ReportPicture]:
    """The same planes, with outlines in the colours of classes, of truth on the left and of segments on the right."""
    return [
        _classes(dataset, model, word, one, folder, classes)
        for word, one in _chosen(scored)
        if one.confusion is not None
    ]


def uncertain_pictures(dataset: Dataset, model: str, found: Sequence[Unjudged], folder: Folder) -> list[ReportPicture]:
    """Of the stacks without truth that the model is least certain of the planes where it is."""
    return [_uncertain(dataset, model, one, folder, at) for at, one in enumerate(found[:LEAST_CERTAIN]) if one.count]


def seen_by_training(
    dataset: Dataset, model: str, scored: Sequence[Scored], generation: Generation
) -> list[ReportPicture]:
    """What training saw: the weights of the plane with the most of them, and augmented samples."""
    return [*_weights_picture(dataset, scored, generation), *_samples(dataset, model, generation)]


def how_found(dataset: Dataset, model: str, settings: Segment) -> tuple[list[str], list[ReportPlot]]:
    """What is to be said of the settings of segment, and plots by which they were found."""
    found, classes = found_with(dataset, model), segmented_classes(dataset, model, settings)
    several, numbers = classes.by_class, classes.numbers[0]
    said = class_sentences(settings, several, found) if several else tuning_sentences(settings, numbers, found)
    own = {name: (found or {}).get("by_class", {}).get(name, {}) for name in classes.learnt} if several else {}
    if any(own.values()):
        return said, plot_thresholds(own, {name: each.threshold for name, each in several.items()})
    return said, plot_thresholds({"": found}, {"": numbers.threshold}) if found and "curve" in found else []


def _chosen(scored: Sequence[Scored]) -> list[tuple[str, Scored]]:
    headline = headline_part({s.part.use for s in scored})
    part = [s for s in scored if s.part.use == headline]
    first = next(iter(part[0].values), None) if part else None
    if first is None:
        return []
    sign = -1 if METRICS[first].better == "lower" else 1
    known = [s for s in part if math.isfinite(s.values[first])]
    ranked = sorted(known, key=lambda s: [sign * s.values[first], s.values.get("iou", 0.0)])
    if not ranked:
        return []
    first_word = "worst" if len(ranked) > 1 else "only"
    places = {len(ranked) // 2: "median", len(ranked) - 1: "best", 0: first_word}  # a plane is shown once
    return [(word, _with_middle_plane(ranked[at], scored)) for at, word in sorted(places.items())]


def _with_middle_plane(scored: Scored, others: Sequence[Scored]) -> Scored:
    """What is shown of a scored unit: of a plane itself, of a block of planes the one in its middle."""
    starts = [one.plane for one in others if one.part == scored.part and one.plane > scored.plane]
    stop = min(starts, default=scored.part.stop)
    return replace(scored, plane=(scored.plane + stop - 1) // 2)


def _errors(dataset: Dataset, model: str, word: str, scored: Scored, folder: Folder) -> ReportPicture:
    plane = _grey_values(dataset, scored.part.stack, scored.plane)
    truth, segments = compared(dataset, scored.part.stack, model, scored.plane)
    table, size = contingency(truth, segments), _size_of_pixel(dataset, scored.part.stack)
    errors, ids = object_errors(table), (table.object_ids, table.segment_ids)
    drawn = picture_of_errors(plane, truth, segments, ids, errors, size)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in errors.counts().items() if count)
    first, value = next(iter(scored.values.items()))
    figures = f"{METRICS[first].label} {value:.3f}. {counts or 'nothing'}.{_part_said(drawn.part, plane)}"
    return _kept(folder, word, f"{word}: {_place(scored)}", drawn.pixels, figures, scored.part.stack)


def _classes(  # a plane of a model, by what it is drawn, and where
    dataset: Dataset, model: str, word: str, scored: Scored, folder: Folder, names: tuple[str, ...]
) -> ReportPicture:
    plane = _grey_values(dataset, scored.part.stack, scored.plane)
    truth, segments = compared(dataset, scored.part.stack, model, scored.plane)
    classes = classes_of(dataset, scored.part.stack, model, names)
    true, found = classes.of_pixels(truth, segments) if classes else (truth, segments)
    left, right = pictures.class_outlines(plane, truth, true), pictures.class_outlines(plane, segments, found)
    sides = pictures.side_by_side(left, right)
    return _kept(folder, f"{word}-classes", f"classes, {word}: {_place(scored)}", sides, "", scored.part.stack)


def _uncertain(dataset: Dataset, model: str, one: Unjudged, folder: Folder, at: int) -> ReportPicture:
    plane = _grey_values(dataset, one.name, one.plane)
    segments = pixels(labels_planes(labels_of(dataset, one.name, model))[one.plane])
    ids, scores = segment_scores(dataset, model, one.name)
    drawn = picture_of_certainty(plane, segments, ids, scores, _size_of_pixel(dataset, one.name))
    certainty = f"certainty {one.certainty:.3f}. " if one.certainty is not None else ""
    words = f"{certainty}{one.uncertain:,} of {one.count:,} segments of the stack are uncertain."
    title = f"least certain: {one.name}, plane {one.plane}"
    return _kept(folder, f"uncertain-{at + 1}", title, drawn.pixels, words + _part_said(drawn.part, plane), one.name)


def _kept(  # a picture, what it is called and what it shows
    folder: Folder, name: str, title: str, drawn: NDArray[np.uint8], caption: str, stack: str
) -> ReportPicture:
    """A picture that is written beside the page, too."""
    png = pictures.png(drawn)
    (folder / f"{name}.png").write(png)
    return ReportPicture(title, data_url(png), caption, stack)


def _place(scored: Scored) -> str:
    return f"{scored.part.stack}, plane {scored.plane}"


def _grey_values(dataset: Dataset, name: str, plane: int) -> NDArray[Any]:
    image = image_of(dataset, name)
    return pixels(planes(open_array(ome.full_level(image)), image.committed().facts["axes"])[plane])


def _size_of_pixel(dataset: Dataset, name: str) -> PixelSize:
    known = pixel_size(image_of(dataset, name).committed().facts)
    return PixelSize(float(known["x"]), symbol(known["unit"])) if known else PixelSize()


def _part_said(part: tuple[slice, slice], plane: NDArray[Any]) -> str:
    y, x = part
    if (y.stop - y.start, x.stop - x.start) == plane.shape:
        return ""
    return f" Shown: y {y.start} – {y.stop}, x {x.start} – {x.stop} of {plane.shape[0]:,} × {plane.shape[1]:,} pixels."


def _samples(dataset: Dataset, model: str, generation: Generation) -> list[ReportPicture]:
    """Augmented samples, as training drew them; none of an imported model."""
    made = model_of(dataset, model)
    sheet = (made.folder / made.committed().generation / "samples.png").read()
    if sheet is None:
        return []
    (generation.folder / "samples.png").write(sheet)
    words = "The first samples of training: above as they were drawn, below as they were changed."
    return [ReportPicture("augmented samples", data_url(sheet), words)]


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
    return [ReportPicture(title, data_url(picture), _caption(border, window))]


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
