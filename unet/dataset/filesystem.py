"""File systems, this machine's and those of object stores, whose failures of every family become OSErrors here.

One connection pool serves a process, whichever of its threads asks: fsspec by itself opens one for every thread.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import fsspec

CLIENTS = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"}
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
    """Every file below a local folder, as `Folder.files` lists them; none where there is no folder."""
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
            yield below + entry.name, (info.st_size, str(info.st_mtime))


def changed_at(info: Mapping[str, Any]) -> str:
    """Time of change, as a file system tells it; empty where it does not."""
    return next((str(info[name]) for name in TIMES if name in info), "")
