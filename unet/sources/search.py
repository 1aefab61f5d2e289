"""Sources: which stacks a microscope wrote, found by the names of files alone.

The law: every image file below a source is read by exactly one stack, or is part of a larger one that another file
opens; every file of truth belongs to a stack or is listed as unmatched. Nothing is left out silently but hidden files,
files of other kinds and datasets of ours that lie within the source.

A file is matched to its truth by its path below the source without suffix, so that `day1/a.ome.tif` finds `day1/a.png`.
Truth of the scenes of a file is one file a scene, named as the stacks are: `a-s0.tif`, `a-s1.tif`.

One bad source, name or file stops no other: a source that is away is a note, names that collide get a digest, and what
cannot be read is a stack that says why. Only where there is no dataset yet is it refused at once.

Rejected: taking truth by endings such as `_mask` that nobody named, see `truth_suffixes`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from unet.settings.ingest import Source
from unet.settings.remote import is_remote
from unet.sources.groups import Group
from unet.sources.image_kinds import is_class_table, is_image, is_outlines, stem
from unet.sources.mirror import NOTHING_REMOTE, Mirrored
from unet.sources.notes import copied_though_linked, told_apart_notes
from unet.sources.paths import existing, resolved
from unet.sources.pattern_guess import guess_of_source
from unet.sources.plane_sources import image_groups, uneven_truth
from unet.sources.presence import KEPT, images_away
from unet.sources.remote_stacks import if_current, is_unfetched, not_arrived, truth_not_arrived
from unet.sources.stack_names import WantedName, distinct_names
from unet.sources.stacks import Catalogue, Files, Scenes, Stack, Stated
from unet.sources.truth import Truth, find_truth, is_own_labels, lies_in, offer_of, own_labels
from unet.sources.truth_parts import TruthPart, joined, parts_of, truth_places
from unet.sources.truth_suffixes import is_of_truth, is_surely_outlines, truth_place
from unet.sources.walk import SourceWalk, notes_of
from unet.sources.zarr_nodes import is_in_zarr

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
    sources: Sequence[Source],
    root: Path,
    find_scenes: FindScenes,
    known: Known | None = None,
    mirrored: Mirrored = NOTHING_REMOTE,
) -> Catalogue:
    """Stacks of all sources, sorted by name, each with its truth where there is some.

    Args:
        sources: folders or files of images, and of truth.
        root: the folder that relative paths of the sources are counted from.
        find_scenes: what a file is opened for. A ValueError or OSError, of a broken file, counts as one scene: reading
            it will tell what is wrong with it.
        known: what was taken from them before. A source that is away, or truth of which nothing fits, is a note then,
            where it would be refused else.
        mirrored: what was found of sources that are remote.

    Raises:
        LookupError: a folder or file is missing, or holds no images.
        OSError: a source that is remote was never reached.
        ValueError: truth does not fit the images.
    """
    found = [_Look(source, root, find_scenes, known, mirrored).catalogue() for source in sources]
    stacks, notes = _named([stack for part in found for stack in part.stacks], known)
    unmatched = tuple(file for part in found for file in part.unmatched)
    said = (*mirrored.notes, *(note for part in found for note in part.notes))
    left_out = tuple(sum((Counter(dict(part.left_out)) for part in found), Counter[str]()).items())
    return Catalogue(tuple(sorted(stacks, key=lambda stack: stack.name)), unmatched, (*said, *notes), left_out)


@dataclass(frozen=True)
class _Look:
    """One look at one source."""

    source: Source
    root: Path
    find_scenes: FindScenes
    known: Known | None
    mirrored: Mirrored

    def catalogue(self) -> Catalogue:
        """Its stacks, each with its key for a name yet, or why it is away."""
        source, top = self.source, resolved(self.source.images, self.root)
        if is_unfetched(source, self.root, self.mirrored, self.known is not None and bool(self.known.names)):
            return Catalogue((), ())
        places = truth_places(source, self.root)
        beside = top in places
        try:
            others = [place for place in places if place != top]
            walk = SourceWalk(existing("images", source.images, self.root), others, is_image, each_once=True)
            walk.files = [path for path in walk.files if not (beside and is_of_truth(source, path, beside))]
            groups, _, said = image_groups(source, walk)
            groups = [*groups, *not_arrived(source, walk.top, self.root, self.mirrored)]
            keyed = [scene for group in groups for scene in self._keyed(group)]
            if not keyed:
                raise LookupError(f"images {source.images!r} must hold all files of a set, got a part; name its folder")
        except (LookupError, OSError) as error:
            if self.known is None or not self.known.names:
                raise
            return Catalogue((), (), (images_away(source.images, self.root) or f"{error}; {KEPT}",))
        truth, unmatched = self._truth(walk.top, groups, {each.key for each in keyed})
        stacks = tuple(
            if_current(_stack(each, source, truth, walk.top.name), walk.top, self.mirrored) for each in keyed
        )
        self._require_fitting(keyed, stacks, truth, unmatched)
        notes = (*notes_of(walk), *said, *truth.notes, *copied_though_linked(source, stacks))
        return Catalogue(stacks, unmatched, notes, tuple(sorted(walk.others.items())))

    def _truth(self, images: Path, groups: Sequence[Group], keys: Collection[str]) -> tuple[Truth, Files]:
        """Truth of some keys, and files of truth of others."""
        parts = parts_of(self.source, self.root)
        found = [(part, *self._truth_of(part, images, groups, keys)) for part in parts]
        truth = joined([(part, of) for part, of, _ in found])
        unmatched = tuple(file for *_, files in found for file in files)
        without = [key for _, of, _ in found for key in of.labels if key not in truth.labels and not truth.is_away(key)]
        lone = (file for _, of, _ in found for key in dict.fromkeys(without) for file in of.labels.get(key, ()))
        return truth, (*unmatched, *lone)

    def _truth_of(
        self, part: TruthPart, images: Path, groups: Sequence[Group], keys: Collection[str]
    ) -> tuple[Truth, Files]:
        """The same of one place of it; one file is truth of one stack, whatever it is called."""
        top = truth_place(part.source, self.root)
        if top is None:
            return Truth({}), ()
        if is_own_labels(part.source.truth, self.root):
            return own_labels(part.source, groups), ()
        truth = find_truth(part.source, images, self.root, part.setting, part.kinds)
        if top.is_file() and len(groups) == len(truth.labels) == 1:
            truth = truth._replace(labels=dict(zip([groups[0].key], truth.labels.values(), strict=True)))
        fitting = {key: self._with_parts(of) for key, of in truth.labels.items() if key in keys}
        matched = {file for files in fitting.values() for file in files}
        others = (file for files in truth.labels.values() for file in files if file not in matched)
        told = (file for file in others if not is_outlines(file) or is_surely_outlines(file))
        folders = sorted(folder for folder in truth.empty if any(lies_in(key, folder) for key in keys))
        kept = (f"{top}/{folder} is empty; truth that was taken from it before is kept" for folder in folders)
        lost = truth.lost | truth_not_arrived(part.source, top, self.mirrored)
        return truth._replace(labels=fitting, lost=lost, notes=(*truth.notes, *kept)), (*told, *truth.unmarked)

    def _with_parts(self, files: Files) -> Files:
        """Files of truth, and of one of them alone those of its set."""
        return (*files, *self._scenes(files).parts) if len(files) == 1 else files

    def _keyed(self, group: Group) -> list[_Keyed]:
        """Key, files and index of each scene in a group of files."""
        number, parts = Scenes(1) if group.grid or group.refused else self._scenes(group.files)
        group = group._replace(files=(*group.files, *parts))
        if number == 1:
            return [_Keyed(group.key, group, None)]
        return [_Keyed(f"{group.key}-s{scene}", group, scene) for scene in range(number)]

    def _scenes(self, files: Files) -> Scenes:
        """What the first of some files is opened for; slices, images in a zarr and broken files are one scene."""
        try:
            is_one = self.source.slices is not None or is_in_zarr(files[0]) or is_outlines(files[0])
            is_one = is_one or is_class_table(files[0])
            return Scenes(1) if is_one else self.find_scenes(files[0])
        except (ValueError, OSError):
            return Scenes(1)

    def _require_fitting(
        self, keyed: Sequence[_Keyed], stacks: Sequence[Stack], truth: Truth, unmatched: Files
    ) -> None:
        """Refuse truth that is away or fits nothing; of a dataset where it did fit, that stops nothing else."""
        fits = any(stack.truth or stack.is_truth_away for stack in stacks) and not truth.away
        if fits or not (unmatched or truth.away) or self._has_known_truth(stacks):
            return
        if truth.away and any(map(is_remote, self.source.truth_places)) and self.known is not None and self.known.names:
            return  # it is away, or to be fetched yet: as notes say
        if truth.away:
            raise LookupError(truth.away)
        offer = offer_of(self.source, self.root)
        guess = guess_of_source(replace(self.source, images=str(resolved(self.source.images, self.root))), stacks)
        hint = offer.words if offer else guess.sentence if guess else ""
        raise ValueError(
            f"truth must bear the names of images, got none that does: {unmatched[0]} in {self.source.truth!r}, but "
            f"{keyed[0].key!r} in {self.source.images!r}; rename the files of truth, or set `suffix` of the source"
            + (f" ({hint})" if hint else "")
        )

    def _has_known_truth(self, stacks: Sequence[Stack]) -> bool:
        if self.known is None:
            return False
        named, _ = _named(stacks, self.known)
        return any(self.known.has_truth(stack.name) for stack in named)


def _stack(each: _Keyed, source: Source, truth: Truth, name_of_all: str) -> Stack:
    key, group, scene = each
    labels = truth.labels.get(key, ())
    return Stack(
        name=source.prefix + (name_of_all if key == "." else key),
        files=group.files,
        scene=scene,
        axis=source.slices,
        truth=labels,
        foreground=source.foreground,
        classes=tuple(source.table.items()),
        truth_by_class=truth.by_class.get(key, ()),
        class_of=truth.class_of.get(key, ()),
        ignore=source.ignore,
        empty_planes=source.empty_planes,
        is_truth_away=truth.is_away(key),
        source=source.images,
        grid=group.grid,
        stated=_stated(source, group.stated),
        well=group.well._replace(plate=f"{source.prefix}{group.well.plate}") if group.well else None,
        is_linked=source.link and not group.grid and is_in_zarr(group.files[0]),
        refused=group.refused or truth.refused.get(key) or _uneven_part(source, group, truth, key),
    )


def _uneven_part(source: Source, group: Group, truth: Truth, key: str) -> str:
    """Why slices, or planes of a grid, do not fit a part of their truth, a sentence; "" where they fit all."""
    labels, classes = truth.labels.get(key, ()), truth.class_of.get(key, ())
    parts = [files for _, files in truth.by_class.get(key, ())] or [labels[: len(labels) - len(classes)], classes]
    return next((why for files in parts if (why := uneven_truth(source, group, files))), "")


def _stated(source: Source, by_index: Stated) -> Stated:
    """What a person says of a source, before what an index beside its files says."""
    said = tuple(sorted((source.pixel_size or {}).items()))
    return Stated(
        axes=source.axes or by_index.axes,
        channels=source.channels or by_index.channels,
        pixel_size=said or by_index.pixel_size,
    )


def _kind(stack: Stack) -> str:
    """Suffix of its files: of two in one folder that differ in nothing else, it tells which; wherever the source is."""
    name = Path(stack.files[0]).name
    return name[len(stem(name)) :]


def _named(stacks: Sequence[Stack], known: Known | None) -> tuple[list[Stack], Iterator[str]]:
    """The stacks with legal names, no two alike whatever the case of their letters; and what is to be said of them."""
    before = known.names if known else {}
    wanted = [
        WantedName(of.name, f"{of.source} {of.name}{_kind(of)} {of.scene}", before.get((of.files[0], of.scene)))
        for of in stacks
    ]
    names = distinct_names(wanted)
    named = [replace(stack, name=name) for stack, (name, _) in zip(stacks, names, strict=True)]
    apart = [stack for stack, (_, is_told_apart) in zip(named, names, strict=True) if is_told_apart]
    return named, told_apart_notes(apart)
