"""What was found with a model: the numbers that `auto` stands for in the settings of segment, as model.json holds them.

They are no part of the model's generation: finding them again changes no score. They go into the recipe of segments as
numbers, so that segments are stale exactly where a number of theirs changed.
"""

from typing import Any

from unet.dataset.folder import Dataset, Json
from unet.ledger.results import model_of
from unet.settings.segment import UNTUNED, Segment

KEY = "segment"
"""Where model.json holds them, with the metric they were found by, its values, and its curve over the thresholds."""
BY_CLASS = "by_class"
"""Where among them those of each class of objects are, by its name, where a model has several."""

TUNED_ON = "tuned_on"
"""Where among them the planes are by which `tune` found them, where they were none that the training knew."""


def found_with(dataset: Dataset, model: str) -> Json | None:
    """What was found with a model; None where nothing was, as it was imported or made before."""
    result = model_of(dataset, model)
    return result.folder.once("metadata", result.attributes).get(KEY)


def tuned_on(metadata: Json) -> Any:
    """The planes by which `tune` found a model's settings, as plain values; nothing where training found them."""
    found = metadata.get(KEY)
    return found.get(TUNED_ON, ()) if isinstance(found, dict) else ()


def untuned(dataset: Dataset, model: str, settings: Segment) -> str:
    """Which settings are `auto` though nothing was found with the model, in words; empty where none is."""
    if not settings.automatic or found_with(dataset, model):
        return ""
    return ", ".join(f"{name} {UNTUNED[name]:g}" for name in settings.automatic)
