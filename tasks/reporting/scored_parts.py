"""Which planes of a dataset a report scores, which part of the data each belongs to, and what is to be said of that.

Of a model that was trained here the split says what its planes are by the names of stacks; of all models what they have
seen says it by digests, whatever a stack is called here. A plane is what is worst of all that is known of it: one that
trained the model is `training`, though it lies here under a name that validates. What nothing is known of is `new`, but
for the gap after the planes that are known: truth of a stack that grew.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from unet.dataset.folder import Dataset
from unet.ledger.results import model_of
from unet.ledger.seen_images import SeenImages, SeenPlanes, image_digests, seen_images
from unet.sources.stack_names import shortened
from unet.training.split import PlaneRange, Subset
from unet.training.stack_extents import stack_extent

WORST: tuple[Subset, ...] = ("training", "gap", "validation", "test")
"""Uses of a plane that is known, the one that flatters a model most first."""


@dataclass(frozen=True)
class ScoredParts:
    """The parts of the data that are scored."""

    parts: list[PlaneRange]
    overlaps: list[str]
    """What is to be said of what the model has seen of them, a sentence each."""


@dataclass(frozen=True)
class KnownPlanes:
    """What is known of a stack's planes before they are scored."""

    stack: str
    split: list[PlaneRange]
    """By its name, where the model was trained here."""
    seen: list[SeenPlanes]
    """By its digests, beyond that: under other names, in other datasets, by the model that training began with."""


def parts_of(dataset: Dataset, names: Sequence[str], model: str) -> list[PlaneRange]:
    """Parts of the data to be scored, in the order of the names."""
    return scored_parts(dataset, names, model).parts


def scored_parts(dataset: Dataset, names: Sequence[str], model: str) -> ScoredParts:
    """Parts of the data to be scored, and what is to be said of them."""
    metadata, seen = model_of(dataset, model).attributes(), seen_images(dataset, model)
    own = [PlaneRange(**part) for part in metadata.get("split", [])]
    by_stack = {stack: list(of) for stack, of in groupby(own, key=lambda part: part.stack)}
    known = [_known(dataset, name, by_stack.get(name, []), seen) for name in names]
    gap = _gap_setting(dataset, model)
    parts = [part for each in known for part in _parts_of_stack(dataset, each, gap)]
    told = [*_seen_sentences(model, known), *_names_alike(dataset, model, names, seen if not own else SeenImages())]
    told += [*_unknown(model, metadata.get("came_from"), seen), *_too_near(dataset, by_stack, names)]
    return ScoredParts([part for part in parts if part.use != "gap"], told)


def _known(dataset: Dataset, name: str, own: list[PlaneRange], seen: SeenImages) -> KnownPlanes:
    told = seen.of_image(image_digests(dataset, name))
    mine = {(part.stack, part.start, part.stop, part.use) for part in own}
    return KnownPlanes(name, own, [e for e in told if (e.stack, e.start, e.stop, e.use) not in mine])


def _gap_setting(dataset: Dataset, model: str) -> int | str:
    stamp = model_of(dataset, model).known_stamp()
    return stamp.recipe.settings.get("gap", "auto") if stamp else "auto"


def _parts_of_stack(dataset: Dataset, known: KnownPlanes, gap: int | str) -> list[PlaneRange]:
    """The parts of a stack, in order; of planes of which several uses are known the one that flatters most counts."""
    extent = stack_extent(dataset, known.stack, "auto" if isinstance(gap, str) else gap)
    uses: list[Subset | None] = [None] * extent.planes
    told = [(part.start, part.stop, part.use) for part in known.split]
    told += [(each.start, each.stop or extent.planes, _subset(each.use)) for each in known.seen]
    for use in reversed(WORST):
        for start, stop, of in told:
            if of == use:
                planes = range(start, min(stop, extent.planes))
                uses[start : planes.stop] = [use] * len(planes)
    last = max((at for at, use in enumerate(uses) if use not in (None, "gap")), default=None)
    if last is not None:
        width = extent.gap * extent.step
        uses = [use or ("gap" if last < at <= last + width else None) for at, use in enumerate(uses)]
    return _ranges(known.stack, [use or "new" for use in uses])


