"""What a report holds: pictures, page and `metrics.json` of figures that were computed."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from tasks.execution.timing import elapsed
from tasks.reporting.comparison import Scored
from tasks.reporting.mean_figures import stack_means
from tasks.reporting.part_notes import PLANE, AboutParts
from tasks.reporting.report_pictures import (
    class_pictures,
    error_pictures,
    how_found,
    seen_by_training,
    uncertain_pictures,
)
from tasks.reporting.run_facts import data_facts, data_table, run_facts, size_scale, sums_plain
from tasks.reporting.unjudged_stacks import look_at, unjudged_names, unjudged_table
from tasks.reporting.viewers import viewers
from unet.dataset.folder import Dataset, Json
from unet.evaluation.drift import DriftRow, drift_lines, number_words, range_words
from unet.evaluation.parts import PARTS, headline_part
from unet.evaluation.stamped_values import drift_rows
from unet.ledger.class_settings import segmented_classes
from unet.ledger.generations import Generation
from unet.ledger.results import PAGE, learnt_names, model_of, report_of, weights_of
from unet.ledger.truth_findings import TruthCheck
from unet.reports import png_plots
from unet.reports.class_figures import ClassFigures
from unet.reports.plot_sums import PlotSums, added
from unet.reports.report import Report, render_report
from unet.reports.report_plots import (
    ReportPlot,
    plot_certainty,
    plot_classes,
    plot_precision,
    plot_size_ratios,
    plot_sizes,
    plot_training,
)
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
    about: AboutParts,
) -> None:
    """Pictures first, then the page, then `metrics.json`, which commits them."""
    metadata, result = model_of(dataset, model).attributes(), report_of(dataset, model)
    if metadata.get("history"):  # a checkpoint of elsewhere has none; for who shows it elsewhere than on the page
        (generation.folder / "training.png").write(png_plots.plot_training(metadata["history"]))
    stacks, settings = stack_means(scored), _settings(dataset, model, record, metadata)
    report = Report(
        model=model,
        dataset=dataset.name,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        metrics=summary,
        stacks=stacks,
        counts=about.metrics.get("counts", {}),
        resampled=about.metrics.get("resampled", {}),
        unit=about.metrics.get("unit", PLANE),
        pictures=error_pictures(dataset, model, scored, generation.folder),
        seen=seen_by_training(dataset, model, scored, generation),
        truth=_checks(dataset, sorted(stacks)),
        settings=settings,
        architecture=metadata["architecture"] if metadata.get("came_from") else None,
        notes=[*about.notes, *_notes(metadata, scored)],
        next_steps=[f"unet-flows status {dataset.url}", f"unet-flows export-labels {dataset.url} --to FOLDER"],
    )
    report, plain = _of_objects(dataset, model, record, scored, report)
    report = _of_classes(dataset, model, scored, by_class, report, generation)
    report, more = _of_unjudged(dataset, model, report, generation, record.segment.dimensions)
    report, run = _of_run(dataset, model, settings, report, generation)
    (generation.folder / PAGE).write(render_report(report).encode())  # as it is to be published beside the generation
    result.commit(
        generation,
        {"model": model, **summary, **(by_class.plain() if by_class else {}), "stacks": stacks}
        | {**about.metrics, **plain, **more, **run, "settings": settings, "made": report.made},
        {"seconds": elapsed()},
    )


def _of_objects(
    dataset: Dataset, model: str, record: Record, scored: Sequence[Scored], report: Report
) -> tuple[Report, Json]:
    """A report with plots of the figures, of training, and of how objects were found."""
    by_part = {part: added(s.sums for s in scored if s.part.use == part) for part in PARTS}
    known = {part: sums for part, sums in by_part.items() if sums is not None}
    said, plots = how_found(dataset, model, record.segment)
    history = model_of(dataset, model).attributes().get("history") or []
    drawn = {"figures": _figures(dataset, known, report, record), "objects": plots, "training": plot_training(history)}
    plain = {"plots": sums_plain(known)} if known else {}
    return replace(report, objects=said, plots=drawn), plain


def _figures(dataset: Dataset, by_part: dict[str, PlotSums], report: Report, record: Record) -> list[ReportPlot]:
    headline = headline_part(report.metrics)
    if headline not in by_part:
        return []
    scale = size_scale(dataset, sorted(report.stacks), record.segment.dimensions)
    sums = by_part[headline]
    drawn = plot_precision(by_part), plot_sizes(sums, scale), plot_size_ratios(sums.size_ratios)
    return [plot for plot in drawn if plot is not None]


def _of_classes(  # a model's report, its classes, and where pictures go
    dataset: Dataset,
    model: str,
    scored: Sequence[Scored],
    by_class: ClassFigures | None,
    report: Report,
    generation: Generation,
) -> Report:
    """A report with the figures and pictures of several classes; as it is where there is but one."""
    if by_class is None:
        return report
    shown = class_pictures(dataset, model, scored, generation.folder, by_class.names)
    plots = {**report.plots, "classes": [plot_classes(by_class)]}
    return replace(report, classes=by_class, class_pictures=shown, plots=plots)


def _of_unjudged(
    dataset: Dataset, model: str, report: Report, generation: Generation, dimensions: int
) -> tuple[Report, Json]:
    """A report with what the stacks without truth hold; as it is where all have some."""
    whole = unjudged_names(dataset, model, list(report.stacks))
    if not whole:
        return report, {}
    found = look_at(dataset, model, whole)
    scale = size_scale(dataset, [one.name for one in found], dimensions)
    certainties = np.sum([one.certainties for one in found], axis=0)
    sizes = added(one.sums for one in found)
    plots = [plot_sizes(sizes, scale, is_judged=False) if sizes else None, plot_certainty(certainties)]
    drawn = {**report.plots, "unjudged": [plot for plot in plots if plot is not None]}
    shown = uncertain_pictures(dataset, model, found, generation.folder)
    table = unjudged_table(found, len(whole))
    return replace(report, unjudged=table, uncertain=shown, plots=drawn), {
        "without_truth": {one.name: one.plain() for one in found}
    }


def _of_run(
    dataset: Dataset, model: str, settings: Json, report: Report, generation: Generation
) -> tuple[Report, Json]:
    """A report with what was run, on which data, and how to look at them."""
    without = [row[0] for row in report.unjudged.rows] if report.unjudged else []
    names = [*sorted(report.stacks), *sorted(without)]
    facts = run_facts(dataset, model, names, settings, generation.name)
    data = data_facts(dataset, model, {name: report.stacks.get(name, {}) for name in names})
    pictured = [picture.stack for picture in (*report.pictures, *report.uncertain)]
    shown = next(iter([*pictured, *report.stacks, *without]), None)
    opened = viewers(dataset, model, shown) if shown else []
    rows = drift_rows(dataset, model, names)
    notes = [*report.notes, *(f"{line}." for line in drift_lines(rows, model))]
    report = replace(report, drift=[_drift_row(row) for row in rows], notes=notes)
    plain = {
        "drift": [row._asdict() for row in rows],
        "run": {key: value for key, value in facts.plain.items() if key != "digests"},
        "data": data,
    }
    return replace(report, run=facts.sections, data=data_table(data) if data else None, viewers=opened), {
        **plain,
        "digests": facts.plain["digests"],
    }


def _settings(dataset: Dataset, model: str, record: Record, metadata: Json) -> Json:
    """The record as it came out: numbers for `auto`, and the network that the model is where it was trained here."""
    settings = deepcopy(record.model_dump(mode="json"))
    settings["segment"] = segmented_classes(dataset, model, record.segment).recipe()
    if not metadata.get("came_from"):
        settings["train"]["architecture"] = dict(metadata["architecture"])
    return settings


def _checks(dataset: Dataset, names: Sequence[str]) -> dict[str, TruthCheck]:
    """Findings about the truth of each stack that was weighed in this dataset."""
    stamps = {name: weights_of(dataset, name).stamp() for name in names}
    return {name: TruthCheck.of(s.facts["truth"]) for name, s in stamps.items() if s and "truth" in s.facts}


def _notes(metadata: Json, scored: Sequence[Scored]) -> list[str]:
    notes = []
    without = sorted({one.part.stack for one in scored if one.confusion is None})
    if without and len(learnt_names(metadata)) > 1:
        notes.append(f"Truth of {shortened(without)} names no classes of the model; it is compared whatever the class.")
    return notes


def _drift_row(row: DriftRow) -> dict[str, object]:
    """A row as people read it."""
    said = {"stack": row.stack, "what": row.what, "here": number_words(row.value), "in training": range_words(row)}
    return {**said, "verdict": row.verdict}
