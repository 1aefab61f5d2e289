"""Sources: which stacks a microscope wrote, found by the names of files alone.

The law: every image file below a source is read by exactly one stack, or is part of a larger one that another file
opens; every file of truth belongs to a stack or is listed as unmatched. Nothing is left out silently but hidden files,
files of other kinds, other zarr stores and datasets of ours that lie within the source.

A file is matched to its truth by its path below the source without suffix, so that `day1/a.ome.tif` finds `day1/a.png`.
Truth of the scenes of a file is one file a scene, named as the stacks are: `a-s0.tif`, `a-s1.tif`.

One bad source, name or file stops no other: a source that is away is a note, names that collide get a digest, and what
cannot be read is a stack that says why. Only where there is no dataset yet is it refused at once.

Rejected: guessing truth from endings such as `_mask` (two conventions in one folder would pair wrongly, silently).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from unet.dataset.image_kinds import is_image
from unet.dataset.source_groups import Group, groups_of
from unet.dataset.source_paths import existing, resolved
from unet.dataset.source_truth import Truth, find_truth, lies_in
from unet.dataset.source_walk import SourceWalk, notes_of
from unet.dataset.stack_names import WantedName, distinct_names
from unet.dataset.stacks import Catalogue, Scenes, Stack, Stated
from unet.settings.ingest import Source

FindScenes = Callable[[str], Scenes]


@dataclass(frozen=True)
class Known:
    """What a dataset took from its sources before."""

    has_truth: Callable[[str], bool]
    """Whether a stack of this name has truth of an earlier day."""
    names: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    """Names of its stacks, by the first file of each and its scene."""


class _Keyed(NamedTuple):
    """A scene of a group of files."""

    key: str
    group: Group
    scene: int | None


def find_stacks(
    sources: Sequence[Source], root: Path, find_scenes: FindScenes, known: Known | None = None
) -> Catalogue:
    """Stacks of all sources, sorted by name, each with its truth where there is some.

    Args:
        sources: folders or files of images, and of truth.
        root: the folder that relative paths of the sources are counted from.
        find_scenes: what a file is opened for. A ValueError or OSError, of a broken file, counts as one scene: reading
            it will tell what is wrong with it.
        known: what was taken from them before. A source that is away, or truth of which nothing fits, is a note then,
            where it would be refused else.

    Raises:
        LookupError: a folder or file is missing, or holds no images.
        ValueError: truth does not fit the images.
    """
    found = [_found_or_away(source, root, find_scenes, known) for source in sources]
    stacks, notes = _named([stack for part in found for stack in part.stacks], known)
    unmatched = tuple(file for part in found for file in part.unmatched)
    said = (note for part in found for note in part.notes)
    return Catalogue(tuple(sorted(stacks, key=lambda stack: stack.name)), unmatched, (*said, *notes))


def source_files(sources: Sequence[Source], root: Path) -> list[str]:
    """Absolute paths of all files of images and of truth, by their names alone; a source that is away has none.

    Raises:
        LookupError: all folders and files of images are missing.
    """
    images = [resolved(source.images, root) for source in sources]
    if sources and not any(top.exists() for top in images):
        existing("images", sources[0].images, root)
    truth = [resolved(source.truth, root) for source in sources if source.truth is not None]
    there = (top for top in (*images, *truth) if top.is_dir() or top.is_file())
    return sorted({str(path) for top in there for path in SourceWalk(top, None, is_image, False).files})


def source_folders(sources: Sequence[Source], root: Path) -> list[Path]:
    """Real folders that images and truth lie in, those that links lead to among them; of what is there now."""
    tops = [resolved(path, root) for source in sources for path in (source.images, source.truth) if path is not None]
    walks = [SourceWalk(top, None, is_image, False) for top in tops if top.is_dir()]
    linked = {path.resolve().parent for walk in walks for path in walk.files}
    return sorted({*linked, *(top.parent if top.is_file() else top for top in tops)})


def _found_or_away(source: Source, root: Path, find_scenes: FindScenes, known: Known | None) -> Catalogue:
    try:
        return _find(source, root, find_scenes, known)
    except (LookupError, OSError) as error:
        if known is None or not known.names:
            raise
        return Catalogue((), (), (f"{error}; what was taken from it before is kept",))


def _find(source: Source, root: Path, find_scenes: FindScenes, known: Known | None) -> Catalogue:
    """Stacks of a source; each bears its key for a name yet."""
    images = existing("images", source.images, root)
    top = resolved(source.truth, root) if source.truth is not None else None
    if images == top:
        raise ValueError(f"truth must be another folder or file than images, got {source.images!r} for both")
    walk = SourceWalk(images, top, is_image, each_once=True)
    groups = groups_of("images", source, images, walk.files)
    truth = find_truth(source, images, root) if top else Truth({})
    if top and top.is_file() and len(groups) == 1:
        truth = Truth(dict(zip([groups[0].key], truth.labels.values(), strict=True)))
    keyed = [scene for group in groups for scene in _keyed(group, source, find_scenes)]
    keys = {each.key for each in keyed}
    fitting = ((key, files) for key, files in truth.labels.items() if key in keys)
    truth = truth._replace(
        labels=truth.labels | {key: (*files, *_scenes(files, source, find_scenes).parts) for key, files in fitting}
    )
    stacks = tuple(_stack(each, source, truth, images.name) for each in keyed)
    unmatched = tuple(file for key, files in truth.labels.items() if key not in keys for file in files)
    _require_fitting(source, keyed, stacks, truth, known)
    empty = sorted(folder for folder in truth.empty if any(lies_in(key, folder) for key in keys))
    kept = (f"{top}/{folder} is empty; truth that was taken from it before is kept" for folder in empty)
    return Catalogue(stacks, unmatched, (*notes_of(walk), *truth.notes, *kept))


def _keyed(group: Group, source: Source, find_scenes: FindScenes) -> list[_Keyed]:
    """Key, files and index of each scene in a group of files."""
    number, parts = Scenes(1) if group.grid else _scenes(group.files, source, find_scenes)
    group = group._replace(files=(*group.files, *parts))
    if number == 1:
        return [_Keyed(group.key, group, None)]
    return [_Keyed(f"{group.key}-s{scene}", group, scene) for scene in range(number)]


def _scenes(files: Sequence[str], source: Source, find_scenes: FindScenes) -> Scenes:
    """What the first of some files is opened for; slices, which are read one by one, and broken files are one scene."""
    try:
        return Scenes(1) if source.slices is not None else find_scenes(files[0])
    except (ValueError, OSError):
        return Scenes(1)


def _stack(each: _Keyed, source: Source, truth: Truth, name_of_all: str) -> Stack:
    key, group, scene = each
    labels = truth.labels.get(key, ())
    refused = group.refused or truth.refused.get(key, "")
    if not refused and (source.slices or group.grid) and labels and len(group.files) != len(labels):
        refused = (
            f"each slice must have its truth, got {len(group.files)} files in {Path(group.files[0]).parent} but "
            f"{len(labels)} in {Path(labels[0]).parent}; add or remove files"
        )
    return Stack(
        name=source.prefix + (name_of_all if key == "." else key),
        files=group.files,
        scene=scene,
        axis=source.slices,
        truth=labels,
        foreground=source.foreground,
        ignore=source.ignore,
        is_truth_away=truth.is_away(key),
        source=source.images,
        grid=group.grid,
        stated=_stated(source, group.stated),
        refused=refused,
    )


def _stated(source: Source, by_index: Stated) -> Stated:
    """What a person says of a source, before what an index beside its files says."""
    said = tuple(sorted((source.pixel_size or {}).items()))
    return Stated(
        axes=source.axes or by_index.axes,
        channels=source.channels or by_index.channels,
        pixel_size=said or by_index.pixel_size,
    )


def _named(stacks: Sequence[Stack], known: Known | None) -> tuple[list[Stack], Iterator[str]]:
    """The stacks with legal names, no two alike whatever the case of their letters; and what is to be said of them."""
    before = known.names if known else {}
    wanted = [
        WantedName(of.name, f"{of.source} {of.files[0]} {of.scene}", before.get((of.files[0], of.scene)))
        for of in stacks
    ]
    names = distinct_names(wanted)
    notes = (
        f"{stack.files[0]} is called {name}, as another stack would bear its name; `prefix` of its source, or another "
        "name of the file, tells them apart"
        for stack, (name, is_told_apart) in zip(stacks, names, strict=True)
        if is_told_apart
    )
    return [replace(stack, name=name) for stack, (name, _) in zip(stacks, names, strict=True)], notes


def _require_fitting(
    source: Source, keyed: Sequence[_Keyed], stacks: Sequence[Stack], truth: Truth, known: Known | None
) -> None:
    """Refuse images that are but parts, and truth that is away or fits nothing.

    Of a dataset where it did fit, truth that is away or that fits nothing any more stops nothing else.
    """
    if not stacks:
        raise LookupError(f"images {source.images!r} must hold all files of a set, got a part of it; name its folder")
    fits = any(stack.truth or stack.is_truth_away for stack in stacks) and not truth.away
    is_known = known is not None and any(known.has_truth(name) for name in _names_of(stacks, known))
    if fits or is_known or not (truth.labels or truth.away):
        return
    if truth.away:
        raise LookupError(truth.away)
    raise ValueError(
        f"truth must bear the names of images, got none that does: {next(iter(truth.labels))!r} in "
        f"{source.truth!r}, but {keyed[0].key!r} in {source.images!r}; rename the files of truth"
    )


def _names_of(stacks: Sequence[Stack], known: Known) -> Iterator[str]:
    named, _ = _named(stacks, known)
    yield from (stack.name for stack in named)
