"""The files below a source: every real folder is looked into once, whatever links lead to it.

Folders that lie in the source come first, under their own names; then links, in the order of their names. A link to
another place is followed, as labs gather images by links. One to a folder around the source, or around itself, is not:
it would bring in what nobody named, the source itself among it. What bears an image's name and is no file, as a pipe
or a device, is never opened: reading it may never end.

    raw/a.tif          a
    raw/day1/b.tif     day1/b
    raw/again → day1   day1 was looked into
    raw/up → ..        around the source: not followed, and said
    raw/more → /disk   more/c, if /disk holds c.tif

A folder named `.zarr` is found as a file is, and not looked into; what we made in a dataset of ours is not found.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unet.dataset.filesystem import no_file
from unet.dataset.folder import ROOMS
from unet.sources.image_kinds import is_index, kind_of
from unet.sources.zarr_folders import zarr_images
from unet.sources.zarr_nodes import is_zarr_folder

SHOWN = 10
"""Notes of a kind that are shown, a line each."""
OURS = {*ROOMS, "truth.png"}
"""What we write into a dataset, whose own folder may be a source: files may have lain in it before."""
UNENCODED = re.compile("[\ud800-\udfff]")
"""What Python reads bytes as that are no UTF-8."""


@dataclass
class SourceWalk:
    """What lies below a folder, or the one file that the source is."""

    top: Path
    """A real path."""
    other: Path | Collection[Path] | None
    """What is not looked into: the truth among images, or the images around truth; real paths."""
    is_image: Callable[[str], bool]
    """Whether a file of this name is to be found."""
    each_once: bool
    """Whether a file that several links lead to is found once, as images are; one mask may be truth of many."""
    files: list[Path] = field(default_factory=list)
    """Files by the names that lead to them below `top`, in no order."""
    indexes: list[Path] = field(default_factory=list)
    """Files that say of images beside them which planes of a plate they are."""
    dangling: list[Path] = field(default_factory=list)
    """Links to files, or folders, that are not there."""
    empty: list[Path] = field(default_factory=list)
    """Folders in which there is nothing at all, as where a share is mounted that is away."""
    unreadable: list[Path] = field(default_factory=list)
    """Folders that cannot be looked into, by their rights or their disk."""
    others: Counter[str] = field(default_factory=Counter)
    """Files of other kinds, counted by kind."""
    left_out: list[str] = field(default_factory=list)
    """What else is not followed, and why, a sentence each."""

    def __post_init__(self) -> None:
        """Walk.

        Raises:
            OSError: `top` cannot be read.
            LookupError: it lies in a dataset of ours.
        """
        self._others = {self.other} if isinstance(self.other, Path) else {*(self.other or ())}
        self._seen: set[str] = set()
        self._links: list[tuple[Path, Path]] = []
        if self.top.is_file():
            self.files += [self.top] if self.is_image(self.top.name) else []
            return
        if _is_ours(self.top):
            raise LookupError(f"a source must be what a microscope wrote, got {self.top}, a folder of a dataset")
        if is_zarr_folder(self.top):
            self._take_store(self.top, self.top)
            return
        self._enter(self.top, self.top)
        for link, folder in self._links:  # grows while links are followed
            self._follow(link, folder)

    def _enter(self, named: Path, real: Path) -> None:
        """Find what lies in a folder; its links are kept for later."""
        self._seen.add(str(real))
        entries = self._entries(named, real)
        if entries == []:
            self.empty.append(named)
        for entry in entries or []:
            path, real_path = named / entry.name, real / entry.name
            if entry.name.startswith(".") or (entry.name in OURS and _is_dataset(real)):
                continue
            if entry.is_symlink():
                self._links.append((path, real))
            elif entry.is_dir():
                if real_path.suffix.lower() == ".zarr" and real_path not in self._others:
                    self._take_store(path, real_path)
                elif real_path not in self._others and _may_hold_images(real_path):
                    self._enter(path, real_path)
            elif real_path not in self._others:
                self._take_kind(path, real_path, entry.is_file())

    def _entries(self, named: Path, real: Path) -> "list[os.DirEntry[str]] | None":
        """What lies in a folder; None where it cannot be looked into."""
        try:
            return sorted(os.scandir(real), key=lambda entry: entry.name)
        except OSError as error:
            if real == self.top:
                raise
            why = os.strerror(error.errno) if error.errno else str(error)
            self.left_out.append(f"{named} must be a folder that can be read, got: {why}; mend its rights")
            self.unreadable.append(named)
            return None

    def _take_kind(self, path: Path, real: Path, is_file: bool) -> None:
        """Find a file if it is an image, or the index of some; others are counted."""
        if self.is_image(path.name):
            self._take_file(path, real, is_file)
        elif is_index(path.name) and is_file:
            self.indexes.append(path)
        else:
            self.others[kind_of(path.name)] += 1

    def _take_file(self, path: Path, real: Path, is_file: bool) -> None:
        if self._was_taken(path, real):
            return
        if not is_file:
            self.left_out.append(f"{no_file(str(path), real.stat().st_mode)}, and is left out")
        elif UNENCODED.search(str(path)):  # no metadata of ours could say where an image comes from
            self.left_out.append(f"{path} must have a name in UTF-8, and is left out; rename it")
        else:
            self._seen.add(str(real))
            self.files.append(path)

    def _take_store(self, path: Path, real: Path) -> None:
        """Find an OME-Zarr folder, as a file is found; truth may be of other kinds of files than images."""
        if path != self.top and not self.is_image(path.name):
            return
        self._take_file(path, real, is_file=True)
        self.left_out += zarr_images(real)[1]

    def _follow(self, link: Path, folder: Path) -> None:
        """Find what a link in a real folder leads to."""
        try:
            target = (folder / link.name).resolve(strict=True)
        except (OSError, RuntimeError):  # it leads nowhere, or in a circle
            if self.is_image(link.name) or not link.suffix:
                self.dangling.append(link)
            return
        if link.suffix.lower() == ".zarr" and target.is_dir():
            if not (_is_ours(target) or self._is_of_other(target) or self._was_taken(link, target)):
                self._take_store(link, target)
        elif target.is_dir() and not self._is_of_other(target):
            self._follow_to_folder(link, folder, target)
        elif self.is_image(link.name) and not target.is_dir() and not (self.each_once and self._is_of_other(target)):
            self._follow_to_file(link, target)
        elif is_index(link.name) and target.is_file():
            self.indexes.append(link)

    def _is_of_other(self, target: Path) -> bool:
        """Whether a place belongs to what is not looked into; if that is around this source, the source does not."""
        around = [other for other in self._others if target.is_relative_to(other)]
        return any(not (self.top.is_relative_to(other) and target.is_relative_to(self.top)) for other in around)

    def _follow_to_folder(self, link: Path, folder: Path, target: Path) -> None:
        if target.suffix.lower() == ".zarr":
            self.left_out.append(f"{link} is a link to {target}, and is left out; let its name end in .zarr too")
        if str(target) in self._seen or not _may_hold_images(target) or _is_ours(target):
            return
        if self.top.is_relative_to(target) or folder.is_relative_to(target):
            self.left_out.append(f"{link} is a link to {target}, a folder around it, and is not followed")
            return
        self._enter(link, target)

    def _follow_to_file(self, link: Path, target: Path) -> None:
        self._take_file(link, target, target.is_file())

    def _was_taken(self, link: Path, target: Path) -> bool:
        """Whether a link leads to what is found under another name, and told so."""
        is_taken = self.each_once and str(target) in self._seen
        if is_taken:
            self.left_out.append(f"{link} leads to {target}, which is taken already, and is left out")
        return is_taken


def notes_of(walk: SourceWalk) -> tuple[str, ...]:
    """What a person should know of a walk, a sentence each."""
    lost = [f"{link} is a link to what is not there; mend or remove it" for link in walk.dangling]
    return (*_first(walk.left_out, "files and folders are left out"), *_first(lost, "links lead nowhere"))


def _first(notes: Sequence[str], what: str) -> list[str]:
    """Notes; of many the first, and how many more there are."""
    shown = list(notes[:SHOWN])
    return shown if len(notes) <= SHOWN else [*shown, f"{len(notes) - SHOWN} more {what} in the same way"]


def _may_hold_images(folder: Path) -> bool:
    return folder.suffix.lower() != ".zarr" and not _is_dataset(folder)


def _is_dataset(folder: Path) -> bool:
    return os.path.exists(folder / "dataset.yaml")  # noqa: PTH110  # which never raises


def _is_ours(folder: Path) -> bool:
    """Whether a folder lies in a dataset, where results are."""
    above = ((each, folder.relative_to(each).parts[0]) for each in folder.parents)
    return any(room in ROOMS and (each / "dataset.yaml").exists() for each, room in above)
