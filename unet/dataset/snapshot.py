"""A dataset as it was when it was first read; a plan asks for the same things many times.

It sees nothing of what is written after, so it lives as long as one plan, and nothing is written through it. Elsewhere
than on a disk each question takes some 20 ms: all names are listed at once there, and metadata read side by side.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, TypeVar

from unet.dataset.filesystem import ABSENT, open_filesystem, plain_os_errors
from unet.dataset.folder import Dataset, Folder

T = TypeVar("T")

METADATA_FILE = re.compile(
    r"(?:images/[^/]+(?:/labels/[^/]+)?|weights/[^/]+|scores/[^/]+/[^/]+)/zarr\.json"
    r"|models/[^/]+/model\.json|reports/[^/]+/metrics\.json|set-aside/[^/]+/[^/]+\.json"
)
"""Files that plans are made of."""


class Listing:
    """Every file below a folder, and the contents of metadata files."""

    def __init__(self, top: Folder) -> None:
        self.top = top
        self.files = top.files()
        self.names = sorted(self.files)

    @cached_property
    def metadata_files(self) -> dict[str, bytes]:
        """Contents of all metadata files."""
        filesystem, path = open_filesystem(self.top.url)
        wanted = {f"{path}/{name}": name for name in self.names if METADATA_FILE.fullmatch(name)}
        if not wanted:
            return {}
        with plain_os_errors(self.top.url):
            found = filesystem.cat(list(wanted), on_error="return")
            for content in found.values():
                if isinstance(content, Exception) and not isinstance(content, ABSENT):
                    raise content
        return {wanted[file]: content for file, content in found.items() if isinstance(content, bytes)}

    def below(self, folder: str) -> list[str]:
        """Names of the files below a folder."""
        prefix = f"{folder}/"
        start = bisect_left(self.names, prefix)
        return list(takewhile(lambda name: name.startswith(prefix), self.names[start:]))


@dataclass(frozen=True)
class ListedFolder(Folder):
    """A folder or file whose listing is known already."""

    listing: Listing = field(kw_only=True, repr=False, compare=False)

    def __truediv__(self, name: str) -> Folder:
        return ListedFolder(super().__truediv__(name).url, listing=self.listing)

    @property
    def _inside(self) -> str:
        return self.url[len(self.listing.top.url.rstrip("/")) + 1 :]

    def exists(self) -> bool:
        """Whether a file or folder is here."""
        return self._inside in self.listing.files or bool(self.listing.below(self._inside))

    def size(self) -> int:
        """Bytes of the file; 0 where there is none."""
        return self.listing.files.get(self._inside, (0, ""))[0]

    def names(self) -> list[str]:
        """Names of the files and folders right below, sorted."""
        start = len(self._inside) + 1
        return sorted({name[start:].partition("/")[0] for name in self.listing.below(self._inside)})

    def files(self) -> dict[str, tuple[int, str]]:
        """Every file below: path from here → bytes and time of change."""
        start = len(self._inside) + 1
        return {name[start:]: self.listing.files[name] for name in self.listing.below(self._inside)}

    def read(self) -> bytes | None:
        """Bytes of the file, None where there is none."""
        if self._inside not in self.listing.files:
            return None
        is_metadata = METADATA_FILE.fullmatch(self._inside)
        return self.listing.metadata_files.get(self._inside) if is_metadata else super().read()


@dataclass(frozen=True)
class Snapshot(Dataset):
    """A dataset that is asked once for each thing."""

    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _listing(self) -> Listing:
        return Listing(Folder(self.url))

    def __truediv__(self, name: str) -> Folder:
        place = super().__truediv__(name)
        return place if self.is_local else ListedFolder(place.url, listing=self._listing)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gave when it was first asked for this key."""
        if key not in self._known:
            self._known[key] = make()
        known: T = self._known[key]
        return known
