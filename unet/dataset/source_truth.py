"""Truth of a source: which files of labels there are, by the keys of their images, and what cannot be looked into now.

Truth that is not in its folder any more is withdrawn; truth whose folder is not there at all or is empty, or that a
link leads to which leads nowhere, is away: a share may be unmounted for a night.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unet.dataset.folder import LEAVING
from unet.dataset.image_kinds import is_image
from unet.dataset.plane_sources import truth_groups
from unet.dataset.source_groups import Group, key_of
from unet.dataset.source_paths import existing, resolved
from unet.dataset.source_walk import SourceWalk, notes_of
from unet.dataset.stacks import Files
from unet.dataset.zarr_nodes import is_zarr_folder
from unet.settings.ingest import Source


class Truth(NamedTuple):
    """Files of truth by key, and what cannot be looked into now."""

    labels: dict[str, Files]
    lost: frozenset[str] = frozenset()
    """Keys of links that lead nowhere, and of folders that are empty: truth of what lies below may be away."""
    empty: frozenset[str] = frozenset()
    """Those of folders that are empty."""
    away: str = ""
    """Why there is no truth at all."""
    notes: tuple[str, ...] = ()
    """What is wrong with links among them."""
    refused: dict[str, str] = {}  # noqa: RUF012  # never written into
    """Why truth of a key cannot be read, a sentence."""

    def is_away(self, key: str) -> bool:
        """Whether nobody can tell now if there is truth of a key."""
        return bool(self.away) or any(lies_in(key, lost) for lost in self.lost)


def find_truth(source: Source, images: Path, root: Path) -> Truth:
    """Truth of a source; where there is none at all, why."""
    try:
        top = existing("truth", source.truth or "", root)
        walk = SourceWalk(top, images, is_image, each_once=False)
        groups = truth_groups(source, top, walk.files)
    except (LookupError, OSError) as error:
        kept = f"{error}; truth that was taken from it before is kept, unless its line is removed from dataset.yaml"
        return Truth({}, away=str(error), notes=(kept,))
    links = (key_of(source, top, link) if is_image(link.name) else _below(top, link) for link in walk.dangling)
    empty = frozenset(_below(top, folder) for folder in walk.empty)
    return _by_key(groups)._replace(lost=empty.union(links), empty=empty, notes=notes_of(walk))


def is_own_labels(source: Source, root: Path) -> bool:
    """Whether truth is labels that lie in each OME-Zarr itself, such as `labels/cells`, and no folder by that name."""
    path = source.truth or ""
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


def _by_key(groups: list[Group]) -> Truth:
    labels: dict[str, Files] = {}
    refused: dict[str, str] = {}
    for group in groups:
        if group.key in labels:
            both = f"{labels[group.key][0]} and {group.files[0]}"
            refused[group.key] = f"truth of a stack must be one file, got {both}; remove one of them"
        elif group.refused:
            refused[group.key] = f"truth of it must be whole: {group.refused}"
        labels.setdefault(group.key, group.files)
    return Truth(labels, refused=refused)


def _below(top: Path, folder: Path) -> str:
    """Key of all that lies in a folder of a source."""
    return unicodedata.normalize("NFC", folder.relative_to(top).as_posix())
