"""Index files: what Leica (XLIF), MetaMorph (ND) and Olympus (OIF) write beside planes that are plain TIFF or LOF.

The index opens the stack; a plane that it names is no stack of its own.
"""

from importlib import import_module
from pathlib import Path

PLANES = (".tif", ".tiff", ".stk", ".lof", ".png", ".jpg")
"""Suffixes of what an index may name."""
OIF_FOLDER = ".oif.files"
NAMING = ("metamorph", "xlif_parts")
"""Modules of `unet.vendors` whose `names` says whether an index beside a file names it; loaded with the first file."""


def is_named_by_index(file: str) -> bool:
    """Whether a file is a part of what an index beside it opens."""
    path = Path(file)
    if path.suffix.lower() not in PLANES:
        return False
    if path.parent.name.lower().endswith(OIF_FOLDER):
        return path.parent.with_suffix("").exists()
    return any(import_module(f"unet.vendors.{reader}").names(file) for reader in NAMING)
