"""What a report holds: pictures, page and `metrics.json` of figures that were computed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tasks.execution.timing import elapsed
from tasks.reporting.comparison import Scored
from tasks.reporting.mean_figures import stack_means
from tasks.reporting.report_pictures import examples, how_found, seen_by_training
from unet.dataset.folder import Dataset, Json
from unet.evaluation import pictures
from unet.evaluation.class_figures import ClassFigures, plot_classes
from unet.evaluation.drift import drift_lines
from unet.evaluation.report import Report, render_report
from unet.evaluation.stamped_values import drift_rows
from unet.ledger.class_settings import segmented_classes
from unet.ledger.generations import Generation
from unet.ledger.results import PAGE, learnt_names, model_of, report_of, weights_of
from unet.ledger.truth_findings import TruthCheck
from unet.settings.record import Record
from unet.sources.stack_names import shortened


def write_report(  # noqa: PLR0913, PLR0917  # what a report is of, and what is known of it
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
    stacks = stack_means(scored)
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
    """In what stacks are unlike those that the model was trained on."""
    return [f"{line}." for line in drift_lines(drift_rows(dataset, model, names), model)]
