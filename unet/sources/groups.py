"""Files of a source that are one stack: each by itself, those of a folder as slices, or those of a pattern as a grid.

A group's key is what its stack is named after, and what truth is matched by: the path below the source without suffix,
of slices that of their folder.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unet.settings.ingest import Source
from unet.sources.image_kinds import CLASS_TABLE, SUFFIXES, stem
from unet.sources.stack_names import natural_order
from unet.sources.stacks import Files, Grid, Stated, Well
from unet.sources.zarr_folders import well_of, zarr_images
from unet.sources.zarr_nodes import is_zarr_folder


class Group(NamedTuple):
    """Files that are one stack, or whose scenes are."""

    key: str
    files: Files
    grid: Grid = ()
    stated: Stated = Stated()
    """What an index beside them says."""
    refused: str = ""
    """Why they cannot be read, a sentence."""
    lacking: int = 0
    """How many planes are missing, where that is why."""
    well: Well | None = None
    """Where they lie on a plate."""


def groups_of(setting: str, source: Source, top: Path, found: Sequence[Path]) -> list[Group]:
    """Groups of a source's files, in natural order.

    Raises:
        LookupError: there is none; the setting that names the folder is told.
    """
    files = sorted(found, key=lambda path: natural_order(path.as_posix()))
    if not files:
        written = source.images if setting == "images" else source.truth  # that of a part is where its files lie
        kinds, known = ("tables or image", (CLASS_TABLE, *SUFFIXES)) if setting == "class_of" else ("image", SUFFIXES)
        raise LookupError(f"{setting} {written!r} must hold {kinds} files, got none; known are {', '.join(known)}")
    if source.slices is None:
        return [group for path in files for group in _of_file(key_of(source, top, path), path)]
    folders: dict[str, list[str]] = {}
    for path in files:
        folders.setdefault(key_of(source, top, path), []).append(str(path))
    return [Group(key, tuple(group)) for key, group in folders.items()]


def _of_file(key: str, path: Path) -> list[Group]:
    """A file by itself; of an OME-Zarr folder each image in it."""
    if not is_zarr_folder(path):
        return [Group(key, (str(path),))]
    images, _ = zarr_images(path)
    return [Group(f"{key}{image.suffix}", (image.path,), well=well_of(key, image)) for image in images]


def key_of(source: Source, top: Path, path: Path) -> str:
    """What truth is matched by: the path below `top` without suffix; with `slices` that of the folder."""
    below = path.relative_to(top) if path != top else Path(top.name)
    by_folder = source.slices is not None and path != top
    key = below.parent.as_posix() if by_folder else (below.parent / stem(below.name)).as_posix()
    return unicodedata.normalize("NFC", key)
