"""Segments beside truth → `reports/MODEL`: `metrics.json`, pictures, and a page to read."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import elapsed, timed
from tasks.policy import cpu_task
from tasks.reporting.artifacts import publish_report
from tasks.reporting.comparison import Scored, compared_classes, labels_planes, score
from tasks.reporting.progress import Sink
from tasks.reporting.report_pictures import examples, how_found, seen_by_training
from unet.dataset.folder import Dataset, Json
from unet.evaluation import pictures
from unet.evaluation.class_figures import ClassFigures, plot_classes
from unet.evaluation.confusion import no_confusion
from unet.evaluation.intervals import bootstrap_interval
from unet.evaluation.metrics import METRICS
from unet.evaluation.report import Report, render_report
from unet.ledger.class_settings import segmented_classes
from unet.ledger.generations import Generation
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import evaluate_recipe
from unet.ledger.results import PAGE, labels_of, learnt_names, model_of, report_of, scores_of, weights_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_findings import TruthCheck
from unet.settings.evaluate import Evaluate
from unet.settings.record import Record
from unet.sources.stack_names import shortened
from unet.training.split import PlaneRange


@cpu_task("evaluate")
def evaluate_model(dataset: str, names: list[str], model: str, record: Record) -> list[Outcome]:
    """Outcome of one report over the stacks `names`, which have truth and segments."""
    place = Dataset(dataset)
    with Sink("evaluate", len(names)) as sink:
        outcomes = outcome_of_each(
            place,
            [model],
            lambda _: evaluate_recipe(place, model, names, record.evaluate),
            lambda _, recipe: evaluate_stacks(place, names, model, record, recipe, sink.step),
        )
    if outcomes[0].state == "done":
        publish_report(place, model)
    return outcomes


@timed
def evaluate_stacks(
    dataset: Dataset,
    names: Sequence[str],
    model: str,
    record: Record,
    recipe: Recipe,
    step: Callable[[str], None] = lambda name: None,
) -> str:
    """Write a model's report; returns its headline."""
    scored = list[Scored]()
    classes = compared_classes(dataset, model, names)
    for part in parts_of(dataset, names, model):
        scored += score(dataset, part, model, classes)
        step(part.stack)
    uses = [use for use in ("validation", "training") if any(s.part.use == use for s in scored)]
    summary = {use: mean_figures([s for s in scored if s.part.use == use], record.evaluate) for use in uses}
    by_class = class_figures([s for s in scored if s.part.use == uses[0]], classes, record.evaluate) if uses else None
    _write(dataset, model, record, scored, summary, by_class, report_of(dataset, model).begin(recipe, {}))
    if not uses:
        return "nothing to compare with"
    figures = summary[uses[0]] | (
        {"average_precision over classes": by_class.mean["average_precision"]} if by_class else {}
    )
    return ", ".join(f"{name} {figure['value']:.3f}" for name, figure in figures.items() if figure["n"])


def parts_of(dataset: Dataset, names: Sequence[str], model: str) -> list[PlaneRange]:
    """Parts of the data to be scored: the model's own split; for an imported model all truth is validation."""
    own = [PlaneRange(**part) for part in model_of(dataset, model).attributes().get("split", [])]
    if own:
        chosen = set(names)
        return [part for part in own if part.stack in chosen]
    return [PlaneRange(name, 0, len(labels_planes(labels_of(dataset, name, "truth"))), "validation") for name in names]


def mean_figures(scored: Sequence[Scored], settings: Evaluate) -> dict[str, Json]:
    """Mean of each metric over planes, with a bootstrap interval; planes where a metric is undefined are left out.

    SEG is a mean over objects, as the challenge has it: planes count by their true objects.
    """
    draw, means = np.random.default_rng(0), dict[str, Json]()
    for name, metric in METRICS.items():
        defined = [one for one in scored if math.isfinite(one.values[name])]
        values, shares = [one.values[name] for one in defined], [one.objects for one in defined]
        counted = shares if metric.by_objects else [1] * len(defined)
        mean = bootstrap_interval(values, counted, settings.bootstrap_resamples, settings.confidence, draw)
        means[name] = mean._asdict()
    return means


