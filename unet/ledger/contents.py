"""What a committed generation consists of: each file by name, bytes and digest; and what of it is lost or damaged now.

Before a result is committed its files are listed in `contents.json` of the generation, and its metadata keeps their
number and bytes. So a mere listing tells a hole, at every plan, and reading all tells a single wrong bit. What
a reading found is noted in `damaged.json`, for the next run to mend without reading all again.

What is mended keeps its generation: it is made of the same inputs by the same plan, so nothing that was made of it is
stale. Checkpoints and exports are no part of a model, and what people may edit, the full level of truth, must only be
there. On an object store, which guards its bytes itself, shards have no digest; their own checksums stay.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from unet.dataset.folder import DRAFT, OF_DESKTOPS, Folder, Json
from unet.ledger.hashing import new_hash
from unet.ledger.metadata_types import SCHEMAS

CONTENTS, DAMAGED = "contents.json", "damaged.json"
CLASSES = "classes.json"
"""What truth with classes keeps of them: people may edit it, as they may the full level."""
PUBLISHED = "published"
"""What stands in `damaged.json` for the copy that people find under a name of its own."""
LABEL_LIST = "labels/zarr.json"
"""The list of an image's labels, which is made with the image, and noted with it."""
APART = ("checkpoints/", "exports/")
"""Folders of a generation that are no part of the result."""

Sizes = dict[str, int]


