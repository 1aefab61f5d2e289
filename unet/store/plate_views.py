"""Plates of a dataset, for viewers: `plates/PLATE.ome.zarr` shows the images on a plate, by well and field.

OME-Zarr wants the images of a well within it, and images lie in `images/NAME.ome.zarr`, where all else is made of them.
So a plate is a view: its groups are written, and the arrays of its images are links to those there are. No pixel is
copied. Links are there on a disk alone; in an object store a dataset has no plates.

    plates/P.ome.zarr/zarr.json    plate: rows, columns, wells
                      E/zarr.json
                      E/07/zarr.json    well: images
                      E/07/1/zarr.json    the image's own, whose levels are called 0, 1, … here
                      E/07/1/0 → ../../../../../images/P-E07-f1.ome.zarr/3f2a9c.0
                      E/07/1/labels → ../../../../../images/P-E07-f1.ome.zarr/labels

Of an image that is linked, its own pyramid is shown where it lies, if that is of OME-Zarr 0.5; one of another version
is left out, as readers of plates take all of a plate for one version.

Rejected: paths out of the plate's group, which the specification forbids; and a link to the image as a whole, whose
levels are called by its generation: readers of plates take it that levels are called alike in all of its images.
"""

import copy
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unet.dataset.folder import LEAVING, Dataset, Folder
from unet.ledger.generations import Result
from unet.ledger.results import image_of
from unet.sources.stack_names import natural_order, safe_name
from unet.sources.stacks import Well
from unet.sources.zarr_nodes import read_node

log = logging.getLogger(__name__)

VERSION, ZARR = "0.5", 3
"""Of OME-Zarr and of zarr: readers want those of a plate in all of its images."""


class _Shown(NamedTuple):
    """An image as a plate shows it."""

    ome: Mapping[str, Any]
    """What it says of itself."""
    levels: Sequence[Path]
    """Folders of its arrays, in the order of its first pyramid."""


def update_plate_views(dataset: Dataset) -> None:
    """Make the plates of a dataset show the images that there are; nothing is written where all is so."""
    if not dataset.is_local:
        return
    plates: dict[str, dict[str, Well]] = {}
    images: dict[str, _Shown] = {}
    for name in dataset.stacks():
        image = image_of(dataset, name)
        stamp = image.known_stamp()
        if stamp is None or not stamp.facts.get("well"):
            continue
        if (shown := _shown_image(image, stamp.facts)) is not None:
            well = Well(*stamp.facts["well"])
            plates.setdefault(safe_name(well.plate), {})[name] = well
            images[name] = shown
    places = {path: name for plate, wells in plates.items() for path, name in _places(plate, wells)}
    views = {path: _view(dataset, path, name, images[name]) for path, name in places.items()}
    links = {path: target for _, linked in views.values() for path, target in linked.items()}
    files = {f"{path}/zarr.json": content for path, (content, _) in views.items()}
    files |= {path: content for plate in plates for path, content in _groups(plate, places)}
    top = Path(dataset.url) / "plates"
    try:
        _remove_others(top, {*files, *links})
        for path, target in links.items():
            _link(top / path, target)
        for path, content in files.items():
            if not (top / path).is_file() or (top / path).read_bytes() != content:
                (Folder(str(top)) / path).write(content)
    except (OSError, NotImplementedError) as error:  # a disk without links
        log.warning("plates are not shown in %s, as no links can be made there: %s", top, error)


def _places(plate: str, wells: Mapping[str, Well]) -> Iterator[tuple[str, str]]:
    """Paths of images on a plate, and the names of their stacks."""
    taken: set[str] = set()
    for name, well in sorted(wells.items(), key=lambda item: natural_order(item[0])):
        place = f"{plate}.ome.zarr/{_plain(well.row)}/{_plain(well.column)}/"
        path = f"{place}{well.field}"
        number = 2
        while path in taken:  # a field that was taken twice
            path = f"{place}{well.field}x{number}"
            number += 1
        taken.add(path)
        yield path, name


