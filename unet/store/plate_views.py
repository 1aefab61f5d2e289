"""Plates of a dataset, for viewers: `plates/PLATE.ome.zarr` shows the images on a plate, by well and field.

OME-Zarr wants the images of a well within it, and images lie in `images/NAME.ome.zarr`, where all else is made of them.
So a plate is a view: its groups are written, and its images are links to those there are. No pixel is copied.
Links are there on a disk alone; in an object store a dataset has no plates.

    plates/P.ome.zarr/zarr.json    plate: rows, columns, wells
                      E/zarr.json
                      E/07/zarr.json    well: images
                      E/07/1 → ../../../../images/P-E07-f1.ome.zarr

Rejected: paths out of the plate's group, which the specification forbids, and copies of `zarr.json`, whose arrays would
be nowhere.
"""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unet.dataset.folder import Dataset, Folder
from unet.dataset.stack_names import natural_order, safe_name
from unet.dataset.stacks import Well
from unet.ledger.results import image_of

log = logging.getLogger(__name__)

VERSION = "0.5"

View = dict[str, bytes | None]
"""Paths below `plates` → contents of a file; None of a link."""


def update_plate_views(dataset: Dataset) -> None:
    """Make the plates of a dataset show the images that there are; nothing is written where all is so."""
    if not dataset.is_local:
        return
    plates: dict[str, dict[str, Well]] = {}
    for name in dataset.stacks():
        stamp = image_of(dataset, name).known_stamp()
        if stamp is not None and stamp.facts.get("well"):
            well = Well(*stamp.facts["well"])
            plates.setdefault(safe_name(well.plate), {})[name] = well
    links = {path: name for plate, wells in plates.items() for path, name in _links(plate, wells)}
    files = {path: content for plate in plates for path, content in _groups(plate, links)}
    top = Path(dataset.url) / "plates"
    try:
        _remove_others(top, {*files, *links})
        for path, name in links.items():
            _link(top / path, name)
        for path, content in files.items():
            if not (top / path).is_file() or (top / path).read_bytes() != content:
                (Folder(str(top)) / path).write(content)
    except (OSError, NotImplementedError) as error:  # a disk without links
        log.warning("plates are not shown in %s, as no links can be made there: %s", top, error)


def _links(plate: str, wells: Mapping[str, Well]) -> Iterator[tuple[str, str]]:
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


def _groups(plate: str, links: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Metadata of a plate, its rows and wells; the plate's last."""
    top = f"{plate}.ome.zarr"
    images: dict[tuple[str, str], list[str]] = {}
    for path in links:
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
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=1).encode()


def _plate_order(word: str) -> tuple[int, Any]:
    """Key that sorts rows A … Z, AA …, and columns by number."""
    return len(word) if word.isalpha() else 0, natural_order(word)


def _plain(word: str) -> str:
    """Letters and digits of a row's or column's name: all that its path may hold."""
    return re.sub("[^A-Za-z0-9]", "", word) or "0"


def _link(path: Path, name: str) -> None:
    """Put a link to an image, where none is."""
    target = os.path.relpath(path.parents[4] / f"images/{name}.ome.zarr", path.parent)
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
            if path.is_symlink() or path.is_file():
                if path.relative_to(top).as_posix() not in wanted:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
    if top.is_dir() and not any(top.iterdir()):
        top.rmdir()
