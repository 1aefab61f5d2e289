"""Plates among the files of a source, found by their index or by their names: a stack is a field of a well.

The law: an image that an index names is a plane of one stack, called `PLATE-E07-f1` by plate, well and field. Channels
that were taken at other heights or times than most, all over the plate, are a stack of their own, and so are
projections; a plane that is missing in one well is missing, and its stack says so. Images in a plate's folders that are
none of its planes, such as thumbnails and shading corrections, are left out, and told. An index that cannot be read is
told, and its files are what they are without it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from unet.sources.groups import Group
from unet.sources.imagexpress import folder_of_plate, imagexpress_files, imagexpress_plates
from unet.sources.name_patterns import Grouped
from unet.sources.plane_grids import AXES, Plane, grid_group
from unet.sources.plate_indexes import PlateFile, PlateIndex, read_index
from unet.sources.stack_names import natural_order, shortened
from unet.sources.stacks import Stated, Well


def plate_groups(top: Path, files: Sequence[Path], indexes: Sequence[Path]) -> Grouped:
    """Stacks of the plates among some files below a folder, in natural order, and the files that are of none.

    Raises:
        OSError: an index is there and cannot be read now, so that nobody knows what its files are.
    """
    found, rest, notes = list[PlateIndex](), list(files), list[str]()
    for index in sorted(indexes, key=lambda path: (path.parent, path.name.lower() != "index.idx.xml", path)):
        if any(index.parent == plate.file.parent for plate in found):
            continue
        try:
            plate = read_index(index, rest)
        except ValueError as error:
            notes.append(f"{index} is no index of a plate that can be read, so its images count one by one: {error}")
            continue
        if plate.files:
            found.append(plate)
            rest, note = _without(plate, rest)
            notes += note
    for (folder, name), images in imagexpress_plates(rest).items():
        plate = PlateIndex(folder / name, name, imagexpress_files(images, name), {}, ())
        if plate.files:
            found.append(plate)
            rest, note = _without(plate, rest, images)
            notes += note
    named = _told_apart(found, top)
    return Grouped([group for plate in named for group in _groups(plate, set(files))], rest, tuple(notes))


def _without(plate: PlateIndex, files: Sequence[Path], own: Sequence[Path] = ()) -> tuple[list[Path], list[str]]:
    """Files that are not a plate's, and what is said of images in its folders that are none of its planes."""
    planes = {file.path for file in plate.files}
    parents = {os.path.dirname(path) for path in planes}  # noqa: PTH120  # of many thousand files
    folders = parents | {str(folder_of_plate(Path(parent, "plane"))) for parent in parents}
    inside = set(own) if own else {path for path in files if os.path.dirname(path) in folders}  # noqa: PTH120
    odd = sorted(path.name for path in inside - planes)
    note = f"plate {plate.plate}: {len(odd)} images that are no planes of it are left out: {shortened(odd, 3)}"
    taken = inside | planes
    return [path for path in files if path not in taken], [note] if odd else []


def _told_apart(plates: Sequence[PlateIndex], top: Path) -> Iterator[PlateIndex]:
    """Plates of one name get the folders that they lie in before it."""
    names = [plate.plate for plate in plates]
    for plate in plates:
        folder = plate.file.parent.relative_to(top).as_posix() if plate.file.is_relative_to(top) else ""
        is_alone = names.count(plate.plate) == 1 or folder in ("", ".")
        yield plate if is_alone else plate._replace(plate=f"{folder}/{plate.plate}")


class _Part(NamedTuple):
    """What is one stack: a field of a well, as some channels show it."""

    well: Well
    kind: str
    """What its name ends with: "" of most channels."""


def _groups(plate: PlateIndex, there: set[Path]) -> Iterator[Group]:
    """The stacks of a plate."""
    kinds, parts = _kinds(plate), dict[_Part, list[PlateFile]]()
    for file in plate.files:
        well = Well(plate.plate, file.row, file.column, file.field)
        parts.setdefault(_Part(well, kinds[file.c, file.z == ""]), []).append(file)
    names = _channel_names(plate)
    for part, files in sorted(parts.items(), key=lambda item: natural_order("-".join(map(str, item[0])))):
        yield _group(plate, part, [file._replace(c=names[file.c]) for file in _by_channel(files)], there)


def _group(plate: PlateIndex, part: _Part, files: Sequence[PlateFile], there: set[Path]) -> Group:
    """One stack; channels have the order of `files`, as their names sort in no way of use."""
    well, kind = part
    key = f"{well.plate}-{well.row}{well.column}-f{well.field}{kind}"
    axes = "".join(axis for axis in AXES if _is_along(axis, files))
    planes = [Plane(str(file.path), tuple(getattr(file, axis) for axis in axes)) for file in files]
    here = [plane for plane in planes if Path(plane.file) in there]
    away = [plane for plane in planes if Path(plane.file) not in there]
    if here:
        called = {plane.at: Path(plane.file).name for plane in planes}
        group = grid_group(key, axes, here, lambda at: called.get(at, "a file that its index does not name"), away)
    else:
        why = f"{key} must have the files that {plate.file} names, got none of {len(away)}, such as {away[0].file}"
        group = Group(key, (str(plate.file),), refused=f"{why}; copy them, or exclude the stack")
    return group._replace(stated=Stated(pixel_size=plate.pixel_size), well=None if kind else well)


def _is_along(axis: str, files: Sequence[PlateFile]) -> bool:
    """Whether files lie along an axis; or along one channel, of which the index says more than a number."""
    words = {getattr(file, axis) for file in files}
    return len(words) > 1 or (axis == "c" and not all(word.isdigit() for word in words))


def _kinds(plate: PlateIndex) -> dict[tuple[str, bool], str]:
    """What names of stacks end with, by channel and by whether a file has no height."""
    places: dict[str, set[tuple[str, str]]] = {}
    for file in plate.files:
        places.setdefault(file.c, set()).add((file.t, file.z))
    is_deep = any(file.z for file in plate.files)
    flat = {c: frozenset(at for at in of if at[1] or not is_deep) for c, of in places.items()}
    most = max(flat.values(), key=len)
    names = _channel_names(plate)
    kinds = {(c, not is_deep): "" if of == most else f"-{names[c]}" for c, of in flat.items()}
    return kinds | {(c, True): "-projection" for c in places if is_deep}


def _channel_names(plate: PlateIndex) -> dict[str, str]:
    """Names of channels, no two alike, by the words of an index."""
    words = sorted({file.c for file in plate.files}, key=natural_order)
    given = [plate.channels.get(word) or word for word in words]
    return {w: name if given.count(name) == 1 else f"{name} {w}" for w, name in zip(words, given, strict=True)}


def _by_channel(files: Iterable[PlateFile]) -> list[PlateFile]:
    return sorted(files, key=lambda file: natural_order(file.c))
