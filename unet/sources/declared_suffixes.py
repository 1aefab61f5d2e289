"""Suffixes of files that plugins of `bioio` read, as installed here: the last resort for what no reader of ours knows.

They are read from the text of each plugin, and no plugin is imported: importing one takes seconds, and `status` would
pay for it. A plugin that computes its list declares nothing here.
"""

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

GROUP = "bioio.readers"
SAYS = "get_supported_extensions"
NO_IMAGES = {
    ".bin", ".cfg", ".csv", ".dat", ".db", ".doc", ".docx", ".hdr", ".htm", ".html", ".inf", ".ini", ".json", ".log",
    ".md", ".mp3", ".mrf", ".npy", ".pdf", ".ps", ".py", ".txt", ".wav", ".xls", ".xlsx", ".xml", ".yml", ".zip",
}  # fmt: skip
"""Suffixes that some plugin declares, but that mark notes and side files far more often than images."""


def declared_suffixes() -> tuple[str, ...]:
    """Suffixes such as `.sldy`, in lower case; none where `bioio` is not installed."""
    if find_spec("bioio") is None:
        return ()
    packages = {entry.module.partition(".")[0] for entry in entry_points(group=GROUP)}
    found = {suffix for package in packages for suffix in _declared_by(package)}
    return tuple(sorted(suffix for suffix in found - NO_IMAGES if suffix.count(".") == 1))


def _declared_by(package: str) -> Iterator[str]:
    """Suffixes in the list that a plugin's `reader_metadata.py` returns."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "reader_metadata.py")
        if file.is_file():
            yield from _listed(file.read_text("utf-8", "replace"))


def _listed(source: str) -> Iterator[str]:
    r"""Suffixes that a function of this name returns as a plain list, the first letter a dot.

    >>> list(_listed("class A:\n def get_supported_extensions(): return ['lif', '.LOF']"))
    ['.lif', '.lof']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == SAYS]
    for values in (each.value for function in functions for each in ast.walk(function) if isinstance(each, ast.Return)):
        for value in values.elts if isinstance(values, ast.List | ast.Tuple) else ():
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield f".{value.value.lower().removeprefix('.')}"
