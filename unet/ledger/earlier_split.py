"""The split that a model has already: whether a training goes on with it, and which stacks only test the model.

What only tests a model is no part of it: where its truth is mended the report is stale, and the model is not.
"""

from collections.abc import Collection

from unet.dataset.folder import Dataset, Json
from unet.ledger.results import model_of
from unet.settings.record import plain
from unet.settings.train import Train


def split_parts(dataset: Dataset, model: str) -> list[Json]:
    """The parts that a model was made of, as model.json has them; none where it was imported."""
    parts: list[Json] = model_of(dataset, model).known_attributes().get("split", [])
    return parts


def is_split_kept(dataset: Dataset, model: str, train: Train) -> bool:
    """Whether what these settings keep out of training is what they kept out when the model was made."""
    stamp = model_of(dataset, model).known_stamp()
    return bool(split_parts(dataset, model)) and stamp is not None and _is_alike(stamp.recipe.settings, plain(train))


def without_training(dataset: Dataset, model: str) -> set[str]:
    """Stacks of a model's split of which no plane trained it."""
    parts = split_parts(dataset, model)
    return {part["stack"] for part in parts} - {part["stack"] for part in parts if part["use"] == "training"}


def only_testing(dataset: Dataset, train: Train, names: Collection[str]) -> set[str]:
    """Which of the stacks `names` only test a model that goes on with its split: no plane trains or validates it."""
    if not is_split_kept(dataset, train.name, train) or without_training(dataset, train.name).issuperset(names):
        return set()
    parts = split_parts(dataset, train.name)
    return set(names) & ({p["stack"] for p in parts} - {p["stack"] for p in parts if p["use"] != "test"})


def _is_alike(before: Json, now: Json) -> bool:
    """Whether settings keep out what those before did; those that there were not then are at their defaults."""
    return all(before.get(key, getattr(Train, key, None)) == now[key] for key in ("validation", "test", "gap"))
