"""Files and folders of sources, by names alone: what is looked at for arrivals, and what must stay as it is."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from unet.settings.ingest import Source
from unet.sources.image_kinds import is_image
from unet.sources.paths import existing, resolved
from unet.sources.presence import is_there
from unet.sources.truth import is_own_labels
from unet.sources.truth_parts import parts_of
from unet.sources.truth_suffixes import truth_place
from unet.sources.walk import SourceWalk
from unet.sources.zarr_folders import image_paths
from unet.sources.zarr_nodes import is_zarr_folder


def source_files(sources: Sequence[Source], root: Path) -> list[str]:
    """Absolute paths of all files of images and of truth, by their names alone; a source that is away has none.

    Raises:
        LookupError: all folders and files of images are missing.
    """
    images = [resolved(source.images, root) for source in sources]
    if sources and not any(map(is_there, images)):
        existing("images", sources[0].images, root)
    parts = [part for source in sources for part in parts_of(source, root)]
    truth = [(top, part.kinds) for part in parts if (top := truth_place(part.source, root)) is not None]
    files: set[str] = set()
    for top, kinds in (*((top, is_image) for top in images), *truth):
        if is_there(top):
            with suppress(OSError):  # it is away, see `presence`
                walk = SourceWalk(top, None, kinds, False)
                files.update(file for path in walk.files for file in image_paths(path))
    beside = {str(part.source.truth) for part in parts if is_own_labels(part.source.truth, root)}
    own = {f"{file}/{labels}" for file in files for labels in beside if is_zarr_folder(Path(file, labels))}
    return sorted(files | own)


def source_folders(sources: Sequence[Source], root: Path) -> list[Path]:
    """Real folders that images and truth lie in, those that links lead to among them; of what is there now."""
    tops = [resolved(path, root) for source in sources for path in (source.images, *source.truth_places)]
    linked: set[Path] = set()
    for top in filter(is_there, tops):
        with suppress(OSError):
            linked.update(path.resolve().parent for path in SourceWalk(top, None, is_image, False).files)
    return sorted({*linked, *(top.parent if top.is_file() else top for top in tops)})
