"""Images of a source as groups: by its pattern, by the indexes of plates, and the others each by itself."""

from collections.abc import Sequence
from pathlib import Path

from unet.settings.ingest import Source
from unet.sources.groups import Group, groups_of
from unet.sources.name_patterns import Grouped, Pattern, pattern_groups
from unet.sources.plates import plate_groups
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


def truth_groups(source: Source, top: Path, files: Sequence[Path]) -> list[Group]:
    """Groups of files of truth; of a pattern, planes that are named as images are, and files that are a whole stack's.

    Raises:
        LookupError: there is none.
    """
    if source.pattern is None or not files:
        return groups_of("truth", source, top, files)
    found = pattern_groups(Pattern(source.pattern).of_truth(source.suffix), top, files)
    return [*found.groups, *(groups_of("truth", source, top, found.rest) if found.rest else [])]
