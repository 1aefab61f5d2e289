"""Recipes and stamps: what a result was made of, in plain values that are compared."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from unet.dataset.folder import Json
from unet.ledger.versions import computing
from unet.settings.renamed import with_new_names


def digest(value: Any) -> str:
    """Twelve hex digits that stand for a plain value.

    >>> digest({"b": 1, "a": [2]}) == digest({"a": [2], "b": 1})
    True
    """
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What a result is made of: equal recipes give equal results, so a result whose recipe still holds is fresh."""

    stage: str
    version: int
    settings: Json
    inputs: dict[str, str]

    @classmethod
    def of(cls, values: Json) -> "Recipe":
        """Recipe read from a stamp's plain values; settings that were renamed since get their new names.

        Raises:
            ValueError: the values are none of a recipe.
        """
        try:
            recipe = cls(**values)
            settings, inputs = (with_new_names(recipe.stage, each) for each in (recipe.settings, recipe.inputs))
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a recipe must have stage, version, settings and inputs by name, got {error}") from error
        return cls(recipe.stage, recipe.version, settings, inputs)

    def is_of(self, values: Any) -> bool:
        """Whether plain values are this recipe; damaged ones are not."""
        try:
            return Recipe.of(values) == self
        except ValueError:
            return False

    def changes(self, now: "Recipe") -> list[str]:
        """Why a result made by this recipe is stale, in words; empty where `now` is the same.

        >>> before = Recipe("segment", 1, {"threshold": 0.5}, {"scores": "3f2a"})
        >>> before.changes(Recipe("segment", 2, {"threshold": 0.6}, {"scores": "9c1b"}))
        ['segment is version 2, was 1', 'threshold 0.5 → 0.6', 'scores changed']
        """
        words = [f"{now.stage} is version {now.version}, was {self.version}"] if now.version != self.version else []
        words += [_change(k, self.settings, now.settings) for k in _differing(self.settings, now.settings)]
        words += [f"{k} {_how(k, self.inputs, now.inputs)}" for k in _differing(self.inputs, now.inputs)]
        return words


@dataclass(frozen=True)
class Stamp:
    """What a committed result's metadata file says of it: recipe, numeric plan, generation, and facts worth keeping."""

    recipe: Recipe
    plan: Json
    generation: str
    facts: Json = field(default_factory=dict)
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    packages: dict[str, str] = field(default_factory=computing)

    @property
    def identity(self) -> str:
        """What stands for the result in the recipes of what is made of it: its generation, for most.

        Of a model a digest of what predicts stands behind it: two trainings by one recipe may end with other
        parameters, as time ends them, and models of one generation may be brought in from two machines.
        """
        return " ".join([self.generation, *([self.facts["identity"]] if "identity" in self.facts else [])])

    @classmethod
    def of(cls, values: Json) -> "Stamp":
        """Stamp of the plain values in a metadata file; ValueError where they are none."""
        try:
            return cls(**{**values, "recipe": Recipe.of(values["recipe"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"a stamp must say what a result is made of, got {error}") from error


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    absent = object()
    return [k for k in sorted({*before, *now}) if before.get(k, absent) != now.get(k, absent)]


def _change(key: str, before: Json, now: Json) -> str:
    """How a setting changed; why a stack is refused is a sentence by itself."""
    return str(now[key]) if key == "refused" and key in now else f"{key} {before.get(key)} → {now.get(key)}"


def _how(key: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    return "is new" if key not in before else "is gone" if key not in now else "changed"
