"""The folds of a benchmark: what trains and what is tested, so that each piece of truth is tested once.

Neighbouring sections and frames are nearly equal. Sections are therefore tested in blocks, with a section on either
side that neither trains nor is tested; of sequences each is tested by what was trained on the other; pictures are dealt
out.

    isbi2012, fold 2 of 5    training 1–5, gap 6, tested 7–12, gap 13, training 14–30
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.published import Benchmark
from unet.sources.stack_names import WantedName, distinct_names

GAP = 1
"""Sections on either side of a block that neither train nor are tested."""


@dataclass(frozen=True)
class FoldPart:
    """Planes of a unit that are one stack of a fold's dataset."""

    stack: str
    unit: str
    planes: tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """One training, and what it is tested on."""

    name: str
    training: tuple[FoldPart, ...]
    tested: tuple[FoldPart, ...]


def folds_of(
    benchmark: Benchmark, units: Sequence[BenchmarkUnit], planes: Mapping[str, int], asked: str = ""
) -> list[Fold]:
    """The folds that were asked for, `N`, or `K,…/N` for some of them; by default all, as many as the benchmark has.

    Args:
        benchmark: how it is split.
        units: what there is.
        planes: the number of planes of each unit.
        asked: see above.

    Raises:
        ValueError: there are not so many, or there is too little for them.
    """
    largest = planes[units[0].name] // 2 if benchmark.kind == "sections" else len(units)
    if largest < 2:
        least = "4 sections" if benchmark.kind == "sections" else f"2 {benchmark.kind}"
        raise ValueError(f"the data must be of {least} at least for folds, got fewer; copy the folder again")
    chosen, count = _asked(asked, max(min(benchmark.folds, largest), 2))
    if benchmark.kind == "sequences" and count != 2:
        raise ValueError(f"--folds must be of 2, one a sequence, got {asked!r}; say 1/2 or 2/2 for one of them alone")
    if count > largest:
        raise ValueError(f"--folds must be {largest} at most for what is there, got {count}; give a smaller number")
    makers = {"sections": _blocks, "sequences": _sequences, "pictures": _dealt}
    every = makers[benchmark.kind](units, planes, count)
    return [every[number - 1] for number in chosen]


def _asked(text: str, default: int) -> tuple[list[int], int]:
    """Numbers of folds, and how many there are.

    >>> _asked("", 3), _asked("1,3/4", 5)
    (([1, 2, 3], 3), ([1, 3], 4))
    """
    matched = re.fullmatch(r"(?:([\d,]+)/)?(\d+)", text or str(default))
    of, count = (matched[1], int(matched[2])) if matched else (None, 0)
    chosen = sorted({int(number) for number in of.split(",") if number}) if of else list(range(1, count + 1))
    if count < 2 or not chosen or not 1 <= chosen[0] <= chosen[-1] <= count:
        raise ValueError(f"--folds must be a number ≥ 2, or like 1/5 or 1,3/5 for some of 5, got {text!r}")
    return chosen, count


def blocks(planes: int, count: int) -> list[range]:
    """Blocks of neighbouring planes, as even as can be; each plane is in one.

    >>> blocks(7, 3)
    [range(0, 2), range(2, 4), range(4, 7)]
    """
    edges = [planes * number // count for number in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def _blocks(units: Sequence[BenchmarkUnit], planes: Mapping[str, int], count: int) -> list[Fold]:
    (unit,) = units
    return [
        _block_fold(f"fold-{number}-of-{count}", unit.name, block, planes[unit.name])
        for number, block in enumerate(blocks(planes[unit.name], count), 1)
    ]


def _block_fold(name: str, unit: str, block: range, planes: int) -> Fold:
    near = range(block.start - GAP, block.stop + GAP)
    training = tuple(plane for plane in range(planes) if plane not in near)
    return Fold(name, (FoldPart("training", unit, training),), (FoldPart("tested", unit, tuple(block)),))


def _sequences(units: Sequence[BenchmarkUnit], planes: Mapping[str, int], count: int) -> list[Fold]:
    """Each sequence tested in full by what was trained on the frames of the other that have truth."""
    folds = []
    for tested, others in ((unit, [other for other in units if other is not unit]) for unit in units):
        training = tuple(FoldPart(f"{other.name}-training", other.name, _with_truth(other)) for other in others)
        every = tuple(range(planes[tested.name]))
        folds.append(Fold(f"{tested.name}-tested", training, (FoldPart(tested.name, tested.name, every),)))
    return folds


def _with_truth(unit: BenchmarkUnit) -> tuple[int, ...]:
    """Places of the frames that train: with silver truth where there is some, as that has all objects; else gold."""
    known = unit.silver or unit.gold
    return tuple(place for place, frame in enumerate(unit.frames) if frame in known)


def _dealt(units: Sequence[BenchmarkUnit], planes: Mapping[str, int], count: int) -> list[Fold]:
    names = distinct_names([WantedName(unit.name, unit.images[0]) for unit in units])
    parts = [
        FoldPart(name, unit.name, tuple(range(planes[unit.name]))) for (name, _), unit in zip(names, units, strict=True)
    ]
    return [
        Fold(
            f"fold-{first + 1}-of-{count}",
            tuple(part for place, part in enumerate(parts) if place % count != first),
            tuple(parts[first::count]),
        )
        for first in range(count)
    ]
