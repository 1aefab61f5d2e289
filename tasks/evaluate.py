"""Segments beside truth → `reports/MODEL`: `metrics.json`, pictures, and a page to read."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.outcomes import each
from tasks.policy import cpu_task
from tasks.progress import Sink
from tasks.publish import publish_report
from unet import metrics, ome, pictures
from unet.findings import TruthCheck
from unet.folder import Dataset, Folder, Json
from unet.ledger import Generation, Outcome, Recipe, Result, image_of, labels_of, model_of, report_of, weights_of
from unet.mirror import Plane, planes
from unet.recipes import evaluate_recipe, ignored_id
from unet.records import Evaluate, Record
from unet.report import Picture, Report, render_report
from unet.split import Part
from unet.store import open_array
from unet.weights_picture import Frame, telling_window, weights_picture

Metric = Callable[[NDArray[Any], NDArray[Any]], float]
METRICS: dict[str, Metric] = {
    "average_precision": metrics.average_precision,
    "seg": metrics.seg,
    "rand_f": metrics.rand_f,
    "iou": metrics.iou,
    "pixel_error": metrics.pixel_error,
}
"""Metrics of a report, by the names of their functions."""
LOOKED_AT = 32
"""Frames, spread evenly, among which the one with the most weight is shown."""


@dataclass(frozen=True)
class Scored:
    """One plane's figures."""

    part: Part
    plane: int
    values: dict[str, float]
    objects: int


@cpu_task("evaluate")
def evaluate_model(dataset: str, names: list[str], model: str, record: Record) -> list[Outcome]:
    """Outcome of one report over the stacks `names`, which have truth and segments."""
    place = Dataset(dataset)
    with Sink("evaluate", len(names)) as sink:
        outcomes = each(
            place,
            [model],
            lambda _: evaluate_recipe(place, model, names, record.evaluate),
            lambda _, recipe: evaluate_stacks(place, names, model, record, recipe, sink.step),
        )
    if outcomes[0].state == "done":
        publish_report(place, model)
    return outcomes


def evaluate_stacks(
    dataset: Dataset,
    names: Sequence[str],
    model: str,
    record: Record,
    recipe: Recipe,
    step: Callable[[str], None] = lambda name: None,
) -> str:
    """Write a model's report; says its headline."""
    began, scored = time.monotonic(), list[Scored]()
    for part in parts_of(dataset, names, model):
        scored += _score(dataset, part, model)
        step(part.stack)
    uses = [use for use in ("validation", "training") if any(s.part.use == use for s in scored)]
    summary = {use: summarise([s for s in scored if s.part.use == use], record.evaluate) for use in uses}
    _write(dataset, model, record, scored, summary, report_of(dataset, model).begin(recipe, {}))
    report_of(dataset, model).amend({"seconds": round(time.monotonic() - began, 3)})
    if not uses:
        return "nothing to compare with"
    return ", ".join(f"{name} {figure['value']:.3f}" for name, figure in summary[uses[0]].items() if figure["n"])


def parts_of(dataset: Dataset, names: Sequence[str], model: str) -> list[Part]:
    """Parts to be scored: the model's own split; of a model of elsewhere, which saw none of it, all truth validates."""
    own = [Part(**part) for part in model_of(dataset, model).attributes().get("split", [])]
    if own:
        return [part for part in own if part.stack in names]
    return [Part(name, 0, len(_planes(labels_of(dataset, name, "truth"))), "validation") for name in names]


def summarise(scored: Sequence[Scored], settings: Evaluate) -> dict[str, Json]:
    """Mean of each metric over planes, with the interval that resampling the planes gives; undefined planes left out.

    SEG is a mean over objects, as the challenge has it: planes count by their true objects.
    """
    draw = np.random.default_rng(0)
    return {name: _interval(name, scored, settings, draw) for name in METRICS}


def _interval(name: str, scored: Sequence[Scored], settings: Evaluate, draw: np.random.Generator) -> Json:
    defined = [s for s in scored if math.isfinite(s.values[name])]
    if not defined:
        return {"value": None, "low": None, "high": None, "n": 0}
    values = np.array([s.values[name] for s in defined])
    shares = np.array([s.objects if name == "seg" else 1 for s in defined], np.float64)
    chosen = draw.integers(0, len(values), (settings.resamples, len(values)))
    means = (values[chosen] * shares[chosen]).sum(axis=1) / shares[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - settings.confidence) / 2, (1 + settings.confidence) / 2])
    return {
        "value": float(np.average(values, weights=shares)),
        "low": float(low),
        "high": float(high),
        "n": len(values),
    }