def _ranges(stack: str, uses: Sequence[Subset]) -> list[PlaneRange]:
    """Parts of a stack, given the use of each plane."""
    starts = [at for at, use in enumerate(uses) if not at or uses[at - 1] != use]
    ends = [*starts[1:], len(uses)]
    return [PlaneRange(stack, start, end, uses[start]) for start, end in zip(starts, ends, strict=True)]


def _subset(use: str) -> Subset:
    """A use as some model's metadata names it; what nobody knows is the one that flatters most."""
    return next((known for known in WORST if known == use), "training")


def _seen_sentences(model: str, known: Iterable[KnownPlanes]) -> list[str]:
    """What the model has seen of these stacks under other names, or where it came from."""
    found: dict[Subset, list[str]] = {}
    for each in known:
        uses = {_subset(seen.use): seen.stack for seen in each.seen}
        own = {part.use for part in each.split}
        use = next((use for use in WORST if use in uses or use in own), "gap")
        if use in uses and use not in own | {"gap"}:
            there = uses[use]
            found.setdefault(use, []).append(each.stack if there == each.stack else f"{each.stack} (there {there})")
    words: dict[Subset, str] = {
        "training": "Training of {} saw the images of {}: their planes that it saw are scored as training.",
        "validation": "The checkpoint or the settings of {} were chosen on the images of {}: they validate it.",
        "test": "{} was tested where it was trained on the images of {}: they neither trained it nor chose anything.",
    }
    return [words[use].format(model, shortened(found[use])) for use in words if use in found]


def _names_alike(dataset: Dataset, model: str, names: Sequence[str], seen: SeenImages) -> list[str]:
    """Stacks whose names trained a model elsewhere, though their images differ."""
    trained = {each.stack for each in seen.planes if each.use == "training"}
    odd = [name for name in names if name in trained and not seen.of_image(image_digests(dataset, name))]
    if not odd:
        return []
    return [
        f"Other images of the names {shortened(odd)} trained {model}: they are scored as new; if these are the same "
        "ones, cut, filtered or longer since, their figures flatter it."
    ]


def _unknown(model: str, came_from: str | None, seen: SeenImages) -> list[str]:
    """Whether more may have trained the model than what is known."""
    if seen.is_all:
        return []
    if came_from:
        return [f"Whether training saw these planes is not known: {model} was brought in from {came_from}."]
    return [
        f"Whether training saw more of these planes is not known: {model} began with a model that does not say what it "
        "was trained on."
    ]


def _too_near(dataset: Dataset, by_stack: Mapping[str, Sequence[PlaneRange]], names: Iterable[str]) -> list[str]:
    """Stacks in which a block that trains touches one that is kept out, or lies nearer than its weights reach."""
    cut = [name for name in names if len(by_stack.get(name, ())) > 1]
    apart = {name: _least_gap([part for part in by_stack[name] if part.use != "gap"]) for name in cut}
    extents = {name: stack_extent(dataset, name) for name in cut}
    reach = {name: extent.gap * extent.step for name, extent in extents.items()}
    touching = [name for name in cut if not apart[name]]
    near = [name for name in cut if 0 < apart[name] < reach[name]]
    said = [
        f"Blocks that train and blocks that are kept out touch in {shortened(touching)}: neighbouring planes are "
        "alike, which flatters the figures; a split made anew has a gap where there are planes enough (train.gap)."
    ] * bool(touching)
    return said + [
        f"Blocks that train and blocks that are kept out lie {apart[name]} planes apart in {name}, where weights reach "
        f"{reach[name]}: some that trained know of what is kept out."
        for name in near
    ]


def _least_gap(blocks: Sequence[PlaneRange]) -> int:
    """Planes between the two of a stack's blocks that lie nearest."""
    return min((other.start - one.stop for one, other in pairwise(blocks)), default=sys.maxsize)
