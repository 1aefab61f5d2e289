"""Names: in what order people have them, and what a stack is called in a dataset."""

import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

LONGEST = 200
"""Characters of the longest NAME, so that `NAME.ome.zarr.partial` still is a legal name on every file system."""

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, those that turn the direction of text, and bytes that are no UTF-8."""


def safe_name(path: str) -> str:
    """Name that is a legal, visible file name everywhere: in Latin letters, `/` as `__`, all else unusual as `_`.

    A safe name stays as it is; one of more than 200 characters ends in a digest instead.

    >>> safe_name("2024/Zellkerne grün/01"), safe_name("细胞 01"), safe_name("Клетка"), safe_name("../.hidden")
    ('2024__Zellkerne_grun__01', 'XiBao_01', 'Kletka', '_.__.hidden')
    """
    if path.isascii():
        return _legal(path, path)
    from anyascii import anyascii  # its tables are read for the first such name

    return _legal("/".join(anyascii(part).replace("/", "_") for part in _composed(path).split("/")), path)


def _composed(path: str) -> str:
    """Letters with their accents, and without what a table of whole letters would leave of them."""
    return UNSEEN.sub("_", unicodedata.normalize("NFC", path))


def _former_name(path: str) -> str:
    """What `safe_name` gave in earlier datasets: accents dropped, all else that is not ASCII as `_`."""
    return _legal("".join(c for c in unicodedata.normalize("NFKD", path) if not unicodedata.combining(c)), path)


def _legal(plain: str, path: str) -> str:
    name = re.sub(r"^(\.|$)", "_", re.sub(r"[^A-Za-z0-9._-]", "_", plain.replace("/", "__")))
    return name if len(name) <= LONGEST else _with_digest(name, path)


class WantedName(NamedTuple):
    """What a stack would be called."""

    path: str
    """Made safe, it is the name."""
    whole: str
    """What no other stack has: it is told apart by its digest."""
    before: str | None = None
    """What it was called before."""


def distinct_names(wanted: Sequence[WantedName]) -> list[tuple[str, bool]]:
    """A safe name for each, no two alike whatever the case of their letters, and whether a digest tells it apart.

    What has a name keeps it. Of others that would bear one name, that which is spelled so gets it, or else the first.

    >>> distinct_names([WantedName("a b", "1"), WantedName("a_b", "2"), WantedName("A_B", "3", "A_B")])
    [('a_b-6b86b273', True), ('a_b-d4735e3a', True), ('A_B', False)]
    """
    found: dict[int, tuple[str, bool]] = {}
    taken: set[str] = set()
    plains = [safe_name(path) for path, _, _ in wanted]

    def rank(number: int) -> tuple[bool, bool, str, int]:
        path, whole, _ = wanted[number]
        return not _is_kept(wanted[number]), plains[number] != path.replace("/", "__"), whole, number

    for number in sorted(range(len(wanted)), key=rank):
        plain, before = plains[number], wanted[number].before
        name = before if before is not None and _is_kept(wanted[number]) else plain
        name = _with_digest(plain, wanted[number].whole) if name.lower() in taken else name
        while name.lower() in taken:  # one file in one source that is named twice
            name = _with_digest(plain, name)
        taken.add(name.lower())
        found[number] = name, name not in (plain, _former_name(wanted[number].path))
    return [found[number] for number in range(len(wanted))]


def _is_kept(wanted: WantedName) -> bool:
    """Whether a stack's name of before is its path still, in this spelling or the former, with a digest or not."""
    before = wanted.before or ""
    plain = re.sub("-[0-9a-f]{8}$", "", before)
    names = {safe_name(wanted.path), _former_name(wanted.path)}
    return before in names or plain in {name[: LONGEST - 9] for name in names}


def _with_digest(name: str, of: str) -> str:
    return f"{name[: LONGEST - 9]}-{sha256(of.encode(errors='surrogatepass')).hexdigest()[:8]}"


def printable(text: str) -> str:
    r"""Text that a terminal shows as it is: what would move its cursor, colour it or turn its direction is spelled out.

    >>> printable("a\x1b[2Jb\u202e.tif, grün\n")
    'a\\x1b[2Jb\\u202e.tif, grün\n'
    """
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Key that sorts names as people do, numbers by their value.

    >>> sorted(["z10.tif", "z2.tif", "z1.tif"], key=natural_order)
    ['z1.tif', 'z2.tif', 'z10.tif']
    """
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(int(number or -1), text) for number, text in parts], name


def shortened(names: Sequence[str], shown: int = 5) -> str:
    """Names as a sentence lists them, the first few of many.

    >>> shortened(["a", "b"]), shortened(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    few = ", ".join(names[:shown])
    return few if len(names) <= shown else f"{few} and {len(names) - shown} more"
