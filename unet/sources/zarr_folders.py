"""OME-Zarr folders in sources: which images lie in one, told by its metadata files alone.

    cells.zarr/               an image (multiscales), or a plain array: one stack
    series.zarr/0, 1          what bioformats2raw writes: a stack each series, `series-s0`, `series-s1`
    plate.zarr/A/1/0, 1       a plate: a stack each field of each well, `plate-A1-f0`, `plate-A1-f1`
    many.zarr/first, second   images in a group of no known kind: `many-first`, `many-second`

Labels and tables beside an image are no images. A well or field that a plate names and that is not there is told of, as
parts of plates are passed around; what is there and broken is a stack that says why it cannot be read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unet.dataset.folder import LEAVING
from unet.sources.stack_names import natural_order, shortened
from unet.sources.stacks import Well
from unet.sources.zarr_nodes import BESIDE, Node, is_zarr_folder, mapping, read_node

DEEPEST = 3
"""Groups within each other that are looked into, where none says what it holds."""
MOST = 20_000
"""Images of one folder: more are taken for nonsense."""


class ZarrImage(NamedTuple):
    """One image of an OME-Zarr folder."""

    path: str
    """Absolute path of the image's group, or of a plain array."""
    suffix: str = ""
    """What its stack's name has behind that of the folder."""
    well: tuple[str, str, int] | None = None
    """Row, column and field on a plate."""


def zarr_images(folder: Path) -> tuple[list[ZarrImage], list[str]]:
    """Images in a folder, and what is to be said of those that are not there; one that is broken is the folder itself.

    Reading it will tell what is wrong.
    """
    try:
        node, notes = read_node(folder), list[str]()
        if node.array is None and "multiscales" not in node.ome:
            images = list(_of_group(folder, node, notes))[: MOST + 1]
            if 0 < len(images) <= MOST:
                return images, notes
    except (ValueError, OSError):
        pass
    return [ZarrImage(str(folder))], []


def image_paths(path: Path) -> set[str]:
    """A file; of an OME-Zarr folder the images in it."""
    return {image.path for image in zarr_images(path)[0]} if is_zarr_folder(path) else {str(path)}


def _of_group(folder: Path, node: Node, notes: list[str]) -> Iterator[ZarrImage]:
    plate, well = node.ome.get("plate"), node.ome.get("well")
    if isinstance(plate, Mapping):
        yield from _of_plate(folder, plate, notes)
    elif isinstance(well, Mapping):
        yield from (ZarrImage(path, f"-f{field}") for field, path in _fields(folder))
    else:
        paths = _series(folder) if "bioformats2raw.layout" in node.ome else list(_images_below(folder, DEEPEST))
        names = [Path(path).relative_to(folder).as_posix() for path in paths]
        for path, name in zip(paths, names, strict=True):
            suffix = f"-s{name}" if name.isdecimal() else f"-{name.replace('/', '-')}"
            yield ZarrImage(path, suffix if len(paths) > 1 else "")


def _of_plate(folder: Path, plate: Mapping[str, Any], notes: list[str]) -> Iterator[ZarrImage]:
    lost = []
    for path in listed_paths(plate.get("wells")):
        fields = list(_fields(folder / path))
        row, _, column = path.partition("/")
        if not fields or not column or "/" in column:
            lost.append(path)
            continue
        for field, image in fields:
            yield ZarrImage(image, f"-{row}{column}-f{field}", (row, column, field))
    if lost:
        notes.append(f"{folder} is a plate that names wells of which no image is there: {shortened(lost)}")


def _fields(well: Path) -> Iterator[tuple[int, str]]:
    """Number and path of each field of a well that is there; without metadata, all that are."""
    try:
        named = mapping(read_node(well).ome.get("well")).get("images")
    except ValueError:
        named = None
    paths = listed_paths(named) if named is not None else _children(well)
    yield from ((field, str(well / path)) for field, path in enumerate(paths) if (well / path).is_dir())


def labels_in(image: str) -> list[str]:
    """Names of the labels that lie within an image, such as `labels/cells`; none of what is no OME-Zarr."""
    return [f"labels/{name}" for name in _children(Path(image, "labels"))]


def _series(folder: Path) -> list[str]:
    try:
        named = read_node(folder / "OME").ome.get("series")
    except ValueError:
        named = None
    paths = listed_paths([{"path": each} for each in named]) if isinstance(named, list) else _children(folder)
    return [str(folder / path) for path in paths if (folder / path).is_dir()]


def _images_below(folder: Path, deep: int) -> Iterator[str]:
    """Images and arrays in a group that does not say what it holds."""
    for name in _children(folder):
        try:
            node = read_node(folder / name)
        except ValueError:
            continue
        if node.array is not None or "multiscales" in node.ome:
            yield str(folder / name)
        elif deep:
            yield from _images_below(folder / name, deep - 1)


def _children(folder: Path) -> list[str]:
    """Names of the groups and arrays in a group, in the order people have them; links are not followed."""
    if not folder.is_dir():
        return []
    folders = (entry for entry in folder.iterdir() if entry.name not in BESIDE and not entry.is_symlink())
    return sorted((entry.name for entry in folders if is_zarr_folder(entry)), key=natural_order)


def listed_paths(listed: Any) -> list[str]:
    """Paths that metadata lists; none that leads out of its folder."""
    each = [entry.get("path") for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    paths = [str(path).rstrip("/") for path in each if isinstance(path, str | int)]
    return [path for path in dict.fromkeys(paths) if not LEAVING.search(path)]


def well_of(plate: str, image: ZarrImage) -> Well | None:
    """Where an image lies, on a plate of this name."""
    return Well(plate, *image.well) if image.well else None
