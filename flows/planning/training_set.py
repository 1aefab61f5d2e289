"""Of which stacks is a model made?"""

from collections.abc import Collection

from flows.planning.status import Findings
from unet.dataset.folder import Dataset
from unet.ledger.generations import Result
from unet.ledger.results import model_of, weights_of
from unet.settings.record import Record


def training_stacks(plan: Findings, dataset: Dataset, record: Record, refresh: bool = False) -> list[str]:
    """Stacks that a model is made of; `refresh` takes in all that have truth now."""
    marked = [name for stage, name in plan.statuses if stage == "weigh"]
    if refresh:
        return [name for name in marked if plan.state("weigh", name) == "fresh"]
    return stacks_of_model(model_of(dataset, record.train.name), usable_truth(dataset, plan, marked))


def usable_truth(dataset: Dataset, found: Findings, marked: Collection[str]) -> list[str]:
    """Stacks of which a model can be made: those that are weighed, or were before and cannot be now."""
    return [n for n in marked if found.state("weigh", n) != "set aside" or weights_of(dataset, n).known_stamp()]


def stacks_of_model(model: Result, usable: list[str]) -> list[str]:
    """The stacks a model is made of: those of its split, of which none was forgotten; at first all with truth."""
    split = model.known_attributes().get("split", [])
    return sorted({part["stack"] for part in split} & set(usable)) or usable


def has_checkpoint(model: Result) -> bool:
    """Whether training can go on where it ended, which gives the same model; none was trained here without one."""
    return any((model.folder / name / "checkpoints").names() for name in model.folder.names())