def class_figures(scored: Sequence[Scored], names: tuple[str, ...], settings: Evaluate) -> ClassFigures | None:
    """Figures of each class over planes whose truth names classes; None where there is none."""
    told = [one for one in scored if one.confusion is not None]
    if not told:
        return None
    metrics = {name: mean_figures([one.by_class[name] for one in told], settings) for name in names}
    counted = sum((one.confusion for one in told if one.confusion), no_confusion(len(names)))
    return ClassFigures(names, metrics, counted)


def _write(  # noqa: PLR0913, PLR0917  # what a report is of, and what is known of it
    dataset: Dataset,
    model: str,
    record: Record,
    scored: Sequence[Scored],
    summary: dict[str, dict[str, Json]],
    by_class: ClassFigures | None,
    generation: Generation,
) -> None:
    """Pictures first, then the page, then `metrics.json`, which commits them."""
    metadata, result = model_of(dataset, model).attributes(), report_of(dataset, model)
    shown = examples(dataset, model, scored, generation.folder, by_class.names if by_class else ())
    if by_class:
        (generation.folder / "classes.png").write(plot_classes(by_class))
    if metadata.get("history"):  # a checkpoint of elsewhere has none
        (generation.folder / "training.png").write(pictures.plot_training(metadata["history"]))
    by_stack = defaultdict[str, list[Scored]](list)
    for one in scored:
        by_stack[one.part.stack].append(one)
    stacks = {name: _stack_means(of_it) for name, of_it in by_stack.items()}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    settings = record.model_dump(mode="json")
    settings["segment"] = segmented_classes(dataset, model, record.segment).recipe()
    objects, tuning = how_found(dataset, model, record.segment, generation)
    report = Report(
        model=model,
        made=made,
        metrics=summary,
        stacks=stacks,
        pictures=shown,
        curve=f"{generation.name}/training.png" if metadata.get("history") else None,
        seen=seen_by_training(dataset, model, scored, generation),
        objects=objects,
        tuning=tuning,
        truth=_checks(dataset, sorted(stacks)),
        classes=by_class,
        class_plot=f"{generation.name}/classes.png" if by_class else None,
        settings=settings,
        architecture=metadata["architecture"],
        notes=[*_notes(summary, metadata, scored), *_unlike(dataset, model, sorted(stacks))],
        next_steps=[f"unet-flows status {dataset.url}", f"unet-flows export-labels {dataset.url} --to FOLDER"],
    )
    (generation.folder / PAGE).write(render_report(report).encode())  # as it is to be published beside the generation
    digests = {"model": model_of(dataset, model).committed().identity, "report": generation.name}
    result.commit(
        generation,
        {"model": model, **summary, **(by_class.plain() if by_class else {}), "stacks": stacks}
        | {"settings": settings, "digests": digests, "made": made},
        {"seconds": elapsed()},
    )


def _stack_means(scored: Sequence[Scored]) -> dict[str, Any]:
    uses = sorted({s.part.use for s in scored})
    return {"part": " and ".join(uses)} | {
        name: _mean([s.values[name] for s in scored if math.isfinite(s.values[name])]) for name in METRICS
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _checks(dataset: Dataset, names: Sequence[str]) -> dict[str, TruthCheck]:
    """Findings about the truth of each stack that was weighed in this dataset."""
    stamps = {name: weights_of(dataset, name).stamp() for name in names}
    return {name: TruthCheck.of(s.facts["truth"]) for name, s in stamps.items() if s and "truth" in s.facts}


def _notes(summary: dict[str, Any], metadata: Json, scored: Sequence[Scored]) -> list[str]:
    notes = []
    if "validation" not in summary:
        notes.append(
            "Nothing was kept for validation: these figures are of what the model was trained on, and flatter it."
        )
    if metadata.get("came_from"):
        notes.append(f"The model was brought in from {metadata['came_from']}; all truth here validates it.")
    without = sorted({one.part.stack for one in scored if one.confusion is None})
    if without and len(learnt_names(metadata)) > 1:
        notes.append(f"Truth of {shortened(without)} names no classes of the model; it is compared whatever the class.")
    return notes


def _unlike(dataset: Dataset, model: str, names: Sequence[str]) -> list[str]:
    """Stacks whose grey values lie outside those that the model was trained on, and how far."""
    stamps = {name: scores_of(dataset, model, name).stamp() for name in names}
    return [f"{name}: {s.facts['grey_values']}." for name, s in stamps.items() if s and "grey_values" in s.facts]
