"""What looks wrong about stacks, by the names of their files alone: told, and never refused, as it may be meant."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from unet.settings.ingest import Source
from unet.sources.stack_names import shortened
from unet.sources.stacks import Stack


def odd_stacks(stacks: Sequence[Stack]) -> Iterator[str]:
    """Notes, a sentence each."""
    yield from _taken_twice(stacks)
    yield from (note for stack in stacks if stack.axis and stack.truth and (note := _shifted(stack)))


def told_apart_notes(stacks: Sequence[Stack]) -> Iterator[str]:
    """What is said of stacks whose names a digest tells from others', a line a source."""
    by_source: dict[str, list[Stack]] = {}
    for stack in stacks:
        by_source.setdefault(stack.source, []).append(stack)
    for source, alike in by_source.items():
        first, more = alike[0], f", and {len(alike) - 1} more of {source!r} likewise" if len(alike) > 1 else ""
        yield (
            f"{first.files[0]} is called {first.name}, as another stack would bear its name{more}; a `prefix` of the "
            "source, or other names of files, tell them apart"
        )


def copied_though_linked(source: Source, stacks: Sequence[Stack]) -> list[str]:
    """What is to be said where a link is asked for of files that none can be made to."""
    others = [stack.files[0] for stack in stacks if not stack.is_linked] if source.link else []
    return [f"`link` is for OME-Zarr: {shortened(others, 1)} of {source.images} will be copied"] if others else []


def _taken_twice(stacks: Sequence[Stack]) -> Iterator[str]:
    """Sources that overlap: what trains as one stack would validate as another."""
    by_file: dict[str, Stack] = {}
    pairs = []
    for stack in stacks:
        first = by_file.setdefault(stack.files[0], stack)
        if first.source != stack.source:
            pairs.append((first, stack))
    if pairs:
        first, second = pairs[0]
        more = f", and {len(pairs) - 1} more like it" if len(pairs) > 1 else ""
        yield (
            f"{first.files[0]} is two stacks, {first.name} and {second.name}{more}, as sources overlap: what trains "
            f"as one may validate as the other; leave {first.source} or {second.source} out"
        )


def _shifted(stack: Stack) -> str:
    """Slices and their truth that bear the same names, but not one beside the other."""
    images, truth = ([Path(file).name.partition(".")[0] for file in files] for files in (stack.files, stack.truth))
    alike = set(images) & set(truth)
    odd = next(((i, t) for i, t in zip(images, truth, strict=False) if i != t), None)
    if not alike or odd is None:
        return ""
    return (
        f"{stack.name}: slices are paired with truth by their order, {odd[0]} with {odd[1]}, though names are alike; "
        "name those that belong together alike"
    )
