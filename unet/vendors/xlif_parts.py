"""Files that hold the planes of a Leica XLIF, which says what an image is and holds none itself.

What it names must lie beside it, below that, or in the folder above, as Leica's program lays its projects out
(`x.xlef`, `x.tif`, `Metadata/x.xlif`).
"""

import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from unet.dataset.filesystem import open_regular, read_regular

LARGEST = 2**28
"""Bytes of an XLIF, at most; one of 10,000 planes has 2 MB."""
FOLDERS = (".", "Metadata", "..")
"""Where an XLIF may lie, as seen from a file that it names."""


def named_parts(file: str) -> list[str]:
    """Paths of the files that an XLIF names, in its order, each once; ValueError where one is missing or elsewhere."""
    root = ElementTree.fromstring(read_regular(file, LARGEST))
    said = [block.get("File") for block in root.iterfind("./Element/Memory/*")]
    return list(dict.fromkeys(_beside(Path(file), name) for name in said if name))


def _beside(file: Path, name: str) -> str:
    plain = unquote(name).replace("\\", "/")
    path = Path(os.path.normpath(file.parent / plain))
    top = file.parent.parent.resolve()
    if plain.startswith("/") or ":" in plain or not path.resolve().is_relative_to(top) or path.resolve() == top:
        raise ValueError(f"it may lead to files of its own folder and of the one above alone, got {name!r}")
    if not path.exists():
        raise ValueError(f"it must come with {plain}, which is not there; copy the missing files next to it")
    open_regular(str(path)).close()
    return str(path)


def names(file: str) -> bool:
    """Whether an XLIF that lies near a file names it as its own."""
    path = Path(file)
    for folder in dict.fromkeys(os.path.normpath(path.parent / each) for each in FOLDERS):
        if Path(folder).is_dir() and os.path.normpath(path) in _known(folder, Path(folder).stat().st_mtime_ns):
            return True
    return False


@lru_cache(maxsize=64)  # each file of a folder asks for the same ones
def _known(folder: str, _: int) -> frozenset[str]:
    """What all readable XLIF of a folder name."""
    found: set[str] = set()
    for path in Path(folder).iterdir():
        if path.suffix.lower() == ".xlif":
            try:
                found |= set(named_parts(str(path)))
            except (ValueError, ElementTree.ParseError, OSError):  # told where it is opened itself
                continue
    return frozenset(found)
