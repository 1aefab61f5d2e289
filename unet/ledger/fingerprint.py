"""Whether files are still what they were: by name, size and time first, by content only where those differ.

Bytes that change while name, size and time stay are trusted to be the same: only reading all of them, every night,
could tell.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unet.dataset.folder import Folder
from unet.ledger.stamp import digest


@dataclass(frozen=True)
class Fingerprint:
    """`seen` stands for names, sizes and times, which are quick to read; `content` for the bytes."""

    seen: str
    content: str


def sizes_and_times(files: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Bytes and time of change, in nanoseconds, by path; files that are gone are left out."""
    found: dict[str, tuple[int, int]] = {}
    for file in files:
        with suppress(FileNotFoundError, NotADirectoryError):
            info = os.stat(file)  # noqa: PTH116  # ten thousands of them are looked at every few minutes
            found[file] = (info.st_size, info.st_mtime_ns)
    return found


def of_files(files: Sequence[str], known: Mapping[str, str] | None = None) -> Fingerprint:
    """Fingerprint of source files; their bytes are read only where sizes or times differ from `known`."""
    stats = [(Path(file).name, Path(file).stat()) for file in files]
    seen = digest([(name, s.st_size, s.st_mtime_ns) for name, s in stats])
    if known and known["seen"] == seen:
        return Fingerprint(**known)
    return Fingerprint(seen, _content([Path(file).name for file in files], [Folder(file) for file in files]))


def of_folder(folder: Folder, known: Mapping[str, str] | None = None) -> Fingerprint:
    """Fingerprint of all files below a folder; bytes are read only where sizes or times differ from `known`."""
    files = folder.files()
    seen = digest(sorted((name, *facts) for name, facts in files.items()))
    if known and known["seen"] == seen:
        return Fingerprint(**known)
    names = sorted(files)
    return Fingerprint(seen, _content(names, [folder / name for name in names]))


def _content(names: Sequence[str], files: Sequence[Folder]) -> str:
    whole = hashlib.blake2b(digest_size=6)
    for name, file in zip(names, files, strict=True):
        whole.update(f"{name}\0".encode())
        with file.open() as stream:
            whole.update(hashlib.file_digest(stream, hashlib.blake2b).digest())
    return whole.hexdigest()
