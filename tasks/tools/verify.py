"""Whether what we made can still be read and is what it was: every file of every result, down to a single bit.

Files are compared with the digests that they were committed with; those of results that were made before there were
any, and truth, which people may edit, are decoded, and their checksums compared. What is found is noted beside the
result, so that the next run makes it again.
"""

import logging
from collections.abc import Iterator

from unet.dataset.folder import Dataset, Folder
from unet.ledger.contents import LABEL_LIST, PUBLISHED
from unet.ledger.generations import Result
from unet.ledger.results import image_of, labels_of, model_of, report_of, scores_of, weights_of
from unet.store import ome
from unet.store.arrays import Stored
from unet.store.shards import regions, shard_index

log = logging.getLogger(__name__)


def damage(dataset: Dataset, name: str) -> list[str]:
    """A line for each file of a stack's results that is missing or damaged, such as `…/0/c/0/2/1 is damaged`."""
    labels = (labels_of(dataset, name, each) for each in (dataset.image(name) / "labels").names() if each != LIST)
    scores = (scores_of(dataset, model, name) for model in dataset.members("scores"))
    return [*_found(image_of(dataset, name), weights_of(dataset, name), *scores, *labels), *_list_damage(dataset, name)]


def damage_of_model(dataset: Dataset, model: str) -> list[str]:
    """The same for a model and its report."""
    return _found(model_of(dataset, model), report_of(dataset, model))


LIST = "zarr.json"
"""The list of an image's labels, among them."""


def _found(*results: Result) -> list[str]:
    return [line for result in results for line in _damage(result)]


def _damage(result: Result) -> list[str]:
    """What is wrong with one result, noted beside it where it can be written."""
    try:
        stamp = result.stamp()
    except ValueError as error:
        return [str(error)]
    if stamp is None:
        return [f"{result.where(result.metadata_file)} is missing"] if result.was_committed() else []
    if {"dropped", "withdrawn"} & set(stamp.facts):
        return []
    contents, kept = result.contents(stamp.generation), stamp.facts.get("contents")
    files = set(contents.damage(kept)) if kept else set()
    if not any(part.names() for part in result.parts(stamp.generation)):  # metadata of another result
        files = {result.metadata_file}
    if not kept or result.is_edited:
        parts = [part for part in result.parts(stamp.generation) if not kept or part.name.endswith(".0")]
        files |= {f"{part.name}/{file}" for part in parts for file in _undecoded(part)}
    copies = [place.url for name, place in result.published if not _is_copied(result, stamp.generation, name, place)]
    if copies:
        files.add(PUBLISHED)
    if not result.is_edited and not result.is_metadata_whole():
        files.add(result.metadata_file)
    if files:
        try:
            contents.mark(files)
        except OSError as error:
            log.warning("what is damaged cannot be noted: %s", error)
    named = sorted(files - {PUBLISHED} if copies else files)
    return [f"{where} is missing or damaged" for where in [*map(result.where, named), *copies]]


def _is_copied(result: Result, generation: str, name: str, place: Folder) -> bool:
    """Whether a copy that people find is what was committed; of results of before it is all there is."""
    try:
        inside, copy = (result.folder / generation / name).read(), place.read()
    except ValueError:  # it is a pipe, or claims more than it holds
        return False
    return copy is not None and inside in (None, copy)


def _undecoded(folder: Folder) -> Iterator[str]:
    """Shards below a folder that are missing, or cannot be decoded."""
    for file in folder.files():
        path, _, last = file.rpartition("/")
        array = folder / path if path else folder
        try:
            is_array = last == "zarr.json" and ((folder / file).read_json() or {}).get("node_type") == "array"
            undecoded = list(_undecoded_shards(Stored(array))) if is_array else []
        except (ValueError, LookupError):  # of the array's own metadata
            undecoded = [last]
        yield from (f"{path}/{each}" if path else each for each in undecoded)


def _undecoded_shards(stored: Stored) -> Iterator[str]:
    for region in regions(stored.layout):
        index = shard_index(region, stored.layout)
        try:
            stored.read(region)
        except (ValueError, LookupError):
            yield "/".join(["c", *map(str, index)])


def _list_damage(dataset: Dataset, name: str) -> list[str]:
    """What is wrong with the list of an image's labels, by which viewers find them; noted beside the image."""
    folder, image = dataset.image(name) / "labels", image_of(dataset, name)
    there = {label for label in folder.names() if (folder / label / LIST).exists()}
    stamp = image.known_stamp()
    if stamp is None or _lists(folder / LIST, there):
        return []
    contents = image.contents(stamp.generation)
    contents.mark({*contents.holes(None), LABEL_LIST})
    return [f"{folder.url}/{LIST} is missing or damaged"]


def _lists(file: Folder, labels: set[str]) -> bool:
    """Whether a file is the list of these labels, in any order: those of people come last."""
    try:
        card = file.read_json() or {}
        of = card["attributes"]["ome"]
        about = (card["zarr_format"], card["node_type"], of["version"])
        return about == (3, "group", ome.VERSION) and {str(label) for label in of["labels"]} == labels
    except (ValueError, KeyError, TypeError):
        return not labels and not file.exists()