@dataclass(frozen=True)
class Contents:
    """The files of one generation of a result, by their paths below the result's folder."""

    folder: Folder
    """The result's."""
    generation: str
    is_edited: bool = False
    """Whether people may edit the full level."""

    @cached_property
    def names(self) -> list[str]:
        """What lies right below the result's folder."""
        return self.folder.names()

    @cached_property
    def _found(self) -> Sizes:
        """Bytes of every file of the generation, drafts that a kill left behind too."""
        parts = [part for part in self.names if part.partition(".")[0] == self.generation]
        below = ((f"{part}/{name}", size) for part in parts for name, size in _sizes_below(self.folder / part))
        return {name: size for name, size in below if not (name.startswith(self._apart) or OF_DESKTOPS.search(name))}

    @cached_property
    def _apart(self) -> tuple[str, ...]:
        return tuple(f"{self.generation}/{name}" for name in APART)

    @cached_property
    def drafts(self) -> list[Folder]:
        """Files that were being written when a run was killed."""
        return [self.folder / name for name in self._found if _is_draft(name)]

    @cached_property
    def sizes(self) -> Sizes:
        """Bytes of every file that the result consists of."""
        own = f"{self.generation}/{CONTENTS}"
        return {name: size for name, size in self._found.items() if name != own and not _is_draft(name)}

    def write(self) -> Json:
        """List the files; what the result's metadata keeps of the list."""
        for draft in self.drafts:
            draft.remove()
        files = {name: [size, self._digest(name)] for name, size in sorted(self.sizes.items())}
        content = json.dumps(files, indent=0).encode()
        self._file(CONTENTS).write(content)
        (self.folder / DAMAGED).remove()
        return {**self._tally(), "digest": _digest(content)}

    def holes(self, kept: Json | None) -> list[str]:
        """Files that are not there or of another size, and those that a reading found damaged; quick where none is.

        Args:
            kept: what the metadata has of the list; None of a result that was made before there was one.
        """
        noted = self._noted()
        if kept is None or (not noted and self._has(CONTENTS) and self._tally().items() <= kept.items()):
            return noted
        known = self.known(kept)
        if known is None:
            return sorted({*noted, f"{self.generation}/{CONTENTS}"})
        wrong = (name for name, (size, _) in known.items() if self._is_hole(name, size, known))
        return sorted({*noted, *wrong})

    def damage(self, kept: Json) -> list[str]:
        """Files that are not there, or do not hold what they held; all are read, but what people may edit."""
        known = self.known(kept)
        if known is None:
            return [f"{self.generation}/{CONTENTS}"]
        holes = self.holes(kept)
        read = {name: made for name, (_, made) in known.items() if made and name not in holes}
        wrong = (name for name, made in read.items() if not self._is_free(name) and not self._holds(name, made))
        return sorted({*holes, *wrong})

    def unlike(self) -> list[str]:
        """Files that are not what the list says, all of them read: without the result's metadata nothing else tells."""
        known = self.known(None) or {}
        there = (name for name, (size, _) in known.items() if self.sizes.get(name) == size)
        same = {name for name in there if self._is_free(name) or self._holds(name, known[name][1])}
        return sorted(known.keys() - same)

    def known(self, kept: Json | None) -> dict[str, tuple[int, str]] | None:
        """Bytes and digest of each file as it was made; None where the list itself is lost or damaged."""
        try:
            content = self._file(CONTENTS).read()
            listed = None if kept is None else str(kept.get("digest"))
            if content is None or (listed is not None and _digest(content, listed) != listed):
                return None
            known = {name: (size, str(made)) for name, (size, made) in json.loads(content).items()}
        except (ValueError, TypeError, AttributeError):
            return None
        return known if all(map(self._is_own, known)) else None

    def is_untouched(self, kept: Json | None) -> bool:
        """Whether all files of the full level that are there, and are not known to be damaged, hold what they held.

        Args:
            kept: what the metadata has of the list; None where that is lost, and the list alone must do.
        """
        known, noted = self.known(kept) or {}, self._noted()
        there = (name for name, size in self.sizes.items() if size and name not in noted)
        files = [name for name in there if name.startswith(self._full)]
        return bool(known) and all(name in known and self._holds(name, known[name][1]) for name in files)

    def mark(self, names: Iterable[str]) -> None:
        """Note that these are damaged, for the next run to make them again."""
        (self.folder / DAMAGED).write_json(dict.fromkeys(sorted(names), "damaged"))

    def clear(self, names: Iterable[str]) -> None:
        """Remove what is damaged, so that it is made again."""
        for name in names:
            if name != PUBLISHED:
                (self.folder / name).remove()
        self._file(CONTENTS).remove()

    def _is_own(self, name: str) -> bool:
        """Whether a name lies in the generation; any other would stop the run, as no folder leads elsewhere."""
        parts = name.split("/")
        return parts[0].partition(".")[0] == self.generation and not {"", ".", ".."} & set(parts)

    @property
    def _full(self) -> str:
        return f"{self.generation}.0/"

    def _is_free(self, name: str) -> bool:
        """Whether people may change what a file holds."""
        return self.is_edited and name.startswith(self._full)

    def _is_hole(self, name: str, size: int, known: dict[str, tuple[int, str]]) -> bool:
        now, layout = self.sizes.get(name, 0), f"{self._full}zarr.json"
        if not self._is_free(name):
            return now != size or name not in self.sizes
        is_their_layout = bool(self.sizes.get(layout)) and self.sizes[layout] != known[layout][0]
        return not now and not is_their_layout  # another layout has other shards

    def _has(self, name: str) -> bool:
        return self._found.get(f"{self.generation}/{name}", 0) > 0

    def _tally(self) -> Json:
        """How many files hold something, and the bytes of all that people do not edit."""
        free = [name for name in self.sizes if self._is_free(name)] if self.is_edited else []
        count = sum(map(bool, self.sizes.values()))
        return {"files": count, "bytes": sum(self.sizes.values()) - sum(self.sizes[name] for name in free)}

    def _holds(self, name: str, made: str) -> bool:
        """Whether a file holds what it held when its digest was made."""
        return self._digest(name, made) == made

    def _digest(self, name: str, like: str = "") -> str:
        if not self.folder.is_local and "/c/" in name:
            return ""
        with (self.folder / name).open() as stream:
            return hashlib.file_digest(stream, lambda: new_hash(like)).hexdigest()

    def _file(self, name: str) -> Folder:
        return self.folder / self.generation / name

    def _noted(self) -> list[str]:
        try:
            noted = (self.folder / DAMAGED).read_json() or {} if DAMAGED in self.names else {}
            known = {PUBLISHED, LABEL_LIST, *(() if self.is_edited else SCHEMAS)}  # people may edit metadata of truth
            return [name for name in noted if name in known or self._is_own(name)]
        except ValueError:  # a reading finds it again
            return []


def _sizes_below(folder: Folder) -> list[tuple[str, int]]:
    """Bytes of every file below a folder; a plan asks this of each result, so a disk is asked for no more."""
    if not folder.is_local:
        return [(name, size) for name, (size, _) in folder.files().items()]
    found, waiting = [], [(folder.url, "")]
    while waiting:
        top, below = waiting.pop()
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(top) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{below}{entry.name}/"))
                else:
                    found.append((below + entry.name, entry.stat().st_size))
    return found


def _is_draft(name: str) -> bool:
    """Whether a file is a draft; most are told without the pattern."""
    return ("/." in name or name.endswith(".partial")) and bool(DRAFT.search(name))


def _digest(content: bytes, like: str = "") -> str:
    hashed = new_hash(like)
    hashed.update(content)
    return str(hashed.hexdigest())
