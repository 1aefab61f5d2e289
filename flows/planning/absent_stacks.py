"""Stacks of a dataset that its sources do not hold now, and what is said of them.

A file that is there no more is gone. Where the place that it lay in is away, as a share that is not mounted, the place
is told of, once. A file that is of a stack of another name now, as by a new `prefix` or `pattern`, counts as both
until somebody removes the old one: nothing is removed, or renamed, by itself, as results bear the name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from unet.settings.record import Record
from unet.sources.presence import place_of, places_away
from unet.sources.stacks import Stack

FirstFile = tuple[str, int | None]
"""The first source file of a stack, and which of its scenes the stack is."""


class Absent(NamedTuple):
    """What is said instead of that the source of a stack is gone."""

    remarks: dict[str, str]
    """By the stack's name; "" where a note tells of it."""
    notes: tuple[str, ...] = ()
    """Places that are away, a sentence each."""


def absent_stacks(
    record: Record, root: Path, taken: Mapping[str, FirstFile], found: Sequence[Stack], said: Collection[str]
) -> Absent:
    """What is said of stacks that are not gone, and that the sources do not hold by their names.

    Args:
        record: which sources there are.
        root: the folder that relative paths of the sources are counted from.
        taken: stacks of the dataset, by name.
        found: stacks in the sources now.
        said: notes that were made of the sources already.
    """
    names = {stack.name for stack in found}
    absent = {name: first for name, first in taken.items() if name not in names and name not in record.exclude}
    if not absent:
        return Absent({})
    now: dict[FirstFile | str, str] = {file: stack.name for stack in reversed(found) for file in stack.files}
    now |= {(stack.files[0], stack.scene): stack.name for stack in found}
    others = {name: now.get(first) or now[first[0]] for name, first in absent.items() if first[0] in now}
    away = places_away([replace(source, truth=None) for source in record.sources], root)
    rest = None if found else next(iter(away), None)  # of a dataset that was moved, files had other paths
    lost = {name: place for name, (file, _) in absent.items() if (place := place_of(file, list(away)) or rest)}
    remarks = dict.fromkeys(lost, "") | dict.fromkeys(others, _renamed(tuple(others.values())))
    places = {place: away[place] for place in lost.values()}
    told = {place for place, why in places.items() for note in said if note == why or note.startswith(f"{place} ")}
    return Absent(remarks, tuple(why for place, why in places.items() if place not in told))


def _renamed(new: Sequence[str]) -> str:
    such = "such as " if len(set(new)) > 1 else ""
    return (
        f"its file is of a stack of another name now, {such}{''.join(new[:1])}; what was made under the old name "
        "counts beside it, until `unet-flows remove` forgets it"
    )
