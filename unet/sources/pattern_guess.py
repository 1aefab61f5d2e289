"""Which pattern the names of single planes follow, where nothing else can be meant.

The law: a pattern is offered only where every name fits it, each stack of it is a full grid but for a few planes that
are missing, and some grid is longer than one. It is offered to a person, and never taken by itself: `a_t1.tif,
a_t2.tif` may be two times, or two treatments.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unet.settings.file_pattern import FIELDS
from unet.settings.ingest import Source
from unet.sources.groups import Group
from unet.sources.image_kinds import stem
from unet.sources.name_patterns import Pattern, pattern_groups
from unet.sources.stacks import Stack

START = r"(?:(?<=[_\-. ])|^)"
END = r"(?=[_\-. ]|$)"
ID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
WORDS = {
    "z": "zstep|zslice|slice|plane|z",
    "t": "timepoint|time|frame|tp|t",
    "c": "channel|chan|ch|c",
    "field": "position|site|field|series|pos|xy|fov|s|f|p",
}
"""What stands before the number of each, in names of most programs; an equal sign or a dash may follow it."""
WHOLE = (
    r"img_(?P<t>\d{9})_(?P<c>.+)_(?P<z>\d{3})",
    r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<field>\d+)p(?P<z>\d\d+)-ch(?P<c>\d+)sk(?P<t>\d+)fk1fl1",
    r"(?P<name>.+)_(?P<well>[A-Z]{1,2}\d\d)_T(?P<t>\d{4})F(?P<field>\d{3})L(?P<a>\d\d)A(?P<b>\d\d)Z(?P<z>\d\d)C(?P<c>\d\d)",
    rf"(?P<name>.+)_(?P<well>[A-P]\d\d)_s(?P<field>\d+)_w(?P<c>\d)(?P<a>{ID})?",
)
"""Names of Micro-Manager, Operetta, CellVoyager and ImageXpress; what is called a or b does not matter."""
TOKEN = re.compile(
    "|".join(
        [
            START + r"(?i:w)(?P<wave>[0-9][A-Za-z0-9 -]*)" + END,  # MetaMorph: _w1DAPI
            *(START + rf"(?i:{words})[=-]?(?P<{field}>[0-9]+)" + END for field, words in WORDS.items()),
        ]
    )
)
"""A part of a name that says a place by a letter or a word, and a number."""


FEW = 10
"""Of as many planes one may be missing; or one, where there are fewer."""


class Guess(NamedTuple):
    """A pattern that the names of files follow."""

    pattern: str
    groups: list[Group]

    @property
    def sentence(self) -> str:
        """What it would make of the files, and how to say so."""
        files, stacks = sum(len(group.files) for group in self.groups), len(self.groups)
        number = f"{stacks} stack{'s'[: stacks != 1]}"
        return (
            f"these look like planes: pattern {self.pattern}, {files} files → {number}{self._sizes}; "
            f"say --pattern '{self.pattern}' to take them as such{self._missing}"
        )

    @property
    def _sizes(self) -> str:
        full = [group.grid for group in self.groups if not group.lacking]
        grids = {tuple((axis, len(words)) for axis, words in grid if len(words) > 1) for grid in full}
        if not grids:
            return ""
        called = {"t": "times", "c": "channels", "z": "z"}
        of = " × ".join(f"{length} {called[axis]}" for axis, length in min(grids))
        return f" of {of} each" if len(grids) == 1 else f" of {of} and other sizes"

    @property
    def _missing(self) -> str:
        """Which plane is not there, and how many stacks lack some."""
        lacking = [group.refused for group in self.groups if group.lacking]
        number = f"{len(lacking)} stacks lack planes, " if len(lacking) > 1 else ""
        return f"; {number}{lacking[0]}" if lacking else ""


def guess_of_source(source: Source, stacks: Sequence[Stack]) -> Guess | None:
    """The pattern that the files of a source follow, where each of them is a stack by itself yet."""
    if source.pattern is not None or source.slices is not None:
        return None
    if any(len(stack.files) > 1 or stack.scene is not None or stack.grid for stack in stacks):
        return None
    files = [Path(stack.files[0]) for stack in stacks]
    return guess_pattern(Path(source.images), files) if all(path.is_file() for path in files) else None


def guess_pattern(top: Path, files: Sequence[Path]) -> Guess | None:
    """The pattern that all of some files below a folder follow; None where there is none, or where it would be odd."""
    suffixes = {path.name.removeprefix(stem(path.name)).lower() for path in files}
    if len(files) < 2 or len(suffixes) > 1:
        return None
    stems = [stem(path.name) for path in files]
    patterns = [text + min(suffixes) for text in (*_of_whole(stems), _of_tokens(stems)) if text]
    guesses = [_guess_by(pattern, top, files) for pattern in patterns]
    fitting = [guess for guess in guesses if guess is not None]
    return min(fitting, key=lambda guess: sum(group.lacking for group in guess.groups), default=None)


def _guess_by(pattern: str, top: Path, files: Sequence[Path]) -> Guess | None:
    """What a pattern makes of some files; None where it does not fit them all."""
    groups, rest, _ = pattern_groups(Pattern(pattern), top, files)
    lacking = sum(group.lacking for group in groups)
    is_odd = bool(rest) or any(group.refused and not group.lacking for group in groups)
    if is_odd or lacking > max(1, len(files) // FEW) or all(len(group.files) == 1 for group in groups):
        return None
    return Guess(pattern, groups)


def _of_whole(stems: Sequence[str]) -> list[str]:
    """Patterns of programs that write the whole name."""
    texts = []
    for made in WHOLE:
        found = re.fullmatch(made, stems[0])
        if found is not None and all(re.fullmatch(made, name) for name in stems):
            texts.append(_with_fields(stems[0], _spans(found)))
    return texts


def _of_tokens(stems: Sequence[str]) -> str:
    """A pattern of names that say their places part by part; "" where they do not all say the same ones."""
    read = [_pieces(name) for name in stems]
    first = read[0]
    if not first.fields or any(each.fields != first.fields for each in read):
        return ""
    numbers = range(len(first.texts))
    unlike = [number for number in numbers if len({each.texts[number] for each in read}) > 1]
    if len(unlike) > 1 or len(set(first.fields)) < len(first.fields):
        return ""
    texts = list(first.texts)
    varying = unlike[0] if unlike else next((n for n in numbers if re.search("[A-Za-z0-9]", texts[n])), 0)
    if unlike or varying == 0:
        texts[varying] = _name_in(read, varying)
    if any(re.search(r"[{}*]", text.replace("{name}", "")) for text in texts):
        return ""
    fields = (f"{{{field}}}" for field in (*first.fields, ""))
    return "".join(text + field for text, field in zip(texts, fields, strict=True)).removesuffix("{}")


class _Pieces(NamedTuple):
    """A name, cut at what says its places: `texts` stand before, between and behind `fields`."""

    texts: list[str]
    fields: list[str]


def _pieces(name: str) -> _Pieces:
    texts, fields, end = [], [], 0
    for found in TOKEN.finditer(name):
        field = found.lastgroup or ""
        texts.append(name[end : found.start(field)])
        fields.append("c" if field == "wave" else field)
        end = found.end(field)
    return _Pieces([*texts, name[end:]], fields)


def _name_in(read: Sequence[_Pieces], number: int) -> str:
    """The text that tells stacks apart, with {name} in the place of what is the name."""
    texts = {each.texts[number] for each in read}
    before = "" if number == 0 else _found(r"^[_\-. ]*", min(texts))
    is_last = number == len(read[0].texts) - 1
    behind = "" if is_last else _found(r"(?:[_\-. ]|^)[A-Za-z]*[=-]?$", min(texts))
    inside = [text.removeprefix(before).removesuffix(behind) for text in texts]
    if any(before + text + behind not in texts for text in inside):
        return "{"  # what is no pattern
    return before + ("{name}" if any(inside) else "") + behind


def _found(pattern: str, text: str) -> str:
    """The part of a text that a pattern matches; "" where none does."""
    found = re.search(pattern, text)
    return found[0] if found else ""


def _spans(found: re.Match[str]) -> list[tuple[int, int, str]]:
    """Start, end and field of each group of a match, in the order of the name."""
    spans = [(*found.span(field), field if field in FIELDS else "*") for field in found.groupdict()]
    return sorted(span for span in spans if span[0] >= 0)


def _with_fields(name: str, spans: Sequence[tuple[int, int, str]]) -> str:
    text, end = "", 0
    for start, stop, field in spans:
        text += name[end:start] + (field if field == "*" else f"{{{field}}}")
        end = stop
    return text + name[end:]
