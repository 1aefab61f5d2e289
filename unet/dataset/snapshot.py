"""A dataset as it was when it was first read; a plan asks for the same things many times.

It sees nothing of what is written after, and nothing is written through it; a run that wrote into some folders has a
new one made that looks again at exactly those. Elsewhere than on a disk each question takes some 20 ms: all names are
listed at once there, and metadata read side by side.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, TypeVar

from unet.dataset.filesystem import ABSENT, open_filesystem, plain_os_errors
from unet.dataset.folder import Dataset, Folder

T = TypeVar("T")

METADATA_FILE = re.compile(
    r"images/[^/]+/labels/[^/]+/[^/]+/classes\.json"
    r"|(?:images/[^/]+(?:/labels/[^/]+)?|weights/[^/]+|scores/[^/]+/[^/]+)/zarr\.json"
    r"|models/[^/]+/model\.json|reports/[^/]+/metrics\.json|set-aside/[^/]+/[^/]+\.json"
)
"""FileFacts that plans are made of."""
ASKED_ALONE = 100
"""Folders up to which each is listed by itself when a listing is made anew; the whole takes as long as some hundred."""

FileFacts = dict[str, tuple[int, str]]
"""Path of each file → its bytes and time of change."""


class Listing:
    """Every file below a folder, and the contents of metadata files."""

    def __init__(self, top: Folder, files: FileFacts | None = None, known: dict[str, bytes] | None = None) -> None:
        self.top = top
        self.files = top.files() if files is None else files
        self.names = sorted(self.files)
        self._known = known or {}

    def looking_again(self, folders: Collection[str]) -> "Listing":
        """This listing, of which the files in these folders are listed and read anew."""
        gone = {name for folder in folders for name in (folder, *self.below(folder))}
        known = {name: content for name, content in self.metadata_files.items() if name not in gone}
        if len(folders) > ASKED_ALONE:
            return Listing(self.top, None, known)
        files = {name: facts for name, facts in self.files.items() if name not in gone}
        for folder in folders:
            found = (self.top / folder).files()
            files |= {folder if name == "." else f"{folder}/{name}": facts for name, facts in found.items()}
        return Listing(self.top, files, known)

    @cached_property
    def metadata_files(self) -> dict[str, bytes]:
        """Contents of all metadata files."""
        filesystem, path = open_filesystem(self.top.url)
        known = {name: content for name, content in self._known.items() if name in self.files}
        names = (name for name in self.names if METADATA_FILE.fullmatch(name) and name not in known)
        wanted = {f"{path}/{name}": name for name in names}
        if not wanted:
            return known
        with plain_os_errors(self.top.url):
            found = filesystem.cat(list(wanted), on_error="return")
            for content in found.values():
                if isinstance(content, Exception) and not isinstance(content, ABSENT):
                    raise content
        return known | {wanted[file]: content for file, content in found.items() if isinstance(content, bytes)}

    def below(self, folder: str) -> list[str]:
        """Names of the files below a folder."""
        prefix = f"{folder}/"
        start = bisect_left(self.names, prefix)
        return list(takewhile(lambda name: name.startswith(prefix), self.names[start:]))


@dataclass(frozen=True)
class SeenFolder(Folder):
    """A folder, or a file, of a snapshot, which remembers what it was asked."""

    snapshot: "Snapshot" = field(kw_only=True, repr=False, compare=False)

    def __truediv__(self, name: str) -> Folder:
        return SeenFolder(self._url_below(name), snapshot=self.snapshot)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gave when it was first asked for this key of this folder."""
        known = self.snapshot.known
        if (self.url, key) not in known:
            known[self.url, key] = make()
        answer: T = known[self.url, key]
        return answer


@dataclass(frozen=True)
class ListedFolder(SeenFolder):
    """One of which it is known what lies there."""

    def __truediv__(self, name: str) -> Folder:
        return ListedFolder(self._url_below(name), snapshot=self.snapshot)

    @property
    def _listing(self) -> Listing:
        return self.snapshot.listing

    @property
    def _inside(self) -> str:
        return self.url[len(self._listing.top.url.rstrip("/")) + 1 :]

    def exists(self) -> bool:
        """Whether a file or folder is here."""
        return self._inside in self._listing.files or bool(self._listing.below(self._inside))

    def size(self) -> int:
        """Bytes of the file; 0 where there is none."""
        return self._listing.files.get(self._inside, (0, ""))[0]

    def names(self) -> list[str]:
        """Names of the files and folders right below, sorted."""
        start = len(self._inside) + 1
        return sorted({name[start:].partition("/")[0] for name in self._listing.below(self._inside)})

    def files(self) -> FileFacts:
        """Every file below: path from here → bytes and time of change."""
        start = len(self._inside) + 1
        return {name[start:]: self._listing.files[name] for name in self._listing.below(self._inside)}

    def read(self, at_most: int | None = None) -> bytes | None:
        """Bytes of the file, None where there is none."""
        if self._inside not in self._listing.files:
            return None
        is_metadata = METADATA_FILE.fullmatch(self._inside)
        return self._listing.metadata_files.get(self._inside) if is_metadata else super().read(at_most)


@dataclass(frozen=True)
class Snapshot(Dataset):
    """A dataset that is asked once for each thing."""

    known: dict[tuple[str, Hashable], Any] = field(default_factory=dict, repr=False, compare=False)
    """What was asked of each folder, by its URL, and answered."""

    listed: Listing | None = field(default=None, repr=False, compare=False)

    @cached_property
    def listing(self) -> Listing:
        """All that lies there; of no use on a disk."""
        return Listing(Folder(self.url)) if self.listed is None else self.listed

    def __truediv__(self, name: str) -> Folder:
        url = self._url_below(name)
        return SeenFolder(url, snapshot=self) if self.is_local else ListedFolder(url, snapshot=self)

    def looking_again(self, folders: Iterable[Folder]) -> "Snapshot":
        """This dataset with these folders as they lie there now, and all else as it was seen before."""
        urls = {folder.url for folder in folders}
        known = {key: answer for key, answer in self.known.items() if key[0] not in urls}
        start = len(self.url.rstrip("/")) + 1
        listed = None if self.is_local else self.listing.looking_again({url[start:] for url in urls})
        return Snapshot(self.url, known, listed)
