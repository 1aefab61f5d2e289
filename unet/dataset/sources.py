"""Sources: which stacks a microscope wrote, found by the names of files alone.

The law: every image file below a source is read by exactly one stack, or is part of a larger one that another file
opens; every file of truth belongs to a stack or is listed as unmatched. Nothing is left out silently but hidden files,
files of other kinds, other zarr stores and datasets of ours that lie within the source.

A file is matched to its truth by its path below the source without suffix, so that `day1/a.ome.tif` finds `day1/a.png`.
Truth of the scenes of a file is one file a scene, named as the stacks are: `a-s0.tif`, `a-s1.tif`.

Truth that is not in its folder any more is withdrawn; truth whose folder is not there at all or is empty, or that a
link leads to which leads nowhere, is away: a share may be unmounted for a night.

Rejected: guessing truth from endings such as `_mask` (two conventions in one folder would pair wrongly, silently).
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from unet.dataset.declared_suffixes import declared_suffixes
from unet.dataset.filesystem import no_file
from unet.dataset.source_walk import SourceWalk
from unet.dataset.stack_names import natural_order, safe_name
from unet.settings.ingest import Source

READERS = {
    "tiff": (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff"),
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg"),
    "nd2": (".nd2",),
    "lif": (".lif", ".lof", ".xlif"),
    "czi": (".czi",),
    "ims": (".ims",),
    "dv": (".dv",),
    "spe": (".spe",),
    "oif": (".oib", ".oif"),
    "metamorph": (".nd",),
    "bioio_plugins": (".vsi", ".oir"),
}
"""Modules of `unet.formats`, and what marks the files that each reads."""
FORMATS = dict.fromkeys(declared_suffixes(), "bioio_plugins")
FORMATS |= {suffix: module for module, suffixes in READERS.items() for suffix in suffixes}
FORMATS = dict(sorted(FORMATS.items(), key=lambda item: -len(item[0])))
"""The module that reads files of a suffix; the longer suffix first."""
SUFFIXES = tuple(FORMATS)

Files = tuple[str, ...]


class Scenes(NamedTuple):
    """What a file is opened for: a stack each scene."""

    number: int
    """0 where the file is a part of a stack that another file opens."""
    parts: Files = ()
    """Absolute paths of the other files of its set, which are read with it."""


@dataclass(frozen=True)
class Stack:
    """What a microscope wrote, as found in the sources."""

    name: str
    """NAME in the dataset folder: letters, digits, `.`, `_` and `-`, not starting with `.`."""
    files: Files
    """Absolute paths: one file; one that opens a set, and the others of it; or the slices in natural order."""
    scene: int | None
    """Index of the scene within a file of several; None when the file has one."""
    axis: Literal["z", "t"] | None
    """The axis that slices run along; None when every file is a stack."""
    truth: Files
    """Absolute paths of its labels, as in `files`; empty where nobody drew any."""
    foreground: Literal["ids", 0, 255]
    """How truth is read, see `Source.foreground`."""
    ignore: int | None = None
    """Value in truth that marks pixels nobody judged, see `Source.ignore`."""
    is_truth_away: bool = False
    """Whether nobody can tell now if there is truth: its folder is not there, or a link to it leads nowhere."""
    source: str = ""
    """The source it was found in, see `Source.images`."""


@dataclass(frozen=True)
class Catalogue:
    """All stacks of the sources, sorted by name, and the files of truth that belong to none of them."""

    stacks: tuple[Stack, ...]
    unmatched: Files
    notes: tuple[str, ...] = ()
    """What else a person should know: links that are not followed, truth that is away; a sentence each."""


def find_stacks(
    sources: Sequence[Source],
    root: Path,
    find_scenes: Callable[[str], Scenes],
    has_known_truth: Callable[[str], bool] | None = None,
) -> Catalogue:
    """Stacks of all sources, sorted by name, each with its truth where there is some.

    Args:
        sources: folders or files of images, and of truth.
        root: the folder that relative paths of the sources are counted from.
        find_scenes: what a file is opened for. A ValueError, of a broken file, counts as one scene: reading it will
            tell what is wrong with it.
        has_known_truth: whether a stack of this name has truth of an earlier day. Truth that is away, or of which
            nothing fits, is a note then, where it would be refused else.

    Raises:
        LookupError: a folder or file is missing, or holds no images.
        ValueError: two stacks would bear one name, or truth does not fit the images.
    """
    found = [_find(source, root, find_scenes, has_known_truth) for source in sources]
    stacks = sorted((stack for part in found for stack in part.stacks), key=lambda stack: stack.name)
    _refuse_collisions((stack.name.lower(), stack.files[0]) for stack in stacks)
    unmatched = tuple(file for part in found for file in part.unmatched)
    return Catalogue(tuple(stacks), unmatched, tuple(note for part in found for note in part.notes))


def source_files(sources: Sequence[Source], root: Path) -> list[str]:
    """Absolute paths of all files of images and of truth, by their names alone; truth that is away has none.

    Raises:
        LookupError: a folder or file of images is missing.
    """
    images = [_existing("images", source.images, root) for source in sources]
    truth = [resolved(source.truth, root) for source in sources if source.truth is not None]
    walks = (
        SourceWalk(top, None, _is_image, False)
        for top in (*images, *(top for top in truth if top.is_dir() or top.is_file()))
    )
    return sorted({str(path) for walk in walks for path in walk.files})


def source_folders(sources: Sequence[Source], root: Path) -> list[Path]:
    """Real folders that images and truth lie in, those that links lead to among them; of what is there now."""
    tops = [resolved(path, root) for source in sources for path in (source.images, source.truth) if path is not None]
    walks = [SourceWalk(top, None, _is_image, False) for top in tops if top.is_dir()]
    linked = {path.resolve().parent for walk in walks for path in walk.files}
    return sorted({*linked, *(top.parent if top.is_file() else top for top in tops)})


def stem(name: str) -> str:
    """Name without its image suffix; any other suffix stays.

    >>> stem("a.b.OME.TIF"), stem("notes.txt")
    ('a.b', 'notes.txt')
    """
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name.removesuffix(name[len(name) - len(suffix) :])


class _Truth(NamedTuple):
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


def _find(
    source: Source,
    root: Path,
    find_scenes: Callable[[str], Scenes],
    has_known_truth: Callable[[str], bool] | None,
) -> Catalogue:
    images = _existing("images", source.images, root)
    truth = resolved(source.truth, root) if source.truth is not None else None
    if images == truth:
        raise ValueError(f"truth must be another folder or file than images, got {source.images!r} for both")
    walk = SourceWalk(images, truth, _is_image, each_once=True)
    groups = _groups("images", source, images, walk.files)
    found = _find_truth(source, images, root) if truth else _Truth({})
    if truth and truth.is_file() and len(groups) == 1:
        found = _Truth(dict(zip(groups, found.labels.values(), strict=True)))
    keyed = [scene for item in groups.items() for scene in _keyed(*item, source, find_scenes)]
    keys = {key for key, _, _ in keyed}
    fitting = ((key, files) for key, files in found.labels.items() if key in keys)
    truths = {key: (*files, *_scenes(files, source, find_scenes).parts) for key, files in fitting}
    stacks = tuple(
        Stack(
            name=safe_name(images.name if key == "." else key),
            files=files,
            scene=scene,
            axis=source.slices,
            truth=truths.get(key, ()),
            foreground=source.foreground,
            ignore=source.ignore,
            is_truth_away=bool(found.away) or any(_lies_in(key, lost) for lost in found.lost),
            source=source.images,
        )
        for key, files, scene in keyed
    )
    matched = {file for files in truths.values() for file in files}
    unmatched = tuple(file for files in found.labels.values() for file in files if file not in matched)
    _refuse_misfits(source, keyed, stacks, found, has_known_truth)
    empty = sorted(folder for folder in found.empty if any(_lies_in(key, folder) for key in keys))
    kept = (f"{truth}/{folder} is empty; truth that was taken from it before is kept" for folder in empty)
    return Catalogue(stacks, unmatched, (*_notes(walk), *found.notes, *kept))


def _find_truth(source: Source, images: Path, root: Path) -> _Truth:
    """Truth of a source; where there is none at all, why."""
    try:
        top = _existing("truth", source.truth or "", root)
        walk = SourceWalk(top, images, _is_image, each_once=False)
        labels = _groups("truth", source, top, walk.files)
    except (LookupError, OSError) as error:
        kept = f"{error}; truth that was taken from it before is kept, unless its line is removed from dataset.yaml"
        return _Truth({}, away=str(error), notes=(kept,))
    links = (_key(source, top, link) if _is_image(link.name) else _below(top, link) for link in walk.dangling)
    empty = frozenset(_below(top, folder) for folder in walk.empty)
    return _Truth(labels, empty.union(links), empty, notes=_notes(walk))


def _lies_in(key: str, folder: str) -> bool:
    return key == folder or key.startswith(f"{folder}/")


def _below(top: Path, folder: Path) -> str:
    """Key of all that lies in a folder of a source."""
    return unicodedata.normalize("NFC", folder.relative_to(top).as_posix())


def _notes(walk: SourceWalk) -> tuple[str, ...]:
    lost = (f"{link} is a link to what is not there; mend or remove it" for link in walk.dangling)
    return (*walk.left_out, *lost)


def resolved(written: str, root: Path) -> Path:
    """Real path that a person wrote, counted from `root`; LookupError where it can be none."""
    try:
        return (root / Path(written).expanduser()).resolve()
    except RuntimeError as error:  # `~name` of nobody here, or links that lead in a circle
        raise LookupError(f"{written!r} must name an existing folder or file, got: {error}") from error


def _existing(setting: str, written: str, root: Path) -> Path:
    path = resolved(written, root)
    if path.exists() and not (path.is_dir() or path.is_file()):
        raise LookupError(
            f"{setting} must name a folder or file: {no_file(str(path), path.stat().st_mode)}; name another"
        )
    if not path.exists():
        raise LookupError(f"{setting} must name an existing folder or file, got {written!r}, which would be {path}")
    return path


def _groups(setting: str, source: Source, top: Path, found: Sequence[Path]) -> dict[str, Files]:
    """Files of a source, each under its key, in natural order; with `slices` several make one stack."""
    files = sorted(found, key=lambda path: natural_order(path.as_posix()))
    if not files:
        written = getattr(source, setting)
        raise LookupError(f"{setting} {written!r} must hold image files, got none; known are {', '.join(SUFFIXES)}")
    groups: dict[str, list[str]] = {}
    for path in files:
        groups.setdefault(_key(source, top, path), []).append(str(path))
    if source.slices is None:
        _refuse_collisions((key, file) for key, group in groups.items() for file in group)
    return {key: tuple(group) for key, group in groups.items()}


def _key(source: Source, top: Path, path: Path) -> str:
    """What truth is matched by: the path below `top` without suffix; with `slices` that of the folder."""
    below = path.relative_to(top) if path != top else Path(top.name)
    by_folder = source.slices is not None and path != top
    key = below.parent.as_posix() if by_folder else (below.parent / stem(below.name)).as_posix()
    return unicodedata.normalize("NFC", key)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _keyed(
    key: str, files: Files, source: Source, find_scenes: Callable[[str], Scenes]
) -> list[tuple[str, Files, int | None]]:
    """Key, files and index of each scene in a group of files."""
    number, parts = _scenes(files, source, find_scenes)
    files = (*files, *parts)
    return [(key, files, None)] if number == 1 else [(f"{key}-s{scene}", files, scene) for scene in range(number)]


def _scenes(files: Files, source: Source, find_scenes: Callable[[str], Scenes]) -> Scenes:
    """What the first of some files is opened for; slices, which are read one by one, and broken files are one scene."""
    try:
        return Scenes(1) if source.slices is not None else find_scenes(files[0])
    except ValueError:
        return Scenes(1)


def _refuse_collisions(named: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, file in named:
        if name in seen:
            raise ValueError(f"names must differ, got {name} for {seen[name]} and {file}; rename one of them")
        seen[name] = file


def _refuse_misfits(
    source: Source,
    keyed: Sequence[tuple[str, Files, int | None]],
    stacks: Sequence[Stack],
    found: _Truth,
    has_known_truth: Callable[[str], bool] | None,
) -> None:
    """Refuse images that are but parts, truth that is away or fits nothing, and slices without their truth.

    Of a dataset where it did fit, truth that is away or that fits nothing any more stops nothing else.
    """
    if not stacks:
        raise LookupError(f"images {source.images!r} must hold all files of a set, got a part of it; name its folder")
    fits = any(stack.truth or stack.is_truth_away for stack in stacks) and not found.away
    if (
        (found.labels or found.away)
        and not fits
        and not (has_known_truth and any(has_known_truth(stack.name) for stack in stacks))
    ):
        if found.away:
            raise LookupError(found.away)
        raise ValueError(
            f"truth must bear the names of images, got none that does: {next(iter(found.labels))!r} in "
            f"{source.truth!r}, but {keyed[0][0]!r} in {source.images!r}; rename the files of truth"
        )
    for stack in stacks if has_known_truth is None else ():  # else ingest refuses the one stack
        if stack.axis and stack.truth and len(stack.files) != len(stack.truth):
            raise ValueError(
                f"each slice must have its truth, got {len(stack.files)} files in {Path(stack.files[0]).parent} "
                f"but {len(stack.truth)} in {Path(stack.truth[0]).parent}; add or remove files"
            )
