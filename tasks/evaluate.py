"""Segments beside truth → `reports/MODEL`: `metrics.json`, pictures, and a page to read."""

from collections.abc import Callable, Sequence

from tasks.execution.outcomes import outcome_of_each
from tasks.execution.timing import timed
from tasks.policy import cpu_task
from tasks.reporting.artifacts import publish_report
from tasks.reporting.chosen_metrics import chosen_metrics
from tasks.reporting.comparison import Scored, compared_classes, score
from tasks.reporting.mean_figures import class_figures, mean_figures
from tasks.reporting.progress import Sink
from tasks.reporting.report_contents import write_report
from tasks.reporting.scored_parts import parts_of
from unet.dataset.folder import Dataset
from unet.ledger.outcome import Outcome
from unet.ledger.recipes import evaluate_recipe
from unet.ledger.results import report_of
from unet.ledger.stamp import Recipe
from unet.settings.record import Record

SAID = 4
"""Figures of a report, the most telling ones, that the line of its stage has room for."""


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
    classes, metrics = compared_classes(dataset, model, names), chosen_metrics(dataset, names, record.evaluate)
    for part in parts_of(dataset, names, model):
        scored += score(dataset, part, model, classes, metrics)
        step(part.stack)
    uses = [use for use in ("validation", "training") if any(s.part.use == use for s in scored)]
    summary = {use: mean_figures([s for s in scored if s.part.use == use], record.evaluate) for use in uses}
    by_class = class_figures([s for s in scored if s.part.use == uses[0]], classes, record.evaluate) if uses else None
    write_report(dataset, model, record, scored, summary, by_class, report_of(dataset, model).begin(recipe, {}))
    if not uses:
        return "nothing to compare with"
    first = list(summary[uses[0]])[:SAID]
    figures = {name: summary[uses[0]][name] for name in first}
    figures |= {f"{name} over classes": by_class.mean[name] for name in first[:1]} if by_class else {}
    return ", ".join(f"{name} {figure['value']:.3f}" for name, figure in figures.items() if figure["n"])
