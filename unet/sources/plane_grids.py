"""Files of single planes that are one stack: how they lie along t, c and z, and which of them is missing.

A plane that is missing is never made up: the stack says which it is, and is set aside. It is missing where others have
its place along each axis, and where numbers leave it out: z 1, 2, 4 lacks z 3. Times may be uneven, so that only those
that go one by one lack one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product
from typing import NamedTuple

from unet.sources.groups import Group
from unet.sources.stack_names import natural_order
from unet.sources.stacks import Files, Grid

AXES = "tcz"
"""Axes that files lie along, the slowest first."""

Words = tuple[str, ...]


class Plane(NamedTuple):
    """A file, and the word that it has along each axis of its grid."""

    file: str
    at: Words


def grid_group(
    key: str, axes: str, planes: Sequence[Plane], would_be: Callable[[Words], str], away: Sequence[Plane] = ()
) -> Group:
    """The stack of some planes; where they are no full grid, it says why it cannot be read.

    Args:
        key: what the stack is named after.
        axes: some of `AXES`, in their order.
        planes: those that are there, at least one; channels that are named have their order.
        would_be: the name of the file of a plane that is missing.
        away: those that an index names and that are not there.
    """
    files = {plane.at: plane.file for plane in reversed(planes)}
    everywhere = [plane.at for plane in (*planes, *away)]
    words = [_words(axis, [at[number] for at in everywhere]) for number, axis in enumerate(axes)]
    twice = next((plane for plane in planes if files[plane.at] != plane.file), None)
    lost = [_with_gaps(axis, of) for axis, of in zip(axes, words, strict=True)]
    refused, lacking = "", math.prod(map(len, lost)) - len(files)
    if twice is not None:
        refused = (
            f"{key} must have one file for each plane, got {files[twice.at]} and {twice.file} for "
            f"{place(axes, twice.at)}; remove one of them"
        )
    elif lacking > 0:
        first = next(at for at in product(*lost) if at not in files)
        more = f" and {lacking - 1} more" if lacking > 1 else ""
        refused = (
            f"{key} must have all planes, got none for {place(axes, first)} ({would_be(first)} would be it){more}; "
            "copy it, or exclude the stack"
        )
    if refused:
        there = tuple(dict.fromkeys(plane.file for plane in planes))
        return Group(key, there, refused=refused, lacking=0 if twice else lacking)
    grid = tuple((axis, tuple(of)) for axis, of in zip(axes, words, strict=True))
    return Group(key, tuple(files[at] for at in product(*words)), grid)


def _words(axis: str, found: Sequence[str]) -> list[str]:
    """Words along an axis, in natural order; names of channels in that of their files."""
    words = list(dict.fromkeys(found))
    is_named = axis == "c" and not all(word.isdigit() for word in words)
    return words if is_named else sorted(words, key=natural_order)


def place(axes: str, at: Words) -> str:
    """A place in a grid, as people are told.

    >>> place("cz", ("DAPI", "3"))
    'c DAPI, z 3'
    """
    return ", ".join(f"{axis} {word}" for axis, word in zip(axes, at, strict=True)) or "it"


def length_without_channels(grid: Grid) -> int:
    """How many files truth of a grid has, which lies along all axes but c."""
    return math.prod(len(words) for axis, words in grid if axis != "c")


def _with_gaps(axis: str, words: Sequence[str]) -> Files:
    """Words along an axis, and those that their numbers leave out."""
    if axis == "c" or len(words) < 3 or not all(word.isascii() and word.isdigit() for word in words):
        return tuple(words)
    numbers = [int(word) for word in words]
    steps = {after - before for before, after in pairwise(numbers)}
    step = min(steps)
    lacking = (numbers[-1] - numbers[0]) // max(1, step) + 1 - len(words)
    is_even = step > 0 and all(each % step == 0 for each in steps) and 0 < lacking <= len(words)
    if not is_even or (axis == "t" and step != 1):
        return tuple(words)
    return tuple(_filled(words, numbers, step))


def _filled(words: Sequence[str], numbers: Sequence[int], step: int) -> Iterator[str]:
    """Words with those between them, as wide as they are."""
    known = dict(zip(numbers, words, strict=True))
    wide = len(words[0]) if len(set(map(len, words))) == 1 else 0
    yield from (known.get(n, str(n).zfill(wide)) for n in range(numbers[0], numbers[-1] + 1, step))
