"""The objects that settings of segment are looked for: all of them, or, of several classes, those of each by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Json
from unet.images.array_types import Labels
from unet.labels.class_of_ids import read_classes
from unet.labels.scores import of_any, own_scores
from unet.ledger.found_settings import BY_CLASS
from unet.ledger.generations import Result
from unet.training.scored_truth import ScoredTruth


@dataclass(frozen=True)
class Objects:
    """Which objects settings are looked for: all of them, or those of one class alone."""

    classes: tuple[str, ...] = ()
    """Names of all classes of objects, in order; none where all objects are alike."""
    number: int = 0
    """Of the one class, from 1; 0: all of them."""
    chosen: tuple[int, ...] = ()
    """Numbers of the classes that scores are of."""

    @property
    def name(self) -> str | None:
        """Name of the one class; None: all of them."""
        return self.classes[self.number - 1] if self.number else None

    def scores(self, of_classes: NDArray[Any]) -> NDArray[Any]:
        """Scores of being one of these objects, of those of each chosen class, classes first."""
        return own_scores(of_classes)[self.chosen.index(self.number)] if self.number else of_any(of_classes)

    def truth(self, ids: Labels, truth: Result) -> Labels:
        """The ids of these objects, 0 elsewhere."""
        return ids * (read_classes(truth).in_order(self.classes).of(ids) == self.number) if self.number else ids


ALL_OBJECTS = Objects()


class FoundObjects(NamedTuple):
    """What was found of some objects."""

    settings: Json
    """As model.json keeps them."""
    objects: int
    """True objects that they were found by, those of each block counted by themselves."""


def found_of_each(
    find: Callable[[Objects], FoundObjects | None], classes: tuple[str, ...], numbers: tuple[int, ...]
) -> Json | None:
    """What `find` finds for all objects; of several classes that of each by name, beside that of the most objects.

    A class without an object has none. Of all objects together a setting would be a compromise that none is made by.
    """
    if not classes:
        found = find(Objects(chosen=numbers))
        return found.settings if found else None
    own = {classes[k - 1]: found for k in numbers if (found := find(Objects(classes, k, numbers)))}
    if not own:
        return None
    most = max(own.values(), key=lambda found: found.objects)
    return {**most.settings, BY_CLASS: {name: found.settings for name, found in own.items()}}


def object_count(scored: Sequence[ScoredTruth]) -> int:
    """True objects of some blocks; one in two of them counts twice."""
    return sum(np.unique(block.truth[block.truth > 0]).size for block in scored)
