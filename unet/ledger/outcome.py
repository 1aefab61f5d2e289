"""Outcomes: what became of one stack at one stage, and why what failed was set aside. The stages are named here."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from unet.dataset.folder import Dataset, Folder, Json
from unet.ledger.fingerprint import Fingerprint
from unet.ledger.stamp import Recipe
from unet.sources.stack_names import printable, shortened

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
    is_old: bool = False
    """Whether it was set aside for the same reason before, and is no news."""


def standing_line(names: Sequence[str]) -> str:
    """What is said of stacks that were set aside before and still are, which is no news; "" where there are none.

    >>> standing_line(["a"]), standing_line(["a", "b", "a"])[:42]
    ('1 set aside earlier still is: a; `unet-flows status` says why', '2 set aside earlier still are: a, b; `unet')
    """
    known = list(dict.fromkeys(names))
    verb = "is" if len(known) == 1 else "are"
    listed = f"{len(known)} set aside earlier still {verb}: {shortened(known)}; `unet-flows status` says why"
    return listed if known else ""


def set_aside(
    dataset: Dataset, recipe: Recipe, name: str, error: Exception, sources: Sequence[Fingerprint] = ()
) -> Outcome:
    """Write down why a stack failed; it is tried again when what it was made of changes.

    Where a file of ours was lost or damaged, which changes no recipe, also once that file is another one. What may pass
    by itself, as a share that does not answer, is tried again at every run, unless its recipe tells of it.

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
    is_told = any(content.startswith("unreadable: ") for content in recipe.inputs.values())
    values |= {"passes": True} if getattr(error, "passes", False) and not is_told else {}
    note = dataset.set_aside(recipe.stage, name)
    is_old = "passes" in values and _noted(note).get("why") == why
    note.write_json(values)
    return Outcome(recipe.stage, name, "set aside", why, is_old)


def _noted(note: Folder) -> Json:
    with suppress(ValueError):  # `why_set_aside` tells of a damaged note
        return note.read_json() or {}
    return {}


def why_set_aside(dataset: Dataset, recipe: Recipe, name: str) -> str | None:
    """Why a stack was set aside at a stage, where this recipe was what failed and would fail again; else None."""
    failed = last_failure(dataset, recipe, name)
    return None if failed is None or failed.passes else failed.why


class Failure(NamedTuple):
    """What is known of the last try of a stack at a stage, which failed."""

    why: str
    passes: bool
    """Whether the reason may pass by itself, so that it is tried again at every run."""


def last_failure(dataset: Dataset, recipe: Recipe, name: str) -> Failure | None:
    """Why the last try of a recipe failed; None where it did not, or would not any more."""
    values = dataset.set_aside(recipe.stage, name).read_json()
    if not values or not recipe.is_of(values.get("recipe")):
        return None
    match values.get("file"):
        case [str(file), seen] if file and _seen(file) != seen:
            return None
    return Failure(str(values.get("why", "unknown")), bool(values.get("passes")))


def fingerprints_set_aside(dataset: Dataset, name: str) -> Iterator[Fingerprint]:
    """What the source files of a stack held when it was set aside at ingest."""
    noted = _noted(dataset.set_aside("ingest", name)).get("sources")
    for each in noted if isinstance(noted, list) else []:
        match each:
            case {"seen": str(seen), "content": str(content)}:
                yield Fingerprint(seen, content)


def _seen(file: str) -> list[Any]:
    """Bytes and time of change of a file; none where there is none."""
    place = Folder(file)
    facts = place.parent.files().get(place.name)
    return list(facts or ())
