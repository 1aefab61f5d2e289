"""A new dataset, or one more source of a dataset there is: look first, then write the record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.planning.catalogue import find_catalogue
from unet.dataset.folder import Dataset
from unet.dataset.record_file import add_source, read_record, write_record
from unet.dataset.source_paths import resolved
from unet.dataset.sources import find_stacks
from unet.dataset.stacks import Catalogue, Stack
from unet.settings.ingest import Source
from unet.settings.record import Record

SHOWN_STACKS = 6
"""Stacks that are listed by name."""


def initialise(
    dataset: Dataset, images: str, truth: str | None, slices: str | None, foreground: str | None
) -> Iterator[str]:
    """Write the record, and say line by line what was found; the dataset is untouched where something is wrong."""
    source = _source(images, truth, slices, foreground)
    catalogue = _catalogue_of(dataset, source)
    marked = [stack for stack in catalogue.stacks if stack.truth]
    found = len(catalogue.stacks)
    yield f"{found} stack{'s'[: found != 1]} in {images}, {len(marked)} with truth"
    yield from (f"note: {file} belongs to no image" for file in catalogue.unmatched)
    yield from (f"note: {note}" for note in catalogue.notes)
    yield from _show_stacks(dataset, catalogue)
    if dataset.record.exists():
        add_source(dataset, source)
    else:
        write_record(dataset, [source])
    yield f"{dataset.record.url} is written; next: unet-flows reprocess {dataset.url}"


def _source(images: str, truth: str | None, slices: str | None, foreground: str | None) -> Source:
    """The source with absolute paths, checked as the record checks it."""
    values: dict[str, Any] = {"images": _absolute(images), "slices": slices}
    values["truth"] = _absolute(truth) if truth else None
    if foreground is not None:
        values["foreground"] = int(foreground) if foreground.isdigit() else foreground
    return Record.read({"sources": [values]}, "init").sources[0]


def _absolute(path: str) -> str:
    return str(resolved(path, Path.cwd()))


def _catalogue_of(dataset: Dataset, source: Source) -> Catalogue:
    """What the source holds; refused where its stacks would bear the names of those there are."""
    from unet.formats.readers import find_scenes

    if dataset.record.exists():
        record = read_record(dataset)
        find_catalogue(dataset, record.model_copy(update={"sources": (*record.sources, source)}))
    return find_stacks([source], Path.cwd(), find_scenes)


def _show_stacks(dataset: Dataset, catalogue: Catalogue) -> Iterator[str]:
    """A line for each of the first stacks, and a picture of how truth is read."""
    from tasks.tools.preview import preview_of

    readable = []
    for stack in catalogue.stacks[:SHOWN_STACKS]:
        try:
            yield f"  {stack.name}: {preview_of(stack).words}"
            readable.append(stack)
        except (ValueError, LookupError) as error:
            yield f"  {stack.name}: {error}; it will be set aside"
    if len(catalogue.stacks) > SHOWN_STACKS:
        yield f"  and {len(catalogue.stacks) - SHOWN_STACKS} more"
    for stack in [s for s in (*readable, *catalogue.stacks[SHOWN_STACKS:]) if s.truth][:1]:
        yield from _show_truth(dataset, stack)


def _show_truth(dataset: Dataset, stack: Stack) -> Iterator[str]:
    """How truth would be read: polarity is never guessed, so a person must see it."""
    from tasks.tools.preview import preview_of

    look = preview_of(stack)
    yield f"truth is read with foreground {stack.foreground}: {look.share:.0%} of the first plane is object"
    if stack.foreground == "ids" and look.values == 2:
        yield "  it holds two values only: if they are a mask and not ids, say --foreground 255 or --foreground 0"
    if look.picture is not None:
        (dataset / "truth.png").write(look.picture)
        yield f"  {(dataset / 'truth.png').url} shows which: tinted is object"
