"""Names: in what order people have them, and what a stack is called in a dataset."""

import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256

LONGEST = 200
"""Characters of the longest NAME, so that `NAME.ome.zarr.partial` still is a legal name on every file system."""

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, those that turn the direction of text, and bytes that are no UTF-8."""


def safe_name(path: str) -> str:
    """Name that is a legal, visible file name everywhere: accents dropped, `/` as `__`, all else unusual as `_`.

    A safe name stays as it is; one of more than 200 characters ends in a digest instead.

    >>> safe_name("2024/Zellkerne grün/01"), safe_name("../.hidden")
    ('2024__Zellkerne_grun__01', '_.__.hidden')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", path) if not unicodedata.combining(c))
    name = re.sub(r"^(\.|$)", "_", re.sub(r"[^A-Za-z0-9._-]", "_", plain.replace("/", "__")))
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{sha256(path.encode(errors='surrogatepass')).hexdigest()[:8]}"


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
