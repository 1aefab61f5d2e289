"""Tables that tell the class of each id of truth: CSV with the columns `id` and `class`, in any order, among others.

    id,class            id;area;class
    7,nucleus           7;31,5;1
    9,mitosis           9;12,0;2

Fields are parted by comma, semicolon or tab, whichever the first line has. A line `sep=;` before it, which
some programs write, is passed over; so is the id 0, the background, which is no object. Of a line no more is kept than
a number and which of the words it names, so that a table of millions of ids needs a few bytes for each.
"""

import csv
import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.dataset.filesystem import read_regular

LARGEST = 2**26
"""Bytes of a table; five million ids take less."""
MOST_WORDS = 10_000
"""Words for classes; more are no classes."""
LONGEST_LINE = 2**16
"""Characters of the first line."""
LONGEST = 64
"""Characters of a word that an error shows."""


class ClassTable(NamedTuple):
    """What a table says: `words[numbers[n]]` is the class of `ids[n]`; ids are ascending, each once."""

    ids: NDArray[np.int64]
    numbers: NDArray[np.int64]
    words: tuple[str, ...]


def read_class_table(file: str) -> ClassTable:
    """The class of each id that a table has.

    Raises:
        ValueError: it is no such table, or names an id twice; the line is told.
    """
    content = read_regular(file, LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{file} must be a table of at most {LARGEST:,} bytes, got more; leave other columns out")
    try:
        found = _of_lines(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""))
    except (ValueError, csv.Error) as error:
        why = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(f"{file} must be a CSV with the columns id and class: {why}; save it again") from error
    order = np.argsort(found.ids, kind="stable")
    ids = found.ids[order]
    if (twice := ids[1:][np.diff(ids) == 0]).size:
        raise ValueError(f"{file} must name each id once, got {twice[0]} on several lines; remove all but one")
    return ClassTable(ids, found.numbers[order], found.words)


def _of_lines(lines: io.TextIOWrapper) -> ClassTable:
    first = lines.readline(LONGEST_LINE)
    is_said = first.startswith("sep=")
    if not is_said:
        lines.seek(0)
    parted = max(",;\t", key=first.count)
    rows = csv.reader(lines, delimiter=parted, strict=True)
    at = _columns(next(rows, []))
    ids, numbers, words = array("q"), array("q"), dict[str, int]()
    for line, row in _filled(rows, 3 if is_said else 2):
        number, word = (row[column].strip() if column < len(row) else "" for column in at)
        if not (each := _id(number, line)):
            continue
        ids.append(each)
        if not word:
            raise ValueError(f"line {line} has no class")
        numbers.append(words.setdefault(word, len(words)))
        if len(words) > MOST_WORDS:
            raise ValueError(f"it has more than {MOST_WORDS:,} classes")
    return ClassTable(np.array(ids, np.int64), np.array(numbers, np.int64), tuple(words))


def _filled(rows: Iterable[Sequence[str]], first: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Lines that hold something, by their number."""
    return ((line, row) for line, row in enumerate(rows, first) if any(map(str.strip, row)))


def _columns(header: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    if not {"id", "class"} <= set(names):
        shown = ", ".join(names)[:LONGEST]
        raise ValueError(f"its first line is {shown!a}")
    if twice := [name for name in ("id", "class") if names.count(name) > 1]:
        raise ValueError(f"it has several columns {twice[0]}")
    return names.index("id"), names.index("class")


def _id(text: str, line: int) -> int:
    """An id, which other programs may have written as 7.0."""
    whole = text.removesuffix(".0")
    if not (whole.isascii() and whole.isdigit() and 0 < len(whole) <= 18):
        raise ValueError(f"line {line} has the id {text[:LONGEST]!a}, which is no whole number ≥ 0")
    return int(whole)
