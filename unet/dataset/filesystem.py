"""File systems, this machine's and those of object stores, whose failures of every family become OSErrors here.

One connection pool serves a process, whichever of its threads asks: fsspec by itself opens one for every thread.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, BinaryIO

import fsspec

CLIENTS = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "httpx", "requests", "urllib3"}
"""Packages that talk to stores, and raise errors of their own."""
OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": 1}}
"""What file systems are opened with: s3fs, if it may read in parallel, asks for the size before each small read."""
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def open_filesystem(url: str, asynchronous: bool = False) -> tuple[Any, str]:
    """File system of a URL, and the path there."""
    root = url if "::" in url else "/".join(url.split("/", 3)[:3])
    filesystem = _filesystem(root, asynchronous)
    return filesystem, str(filesystem._strip_protocol(url))


@lru_cache(maxsize=64)
def _filesystem(root: str, asynchronous: bool) -> Any:
    options = OPTIONS.get(root.partition(":")[0], {}) | ({"asynchronous": True} if asynchronous else {})
    filesystem, _ = fsspec.core.url_to_fs(
        root,
        use_listings_cache=False,  # others write here too
        skip_instance_cache=True,
        **options,
    )
    return filesystem


KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def open_regular(path: str) -> BinaryIO:
    """A local file opened for reading; ValueError where it is none, such as a pipe, which would be waited at for ever.

    What lies there is looked at once it is open, so that nobody puts something else there in between.
    """
    number, _ = _open_file(path)
    return os.fdopen(number, "rb")


def read_regular(path: str, at_most: int | None = None) -> bytes:
    """Bytes of a local file, `at_most` so many, as `open_regular` opens it; in a third of its time.

    ValueError for one without that limit whose bytes were hardly ever written: it may claim more than any memory.
    """
    number, size = _open_file(path)
    try:
        if at_most is None:
            _refuse_claimed(number, path)
        wanted, parts = size if at_most is None else min(size, at_most), list[bytes]()
        while wanted > 0 and (part := os.read(number, wanted)):  # at once, up to 2 GB
            parts.append(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(number)


def _open_file(path: str) -> tuple[int, int]:
    """Descriptor and bytes of a regular file."""
    try:
        number = os.open(path, READ)
    except OSError as error:
        if error.errno != errno.ENXIO:  # which is a socket
            raise
        raise ValueError(f"{no_file(path, stat.S_IFSOCK)}; take it away") from error
    info = os.fstat(number)
    if not stat.S_ISREG(info.st_mode):
        os.close(number)
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise ValueError(f"{no_file(path, info.st_mode)}; take it away")
    return number, info.st_size


READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without `O_NONBLOCK`, opening a pipe waits for somebody to write."""


HOLES = 2**30
"""Bytes that nobody wrote, from which on a file is taken for one with holes; some disks keep zeros as holes, too."""

SPARSEST = 1000
"""Bytes of a file for each that was written, at most."""


def data_extents(number: int) -> list[tuple[int, int]]:
    """Where the bytes of an open file lie that were written, and last its end; nothing where it has no large holes."""
    info = os.fstat(number)
    if not hasattr(os, "SEEK_DATA") or info.st_size - 512 * info.st_blocks < HOLES:
        return []
    extents, position = list[tuple[int, int]](), 0
    with suppress(OSError):  # behind the last data; or a file system that does not tell
        while position < info.st_size:
            start = os.lseek(number, position, os.SEEK_DATA)
            position = os.lseek(number, start, os.SEEK_HOLE)
            extents.append((start, position))
    os.lseek(number, 0, os.SEEK_SET)
    is_sparse = info.st_size - sum(end - start for start, end in extents) >= HOLES
    return [*extents, (info.st_size, info.st_size)] if is_sparse else []


def refuse_unwritten(number: int) -> None:
    """Refuse an open file of which hardly a byte was written, as of a copy that took all its room beforehand."""
    extents = data_extents(number)
    written = sum(end - start for start, end in extents)
    if extents and written * SPARSEST < extents[-1][1]:
        raise ValueError(f"of its {extents[-1][1]:,} bytes {written:,} were ever written")


def _refuse_claimed(number: int, path: str) -> None:
    try:
        refuse_unwritten(number)
    except ValueError as error:
        raise ValueError(f"{path} must be whole, got a file with a hole: {error}; copy it again") from error


def no_file(path: str, mode: int) -> str:
    """What is said of a path that is no regular file, but of this mode."""
    return f"{path} must be a file, got {KINDS.get(stat.S_IFMT(mode), 'something else')}"


@contextmanager
def plain_os_errors(url: str) -> Iterator[None]:
    """Turns any failure to reach `url` into an OSError of one sentence; "not found" passes unchanged."""
    try:
        yield
    except ABSENT:
        raise
    except Exception as error:
        strange = type(error).__module__.partition(".")[0] in CLIENTS
        if not strange and not (isinstance(error, OSError) and "://" in url):  # a disk's own words name the file
            raise
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        told = OSError(f"{url} must be reachable, got: {why}; see to it and run again")
        told.errno = getattr(error, "errno", None)
        raise told from error


TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What file systems call the time of change."""


def files_below(top: str, below: str) -> Iterator[tuple[str, tuple[int, str]]]:
    """Every file below a local folder, as `Folder.files` lists them, no pipes; none where there is no folder."""
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path, f"{below}{entry.name}/")
            continue
        with suppress(FileNotFoundError):  # it was removed since
            info = entry.stat()
            if stat.S_ISREG(info.st_mode):
                yield below + entry.name, (info.st_size, str(info.st_mtime))


def changed_at(info: Mapping[str, Any]) -> str:
    """Time of change, as a file system tells it; empty where it does not."""
    return next((str(info[name]) for name in TIMES if name in info), "")
