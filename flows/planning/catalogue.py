"""Which stacks the sources hold; only files that are new or changed are opened, to count their scenes."""

from dataclasses import replace
from pathlib import Path

from unet.dataset.folder import Dataset
from unet.dataset.sources import Catalogue, find_stacks
from unet.ledger import recipes
from unet.ledger.results import image_of, labels_of
from unet.ledger.stamp import Stamp
from unet.settings.record import Record


def find_catalogue(dataset: Dataset, record: Record) -> Catalogue:
    """Stacks in the sources; files that were ingested before are not opened again."""
    scenes: dict[str, int] = {}
    for name in dataset.stacks():
        stamp = image_of(dataset, name).known_stamp()
        if stamp and "scenes" in stamp.facts:
            scenes |= dict.fromkeys(_unchanged(dataset, name, stamp), int(stamp.facts["scenes"]))

    def count(file: str) -> int:
        if file in scenes:
            return scenes[file]
        from unet.formats.readers import count_scenes

        return count_scenes(file)

    def has_known_truth(name: str) -> bool:
        truth = labels_of(dataset, name, "truth")
        return truth.known_stamp() is not None or truth.is_metadata_lost()

    root = Path(dataset.url) if dataset.is_local else Path.cwd()
    found = find_stacks(record.sources, root, count, has_known_truth)
    return replace(found, stacks=tuple(stack for stack in found.stacks if stack.name not in record.exclude))


def _unchanged(dataset: Dataset, name: str, stamp: Stamp) -> tuple[str, ...]:
    """Source files of an image, while they are there and hold what they held."""
    files = tuple(stamp.facts["source"])
    try:
        now = recipes.source_fingerprint(image_of(dataset, name), files)
    except FileNotFoundError:
        return ()
    return files if now.content == stamp.facts["files"]["content"] else ()
