"""Stacks of remote sources: those of which this machine's copies are not what is there now say so, and are not read."""

from dataclasses import replace
from pathlib import Path

from unet.settings.ingest import Source
from unet.settings.remote import is_remote
from unet.sources.groups import Group, key_of
from unet.sources.image_kinds import is_image
from unet.sources.mirror import Mirrored
from unet.sources.paths import resolved
from unet.sources.presence import is_there
from unet.sources.stacks import Stack
from unet.sources.truth_parts import truth_places
from unet.sources.truth_suffixes import is_of_truth, key_of_truth
from unet.sources.zarr_nodes import is_in_zarr


def is_unfetched(source: Source, root: Path, mirrored: Mirrored, is_known: bool) -> bool:
    """Whether nothing is here of a source that is remote, of which notes tell.

    Args:
        source: any.
        root: the folder that relative paths are counted from.
        mirrored: what a look at remote sources found.
        is_known: whether something was taken from sources before.

    Raises:
        OSError: it is away, and nothing was taken from any source before.
    """
    if source.images in mirrored.away and not is_known:
        raise OSError(mirrored.away[source.images])
    return is_remote(source.images) and not is_there(resolved(source.images, root))


def if_current(stack: Stack, top: Path, mirrored: Mirrored) -> Stack:
    """A stack of a source at `top`; refused where its files are not what their server has now.

    Of planes that lie along a grid any file that did not arrive may be one, wherever it is to be.
    """
    is_of_folder = stack.axis is not None
    whys = [mirrored.why_not_current(files, is_of_folder) for files in (stack.files, *stack.truth_parts)]
    if stack.grid:
        whys += [mirrored.lacking[path] for path in sorted(mirrored.failed) if Path(path).is_relative_to(top)]
    why = next(filter(None, whys), "")
    return replace(stack, refused=why) if why else stack


def not_arrived(source: Source, top: Path, root: Path, mirrored: Mirrored) -> list[Group]:
    """Images that could not be fetched, each by itself, so that each is told of; planes of others tell by those."""
    if source.slices is not None or source.pattern is not None:
        return []
    failed = ((Path(path), mirrored.lacking[path]) for path in sorted(mirrored.failed))
    return [
        Group(key_of(source, top, path), (str(path),), refused=why)
        for path, why in failed
        if path.is_relative_to(top) and _is_of_images(source, root, path)
    ]


def truth_not_arrived(source: Source, top: Path, mirrored: Mirrored) -> frozenset[str]:
    """Keys of truth that could not be fetched to `top`: a stack is not read as if there was none of it."""
    failed = [path for path in map(Path, mirrored.failed) if path.is_relative_to(top)]
    return frozenset(key_of_truth(source, key_of(source, top, path), path.name) for path in failed)


def _is_of_images(source: Source, root: Path, path: Path) -> bool:
    """Whether a file in the folder of images is one by its name, and none of truth."""
    if not is_image(path.name) or is_in_zarr(str(path)):
        return False
    places, top = truth_places(source, root), resolved(source.images, root)
    if top in places and is_of_truth(source, path, beside=True):
        return False
    return not any(path.is_relative_to(place) for place in places if place != top)
