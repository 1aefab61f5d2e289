"""Which stacks the sources hold; only files that are new or changed are opened, to find their scenes and sets."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from flows.planning.absent_stacks import FirstFile, absent_stacks
from unet.dataset.folder import Dataset, Json
from unet.ledger import source_fingerprints
from unet.ledger.results import image_of, labels_of
from unet.settings.record import Record
from unet.sources.mirror import Mirrored, look_at_remotes
from unet.sources.notes import odd_stacks
from unet.sources.search import Known, find_stacks
from unet.sources.stacks import Catalogue, Files, Scenes
from unet.sources.zarr_nodes import is_in_zarr


def find_catalogue(dataset: Dataset, record: Record, mirrored: Mirrored | None = None) -> Catalogue:
    """Stacks in the sources; files that were ingested before are not opened again.

    Args:
        dataset: what was taken from them before.
        record: which sources there are.
        mirrored: what a look at those that are remote found; without one they are looked at, and nothing is fetched.
    """
    mirrored = look_at_remotes(record.sources) if mirrored is None else mirrored
    scenes = {
        file: scenes
        for name in dataset.stacks()
        for is_truth in (False, True)
        for file, scenes in _known_scenes(dataset, name, is_truth)
    }

    def scenes_in(file: str) -> Scenes:
        if file in scenes:
            return scenes[file]
        from unet.formats.readers import find_scenes

        return find_scenes(file)

    def has_known_truth(name: str) -> bool:
        truth = labels_of(dataset, name, "truth")
        return truth.known_stamp() is not None or truth.is_metadata_lost()

    root = Path(dataset.url) if dataset.is_local else Path.cwd()
    taken = dict(_taken_stacks(dataset))
    known = Known(has_known_truth, {first: name for name, first in taken.items()})
    found = find_stacks(record.sources, root, scenes_in, known, mirrored)
    absent = absent_stacks(record, root, taken, found.stacks, found.notes)
    stacks = tuple(stack for stack in found.stacks if stack.name not in record.exclude)
    notes = (*found.notes, *absent.notes, *odd_stacks(stacks))
    return replace(found, stacks=stacks, notes=notes, absent=absent.remarks)


def _taken_stacks(dataset: Dataset) -> Iterator[tuple[str, FirstFile]]:
    """Names of stacks, each with its first source file and its scene."""
    for name in dataset.stacks():
        stamp = image_of(dataset, name).known_stamp()
        if stamp and stamp.facts.get("source"):
            yield name, (stamp.facts["source"][0], stamp.facts.get("scene"))


def _known_scenes(dataset: Dataset, name: str, is_truth: bool) -> Iterator[tuple[str, Scenes]]:
    """What source files of an image or of truth were opened for, while all are there and hold what they held."""
    result = labels_of(dataset, name, "truth") if is_truth else image_of(dataset, name)
    stamp = result.known_stamp()
    files = tuple(stamp.facts.get("source", ())) if stamp else ()
    if stamp is None or not files or is_in_zarr(files[0]):  # images in a zarr are found by its metadata
        return
    now = source_fingerprints.source_fingerprint(dataset, name, files, is_truth)
    if now.content == stamp.facts["files"]["content"]:
        is_set = not (stamp.recipe.settings.get("axis") or stamp.recipe.settings.get("grid"))
        for part in _parts(files, stamp.recipe.settings):
            yield part[0], Scenes(int(stamp.facts.get("scenes", 1)), part[1:] if is_set else ())
            yield from ((file, Scenes(int(not is_set))) for file in part[1:])


def _parts(files: Files, settings: Json) -> Iterator[Files]:
    """Files of truth of which the classes lie apart, each part by itself; others together."""
    counts = [*dict(settings.get("truth_by_class", ())).values()] or [len(files) - settings.get("class_of", 0)]
    for count in counts:
        yield files[:count]
        files = files[count:]
    if files:
        yield files