def _score(dataset: Dataset, part: Part, model: str) -> list[Scored]:
    return [
        _score_plane(part, plane, *_compared(dataset, part.stack, model, plane))
        for plane in range(part.start, part.stop)
    ]


def _compared(dataset: Dataset, name: str, model: str, plane: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth and segments of a plane; what nobody judged is background in both."""
    truth, segments = (_pixels(_planes(labels_of(dataset, name, labels))[plane]) for labels in ("truth", model))
    ignored = ignored_id(dataset, name)
    if ignored is None:
        return truth, segments
    judged = truth != ignored
    return truth * judged, segments * judged


def _score_plane(part: Part, plane: int, truth: NDArray[Any], segments: NDArray[Any]) -> Scored:
    values = {name: float(metric(truth, segments)) for name, metric in METRICS.items()}
    return Scored(part, plane, values, int(np.unique(truth[truth > 0]).size))


def _planes(labels: Result) -> list[Plane]:
    attributes = labels.attributes()
    return planes(open_array(labels.folder / ome.first_level(attributes)), ome.axes_of(attributes))


def _pixels(plane: Plane) -> NDArray[Any]:
    pixels: NDArray[Any] = plane.read(plane.window)[0]
    return pixels


def _write(
    dataset: Dataset,
    model: str,
    record: Record,
    scored: Sequence[Scored],
    summary: dict[str, dict[str, Json]],
    generation: Generation,
) -> None:
    """Pictures first, then the page, then `metrics.json`, which commits them."""
    card, result = model_of(dataset, model).attributes(), report_of(dataset, model)
    shown = [_picture(dataset, model, title, s, generation.folder) for title, s in _examples(scored)]
    (generation.folder / "training.png").write(pictures.plot_training(card.get("history", [])))
    stacks = {
        name: _stack_means([s for s in scored if s.part.stack == name]) for name in {s.part.stack for s in scored}
    }
    made = datetime.now(UTC).isoformat(timespec="seconds")
    settings = record.model_dump(mode="json")
    report = Report(
        model=model,
        made=made,
        metrics=summary,
        stacks=stacks,
        pictures=shown,
        curve=f"{generation.name}/training.png" if card.get("history") else None,
        seen=[*_weights_picture(dataset, scored, generation), *_samples(dataset, model, generation)],
        truth=_checks(dataset, sorted(stacks)),
        settings=settings,
        architecture=card["architecture"],
        notes=_notes(summary, card),
        next_steps=[f"unet-flows status {dataset.url}", f"unet-flows export-labels {dataset.url} --to FOLDER"],
    )
    (result.folder / "report.html").write(render_report(report).encode())
    digests = {"model": card["unet-flows"]["generation"], "report": generation.name}
    result.commit(
        generation,
        {"model": model, **summary, "stacks": stacks, "settings": settings, "digests": digests, "made": made},
    )


def _stack_means(scored: Sequence[Scored]) -> dict[str, Any]:
    uses = sorted({s.part.use for s in scored})
    return {"part": " and ".join(uses)} | {
        name: _mean([s.values[name] for s in scored if math.isfinite(s.values[name])]) for name in METRICS
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _examples(scored: Sequence[Scored]) -> list[tuple[str, Scored]]:
    """The best, the median and the worst plane of the validation part, by average precision."""
    part = [s for s in scored if s.part.use == "validation"] or scored
    ranked = sorted((s for s in part if math.isfinite(s.values["average_precision"])), key=_precision, reverse=True)
    if not ranked:
        return []
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    return [(f"{word}: {ranked[at].part.stack}, plane {ranked[at].plane}", ranked[at]) for word, at in places.items()]


def _precision(scored: Scored) -> float:
    return scored.values["average_precision"]


def _picture(dataset: Dataset, model: str, title: str, scored: Scored, folder: Folder) -> Picture:
    name = f"{title.partition(':')[0]}.png"
    (folder / name).write(pictures.png(overlay(dataset, model, scored)))
    figures = ", ".join(f"{metric} {value:.3f}" for metric, value in scored.values.items())
    return Picture(title, f"{folder.name}/{name}", figures)


def overlay(dataset: Dataset, model: str, scored: Scored) -> NDArray[np.uint8]:
    """A plane with the outlines of segments and truth, (y, x, 3)."""
    image, name = image_of(dataset, scored.part.stack), scored.part.stack
    array = open_array(ome.full_level(image))
    frame = _pixels(planes(array, image.committed().facts["axes"])[scored.plane])
    truth, segments = _compared(dataset, name, model, scored.plane)
    return pictures.outlines(frame, segments, truth)


def _samples(dataset: Dataset, model: str, generation: Generation) -> list[Picture]:
    """Augmented samples, as training drew them; none of a model of elsewhere."""
    made = model_of(dataset, model)
    sheet = (made.folder / made.committed().generation / "samples.png").read()
    if sheet is None:
        return []
    (generation.folder / "samples.png").write(sheet)
    words = "The first samples of training: above as they were drawn, below as they were changed."
    return [Picture("augmented samples", f"{generation.name}/samples.png", words)]


def _weights_picture(dataset: Dataset, scored: Sequence[Scored], generation: Generation) -> list[Picture]:
    """Truth, classes and border weights of the frame with the most weight among those looked at."""
    stamps = {name: weights_of(dataset, name).stamp() for name in {s.part.stack for s in scored}}
    weighed = [s for s in scored if stamps[s.part.stack] is not None]
    if not weighed:
        return []
    looked = weighed[:: -(-len(weighed) // LOOKED_AT)]
    chosen = max(looked, key=lambda s: float(_weights(dataset, s, "border").sum(dtype=np.float64)))
    border, name = _weights(dataset, chosen, "border"), chosen.part.stack
    window = telling_window(border)
    classes = _weights(dataset, chosen, "classes")
    truth = _pixels(_planes(labels_of(dataset, name, "truth"))[chosen.plane])
    settings, frame = weights_of(dataset, name).committed().recipe.settings, _frame(dataset, name, window)
    highest = settings["w0"] + settings.get("edge", 0.0)
    picture = weights_picture(truth[window], classes[window], border[window], highest, frame)
    (generation.folder / "weights.png").write(picture)
    title = f"what training sees: {name}, plane {chosen.plane}"
    return [Picture(title, f"{generation.name}/weights.png", _caption(border, window))]


def _weights(dataset: Dataset, scored: Scored, array: str) -> NDArray[Any]:
    """Classes or border weights of a plane."""
    result = weights_of(dataset, scored.part.stack)
    stored = open_array(result.folder / result.attributes()["arrays"][array])
    return _pixels(planes(stored, result.committed().facts["axes"])[scored.plane])


def _frame(dataset: Dataset, name: str, window: tuple[slice, slice]) -> Frame:
    facts = image_of(dataset, name).committed().facts
    return Frame(window[0].start, window[1].start, facts["spacing"].get("x"), facts["units"].get("x", ""))


def _caption(border: NDArray[Any], window: tuple[slice, slice]) -> str:
    y, x = window
    made = "Truth, the classes made of it, and the weights that keep neighbours apart"
    if border[window].shape == border.shape:
        return f"{made}, in the frame where they are largest."
    part = f"y {y.start} – {y.stop}, x {x.start} – {x.stop} of {border.shape[0]} × {border.shape[1]} pixels"
    return f"{made}, where they are largest: {part}."


def _checks(dataset: Dataset, names: Sequence[str]) -> dict[str, TruthCheck]:
    """What weigh found odd about the truth of each stack, where this dataset's truth was weighed."""
    stamps = {name: weights_of(dataset, name).stamp() for name in names}
    return {name: TruthCheck.of(s.facts["truth"]) for name, s in stamps.items() if s and "truth" in s.facts}


def _notes(summary: dict[str, Any], card: Json) -> list[str]:
    notes = []
    if "validation" not in summary:
        notes.append(
            "Nothing was kept for validation: these figures are of what the model was trained on, and flatter it."
        )
    if card.get("came_from"):
        notes.append(f"The model was brought in from {card['came_from']}; all truth here validates it.")
    return notes
