"""What lies at an address of files, by name, size and mark of change, and how one of them is fetched.

fsspec lists object stores and file servers. Web servers have a module of their own, `http_server`, and not fsspec's
(`aiohttp`): `httpx` comes with Prefect in every installation, one answer gives size, time and mark at once, and what a
server may send us to, and how much and how long it may send, is decided here.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from fsspec.callbacks import Callback

from unet.dataset.filesystem import TIMES, open_filesystem, plain_os_errors
from unet.dataset.folder import OF_DESKTOPS
from unet.settings.remote import SERVERS
from unet.sources.paths import is_safe_name
from unet.sources.stack_names import shortened
from unet.sources.zarr_nodes import METADATA, SUFFIX

MARKS = ("ETag", "etag", "md5Hash", "content_md5", "md5", "crc32c", "generation", "checksum", "version")
"""What file systems call that which differs wherever the content does."""
UNTIMED = 946_684_800
"""Seconds that stand for the time of a file which has none: the year 2000."""


class RemoteFile(NamedTuple):
    """A file on a server, as its listing says."""

    address: str
    """How the server is asked for it."""
    size: int
    seconds: float | None
    """When it was changed, since 1970; None where nobody says."""
    mark: str
    """What differs wherever the content does; empty where nobody says, not even the time."""

    @property
    def time_ns(self) -> int | None:
        """Time that its copy bears: the server's seconds, behind which the mark stands as a fraction; None without one.

        So name, size and time of a copy tell whether it is one of this content, and no list of copies is needed, that
        could be lost or wrong.
        """
        if not self.mark:
            return None
        seconds = UNTIMED if self.seconds is None else min(max(int(self.seconds), 0), 2**33)
        fraction = int.from_bytes(blake2b(self.mark.encode(), digest_size=8).digest()) % 10**6
        return seconds * 10**9 + fraction * 1000  # microseconds are what disks of all kinds keep


class Listing(NamedTuple):
    """All files at an address."""

    files: dict[str, RemoteFile]
    """By the path below the address; "" is the address itself, where that is a file."""
    failed: Mapping[str, str] = {}
    """Files, and folders, of which the server tells nothing now, and why."""
    left_out: tuple[str, ...] = ()
    """What is not fetched, and why, a sentence each."""


def legal_listing(listing: Listing) -> Listing:
    """A listing without names that are no names of files here, and without files that nobody reads."""
    names = [name for name in listing.files if not name or is_safe_name(name)]
    folders = {name[:at] for name in names for at, letter in enumerate(name) if letter == "/"}
    clashing = {name for name in names if name in folders or (not name and len(names) > 1)}
    odd = sorted({*listing.files} - {*names} | clashing)
    said = [f"names that no file can have here are left out: {shortened([ascii(name)[1:-1] for name in odd])}"]
    kept = {name: listing.files[name] for name in names if name not in clashing and not _is_hidden(name)}
    return Listing(kept, listing.failed, (*listing.left_out, *(said if odd else ())))


OF_ZARR = {*METADATA, ".zattrs", ".zmetadata"}


def _is_hidden(name: str) -> bool:
    """Whether nobody would look at a file; in an OME-Zarr all are looked at."""
    parts = name.split("/")
    is_in_zarr = parts[-1] in OF_ZARR or any(part.lower().endswith(SUFFIX) for part in parts)
    return bool(OF_DESKTOPS.search(name)) or (not is_in_zarr and any(part.startswith(".") for part in parts))


Tick = Callable[[int], None]
"""Told of each piece that has arrived, its bytes; what it raises ends the fetching."""


class Remote(Protocol):
    """Files at an address."""

    def listing(self) -> Listing:
        """All of them; OSError where it cannot be known which there are."""
        ...

    def fetch(self, file: RemoteFile, path: Path, tick: Tick) -> None:
        """Write a file there; OSError where it does not arrive, or is another one now."""
        ...


@contextmanager
def open_remote(address: str, stop: threading.Event) -> Iterator[Remote]:
    """The files at an address; `stop` ends what waits between two tries."""
    address = address.rstrip("/")
    if address.partition("://")[0] not in SERVERS:
        yield StoredFiles(address)
        return
    from unet.sources.http_pages import HttpFiles
    from unet.sources.http_server import HttpServer

    with HttpServer(address, stop) as server:
        yield HttpFiles(server, address)


class StoredFiles:
    """Files of an object store, or of a server that lists them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.filesystem, self.path = open_filesystem(address)

    def listing(self) -> Listing:
        """All files below; or the one that the address names."""
        with plain_os_errors(self.address):
            found = self.filesystem.find(self.path, detail=True)
        top = self.path.rstrip("/")
        files = {
            "" if name == top else name[len(top) + 1 :].lstrip("/"): file_of(name, info)
            for name, info in found.items()
            if not name.endswith("/") and info.get("size") is not None  # a folder, as some tools mark it
        }
        return Listing(files)

    def fetch(self, file: RemoteFile, path: Path, tick: Tick) -> None:
        """Write a file there; of one that is changed meanwhile, the next listing has another mark."""
        with plain_os_errors(self.address):
            self.filesystem.get_file(file.address, str(path), callback=_Arriving(file, tick))


class _Arriving(Callback):  # type: ignore[misc]  # fsspec has no types
    """Ends what brings more than was told."""

    def __init__(self, file: RemoteFile, tick: Tick) -> None:
        super().__init__()
        self.left, self.tick = file.size, tick

    def relative_update(self, inc: int = 1) -> None:
        """Called after each piece."""
        self.left -= inc
        if self.left < 0:
            raise OSError("more came than its size says")
        self.tick(inc)


def file_of(address: str, info: Mapping[str, Any]) -> RemoteFile:
    """A file as a file system tells of it.

    >>> file_of("b/a", {"size": 3, "LastModified": datetime(2026, 1, 1, tzinfo=UTC), "ETag": "x"}).seconds
    1767225600.0
    """
    time = next((info[name] for name in TIMES if info.get(name) is not None), None)
    marks = [str(info[name]) for name in MARKS if info.get(name) is not None]
    told = [str(time)] if time is not None else []
    return RemoteFile(address, int(info["size"]), _seconds(time), " ".join([*told, *marks]))


def _seconds(time: Any) -> float | None:
    """Seconds since 1970 of a time as file systems tell it."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return None
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return float(time) if isinstance(time, int | float) else None
