"""The split: which stacks, or which planes of a single stack, are kept out of training to validate or to test it.

Neighbouring planes are alike, so a single stack is split by blocks of planes, never at random, with a gap between them
that belongs to none: one plane at least, and where weights are three-dimensional as many as these reach. Of a stack
over t and z whole frames are cut off, as a plane is like the one at its place a frame before. The test is taken first,
validation among the rest. The split is made once and kept in model.json as an explicit list.

What is no plane is shared: the grey values of a single stack are those of all of it, as it is normalised as a whole.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from unet.settings.train import Every, Last

Subset = Literal["training", "validation", "test", "new", "gap"]
"""`new` is truth that the model's training had nothing to do with and that came later; `gap` planes belong to none."""
Rule = Every | Last | Sequence[str]


@dataclass(frozen=True)
class PlaneRange:
    """Planes [start, stop) of a stack, counted over t and z in raster order, and what they are used for."""

    stack: str
    start: int
    stop: int
    use: Subset


@dataclass(frozen=True)
class Extent:
    """How many planes a stack has, and how it is cut."""

    planes: int
    step: int = 1
    """Planes that are never parted: all of a frame, where a stack has frames."""
    gap: int = 1
    """Steps between two blocks."""
    is_gap_given: bool = False
    """Whether somebody asked for that gap: a narrower one will not do."""


def split(stacks: Mapping[str, Extent], validation: Rule, test: Rule | None = None) -> list[PlaneRange]:
    """Parts of all stacks; every plane is in exactly one part.

    >>> [(part.start, part.stop, part.use) for part in split({"a": Extent(24)}, Last(0.2))]
    [(0, 19, 'training'), (19, 20, 'gap'), (20, 24, 'validation')]
    >>> [p.stack for p in split(dict.fromkeys("abcdefg", Extent(1)), Every(3)) if p.use == "validation"]
    ['c', 'f']
    """
    parts = [PlaneRange(name, 0, stacks[name].planes, "training") for name in sorted(stacks)]
    parts = parts if test is None else _kept_out(parts, stacks, test, "test")
    return _kept_out(parts, stacks, validation, "validation")


def extend(parts: Sequence[PlaneRange], stacks: Mapping[str, Extent]) -> list[PlaneRange]:
    """An earlier split with new stacks and planes added to training; what was kept out of it stays out.

    New planes of a stack that is kept out as a whole are, too; after a block that is kept out there is a gap first.

    >>> before = [PlaneRange("a", 0, 1, "validation"), PlaneRange("gone", 0, 1, "training")]
    >>> [part.use for part in extend(before, {"a": Extent(1), "b": Extent(1)})]
    ['validation', 'training']
    """
    return _trainable([part for name in sorted(stacks) for part in _grown(name, stacks[name], parts)])


def chosen_stacks(names: Sequence[str], rule: Rule) -> set[str]:
    """Which of some stacks, sorted, a rule keeps out; names that are none of them are left to who asks.

    >>> sorted(chosen_stacks("abcdefg", Every(3))), sorted(chosen_stacks("abcdefg", Last(0.3)))
    (['c', 'f'], ['f', 'g'])
    """
    if isinstance(rule, Every):
        return set(names[rule.every - 1 :: rule.every] or names[-1:])
    if isinstance(rule, Last):
        return set(names[-max(int(len(names) * rule.last), 1) :])
    return set(rule) & set(names)


def _kept_out(
    parts: list[PlaneRange], stacks: Mapping[str, Extent], rule: Rule, use: Literal["validation", "test"]
) -> list[PlaneRange]:
    """Parts of which some that train are put to another use: stacks, or the last planes of the only one that trains."""
    training = [part for part in parts if part.use == "training"]
    if isinstance(rule, Every | Last):
        if len(training) == 1:
            cut = _cut(training[0], stacks[training[0].stack], rule, use)
            return [new for part in parts for new in (cut if part == training[0] else [part])]
    else:
        _require_known(rule, [part.stack for part in training], {part.stack for part in parts}, use)
    chosen = chosen_stacks([part.stack for part in training], rule)
    return _trainable([replace(p, use=use) if p.use == "training" and p.stack in chosen else p for p in parts])


def _require_known(rule: Collection[str], names: Sequence[str], known: Collection[str], use: str) -> None:
    unknown = sorted(set(rule) - set(names))
    if unknown and unknown[0] in known:
        raise ValueError(f"train.{use} must name stacks that train.test leaves, got {unknown[0]!r}; name others")
    if unknown:
        raise ValueError(f"train.{use} must name stacks with truth, got {unknown[0]!r}; known: {', '.join(names)}")


def _cut(part: PlaneRange, extent: Extent, rule: Every | Last, use: Literal["validation", "test"]) -> list[PlaneRange]:
    """A part with its last planes kept out, and a gap before them; one step alone trains, and nothing is kept out."""
    steps = (part.stop - part.start) // extent.step
    share = int(steps * rule.last) if isinstance(rule, Last) else steps // rule.every
    kept = min(max(share, 1), steps - 1)
    if not kept:
        return [part]
    if extent.is_gap_given and extent.gap >= steps - kept:
        raise ValueError(
            f"train.gap must leave a plane of {part.stack} to train on, got {extent.gap}: of {steps} "
            f"{'frames' if extent.step > 1 else 'planes'} {kept} are kept out (train.{use}); lower it"
        )
    gap = extent.gap if extent.is_gap_given else min(extent.gap, (steps - kept) // 2)
    end = part.stop - kept * extent.step
    start = end - gap * extent.step
    cut = [replace(part, stop=start), PlaneRange(part.stack, start, end, "gap"), replace(part, start=end, use=use)]
    return [each for each in cut if each.start < each.stop]


def _grown(stack: str, extent: Extent, parts: Sequence[PlaneRange]) -> list[PlaneRange]:
    """The parts of a stack in the order of its planes; there may be more or fewer planes than before."""
    planes = extent.planes
    mine = [replace(p, stop=min(p.stop, planes)) for p in parts if p.stack == stack and p.start < planes]
    if not mine:
        return [PlaneRange(stack, 0, planes, "training")]
    *before, last = mine
    if last.use == "training" or {part.use for part in mine} in ({"validation"}, {"test"}):
        return [*before, replace(last, stop=planes)]
    since = last.start if last.use == "gap" else last.stop
    end = min(max(last.stop, since + extent.gap * extent.step), planes)
    new = [PlaneRange(stack, since, end, "gap"), PlaneRange(stack, end, planes, "training")]
    return [*(before if last.use == "gap" else mine), *(part for part in new if part.start < part.stop)]


def _trainable(parts: list[PlaneRange]) -> list[PlaneRange]:
    uses = {part.use for part in parts}
    if "training" not in uses:
        named = " and ".join(f"train.{use}" for use in ("test", "validation") if use in uses)
        raise ValueError(f"{named or 'train.validation'} must leave a stack to train on, got all of them; name fewer")
    return parts
