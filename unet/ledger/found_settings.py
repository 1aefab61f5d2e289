"""What was found with a model: the numbers that `auto` stands for in the settings of segment, as model.json holds them.

They are no part of the model's generation: finding them again changes no score. They go into the recipe of segments as
numbers, so that segments are stale exactly where a number of theirs changed.
"""

from unet.dataset.folder import Dataset, Json
from unet.ledger.results import model_of
from unet.settings.segment import UNTUNED, Segment, SegmentNumbers

KEY = "segment"
"""Where model.json holds them, with the metric they were found by, its values, and its curve over the thresholds."""
BY_CLASS = "by_class"
"""Where among them those of each class of objects are, by its name, where a model has several."""


def found_with(dataset: Dataset, model: str) -> Json | None:
    """What was found with a model; None where nothing was, as it was imported or made before."""
    result = model_of(dataset, model)
    return result.folder.once("metadata", result.attributes).get(KEY)


def segment_numbers(dataset: Dataset, model: str, settings: Segment, class_name: str | None = None) -> SegmentNumbers:
    """Settings of segment in numbers: those of dataset.yaml, for each `auto` what was found with the model.

    Args:
        dataset: the folder.
        model: name of the model.
        settings: of dataset.yaml.
        class_name: a class of objects, to take what was found for it; default: what was found for all, or for that of
            the most objects, which also stands in for a class of which nothing was found.
    """
    try:
        return settings.numbers(found_for(dataset, model, class_name) or UNTUNED)
    except (AttributeError, TypeError, ValueError) as error:
        named = ", ".join(settings.automatic)
        raise ValueError(
            f"{model_of(dataset, model).folder.url}/model.json is damaged: its {KEY}: {error}; give {named} of segment "
            "numbers in dataset.yaml, then run `unet-flows tune`, and set them to auto again"
        ) from error


def found_for(dataset: Dataset, model: str, class_name: str | None) -> Json | None:
    """What was found with a model for one class of objects, or else for all of them; None where nothing was."""
    found = found_with(dataset, model)
    return (found.get(BY_CLASS) or {}).get(class_name, found) if found and class_name is not None else found


def untuned(dataset: Dataset, model: str, settings: Segment) -> str:
    """Which settings are `auto` though nothing was found with the model, in words; empty where none is."""
    if not settings.automatic or found_with(dataset, model):
        return ""
    return ", ".join(f"{name} {UNTUNED[name]:g}" for name in settings.automatic)
