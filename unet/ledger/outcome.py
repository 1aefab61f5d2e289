"""Outcomes: what became of one stack at one stage, and why what failed was set aside. The stages are named here."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from unet.dataset.folder import Dataset, Folder, Json
from unet.dataset.stack_names import printable
from unet.ledger.fingerprint import Fingerprint
from unet.ledger.stamp import Recipe

Stage = Literal["ingest", "weigh", "train", "predict", "segment", "evaluate"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""Every stage, in the order in which they run."""


@dataclass(frozen=True)
class Outcome:
    """What became of one stack (or model) at one stage of a run."""

    stage: str
    name: str
    state: Literal["done", "set aside", "waiting"]
    """`waiting`: its source was still being written, and the next run takes it."""
    why: str = ""
    """What was done, or why it was not."""


def set_aside(
    dataset: Dataset, recipe: Recipe, name: str, error: Exception, sources: Sequence[Fingerprint] = ()
) -> Outcome:
    """Write down why a stack failed; it is tried again when what it was made of changes.

    Where a file of ours was lost or damaged, which changes no recipe, also once that file is another one.

    Args:
        dataset: that holds the stack.
        recipe: what failed.
        name: of the stack or model.
        error: why.
        sources: fingerprints of its source files, so that the next plan need not read them.
    """
    why = printable(str(error)) or type(error).__name__
    do, file = "mend the cause and run again; `--force` tries it unchanged", getattr(error, "file", None)
    values: Json = {"why": why, "do": do, "recipe": asdict(recipe)}
    values |= {"file": [file, _seen(file)]} if file else {}
    values |= {"sources": [asdict(each) for each in sources]} if sources else {}
    dataset.set_aside(recipe.stage, name).write_json(values)
    return Outcome(recipe.stage, name, "set aside", why)


def why_set_aside(dataset: Dataset, recipe: Recipe, name: str) -> str | None:
    """Why a stack was set aside at a stage, where this recipe was what failed; else None."""
    values = dataset.set_aside(recipe.stage, name).read_json()
    if not values or not recipe.is_of(values.get("recipe")):
        return None
    match values.get("file"):
        case [str(file), seen] if file and _seen(file) != seen:
            return None
    return str(values.get("why", "unknown"))


def fingerprints_set_aside(dataset: Dataset, name: str) -> Iterator[Fingerprint]:
    """What the source files of a stack held when it was set aside at ingest."""
    noted = None
    with suppress(ValueError):  # `why_set_aside` tells of a damaged note
        noted = (dataset.set_aside("ingest", name).read_json() or {}).get("sources")
    for each in noted if isinstance(noted, list) else []:
        match each:
            case {"seen": str(seen), "content": str(content)}:
                yield Fingerprint(seen, content)


def _seen(file: str) -> list[Any]:
    """Bytes and time of change of a file; none where there is none."""
    place = Folder(file)
    facts = place.parent.files().get(place.name)
    return list(facts or ())
