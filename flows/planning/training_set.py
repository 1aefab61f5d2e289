"""Of which stacks is a model made?

A model sees the same channels of every stack. One whose channels are others, as an RGB picture among grey ones, must
not keep the others from training: it is left out as a stack, and the plan says so.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from flows.planning.status import Findings
from unet.dataset.folder import Dataset
from unet.ledger.generations import Result
from unet.ledger.results import image_of, model_of, weights_of
from unet.settings.record import Record


def training_stacks(plan: Findings, dataset: Dataset, record: Record, refresh: bool = False) -> list[str]:
    """Stacks that a model is made of; `refresh` takes in all that have truth now."""
    marked = [name for stage, name in plan.statuses if stage == "weigh"]
    if refresh:
        fresh = [name for name in marked if plan.state("weigh", name) == "fresh"]
        odd = training_set(dataset, record, fresh).odd
        return [name for name in fresh if name not in odd]
    return training_set(dataset, record, usable_truth(dataset, plan, marked)).names


def usable_truth(dataset: Dataset, found: Findings, marked: Collection[str]) -> list[str]:
    """Stacks of which a model can be made: those that are weighed, or were before and cannot be now."""
    return [n for n in marked if found.state("weigh", n) != "set aside" or weights_of(dataset, n).known_stamp()]


class TrainingSet(NamedTuple):
    """The stacks a model is made of, and those that do not fit them."""

    names: list[str]
    """Those of its split, of which none was forgotten; at first all with truth that fit."""
    odd: dict[str, str]
    """Why others do not fit, by name."""


def training_set(dataset: Dataset, record: Record, usable: list[str]) -> TrainingSet:
    """Which of the stacks with truth a model is made of."""
    model = model_of(dataset, record.train.name)
    before = {part["stack"] for part in model.known_attributes().get("split", [])}
    kept = [name for name in usable if name in before]
    channels = {name: _channels(dataset, name) for name in usable}
    wanted = _wanted_channels(dataset, record, [channels[name] for name in kept or usable])
    odd = {name: _why_odd(model.folder.name, wanted, has) for name, has in channels.items() if not _fit(wanted, has)}
    if len(odd) == len(usable):  # training says what is wrong with all of them
        odd = {}
    fitting = [name for name in usable if name not in odd]
    return TrainingSet([name for name in kept if name not in odd] or fitting, odd)


def _channels(dataset: Dataset, name: str) -> tuple[str, ...]:
    """Names of a stack's channels; none where nobody knows them yet."""
    stamp = image_of(dataset, name).known_stamp()
    return tuple(stamp.facts.get("channels", ())) if stamp else ()


def _wanted_channels(dataset: Dataset, record: Record, of_stacks: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What the network sees: as set, as the model it starts from; else of the first stack where all have that."""
    if record.train.channels is not None:
        return record.train.channels
    if record.train.init_from is not None:
        return tuple(model_of(dataset, record.train.init_from).known_attributes().get("channels", ()))
    known = [has for has in of_stacks if has]
    if not known or all(_fit(known[0], has) for has in known):
        return known[0] if known else ()
    ((most, _),) = Counter(has if len(has) > 1 else _single(known) for has in known).most_common(1)
    return most


def _single(known: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The channel of the first stack of one; what it is called is no matter."""
    return next(has for has in known if len(has) == 1)


def _fit(wanted: tuple[str, ...], has: tuple[str, ...]) -> bool:
    return not wanted or not has or len(wanted) == len(has) == 1 or set(wanted) <= set(has)


def _why_odd(model: str, wanted: tuple[str, ...], has: tuple[str, ...]) -> str:
    return (
        f"does not train {model}, which sees the channels {', '.join(wanted)}: it has {', '.join(has)}; set "
        "train.channels to what all have, or train another model on its kind in a dataset of its own"
    )


def has_checkpoint(model: Result) -> bool:
    """Whether training can go on where it ended, which gives the same model; none was trained here without one."""
    return any((model.folder / name / "checkpoints").names() for name in model.folder.names())
