"""Segments beside truth → `reports/MODEL`: `metrics.json`, `planes.csv`, pictures, and a page to read."""

from collections.abc import Callable, Sequence

from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import timed
from tasks.policy import cpu_task
from tasks.reporting.artifacts import publish_report
from tasks.reporting.chosen_metrics import chosen_metrics
from tasks.reporting.comparison import Scored, compared_classes, score
from tasks.reporting.mean_figures import class_figures, mean_figures
from tasks.reporting.part_notes import about_parts
from tasks.reporting.planes_table import planes_csv
from tasks.reporting.progress import Sink
from tasks.reporting.report_contents import write_report
from tasks.reporting.scored_parts import scored_parts
from unet.dataset.folder import Dataset, Json
from unet.evaluation.parts import PARTS, headline_part
from unet.ledger.class_settings import left_out_classes
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import evaluate_recipe
from unet.ledger.results import PLANES, model_of, report_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_state import has_truth
from unet.reports.class_figures import ClassFigures
from unet.reports.history import keep_history
from unet.settings.record import Record

SAID = 4
"""Figures of a report, the most telling ones, that the line of its stage has room for."""


@cpu_task("evaluate")
def evaluate_model(dataset: str, names: list[str], model: str, record: Record) -> list[Outcome]:
    """Outcome of one report over the stacks `names`, which have segments, and truth; or of which none has truth."""
    place = Dataset(dataset)
    keep_history(place, model)
    with Sink("evaluate", len(names)) as sink:
        outcomes = outcome_of_each(
            place,
            [model],
            lambda _: evaluate_recipe(place, model, names, record.evaluate),
            lambda _, recipe: evaluate_stacks(place, names, model, record, recipe, sink.step),
        )
    keep_history(place, model)
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
    judged = [name for name in names if has_truth(dataset, name, None)]  # all, or none: then it says what is there
    scored, classes = list[Scored](), compared_classes(dataset, model, judged)
    found, metrics = scored_parts(dataset, judged, model), chosen_metrics(dataset, judged, record.evaluate)
    for part in found.parts:
        scored += score(dataset, part, model, classes, metrics)
        step(part.stack)
    if not judged:
        for name in names:
            step(name)
    by_part = {part: [one for one in scored if one.part.use == part] for part in PARTS}
    summary = {part: mean_figures(of, record.evaluate) for part, of in by_part.items() if of}
    headline = headline_part(summary)
    left_out = left_out_classes(dataset, model, record.segment)
    by_class = class_figures(by_part[headline], classes, record.evaluate, left_out) if headline else None
    generation = report_of(dataset, model).begin(recipe, {})
    (generation.folder / PLANES).write(planes_csv(scored))
    about = about_parts(scored, model_of(dataset, model).attributes(), found.overlaps)
    write_report(dataset, model, record, scored, summary, by_class, generation, about)
    return _word(summary[headline], by_class) if headline else f"no truth to compare with, {len(names):,} segmented"


def _word(figures: dict[str, Json], by_class: ClassFigures | None) -> str:
    """Figures in a line."""
    first = list(figures)[:SAID]
    means = {f"{name} over classes": by_class.mean[name] for name in first[:1]} if by_class else {}
    figures = {name: figures[name] for name in first} | means
    return ", ".join(f"{name} {figure['value']:.3f}" for name, figure in figures.items() if figure["n"])
