"""The split: which stacks, or which planes of a single stack, are kept out of training to validate it.

Neighbouring planes are alike, so a single stack is split by one block of planes, never at random. The split is made
once and kept in model.json as an explicit list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from unet.records import Every, Last

Use = Literal["training", "validation"]


@dataclass(frozen=True)
class Part:
    """Planes [start, stop) of a stack, counted over t and z in raster order, and what they are used for."""

    stack: str
    start: int
    stop: int
    use: Use


def split(stacks: Mapping[str, int], validation: Every | Last | Sequence[str]) -> list[Part]:
    """Parts of all stacks, given the planes of each; every plane is in exactly one part.

    >>> split({"a": 24}, Last(0.2))
    [Part(stack='a', start=0, stop=20, use='training'), Part(stack='a', start=20, stop=24, use='validation')]
    >>> [p.stack for p in split(dict.fromkeys("abcdefg", 1), Every(3)) if p.use == "validation"]
    ['c', 'f']
    """
    if isinstance(validation, Every | Last) and len(stacks) == 1:
        return _split_planes(*next(iter(stacks.items())), validation)
    chosen = _validation_stacks(sorted(stacks), validation)
    if len(chosen) == len(stacks):
        raise ValueError("train.validation must leave a stack to train on, got all of them; name fewer")
    return [Part(n, 0, stacks[n], "validation" if n in chosen else "training") for n in sorted(stacks)]


def extend(parts: Sequence[Part], stacks: Mapping[str, int]) -> list[Part]:
    """A split made before, with stacks that came since taken into training; what validated keeps out of it.

    >>> [p.use for p in extend([Part("a", 0, 1, "validation"), Part("gone", 0, 1, "training")], {"a": 1, "b": 1})]
    ['validation', 'training']
    """
    known = {part.stack for part in parts}
    new = [Part(name, 0, planes, "training") for name, planes in sorted(stacks.items()) if name not in known]
    return [part for part in parts if part.stack in stacks] + new


def _split_planes(stack: str, planes: int, validation: Every | Last) -> list[Part]:
    share = validation.last if isinstance(validation, Last) else 1 / validation.every
    kept = max(int(planes * share), 1) if planes > 1 else 0  # one plane alone trains, and nothing validates
    parts = [Part(stack, 0, planes - kept, "training"), Part(stack, planes - kept, planes, "validation")]
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
