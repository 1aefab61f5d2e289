"""Whether what lies in a dataset can still be read: every shard decoded, its checksums compared."""

from collections.abc import Iterator

from unet.dataset.folder import Dataset, Folder
from unet.store.arrays import Stored
from unet.store.shards import regions, shard_index


def damage(dataset: Dataset, name: str) -> list[str]:
    """A line for each shard of a stack's arrays that is missing or damaged, such as `…/0: shard 0/2/1: …`."""
    return [line for folder in dataset.all_of(name) for array in _arrays(folder) for line in _damage(array)]


def _arrays(folder: Folder) -> Iterator[Stored]:
    for file in folder.files():
        path, _, last = file.rpartition("/")
        if last == "zarr.json" and ((folder / file).read_json() or {}).get("node_type") == "array":
            yield Stored(folder / path)


def _damage(stored: Stored) -> Iterator[str]:
    for region in regions(stored.layout):
        index = "/".join(map(str, shard_index(region, stored.layout)))
        if not stored.is_done(region):
            yield f"{stored.folder.url}: shard {index} is missing"
            continue
        try:
            stored.read(region)
        except ValueError as error:
            cause = error.__cause__ or error
            yield f"{stored.folder.url}: shard {index} is damaged ({str(cause) or type(cause).__name__})"
