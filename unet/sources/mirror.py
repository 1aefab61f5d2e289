"""This machine's copies of remote sources: what is new or changed there is fetched, and what is gone is removed here.

Readers of vendors' files need files, so all that reads sources reads the copies, which `paths` leads to; nothing behind
it knows of addresses. A copy bears the size of its file and a time that stands for what the server says of it, so each
look tells by itself which copies are of now. A file arrives beside the mirror, and takes its place once it is whole.

    s3://lab/raw/day1/a.tif   ~/.cache/unet-flows/sources/s3/lab/raw/day1/a.tif

A server that does not answer is away, as a share is that is not mounted: copies stay, a note says so. A file that does
not arrive is news of its stack alone, and so is one that changed where nothing may be fetched: its copy is never taken
for what is there now. What lacked at the last look is remembered, so that a folder of which half has arrived is not
taken for a whole one while the server is away.

Workers on other machines see the copies only where the mirror lies in a place that all of them see by the same path:
`UNET_FLOWS_SOURCES` says which. Rejected: a copy in each dataset, which two of one source would fetch twice.
"""

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from unet.dataset.folder import Folder
from unet.dataset.user_place import mirror_home
from unet.settings.ingest import Source
from unet.settings.remote import is_remote
from unet.sources.fetching import Fetching, OnProgress, as_bytes
from unet.sources.paths import mirror_place
from unet.sources.presence import KEPT
from unet.sources.remote_files import Listing, Remote, RemoteFile, legal_listing, open_remote


@dataclass(frozen=True)
class Mirrored:
    """What a look at the remote sources found."""

    away: Mapping[str, str] = field(default_factory=dict)
    """Addresses that could not be looked at, or of which nothing arrived, and why, a sentence each."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Paths of copies that are not what is there now, and why, a sentence each."""
    failed: frozenset[str] = frozenset()
    """Paths of these at which there is no copy at all, as it did not arrive."""
    notes: tuple[str, ...] = ()

    @cached_property
    def _around(self) -> dict[str, str]:
        """The folders around copies that lack."""
        return {str(folder): why for path, why in self.lacking.items() for folder in Path(path).parents}

    @cached_property
    def _beside(self) -> dict[str, str]:
        """The folders right around them."""
        return {str(Path(path).parent): why for path, why in self.lacking.items()}

    def why_not_current(self, files: Sequence[str], is_of_folder: bool) -> str:
        """Why the files of a stack are not what is there now; "" where they are.

        Args:
            files: their paths, or those of OME-Zarr folders.
            is_of_folder: whether all that lies in the folder with them belongs to the stack.
        """
        if not self.lacking:
            return ""
        whys = (self.lacking.get(file) or self._around.get(file) for file in files)
        beside = [self._beside.get(str(Path(files[0]).parent), "")] if is_of_folder and files else []
        return next((why for why in (*whys, *beside) if why), "")


NOTHING_REMOTE = Mirrored()


def look_at_remotes(sources: Sequence[Source], fetch: OnProgress | None = None) -> Mirrored:
    """Look at all remote places of some sources, and with `fetch` make the copies what is there now; it is told of."""
    written = [place for of in sources for place in (("images", of.images), *(("truth", at) for at in of.truth_places))]
    named = [(kind, at) for kind, at in written if is_remote(at)]
    kinds = {at.rstrip("/"): kind for kind, at in reversed(named)}
    places = {address: mirror_place(address) for address in kinds}
    away, lacking, failed, notes = dict[str, str](), dict[str, str](), set[str](), list[str]()
    for address, place in sorted(places.items()):
        look = _Look(address, place, {of for of in places.values() if of != place and of.is_relative_to(place)}, fetch)
        look.take()
        if look.away:
            away |= {at: look.away for _, at in named if at.rstrip("/") == address}
            notes.append(f"{kinds[address]} {address!r} cannot be fetched now: {look.away}; {KEPT}")
        paths = {str(place / name if name else place): why for name, why in look.lacking.items()}
        lacking |= paths
        failed |= {path for path in paths if (fetch or look.away) and not os.path.lexists(path)}
        notes += look.notes
    return Mirrored(away, lacking, frozenset(failed), tuple(notes))


