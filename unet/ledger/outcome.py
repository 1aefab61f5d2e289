"""Outcomes: what became of one stack at one stage, and why what failed was set aside."""

from dataclasses import asdict, dataclass
from typing import Literal

from unet.dataset.folder import Dataset
from unet.ledger.stamp import Recipe

STAGES = ("ingest", "weigh", "train", "predict", "segment", "evaluate")


State = Literal["done", "fresh", "stale", "missing", "set aside", "waiting"]


@dataclass(frozen=True)
class Outcome:
    """What became of one stack (or model) at one stage."""

    stage: str
    name: str
    state: State
    why: str = ""


def set_aside(dataset: Dataset, recipe: Recipe, name: str, error: Exception) -> Outcome:
    """Write down why a stack failed; it is tried again when what it was made of changes."""
    why = str(error) or type(error).__name__
    values = {"why": why, "do": "mend the cause and run again; `--force` tries it unchanged", "recipe": asdict(recipe)}
    dataset.set_aside(recipe.stage, name).write_json(values)
    return Outcome(recipe.stage, name, "set aside", why)


def why_set_aside(dataset: Dataset, recipe: Recipe, name: str) -> str | None:
    """Why a stack was set aside at a stage, where this recipe was what failed; else None."""
    values = dataset.set_aside(recipe.stage, name).read_json()
    return values["why"] if values and Recipe.of(values["recipe"]) == recipe else None
