"""Truth of a source: which files of labels there are, by the keys of their images, and what cannot be looked into now.

Truth that is not in its folder any more is withdrawn; truth whose folder is not there at all or is empty, or that a
link leads to which leads nowhere, is away: a share may be unmounted for a night.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from unet.dataset.folder import LEAVING
from unet.settings.ingest import Source
from unet.sources.groups import Group, groups_of, key_of
from unet.sources.image_kinds import is_image, is_outlines, is_truth
from unet.sources.paths import existing, resolved
from unet.sources.plane_sources import truth_groups
from unet.sources.stacks import Files
from unet.sources.truth_suffixes import (
    Offer,
    is_of_truth,
    is_surely_outlines,
    key_of_truth,
    lies_beside,
    offered,
    truth_place,
)
from unet.sources.walk import SourceWalk, notes_of
from unet.sources.zarr_folders import labels_in
from unet.sources.zarr_nodes import is_zarr_folder


class Truth(NamedTuple):
    """Files of truth by key, and what cannot be looked into now."""

    labels: dict[str, Files]
    lost: frozenset[str] = frozenset()
    """Keys of links that lead nowhere, and of folders that are empty or cannot be read: truth below may be away."""
    empty: frozenset[str] = frozenset()
    """Those of folders that are empty."""
    away: str = ""
    """Why there is no truth at all."""
    notes: tuple[str, ...] = ()
    """What is wrong with links among them."""
    refused: dict[str, str] = {}  # noqa: RUF012  # never written into
    """Why truth of a key cannot be read, a sentence."""
    unmarked: Files = ()
    """Files that lie among it and do not bear its suffix."""
    by_class: dict[str, tuple[tuple[str, Files], ...]] = {}  # noqa: RUF012
    """Of a key, the labels of each class, where each has a folder."""
    class_of: dict[str, Files] = {}  # noqa: RUF012
    """Of a key, the labels that tell the class of each id."""

    def is_away(self, key: str) -> bool:
        """Whether nobody can tell now if there is truth of a key."""
        return bool(self.away) or any(lies_in(key, lost) for lost in self.lost)


def find_truth(
    source: Source, images: Path, root: Path, setting: str = "truth", kinds: Callable[[str], bool] = is_truth
) -> Truth:
    """Truth of a source; where there is none at all, why.

    Args:
        source: its truth lies in one place.
        images: the real folder of its images.
        root: the folder that relative paths are counted from.
        setting: what names the place, for people.
        kinds: which files there are truth, by their names.
    """
    beside = lies_beside(source, root)
    assert not isinstance(source.truth, Mapping)
    try:
        top = existing(setting, source.images if source.truth is None else source.truth, root)
        walk = SourceWalk(top, None if beside else images, kinds, each_once=False)
        files = [path for path in walk.files if is_of_truth(source, path, beside) or (path == top and not beside)]
        groups = truth_groups(source, top, _require_some(source, top, beside, files), setting)
    except (LookupError, OSError) as error:
        kept = f"{error}; truth that was taken from it before is kept, unless its line is removed from dataset.yaml"
        return Truth({}, away=str(error), notes=(kept,))
    links = [link for link in walk.dangling if not beside or is_of_truth(source, link, beside)]
    lost = {_key_of_link(source, top, link) for link in links}
    found = _by_key(source, groups)._replace(unmarked=() if beside else _unmarked(walk.files, files))
    if beside:  # of the rest the walk for images tells
        return found._replace(lost=frozenset(lost))
    empty = frozenset(_below(top, folder) for folder in walk.empty)
    unread = (_below(top, folder) for folder in walk.unreadable)
    return found._replace(lost=empty.union(lost, unread), empty=empty, notes=(*notes_of(walk), *found.notes))


def offer_of(source: Source, root: Path) -> Offer | None:
    """The convention that names of truth seem to follow, where they fit no image as they are; see `offered`."""
    if isinstance(source.truth, Mapping):
        return None
    try:
        top, place = existing("images", source.images, root), truth_place(source, root)
        walk = SourceWalk(top, place, is_image, each_once=True)
        found = groups_of("images", source, walk.top, walk.files)
        images = [group.key for group in found]
        if place is None:
            return _offered_within(found) or offered(source, images, None)
        if top.is_file() and place.is_file():
            return None  # one file each: they belong together, whatever they are called
        groups = groups_of("truth", source, place, SourceWalk(place, top, is_truth, each_once=False).files)
    except (LookupError, OSError):  # as whoever looks for the stacks will say
        return None
    return offered(source, images, [key_of_truth(source, group.key, group.files[0]) for group in groups])


def _offered_within(images: Sequence[Group]) -> Offer | None:
    """Labels that lie within OME-Zarr images, the commonest first."""
    counts = Counter(labels for group in images for labels in labels_in(group.files[0]))
    if not counts:
        return None
    (first, number), *others = counts.most_common(4)
    more = "".join(f", {labels} in {count}" for labels, count in others)
    return Offer("", f"{first} found in {number} of {len(images)} images{more}; say `--truth {first}`")


def _require_some(source: Source, top: Path, beside: bool, files: list[Path]) -> list[Path]:
    if files or (source.suffix is None and not beside):
        return files
    if source.suffix is None:
        raise LookupError(
            f"truth must be another folder or file than images, got {source.images!r} for both; if it lies beside "
            "them, set `suffix`, such as _mask"
        )
    raise LookupError(f"truth must have names that end in {source.suffix!r}, as `suffix` says, got none in {top}")


def _unmarked(all_files: list[Path], files: list[Path]) -> Files:
    """Files among truth that lack its suffix."""
    return tuple(str(path) for path in sorted(set(all_files) - set(files)) if is_image(path.name))


def _key_of_link(source: Source, top: Path, link: Path) -> str:
    if not is_truth(link.name):
        return _below(top, link)
    return key_of_truth(source, key_of(source, top, link), link.name)


def is_own_labels(truth: object, root: Path) -> bool:
    """Whether truth is labels that lie in each OME-Zarr itself, such as `labels/cells`, and no folder by that name."""
    path = truth if isinstance(truth, str) else ""
    return path.startswith("labels/") and not LEAVING.search(path) and not resolved(path, root).exists()


def own_labels(source: Source, groups: Sequence[Group]) -> Truth:
    """Labels by this name in each image that has them."""
    paths = {group.key: f"{group.files[0]}/{source.truth}" for group in groups}
    labels: dict[str, Files] = {key: (path,) for key, path in paths.items() if is_zarr_folder(Path(path))}
    away = f"truth {source.truth!r} must be a folder, or labels in OME-Zarr images, got none of that name"
    return Truth(labels, away="" if labels else away)


def lies_in(key: str, folder: str) -> bool:
    """Whether a key is that of a folder, or of what lies below.

    >>> lies_in("day1/a", "day1"), lies_in("day10/a", "day1")
    (True, False)
    """
    return key == folder or key.startswith(f"{folder}/")


def _by_key(source: Source, groups: list[Group]) -> Truth:
    """Files of truth by the keys of their images; labels go before outlines, as those may be what they were made of."""
    labels: dict[str, Files] = {}
    refused: dict[str, str] = {}
    notes = []
    for group in sorted(groups, key=lambda group: is_outlines(group.files[0])):
        file, key = group.files[0], key_of_truth(source, group.key, group.files[0])
        first = labels.get(key, group.files)[0]
        if first == file:
            labels[key] = group.files
            refused |= {key: f"truth of it must be whole: {group.refused}"} if group.refused else {}
        elif Path(first).suffix.lower() == Path(file).suffix.lower() == ".roi":
            labels[key] = (*labels[key], *group.files)
        elif is_outlines(file) and not is_outlines(first):
            notes += [f"{first} is the truth of its image, and {file} is left out"] if is_surely_outlines(file) else []
        else:
            refused[key] = f"truth of a stack must be one file, got {first} and {file}; remove one of them"
        if group.refused:
            refused[key] = f"truth of it must be whole: {group.refused}"
    return Truth(labels, refused=refused, notes=tuple(notes))


def _below(top: Path, folder: Path) -> str:
    """Key of all that lies in a folder of a source."""
    return unicodedata.normalize("NFC", folder.relative_to(top).as_posix())
