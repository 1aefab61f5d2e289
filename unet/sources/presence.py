"""Places of sources that are away now: files that were below them are neither there nor gone, and are told of once.

A place is away where a share is not mounted (it is not there, or an empty folder), where a link leads nowhere, and
where its rights forbid a look. A file that is gone from a folder that can be read, and holds others, was taken away.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from unet.settings.ingest import Source
from unet.sources.image_kinds import is_class_table, is_image, is_truth
from unet.sources.paths import existing, resolved
from unet.sources.walk import SourceWalk

KEPT = "what was taken from it before is kept"


def is_there(top: Path) -> bool:
    """Whether a folder or file is there; False too where its rights forbid a look."""
    return os.path.isdir(top) or os.path.isfile(top)  # noqa: PTH112, PTH113  # which never raise


def places_away(sources: Sequence[Source], root: Path) -> dict[str, str]:
    """Paths of places that are away, each with a sentence that says so."""
    tops = [
        each
        for source in sources
        for each in (("images", source.images), *(("truth", place) for place in source.truth_places))
    ]
    return {place: said for kind, written in dict.fromkeys(tops) for place, said in _away_of(kind, written, root)}


def images_away(written: str, root: Path) -> str:
    """Why all images of a source are away, a sentence; "" where some are there."""
    place, said = next(_away_of("images", written, root), ("", ""))
    return said if place == str(resolved(written, root)) else ""


def _away_of(kind: str, written: str, root: Path) -> Iterator[tuple[str, str]]:
    """Those of one source: all of it, or places below it."""
    top = resolved(written, root)
    kinds = is_image if kind == "images" else lambda name: is_truth(name) or is_class_table(name)
    try:
        walk = SourceWalk(existing(kind, written, root), None, kinds, each_once=False)
    except (LookupError, OSError) as error:
        yield str(top), f"{error}; {KEPT}"
        return
    if not walk.files and top.is_dir():
        yield str(top), f"{kind} {written!r} holds no image files now; {KEPT}"
        return
    yield from ((str(link), f"{link} is a link to what is not there; {KEPT}") for link in walk.dangling)
    yield from ((str(folder), f"{folder} is empty; {KEPT}") for folder in walk.empty)
    yield from ((str(folder), f"{folder} cannot be read; {KEPT}") for folder in walk.unreadable)


def place_of(file: str, places: Sequence[str]) -> str | None:
    """The place of these that a file is, or lies below; None where it lies in none.

    >>> place_of("/raw/day1/a.tif", ["/raw/day10", "/raw/day1"]), place_of("/raw/b.tif", ["/raw/day1"])
    ('/raw/day1', None)
    """
    return next((place for place in places if file == place or file.startswith(f"{place}{os.sep}")), None)
