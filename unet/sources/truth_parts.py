"""Truth of which the classes lie apart: a folder a class, or the class of each id beside the ids.

Each part is looked for as truth of its own, as if its source had that alone; here the parts of a stack come together. A
stack that lacks the file of a class has no objects of it; ids without their classes are refused. Where one part cannot
be looked into now, the truth of a stack that has nothing there is away as a whole.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from unet.settings.ingest import Source
from unet.sources.image_kinds import is_class_table, is_truth, tells_classes
from unet.sources.paths import resolved
from unet.sources.truth import Truth
from unet.sources.truth_suffixes import truth_place


class TruthPart(NamedTuple):
    """One place of a source's truth."""

    name: str
    """The class whose objects lie there; "" where it has all."""
    source: Source
    """The source as if this were its only truth."""
    setting: str = "truth"
    """Setting that names the place."""
    kinds: Callable[[str], bool] = is_truth
    """Which files there are of it, by their names."""

    @property
    def tells_classes(self) -> bool:
        """Whether it has the class of each id, and no objects."""
        return self.setting == "class_of"


def parts_of(source: Source, root: Path) -> list[TruthPart]:
    """Places of a source's truth, each with the source as it would be with that alone.

    >>> [(part.name, part.source.truth) for part in parts_of(Source("raw", {"nucleus": "a", "mitosis": "b"}), Path())]
    [('nucleus', 'a'), ('mitosis', 'b')]
    """
    if isinstance(source.truth, Mapping):
        return [TruthPart(name, replace(source, truth=place)) for name, place in source.truth.items()]
    whole = [TruthPart("", source)]
    if source.class_of is None:
        return whole
    place = resolved(source.class_of, root)
    is_apart = place not in (truth_place(source, root), resolved(source.images, root))
    kinds = tells_classes if is_apart else is_class_table
    return [*whole, TruthPart("", replace(source, truth=source.class_of), "class_of", kinds)]


def truth_places(source: Source, root: Path) -> list[Path]:
    """Where truth of a source lies, and its classes."""
    return [place for part in parts_of(source, root) if (place := truth_place(part.source, root)) is not None]


def joined(parts: Sequence[tuple[TruthPart, Truth]]) -> Truth:
    """The parts as one truth by key, with what is of which class."""
    if len(parts) == 1 and not parts[0][0].name:
        return parts[0][1]
    objects = {key for part, of in parts if not part.tells_classes for key in of.labels}
    keys = {key for key in objects if not any(of.is_away(key) and key not in of.labels for _, of in parts)}
    found = {key: [(part, of.labels[key]) for part, of in parts if key in of.labels] for key in sorted(keys)}
    return Truth(
        {key: tuple(file for _, files in of for file in files) for key, of in found.items()},
        lost=frozenset[str]().union(*(of.lost for _, of in parts)),
        empty=frozenset[str]().union(*(of.empty for _, of in parts)),
        away=next((of.away for _, of in parts if of.away), ""),
        notes=tuple(note for _, of in parts for note in of.notes),
        refused=dict(ChainMap(*(of.refused for _, of in parts), dict(_without_classes(parts, keys)))),
        unmarked=tuple(file for _, of in parts for file in of.unmarked),
        by_class={key: tuple((part.name, files) for part, files in of if part.name) for key, of in found.items()},
        class_of={key: files for key, of in found.items() for part, files in of if part.tells_classes},
    )


def _without_classes(parts: Sequence[tuple[TruthPart, Truth]], keys: set[str]) -> Iterator[tuple[str, str]]:
    """Why ids cannot be read, by key: nothing tells their classes."""
    for part, of in parts:
        for key in keys - of.labels.keys() if part.tells_classes else ():
            place = part.source.truth
            yield key, f"its truth must have the class of each id in {place!r}, got no file of its name there; add one"
