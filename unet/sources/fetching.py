"""Files on their way into the mirror: several at once, each beside its place until it is whole."""

import filecmp
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from unet.dataset.user_place import mirror_home
from unet.sources.remote_files import Remote, RemoteFile, Tick

WORKERS = 8
"""Files that are fetched at once."""
ROOM = 2**28
"""Bytes of the disk that stay free."""
DRAFT_DAYS = 2
"""Days after which what a killed run left half-fetched is removed."""

OnProgress = Callable[[int, int, str], None]
"""Told how many bytes are there of how many, and the file that arrives."""


@dataclass
class Fetching:
    """Files of one address that are to come to `place`."""

    address: str
    place: Path
    remote: Remote
    on_progress: OnProgress
    stop: threading.Event
    size: int = 0
    """Bytes of all of them."""
    arrived: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, wanted: Mapping[str, RemoteFile]) -> dict[str, str]:
        """Fetch files; why some did not arrive, by name.

        Raises:
            OSError: the disk has no room for them.
        """
        self.drafts = mirror_home().resolve() / ".drafts"
        self.drafts.mkdir(parents=True, exist_ok=True)
        _remove_old(self.drafts)
        failed = self._too_large(wanted)
        wanted = {name: file for name, file in wanted.items() if name not in failed}
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                said = list(pool.map(self._failure_of, wanted.items()))
            except BaseException:  # Ctrl-C: what arrives just now is not waited for
                self.stop.set()
                raise
        return failed | {name: why for name, why in zip(wanted, said, strict=True) if why}

    def _too_large(self, wanted: Mapping[str, RemoteFile]) -> dict[str, str]:
        """Files that no disk here holds, by what they claim; OSError where the others together are too large."""
        free, home = max(shutil.disk_usage(self.drafts).free - ROOM, 0), self.drafts.parent
        failed = {
            name: f"{self.shown(name)}: it claims {as_bytes(file.size)}, and the disk of {home} has {as_bytes(free)}"
            for name, file in wanted.items()
            if file.size > free
        }
        self.size = sum(file.size for name, file in wanted.items() if name not in failed)
        if self.size > free:
            raise OSError(
                f"the disk of {home} must have {as_bytes(self.size)} free for {len(wanted)} files, got "
                f"{as_bytes(free)}; free some, or set UNET_FLOWS_SOURCES to a folder on another disk"
            )
        return failed

    def shown(self, name: str) -> str:
        """Address of a file."""
        return f"{self.address}/{name}" if name else self.address

    def _failure_of(self, item: tuple[str, RemoteFile]) -> str:
        """Fetch one file; why it did not arrive, "" where it did."""
        name, file = item
        try:
            self._fetch(name, file)
        except (OSError, ValueError, LookupError) as error:
            return f"{self.shown(name)}: {' '.join(str(error).split()) or type(error).__name__}"
        return ""

    def _fetch(self, name: str, file: RemoteFile) -> None:
        target, draft = self.place / name if name else self.place, self.drafts / uuid.uuid4().hex
        try:
            self.remote.fetch(file, draft, self._ticking(name))
            if (came := draft.stat().st_size) != file.size:
                raise OSError(f"{file.size:,} bytes must come, got {came:,}")
            if file.time_ns is None and target.is_file() and filecmp.cmp(draft, target, shallow=False):
                return
            if file.time_ns is not None:
                os.utime(draft, ns=(file.time_ns, file.time_ns))
                if draft.stat().st_mtime_ns != file.time_ns:
                    raise OSError(f"{self.drafts.parent} must lie on a disk that keeps times; set UNET_FLOWS_SOURCES")
            _put(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    def _ticking(self, name: str) -> Tick:
        def tick(size: int) -> None:
            if self.stop.is_set():
                raise OSError("it was stopped")
            with self.lock:
                self.arrived += size
                self.on_progress(min(self.arrived, self.size), self.size, name or self.place.name)

        return tick


def _put(draft: Path, target: Path) -> None:
    """Put a file into the mirror, through no link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.realpath(target.parent) != str(target.parent):
        raise OSError(f"{target.parent} must be a folder of its own, got a link; remove it")
    draft.replace(target)


def _remove_old(drafts: Path) -> None:
    """Remove what killed runs left half-fetched."""
    for draft in drafts.iterdir():
        with suppress(OSError):
            if time.time() - draft.stat().st_ctime > DRAFT_DAYS * 86400:
                draft.unlink()


def as_bytes(count: float) -> str:
    """Bytes in the unit that suits them.

    >>> as_bytes(900), as_bytes(1_234_567), as_bytes(2e12)
    ('900 bytes', '1.2 MB', '2.0 TB')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"
