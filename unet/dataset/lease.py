"""A lease on a dataset, so that two runs do not do the same work twice, nor remove what the other is at.

`lease.json` says who holds it and is renewed while it is held. That of a process of this machine is taken over when the
process is gone, and never while it lives, whatever the clocks say; that of another machine when it was not renewed for
some minutes, by the time of the store, which is the same for both: `kill -9` blocks nobody. On a local disk one of two
that ask at once gets it; on an object store both may, where their writes cross.

What two runs of one plan write at once, without it, is the same; runs of other settings remove what the others make,
which those notice before they commit, and fail.

Rejected: a lock of the operating system (none on object stores, and none to be trusted on network disks), and
comparing a time in the file with one's own clock (a machine whose clock was wrong took over from runs that lived).
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from unet.dataset.folder import Dataset, Folder
from unet.settings.validation import require

log = logging.getLogger(__name__)

LEASE = "lease.json"
RENEW = 30.0
"""Seconds between renewals."""
LOST = 180.0
"""Seconds without a renewal after which another machine's lease is lost, by the time of the store."""
SETTLE = 1.0
"""Seconds after which one who wrote a lease into an object store looks whether it is still there."""
LOOK = 5.0
"""Seconds between looks of one who waits."""


class HeldError(RuntimeError):
    """Another run holds the lease; wait for it, or come back later."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease."""

    run: str
    """What nobody else bears."""
    what: str
    """Verb that it runs."""
    machine: str
    pid: int
    started: float
    """Seconds since 1970, as is `renewed`; both for people to read."""
    renewed: float
    born: str = ""
    """What tells the process from a later one of the same number, where the system says so."""

    def __post_init__(self) -> None:
        """Refuse what no process and no clock has: a lease may have been written by anybody."""
        require(0 < self.pid < 2**31, f"pid must be that of a process, got {self.pid}")
        for name in ("started", "renewed"):
            require(0 <= getattr(self, name) < 2**33, f"{name} must be seconds since 1970, got {getattr(self, name)}")

    @classmethod
    def now(cls, what: str) -> "Holder":
        """This process, from now on."""
        now = time.time()
        return cls(uuid.uuid4().hex, what, _machine(), os.getpid(), now, now, _birth(os.getpid()))

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.started).astimezone().isoformat(" ", "seconds")
        return f"{self.what} of process {self.pid} on {self.machine.partition('/')[0]}, since {since}"

    def is_lost(self, file: Folder) -> bool:
        """Whether its process was one of this machine and is gone, or the other machine's file was not renewed."""
        if self.machine == _machine():
            return not _is_alive(self.pid) or _birth(self.pid) != (self.born or _birth(self.pid))
        return _unchanged_for(file) > LOST


def activity(dataset: Dataset) -> int | None:
    """A number that is another one when a run began or ended on the dataset since; None while a run holds the lease.

    On a disk it is the time at which the folder changed, since each run puts its lease there and takes it away. An
    object store has no such time: a run that began and ended there between two looks is not noticed, and at worst the
    same values are written twice.
    """
    if (dataset / LEASE).exists():
        return None
    with suppress(FileNotFoundError):
        return Path(dataset.url).stat().st_mtime_ns if dataset.is_local else 0
    return 0


@contextmanager
def lease(
    dataset: Dataset, what: str, wait: bool = False, say: Callable[[str], None] = log.warning
) -> Iterator[int | None]:
    """Hold the dataset's lease; gives `activity` as it was right before, and None where another run held it then.

    Args:
        dataset: which is to be worked on.
        what: verb that is run, for others to read.
        wait: until another run gives it back, instead of leaving.
        say: told in a sentence whom it waits for, and from whom it was taken over.

    Raises:
        HeldError: another run holds it, be it one of this process.
    """
    before, own = _acquire_lease(dataset, what, wait, say)
    with _renewed_lease(dataset / LEASE, own):
        yield before


