"""Images of a source as groups: by its pattern, by the indexes of plates, and the others each by itself.

Of planes, each has its truth, or one file is that of all; where one is missing, its name tells which.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from unet.settings.ingest import Source
from unet.sources.groups import Group, groups_of
from unet.sources.image_kinds import is_class_table, is_outlines, stem
from unet.sources.name_patterns import Grouped, Pattern, pattern_groups
from unet.sources.plane_grids import length_without_channels
from unet.sources.plates import plate_groups
from unet.sources.stacks import Files
from unet.sources.walk import SourceWalk


def image_groups(source: Source, walk: SourceWalk) -> Grouped:
    """Groups of the images that a walk found, and what a person should know of them.

    Raises:
        LookupError: there is none.
    """
    if source.pattern is not None and walk.files:
        found = pattern_groups(Pattern(source.pattern), walk.top, walk.files)
        if not found.groups:
            raise LookupError(
                f"pattern must fit names of images, got {source.pattern!r}, which fits none of {len(walk.files)} in "
                f"{source.images!r}, such as {found.rest[0].name}; mend it, or leave it out"
            )
        return found
    if source.slices is not None:
        return Grouped(groups_of("images", source, walk.top, walk.files), [])
    found = plate_groups(walk.top, walk.files, walk.indexes)
    alone = groups_of("images", source, walk.top, found.rest) if found.rest or not found.groups else []
    return found._replace(groups=[*found.groups, *alone], rest=[])


def truth_groups(source: Source, top: Path, files: Sequence[Path], setting: str = "truth") -> list[Group]:
    """Groups of files of truth; of a pattern, planes that are named as images are, and files that are a whole stack's.

    Raises:
        LookupError: there is none.
    """
    if source.pattern is None or not files:
        return groups_of(setting, source, top, files)
    found = pattern_groups(Pattern(source.pattern).of_truth(source.suffix), top, files)
    return [*found.groups, *(groups_of(setting, source, top, found.rest) if found.rest else [])]


def uneven_truth(source: Source, group: Group, labels: Files) -> str:
    """Why slices, or planes of a grid, and their truth do not fit, a sentence; "" where they do."""
    number = length_without_channels(group.grid) if group.grid else len(group.files)
    is_of_all = len(labels) == 1 and (bool(group.grid) or is_outlines(labels[0]) or is_class_table(labels[0]))
    if not (source.slices or group.grid) or not labels or is_of_all or number == len(labels):
        return ""
    return (
        f"each slice must have its truth, got {number} files in {Path(group.files[0]).parent} but "
        f"{len(labels)} in {Path(labels[0]).parent}{_first_alone(source, group.files, labels)}; add or remove files"
    )


def _first_alone(source: Source, images: Files, labels: Files) -> str:
    """Name of the first slice without truth, or of the first truth without its slice; "" where no name tells."""
    for place_of in _readings(source):
        of_images, of_truth = ({place_of(file): Path(file).name for file in files} for files in (images, labels))
        if of_images.keys() & of_truth.keys():
            without = [f", none of {name}" for place, name in of_images.items() if place not in of_truth]
            alone = [f", {name} of none" for place, name in of_truth.items() if place not in of_images]
            return next(iter(without + alone), "")
    return ""


def _readings(source: Source) -> list[Callable[[str], Hashable]]:
    """Ways to read from a file's name where it lies along z and t, the surest first."""
    if source.pattern is None:
        names = lambda file: stem(Path(file).name).removesuffix(source.suffix or "")  # noqa: E731
        return [names, lambda file: (re.findall("[0-9]+", names(file)) or [""])[-1].lstrip("0")]
    patterns = Pattern(source.pattern), Pattern(source.pattern).of_truth(source.suffix)

    def place(file: str) -> Hashable:
        read = next((read for pattern in patterns if (read := pattern.fields_of(file))), ("", {}))
        return tuple(read[1].get(axis, "").lstrip("0") for axis in "tz")

    return [place]