@dataclass
class _Look:
    """A look at one address."""

    address: str
    place: Path
    others: Collection[Path]
    """Places of other addresses below it."""
    on_progress: OnProgress | None
    away: str = ""
    lacking: dict[str, str] = field(default_factory=dict)
    """Why a copy is not what is there now, by the path below the address."""
    notes: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def take(self) -> None:
        """Look, and fetch where that is asked for."""
        try:
            with open_remote(self.address, self.stop) as remote:
                listing = legal_listing(remote.listing())
                if not listing.files and not listing.failed:
                    raise FileNotFoundError(f"{self.address} must hold files, got none")
                self._compare(remote, listing)
        except (OSError, ValueError, LookupError, ImportError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            self.away = why if self.address in why else f"{self.address}: {why}"
            known = self._remembered()
            self.lacking = {
                name: self._unfetched(name) for name, at in known.items() if not self._is_current(name, *at)
            }
        except BaseException:
            self.stop.set()
            raise

    def _compare(self, remote: Remote, listing: Listing) -> None:
        wanted = {
            name: file
            for name, file in listing.files.items()
            if not self._is_current(name, file.size, file.time_ns) or (self.on_progress and file.time_ns is None)
        }
        failed = {name: f"{self._shown(name)}: {why}" for name, why in listing.failed.items()}
        if self.on_progress is not None:
            failed |= self._fetch(remote, listing, wanted, self.on_progress)
        elif wanted:
            size, number = as_bytes(sum(file.size for file in wanted.values())), len(wanted)
            what = f"{number} file{'s'[: number != 1]} ({size}) of {self.address}"
            self.notes.append(f"{what} not fetched yet; `unet-flows ingest` fetches them")
        self.notes += listing.left_out
        self.lacking = {name: self._unfetched(name) for name in (*(() if self.on_progress else wanted), *failed)}
        if failed:
            first, more = next(iter(failed.values())), len(failed) - 1
            others = f"; and {more} more of {self.address}" if more else ""
            self.notes.append(f"could not be fetched: {first}{others}; the next run tries again")
            if self.on_progress is not None and not self.place.exists():
                self.away = first

    def _fetch(
        self, remote: Remote, listing: Listing, wanted: Mapping[str, RemoteFile], on_progress: OnProgress
    ) -> dict[str, str]:
        """Fetch files, and remove those that are gone; why some did not arrive.

        Raises:
            OSError: a link leads out of the mirror, to files that are nobody's copies.
        """
        if os.path.realpath(self.place) != str(self.place):
            raise OSError(f"{self.place} must lie in the mirror, got a link to another place; remove the link")
        self._remember(wanted, ())
        self._remove_gone(listing)
        fetching = Fetching(self.address, self.place, remote, on_progress, self.stop)
        failed = fetching.fetch(wanted) if wanted else {}
        self._remember({name: wanted[name] for name in failed}, listing.failed)
        return failed

    def _unfetched(self, name: str) -> str:
        return f"{self._shown(name)} must be fetched as it is there now, and is not yet; `unet-flows ingest` fetches it"

    def _shown(self, name: str) -> str:
        return f"{self.address}/{name}" if name else self.address

    def _is_current(self, name: str, size: int, time_ns: int | None) -> bool:
        """Whether the copy of a file is of what is there now, as far as its server says anything but its size."""
        try:
            info = os.lstat(self.place / name if name else self.place)
        except OSError:
            return False
        return info.st_size == size and time_ns in (None, info.st_mtime_ns)

    @property
    def _memory(self) -> Folder:
        """What lacked at the last look."""
        name = blake2b(self.address.encode(), digest_size=8).hexdigest()
        return Folder(str(mirror_home().resolve() / ".lacking")) / f"{name}.json"

    def _remember(self, wanted: Mapping[str, RemoteFile], unlisted: Collection[str]) -> None:
        files = {name: [file.size if file.mark else -1, file.time_ns] for name, file in wanted.items()}
        files |= {name: [-1, None] for name in unlisted}
        if files:
            self._memory.write_json({"address": self.address, "files": files})
        else:
            self._memory.remove()

    def _remembered(self) -> dict[str, tuple[int, int | None]]:
        """Files that lacked: what size and time their copies were to have."""
        with suppress(ValueError, OSError, TypeError, KeyError, AttributeError):
            files = (self._memory.read_json() or {})["files"]
            return {str(name): (int(at[0]), None if at[1] is None else int(at[1])) for name, at in files.items()}
        return {}

    def _remove_gone(self, listing: Listing) -> None:
        """Remove copies of what is there no more; what the server told nothing of stays."""
        if self.place.is_file() and "" not in listing.files:
            self.place.unlink()
        kept = {str(self.place / name) for name in listing.files}
        unknown = [str(self.place / name) for name in listing.failed] + [str(place) for place in self.others]
        for folder, _, names in os.walk(self.place, topdown=False):
            for path in (f"{folder}{os.sep}{name}" for name in names):
                if path not in kept and not any(path == of or path.startswith(f"{of}{os.sep}") for of in unknown):
                    os.unlink(path)  # noqa: PTH108  # one of thousands
            if folder != str(self.place) or "" in listing.files:
                with suppress(OSError):  # it holds something
                    os.rmdir(folder)  # noqa: PTH106