def _acquire_lease(dataset: Dataset, what: str, wait: bool, say: Callable[[str], None]) -> tuple[int | None, Holder]:
    """The dataset's activity right before, and who holds the lease now: this process."""
    file, lost, waiting = dataset / LEASE, "", False
    while (before := activity(dataset)) is None or not _create_lease(file, own := Holder.now(what)):
        other = _read_holder(file)
        if other is None and not _is_there(file):  # it was given back; to clear it would take what another has since
            continue
        if other is None or other.is_lost(file):
            lost = str(other or "a run that was killed before it wrote its name") if file.exists() else lost
            _clear_lease(file, other)
        elif not wait:
            raise HeldError(f"{dataset.url} is worked on by {other}; wait for it with --wait, or come back later")
        else:
            if not waiting:
                say(f"waiting for {other}")
            waiting = True
            time.sleep(LOOK)
    if lost:
        say(f"took over from {lost}, which is gone")
    return None if lost or waiting else before, own


@contextmanager
def _renewed_lease(file: Folder, own: Holder) -> Iterator[None]:
    """A context that renews the lease while it lasts, and gives it back at its end."""
    done = threading.Event()
    renewing = threading.Thread(target=_renew_lease, args=(file, own, done), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        if _is_ours(file, own):
            file.remove()


def _renew_lease(file: Folder, own: Holder, done: threading.Event) -> None:
    while not done.wait(RENEW):
        try:
            other = _read_holder(file)
            if other is not None and other.run != own.run:
                log.warning("the lease was taken over, as it was not renewed in time; the run goes on")
                return
            file.write_json(asdict(replace(own, renewed=time.time())))
        except OSError as error:  # it may pass
            log.warning("the lease could not be renewed: %s", error)


def _create_lease(file: Folder, own: Holder) -> bool:
    """Write a lease where there was none; whether it was written, and is still there."""
    if file.is_local:
        with suppress(FileExistsError):
            Path(file.url).touch(exist_ok=False)  # one of two gets it
            file.write_json(asdict(own))
            return True
        return False
    file.write_json(asdict(own))
    time.sleep(SETTLE)
    return _is_ours(file, own)


def _clear_lease(file: Folder, lost: Holder | None) -> None:
    """Remove a lost lease, unless another process has replaced it meanwhile."""
    if not file.is_local:
        file.remove()
        return
    moved = Path(f"{file.url}.{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError):
        Path(file.url).rename(moved)
        if _read_holder(Folder(str(moved)), patience=0) == lost:
            moved.unlink()
        else:
            moved.rename(file.url)


def _is_there(file: Folder) -> bool:
    """Whether anything has the lease's name, a link to nothing too."""
    return os.path.lexists(file.url) if file.is_local else file.exists()


def _read_holder(file: Folder, patience: float = 2.0) -> Holder | None:
    """Who holds a lease; None where nobody does, or who did was killed before the name was written."""
    end = time.monotonic() + patience
    while True:
        with suppress(ValueError):  # a name is being written; or it is none
            values = file.read_json()
            return TypeAdapter(Holder).validate_python(values) if values else None
        if time.monotonic() >= end:
            return None
        time.sleep(0.05)


def _is_ours(file: Folder, own: Holder) -> bool:
    holder = _read_holder(file)
    return holder is not None and holder.run == own.run


def _unchanged_for(file: Folder) -> float:
    """Seconds since a file was put, by the time of the store it lies in: that of a file put beside it now."""
    now = file.parent / f".{file.name}.{uuid.uuid4().hex[:8]}"
    try:
        now.write(b"?")
        return (now.changed() - file.changed()).total_seconds()
    except FileNotFoundError:  # it was given back
        return 0.0
    finally:
        now.remove()


def _machine() -> str:
    """Name of this machine, its boot, as others may bear its name, and the space that its process numbers are of."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"  # each container has one
    return socket.gethostname()


def _birth(pid: int) -> str:
    """The tick at which a process began, where Linux says so; none of one that has ended and keeps its number."""
    with suppress(OSError):
        state, *numbers = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "ended" if state in "ZX" else numbers[18]
    return ""


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # there, signal 0 ends a process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
