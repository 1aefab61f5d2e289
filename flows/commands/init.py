"""A new dataset, one more source of a dataset there is, or a source again: look first, then write the record."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from flows.planning.catalogue import find_catalogue
from flows.planning.fetch import fetched
from unet.dataset.folder import ROOMS, Dataset
from unet.dataset.record_file import put_source, read_record, write_record
from unet.settings.ingest import Source
from unet.settings.record import Record, plain
from unet.settings.remote import is_remote
from unet.sources.image_kinds import format_of, kind_of
from unet.sources.mirror import Mirrored
from unet.sources.paths import resolved
from unet.sources.pattern_guess import guess_of_source
from unet.sources.search import find_stacks
from unet.sources.stacks import Catalogue, Stack
from unet.sources.truth import is_own_labels, offer_of

if TYPE_CHECKING:
    from tasks.tools.preview import SourcePreview

TRIED_STACKS = 6
"""Stacks of each kind that are opened."""
PATHS = ("images", "truth", "class_of")
"""Settings of a source that name places."""


def initialise(
    dataset: Dataset, given: Mapping[str, Any], ask: Callable[[str], bool] = lambda _: False
) -> Iterator[str]:
    """Write the record, and say line by line what was found; the dataset is untouched where something is wrong.

    Args:
        dataset: the folder; where it is a dataset already, the source is added, or changed if it is one of it.
        given: settings of the source by name, `images` among them; what is None stays as it is, or by default.
        ask: puts a question to a person, where one is there, for a yes.
    """
    said = {key: value for key, value in given.items() if value is not None}
    set_here = {key: _placed(key, value) for key, value in said.items()}
    _require_outside(dataset, set_here)
    record = read_record(dataset) if dataset.record.exists() else Record.read({}, "init")
    number = next((n for n, of in enumerate(record.sources) if _absolute(of.images) == set_here["images"]), None)
    before = None if number is None else record.sources[number]
    source = _source(before, set_here)
    mirrored = fetched([source])
    offer = offer_of(source, Path.cwd())
    if offer and offer.suffix and ask(f"{offer.words}. Is that truth?"):
        source, offer = _source(source, {"suffix": offer.suffix}), None
    catalogue = _catalogue_of(dataset, record, source, number, mirrored)
    guess = guess_of_source(_source(source, {"images": str(resolved(source.images, Path.cwd()))}), catalogue.stacks)
    if guess is not None:
        yield f"note: {guess.sentence}"
        if ask("Take them as such?"):
            source = _source(source, {"pattern": guess.pattern})
            catalogue = _catalogue_of(dataset, record, source, number, mirrored)
    marked = [stack for stack in catalogue.stacks if stack.truth]
    found = len(catalogue.stacks)
    yield f"{found} stack{'s'[: found != 1]} in {given['images']}, {len(marked)} with truth"
    yield from (f"note: {offer.words}" for offer in [offer] if offer)
    yield from (f"note: {file} belongs to no image" for file in catalogue.unmatched)
    yield from (f"note: {note}" for note in (*catalogue.notes, *_kinds_left_out(catalogue)))
    yield from _show_stacks(dataset, catalogue)
    if dataset.record.exists():
        put_source(dataset, source, number)
    else:
        write_record(dataset, [source])
    yield from _changes(before, source)
    yield f"{dataset.record.url} is written; next: unet-flows reprocess {dataset.url}"


def _source(before: Source | None, given: Mapping[str, Any]) -> Source:
    """The source with absolute paths, checked as the record checks it; of a source there is, what is given changes."""
    values = {} if before is None else plain(before)
    if given.get("foreground", "classes") != "classes" or isinstance(given.get("truth"), Mapping):
        values |= {"classes": None, "class_of": None}  # of another way to read truth
        values |= {"foreground": "ids"} if values.get("foreground") == "classes" else {}
    return Record.read({"sources": [values | dict(given)]}, "init").sources[0]


def _changes(before: Source | None, now: Source) -> Iterator[str]:
    """What was changed of a source that was there before."""
    old, new = plain(before) if before else {}, plain(now)
    changed = [f"{key}: {old[key]} → {value}" for key, value in new.items() if before and old[key] != value]
    if changed:
        yield f"{now.images} was a source already; changed: {', '.join(changed)}"


def _placed(key: str, value: Any) -> Any:
    """A setting of a source with absolute paths, but for labels that lie in each image; a place a class has several."""
    if isinstance(value, Mapping) and key == "truth":
        return {name: _placed(key, place) for name, place in value.items()}
    is_place = key in PATHS and not (key != "images" and is_own_labels(value, Path.cwd()))
    return _absolute(value) if is_place else value


def _require_outside(dataset: Dataset, given: Mapping[str, Any]) -> None:
    """Refuse a source that lies where the dataset will keep what it makes."""
    folder = Path(_absolute(dataset.url))
    written = [given[key] for key in PATHS if given.get(key)]
    places = [of for each in written for of in (each.values() if isinstance(each, Mapping) else [each])]
    for place in (Path(of) for of in places if not is_remote(of)):
        room = place.relative_to(folder).parts[:1] if place.is_relative_to(folder) else ()
        if ROOMS.intersection(room):
            raise ValueError(
                f"{place} must lie outside {folder / room[0]}, where results will be kept; give the dataset a folder "
                "of its own"
            )


def _absolute(path: str) -> str:
    """A path as it is from everywhere; an address without the slash behind it."""
    return path.rstrip("/") if is_remote(path) else str(resolved(path, Path.cwd()))


def _catalogue_of(
    dataset: Dataset, record: Record, source: Source, number: int | None, mirrored: Mirrored
) -> Catalogue:
    """What the source holds, by the names that its stacks bear in the dataset; refused where it holds nothing."""
    from unet.formats.readers import find_scenes

    alone = find_stacks([source], Path.cwd(), find_scenes, mirrored=mirrored)
    if not dataset.record.exists():
        return alone
    others = [of for n, of in enumerate(record.sources) if n != number]
    whole = find_catalogue(dataset, record.model_copy(update={"sources": (*others, source)}), mirrored)
    stacks = tuple(stack for stack in whole.stacks if stack.source == source.images)
    return Catalogue(stacks, alone.unmatched, whole.notes, alone.left_out)


def _kinds_left_out(catalogue: Catalogue) -> Iterator[str]:
    counts = Counter(dict(catalogue.left_out)).most_common()
    if counts:
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts[:8]) + (", …" if len(counts) > 8 else "")
        one = sum(count for _, count in counts) == 1
        yield f"{kinds} file{'' if one else 's'} left out: of kinds that are not read as images"


def _show_stacks(dataset: Dataset, catalogue: Catalogue) -> Iterator[str]:
    """What was understood of one stack of each kind, and a picture of how truth is read."""
    kinds: dict[object, list[Stack]] = {}
    for stack in catalogue.stacks:
        kinds.setdefault((_kind(stack), stack.scene is None, len(stack.grid)), []).append(stack)
    for (kind, *_), stacks in ((key, of) for key, of in kinds.items() if isinstance(key, tuple)):
        yield from _show_kind(kind, stacks)
    for stack in [stack for stack in catalogue.stacks if stack.truth and not stack.refused]:
        try:
            yield from list(_show_truth(dataset, stack))
            return
        except (ValueError, LookupError):
            continue


def _kind(stack: Stack) -> str:
    """The suffix of a stack's file; of an image within an OME-Zarr that of the folder."""
    return ".zarr" if format_of(stack.files[0]) == "ome_zarr" else kind_of(stack.files[0])


