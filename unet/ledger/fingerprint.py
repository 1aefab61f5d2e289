"""Whether files are still what they were: by name, size and time first, by content only where those differ.

Bytes that change while name, size and time stay are trusted to be the same: only reading all of them, every night,
could tell. Of a file with large holes (a terabyte that nobody wrote) what is on the disk is read. An OME-Zarr
stands for all files of its folder; of one that is linked, and not copied, names, sizes and times are its content too.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from unet.dataset.filesystem import data_extents
from unet.dataset.folder import OF_DESKTOPS, Folder
from unet.ledger.hashing import is_old, new_hash, new_part_hash
from unet.ledger.stamp import digest
from unet.sources.zarr_nodes import ZarrFile, zarr_files

BLOCK = 2**20
"""Bytes that are read at once."""
MARK_SECONDS = 2
"""Two writes within one tick of a disk's clock leave one mark; ticks of FAT, the coarsest, are as long."""


@dataclass(frozen=True)
class Fingerprint:
    """`seen` stands for names, sizes and times, which are quick to read; `content` for the bytes."""

    seen: str
    content: str


def sizes_and_times(files: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Bytes and time of change, in nanoseconds, by path; those that are gone or cannot be looked at are left out.

    Of a folder all bytes, and a number that stands for names, sizes and times.
    """
    found: dict[str, tuple[int, int]] = {}
    for file in files:
        with suppress(OSError):
            info = os.stat(file)  # noqa: PTH116  # ten thousands of them are looked at every few minutes
            found[file] = (info.st_size, info.st_mtime_ns)
            if stat.S_ISDIR(info.st_mode):
                parts = zarr_files(file)
                size = sum(part.info.st_size for part in parts)
                found[file] = size, _number_of([(p.name, p.info.st_size, p.info.st_mtime_ns) for p in parts])
    return found


def moments(files: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Bytes, times of change, the system's own among them, and place on the disk, by path: what no write leaves alone.

    Of no use between two runs: a file that is linked, moved or given other rights has another moment.
    """
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        parts = [(p.name, p.info) for p in _parts_of(file)]
        each = [(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in parts]
        found[file] = each[0][1:] if len(each) == 1 else (len(each), _number_of(each))
    return found


def of_files(
    files: Sequence[str], known: Iterable[Fingerprint] = (), once: bool = False, is_linked: bool = False
) -> Fingerprint:
    """Fingerprint of source files; their bytes are read only where sizes or times differ from all that is `known`.

    Args:
        files: their paths.
        known: what they may be still; a digest is made that can be compared with theirs.
        once: whether what this process read of them will do, if no write left its mark on them since.
        is_linked: whether names, sizes and times are to stand for the content, and nothing is read.
    """
    parts = [part for file in files for part in _parts_of(file)]
    seen = digest([(part.name, part.info.st_size, part.info.st_mtime_ns) for part in parts])
    if is_linked:
        return Fingerprint(seen, seen)
    like = ""
    for each in known:  # the rest is not looked for
        if each.seen == seen:
            return each
        like = each.content if is_old(each.content) else like
    newest = max((part.info.st_ctime_ns for part in parts), default=0)
    if once and time.time_ns() - newest > MARK_SECONDS * 1e9:
        return Fingerprint(seen, _content_read_once(tuple(files), tuple(moments(files).items()), like))
    return Fingerprint(seen, _content_of(files, like))


def unreadable(error: OSError) -> Fingerprint:
    """What stands for files that cannot be read: the same while the reason is the same, and never known by sizes."""
    return Fingerprint("", f"unreadable: {os.strerror(error.errno) if error.errno else type(error).__name__}")


def of_folder(folder: Folder, known: Mapping[str, str] | None = None) -> Fingerprint:
    """Fingerprint of all files below a folder, but for what desktops leave there.

    Bytes are read only where sizes or times differ from `known`.
    """
    files = {name: facts for name, facts in folder.files().items() if not OF_DESKTOPS.search(name)}
    seen = digest(sorted((name, *facts) for name, facts in files.items()))
    if known and known["seen"] == seen:
        return Fingerprint(**known)
    names = sorted(files)
    return Fingerprint(seen, _content(names, [folder / name for name in names], known["content"] if known else ""))


@lru_cache(maxsize=4096)
def _content_read_once(files: tuple[str, ...], at: tuple[object, ...], like: str) -> str:
    """What files hold; of another moment is another question."""
    return _content_of(files, like)


def _content_of(files: Sequence[str], like: str) -> str:
    parts = [part for file in files for part in _parts_of(file)]
    return _content([part.name for part in parts], [Folder(part.path) for part in parts], like)


def _parts_of(file: str) -> list[ZarrFile]:
    """A file, by its name; of an OME-Zarr folder all of its files."""
    info = os.stat(file)  # noqa: PTH116  # as above
    return zarr_files(file) if stat.S_ISDIR(info.st_mode) else [ZarrFile(Path(file).name, file, info)]


def _number_of(values: Sequence[object]) -> int:
    return int(digest(values), 16)


def _content(names: Sequence[str], files: Sequence[Folder], like: str) -> str:
    whole = new_hash(like)
    for name, file in zip(names, files, strict=True):
        whole.update(f"{name}\0".encode())
        with file.open() as stream:
            whole.update(_digest(stream, data_extents(stream.fileno()) if file.is_local else [], like))
    return str(whole.hexdigest())


def _digest(stream: Any, extents: Sequence[tuple[int, int]], like: str) -> bytes:
    """Digest of all bytes; of a file with large holes, of all blocks that are not zeros, wherever its holes are."""
    if not extents:
        return hashlib.file_digest(stream, lambda: new_part_hash(like)).digest()
    found, following = new_part_hash(like), 0
    found.update(str(extents[-1][1]).encode())
    for start, end in extents:
        for block in range(max(start // BLOCK, following), -(-end // BLOCK)):
            stream.seek(block * BLOCK)
            content = stream.read(BLOCK)
            if content.strip(b"\0"):
                found.update(f"\0{block}\0".encode() + content)
            following = block + 1
    return bytes(found.digest())
