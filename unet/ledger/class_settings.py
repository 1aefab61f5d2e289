"""How a model's classes are segmented: what the settings of segment come to for the classes that it has learnt."""

from unet.dataset.folder import Dataset
from unet.ledger.found_settings import KEY, found_with
from unet.ledger.results import learnt_names, model_of
from unet.settings.segment import UNTUNED, Segment
from unet.settings.segment_classes import SegmentedClasses, UnlearntError


def segmented_classes(dataset: Dataset, model: str, settings: Segment) -> SegmentedClasses:
    """The classes of a model that are segmented, each by its numbers; what was found of a class comes first.

    Raises:
        UnlearntError: the settings name classes that the model has not learnt.
        ValueError: what was found with the model is damaged.
    """
    result, found = model_of(dataset, model), found_with(dataset, model)
    learnt = learnt_names(result.folder.once("metadata", result.attributes))
    try:
        return SegmentedClasses.of(settings, model, learnt, found or UNTUNED)
    except UnlearntError:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        named = ", ".join(settings.automatic)
        raise ValueError(
            f"{result.folder.url}/model.json is damaged: its {KEY}: {error}; give {named} of segment "
            "numbers in dataset.yaml, then run `unet-flows tune`, and set them to auto again"
        ) from error


def left_out_classes(dataset: Dataset, model: str, settings: Segment) -> tuple[str, ...]:
    """Names of the classes that a model has learnt and of which nothing is segmented, as settings have it."""
    classes = segmented_classes(dataset, model, settings)
    return tuple(name for name in classes.learnt if name not in classes.names) if classes.are_named else ()
