"""The split: which stacks, or which planes of a single stack, are kept out of training to validate it.

Neighbouring planes are alike, so a single stack is split by one block of planes, never at random. The split is made
once and kept in model.json as an explicit list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from unet.settings.train import Every, Last

Subset = Literal["training", "validation"]


@dataclass(frozen=True)
class PlaneRange:
    """Planes [start, stop) of a stack, counted over t and z in raster order, and what they are used for."""

    stack: str
    start: int
    stop: int
    use: Subset


def split(stacks: Mapping[str, int], validation: Every | Last | Sequence[str]) -> list[PlaneRange]:
    """Parts of all stacks, given the planes of each; every plane is in exactly one part.

    >>> [(part.start, part.stop, part.use) for part in split({"a": 24}, Last(0.2))]
    [(0, 20, 'training'), (20, 24, 'validation')]
    >>> [p.stack for p in split(dict.fromkeys("abcdefg", 1), Every(3)) if p.use == "validation"]
    ['c', 'f']
    """
    if isinstance(validation, Every | Last) and len(stacks) == 1:
        return _split_planes(*next(iter(stacks.items())), validation)
    chosen = _validation_stacks(sorted(stacks), validation)
    return _trainable(
        [PlaneRange(n, 0, stacks[n], "validation" if n in chosen else "training") for n in sorted(stacks)]
    )


def extend(parts: Sequence[PlaneRange], stacks: Mapping[str, int]) -> list[PlaneRange]:
    """An earlier split with new stacks and planes added to training; what validates keeps validating.

    New planes of a stack that validates as a whole validate too.

    >>> before = [PlaneRange("a", 0, 1, "validation"), PlaneRange("gone", 0, 1, "training")]
    >>> [part.use for part in extend(before, {"a": 1, "b": 1})]
    ['validation', 'training']
    """
    return _trainable([part for name in sorted(stacks) for part in _grown(name, stacks[name], parts)])


def _grown(stack: str, planes: int, parts: Sequence[PlaneRange]) -> list[PlaneRange]:
    """The parts of a stack in the order of its planes; there may be more or fewer planes than before."""
    mine = [replace(p, stop=min(p.stop, planes)) for p in parts if p.stack == stack and p.start < planes]
    use: Subset = "validation" if mine and all(part.use == "validation" for part in mine) else "training"
    if mine and mine[-1].use == use:
        return [*mine[:-1], replace(mine[-1], stop=planes)]
    new = PlaneRange(stack, mine[-1].stop if mine else 0, planes, use)
    return [*mine, new] if new.start < planes else mine


def _trainable(parts: list[PlaneRange]) -> list[PlaneRange]:
    if not any(part.use == "training" for part in parts):
        raise ValueError("train.validation must leave a stack to train on, got all of them; name fewer")
    return parts


def _split_planes(stack: str, planes: int, validation: Every | Last) -> list[PlaneRange]:
    share = int(planes * validation.last) if isinstance(validation, Last) else planes // validation.every
    kept = max(share, 1) if planes > 1 else 0  # one plane alone trains, and nothing validates
    parts = [PlaneRange(stack, 0, planes - kept, "training"), PlaneRange(stack, planes - kept, planes, "validation")]
    return [part for part in parts if part.start < part.stop]


def _validation_stacks(names: list[str], validation: Every | Last | Sequence[str]) -> set[str]:
    if isinstance(validation, Every):
        return set(names[validation.every - 1 :: validation.every] or names[-1:])
    if isinstance(validation, Last):
        return set(names[-max(int(len(names) * validation.last), 1) :])
    unknown = sorted(set(validation) - set(names))
    if unknown:
        raise ValueError(f"train.validation must name stacks with truth, got {unknown[0]!r}; known: {', '.join(names)}")
    return set(validation)