def _show_kind(kind: str, stacks: Sequence[Stack]) -> Iterator[str]:
    """The first stack of a kind that can be read, what is wrong with others that were tried, and how many there are."""
    from tasks.tools.preview import preview_of

    shown, failed = 0, 0
    for stack in stacks[:TRIED_STACKS]:
        try:
            words = preview_of(stack).words
        except (ValueError, LookupError, OSError) as error:
            failed += 1
            yield f"  {stack.name}: {error}; it will be set aside"
            continue
        shown += 1
        if shown == 1:
            yield f"  {stack.name}: {words}"
    more = len(stacks) - failed - min(shown, 1)
    if more:
        yield f"  and {more} more {kind}"


def _show_truth(dataset: Dataset, stack: Stack) -> Iterator[str]:
    """How truth would be read: polarity is never guessed, so a person must see it."""
    from tasks.tools.preview import preview_of

    look = preview_of(stack)
    how = "a folder a class" if stack.truth_by_class else f"foreground {stack.foreground}"
    yield f"truth is read with {how}: {look.share:.0%} of the first plane is object"
    if look.classes:
        yield f"  of it {', '.join(f'{share:.1%} is {name}' for name, share in look.classes)}"
    if stack.foreground == "ids" and look.values == 2:
        yield "  it holds two values only: if they are a mask and not ids, say --foreground 255 or --foreground 0"
    if stack.foreground == "ids" and not stack.classes:
        yield from _classes_offered(look)
    if stack.foreground == "ids" and look.is_smoothed:
        yield (
            "  it looks like a mask with smoothed edges: each of its grey levels would be an object; threshold it, "
            "save it as 0 and 255, and say --foreground 255"
        )
    yield from (f"  {note}" for note in look.notes)
    if look.picture is not None:
        (dataset / "truth.png").write(look.picture)
        what = "each class has a colour" if len(look.classes) > 1 else "tinted is object"
        yield f"  {(dataset / 'truth.png').url} shows which: {what}"


def _classes_offered(look: "SourcePreview") -> Iterator[str]:
    """What a person may say where truth seems to have classes: nobody can know what they are called."""
    if look.likely and not look.is_smoothed:
        seen = f"it holds {', '.join(map(str, look.likely))}, on areas like those of classes"
        yield f"  {seen}: if they are no ids, say --foreground classes --classes {_table_like(look.likely)}"
    if look.outlined:
        seen = ", ".join(f"{word} ({count})" for word, count in look.outlined)
        table = _table_like([word for word, _ in look.outlined])
        yield f"  its outlines are of {seen}: to tell them apart, say --foreground classes --classes '{table}'"


def _table_like(keys: Sequence[object]) -> str:
    """How a table of classes is written.

    >>> _table_like([1, 2])
    '1=A,2=B'
    """
    return ",".join(f"{key}={letter}" for key, letter in zip(keys, ascii_uppercase, strict=False))
