"""Patterns of file names: files of single planes, told by what their names say of them.

    {name}_z{z}_c{c}.tif      a_z1_cDAPI.tif, a_z2_cDAPI.tif, …         one stack a
    {name}/z{z}.tif           a/z1.tif, a/z2.tif, …                     one stack a, the same by folders
    {well}_f{field}_c{c}.tif  B02_f1_c1.tif, B02_f1_c2.tif, …           one stack B02-f1

A pattern is counted from the file upward: folders above those that it speaks of are a part of the stack's key, so that
`day1/a_z1.tif` and `day2/a_z1.tif` are two stacks. Its suffix, where it has one, is matched whatever its case; without
one, any kind of image is. Of what could be read in two ways, {name} is as long, and {c} as short, as can be.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from unet.settings.file_pattern import FIELDS, PIECES
from unet.sources.groups import Group
from unet.sources.image_kinds import SUFFIXES, stem
from unet.sources.plane_grids import AXES, Plane, Words, grid_group
from unet.sources.stack_names import natural_order, shortened
from unet.sources.stacks import Well

OF_STACK = tuple(field for field in FIELDS if field not in AXES)
TEXT_BEFORE_C = re.compile(r"[ _.-]?[A-Za-z]*\{c\}")
"""What of a pattern says the channel, with the letters before it."""


class Grouped(NamedTuple):
    """Groups of some files, those that are none of them, and what a person should know."""

    groups: list[Group]
    rest: list[Path]
    notes: tuple[str, ...] = ()


class Pattern:
    """A pattern, ready to read names."""

    def __init__(self, text: str, suffix: str | None = None) -> None:
        """Read a pattern that was checked; `suffix` stands behind it, before that of the file, where there is one."""
        self.text = text
        self.axes = "".join(axis for axis in AXES if f"{{{axis}}}" in text)
        self._stem = stem(text)
        self._ending = text.removeprefix(self._stem)
        self._behind = suffix

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        seen: set[str] = set()
        made = []
        for field, star, plain, _ in PIECES.findall(self._stem):
            if field in seen:
                made.append(f"(?P={field})")
            elif field:
                made.append(f"(?P<{field}>{FIELDS[field]})")
                seen.add(field)
            else:
                made.append("[^/]*?" if star else re.escape(plain))
        made += [re.escape(self._behind)] if self._behind else []
        ending = re.escape(self._ending) if self._ending else "|".join(map(re.escape, SUFFIXES))
        return re.compile(f"{''.join(made)}(?i:{ending})")

    def fields_of(self, below: str) -> tuple[str, Mapping[str, str]] | None:
        """The folder above what the pattern speaks of, and what the path says; None where it does not fit."""
        parts = below.split("/")
        depth = self.text.count("/") + 1
        found = self._regex.fullmatch("/".join(parts[-depth:]))
        return None if found is None else ("/".join(parts[:-depth]), found.groupdict())

    def of_truth(self, suffix: str | None) -> "Pattern":
        """The pattern of truth of these images: of any kind of image, and without a channel."""
        return Pattern(TEXT_BEFORE_C.sub("", self._stem), suffix)

    def filled(self, fields: Mapping[str, str]) -> str:
        """The name of a file; what does not matter stays a star.

        >>> Pattern("{name}_z{z}*.tif").filled({"name": "a", "z": "3"})
        'a_z3*.tif'
        """
        return PIECES.sub(lambda piece: fields.get(piece[1], piece[0]) if piece[1] else piece[0], self.text)


def pattern_groups(pattern: Pattern, top: Path, files: Sequence[Path]) -> Grouped:
    """Stacks of the files that fit a pattern, in natural order; the others are told."""
    found: dict[str, list[tuple[Plane, Mapping[str, str]]]] = {}
    rest = []
    for path in sorted(files, key=lambda path: natural_order(path.as_posix())):
        below = path.relative_to(top).as_posix() if path != top else path.name
        read = pattern.fields_of(below)
        if read is None:
            rest.append(path)
            continue
        folder, fields = read
        at = tuple(fields[axis] for axis in pattern.axes)
        found.setdefault(_key(folder, fields), []).append((Plane(str(path), at), fields))
    groups = [_group(pattern, key, planes, top) for key, planes in found.items()]
    few = shortened([path.name for path in rest], 3)
    notes = (f"pattern {pattern.text} fits all images but {len(rest)}, which are left out: {few}",)
    return Grouped(groups, rest, notes if rest else ())


def well_of(fields: Mapping[str, str], plate: str) -> Well | None:
    """Where a file lies on a plate, by what its name says; None where it says no well."""
    row, column = fields.get("row"), fields.get("column")
    if fields.get("well"):
        row, column = re.findall("[A-Za-z]+|[0-9]+", fields["well"])
    if not row or not column:
        return None
    digits = re.search("[0-9]+", fields.get("field", ""))
    return Well(plate, row_name(row), column.zfill(2), int(digits[0]) if digits else 1)


def row_name(row: str) -> str:
    """Letters of a row of a plate, by letters or by number from 1.

    >>> row_name("c"), row_name("3"), row_name("27")
    ('C', 'C', 'AA')
    """
    if not row.isdigit():
        return row.upper()
    number = max(1, int(row)) - 1
    return (chr(ord("A") + number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _key(folder: str, fields: Mapping[str, str]) -> str:
    """What a stack is named after."""
    well = well_of(fields, "")
    parts = [fields.get("plate"), fields.get("name"), f"{well.row}{well.column}" if well else None]
    parts += [f"f{fields['field']}"] if fields.get("field") else []
    key = "-".join(part for part in parts if part)
    return unicodedata.normalize("NFC", "/".join(part for part in (folder, key) if part) or ".")


def _group(pattern: Pattern, key: str, planes: Sequence[tuple[Plane, Mapping[str, str]]], top: Path) -> Group:
    first, fields = planes[0]

    def would_be(at: Words) -> str:
        return Path(pattern.filled({**fields, **dict(zip(pattern.axes, at, strict=True))})).name

    group = grid_group(key, pattern.axes, [plane for plane, _ in planes], would_be)
    plate = fields.get("plate") or fields.get("name") or Path(first.file).parent.name or top.name
    return group._replace(well=well_of(fields, plate))
