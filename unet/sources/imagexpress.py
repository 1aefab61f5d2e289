"""Names of files that ImageXpress writes: plate, well, site, wavelength, and by their folders time and height.

PLATE_E07_s1_w1UUID.TIF                        site and wavelength are left out where there is one
PLATE_E07_s1_w1_thumbUUID.TIF                  a thumbnail, which is no image
TimePoint_1/ZStep_2/PLATE_E07_s1_w1UUID.TIF    beside ZStep folders lie projections along z
"""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from unet.sources.plate_indexes import PlateFile

NAME = re.compile(
    r"(?P<plate>.+?)_(?P<row>[A-P])(?P<column>\d\d)(?:_s(?P<site>\d+))?(?:_w(?P<wave>\d))?(?P<thumb>_thumb)?"
    r"(?P<id>[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.tiff?",
    re.IGNORECASE,
)
WHERE = re.compile(r".+?_[A-P]\d\d(?:_s\d+)?", re.IGNORECASE)
"""What names of one field begin with."""
STEP, TIME = (re.compile(rf"{word}_(\d+)", re.IGNORECASE) for word in ("ZStep", "TimePoint"))


def imagexpress_files(images: Sequence[Path], plate: str) -> tuple[PlateFile, ...]:
    """The files of a plate among some images, and those that it lacks; thumbnails are none.

    What a channel has in one field at a time and a height, it must have in all of them.
    """
    found = list[PlateFile]()
    for path in images:
        name = NAME.fullmatch(path.name)
        if name is None or name["thumb"] or name["plate"].lower() != plate.lower():
            continue
        times, steps = (_number(of, path) for of in (TIME, STEP))
        where = name["row"].upper(), name["column"], int(name["site"] or 1)
        found.append(PlateFile(path, *where, times, name["wave"] or "1", steps))
    return (*found, *_lacking(found))


def _lacking(found: Sequence[PlateFile]) -> Iterator[PlateFile]:
    """Files that are in other fields, and not in these; with the names that they would have, but for long numbers."""
    planes = {(file.t, file.c, file.z): file for file in found}
    fields = {file[1:4]: file for file in found}
    there = {file[1:] for file in found}
    for (where, beside), (at, alike) in product(fields.items(), planes.items()):
        if (*where, *at) not in there:
            start = WHERE.match(beside.path.name)
            wave = NAME.fullmatch(alike.path.name)
            name = (start[0] if start else "") + (f"_w{wave['wave']}" if wave and wave["wave"] else "")
            yield PlateFile(alike.path.with_name(name + alike.path.suffix), *where, *at)


def imagexpress_plates(images: Sequence[Path]) -> dict[tuple[Path, str], list[Path]]:
    """Images of plates that have no index with them, told by the long numbers in their names; by folder and plate."""
    plates: dict[tuple[Path, str], list[Path]] = {}
    for path in images:
        name = NAME.fullmatch(path.name)
        if name is not None and name["id"]:
            plates.setdefault((folder_of_plate(path), name["plate"]), []).append(path)
    return plates


def folder_of_plate(path: Path) -> Path:
    """The folder that a plate lies in, above those of times and heights."""
    folder = path.parent
    while STEP.fullmatch(folder.name) or TIME.fullmatch(folder.name):
        folder = folder.parent
    return folder


def _number(word: re.Pattern[str], path: Path) -> str:
    """The number of a time or height that a folder of a file bears; "" where none does."""
    return next((found[1] for folder in path.parts[-3:-1] if (found := word.fullmatch(folder))), "")