def _shown_image(image: Result, facts: Mapping[str, Any]) -> _Shown | None:
    """An image as it is shown; None of one that has no metadata, or is linked to what plates of ours cannot hold."""
    ome = image.attributes().get("ome", {})
    if "multiscales" not in ome:
        return None
    folder = Path(image.folder.url)
    if "link" in facts:
        folder = Path(facts["source"][0])
        linked = _linked_ome(folder)
        if linked is None:
            return None
        ome = {**ome, "multiscales": linked}
    return _Shown(ome, [folder / level["path"] for level in ome["multiscales"][0]["datasets"]])


def _linked_ome(folder: Path) -> Sequence[Any] | None:
    """The pyramid of another program's image, with its own axes; None of another version, or where it is away."""
    try:
        node = read_node(folder)
        pyramid = node.ome["multiscales"][0]
        is_leaving = any(LEAVING.search(level["path"]) for level in pyramid["datasets"])
    except (ValueError, OSError, LookupError, TypeError):
        return None
    return [pyramid] if node.version == ZARR and node.ome.get("version") == VERSION and not is_leaving else None


def _view(dataset: Dataset, path: str, name: str, image: _Shown) -> tuple[bytes, dict[str, Path]]:
    """Metadata of an image whose levels are called by their numbers, and where each link below it leads to."""
    shown, labels = copy.deepcopy(dict(image.ome)), dataset.image(name) / "labels"
    links = {f"{path}/labels": Path(labels.url)} if labels.exists() else {}
    for number, (level, folder) in enumerate(zip(shown["multiscales"][0]["datasets"], image.levels, strict=True)):
        links[f"{path}/{number}"] = folder
        level["path"] = str(number)
    return _group({"ome": shown}), links


def _groups(plate: str, places: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Metadata of a plate, its rows and wells; the plate's last."""
    top = f"{plate}.ome.zarr"
    images: dict[tuple[str, str], list[str]] = {}
    for path in places:
        of, row, column, image = path.split("/")
        if of == top:
            images.setdefault((row, column), []).append(image)
    rows, columns = (sorted({well[n] for well in images}, key=_plate_order) for n in (0, 1))
    for row in rows:
        yield f"{top}/{row}/zarr.json", _group({})
    for (row, column), paths in images.items():
        well = {"images": [{"path": path} for path in sorted(paths, key=natural_order)]}
        yield f"{top}/{row}/{column}/zarr.json", _group({"ome": {"version": VERSION, "well": well}})
    values = {
        "name": plate,
        "version": VERSION,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in sorted(images, key=lambda well: [_plate_order(word) for word in well])
        ],
        "field_count": max(map(len, images.values())),
    }
    yield f"{top}/zarr.json", _group({"ome": {"version": VERSION, "plate": values}})


def _group(attributes: Mapping[str, Any]) -> bytes:
    return json.dumps({"zarr_format": ZARR, "node_type": "group", "attributes": attributes}, indent=1).encode()


def _plate_order(word: str) -> tuple[int, Any]:
    """Key that sorts rows A … Z, AA …, and columns by number."""
    return len(word) if word.isalpha() else 0, natural_order(word)


def _plain(word: str) -> str:
    """Letters and digits of a row's or column's name: all that its path may hold."""
    return re.sub("[^A-Za-z0-9]", "", word) or "0"


def _link(path: Path, to: Path) -> None:
    """Put a link, where none is that leads there."""
    target = os.path.relpath(to, path.parent)
    if path.is_symlink():
        if os.readlink(path) == target:  # noqa: PTH115  # as it is written
            return
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target, target_is_directory=True)


def _remove_others(top: Path, wanted: set[str]) -> None:
    """Remove what is in no plate now; links are removed, and what they lead to is not looked into."""
    for folder, folders, files in os.walk(top, topdown=False):
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink() or path.is_file():  # a link first: what it leads to is not looked into
                if path.relative_to(top).as_posix() not in wanted:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
    if top.is_dir() and not any(top.iterdir()):
        top.rmdir()
