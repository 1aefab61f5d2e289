"""Truth of which each class has a folder of its own: read each by itself, and laid over each other.

The law: the ids of the first class are as they are in its files, those of each other one go on where the classes before
end; no pixel is of two classes. What nobody judged in one folder is so where no other has an object.

    nucleus  0 1 2 0     mitosis  0 0 0 1     kept as  0 1 2 3     nucleus 1 … 2, mitosis 3
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.formats.stack import Opened
from unet.labels.class_of_ids import SeenClasses
from unet.labels.truth_values import IGNORED, KeptTruth, kept_truth, require_fit
from unet.settings.classes import IGNORED as IGNORE
from unet.settings.classes import class_names
from unet.sources.stacks import Stack

Plane = NDArray[Any]


class FolderOfClass(NamedTuple):
    """Truth of one class."""

    name: str
    stack: Stack
    """As if this were all of its truth."""
    opened: Opened

    def kept(self) -> KeptTruth:
        """What is kept of it by itself."""
        return kept_truth(self.opened, self.stack, has_classes=True)


class _Seen(NamedTuple):
    """What a first look at a folder saw."""

    top: int
    """The largest id."""
    drawn: frozenset[tuple[int, ...]]
    """Planes with an object."""
    notes: tuple[str, ...]
    ignore: int | None


def kept_by_folder(stack: Stack, folders: Sequence[FolderOfClass]) -> KeptTruth:
    """What is kept of all classes together.

    Raises:
        ValueError: a pixel is of two classes, there are too many ids, or planes are not of one shape.
    """
    first = folders[0].opened
    for each in folders[1:]:
        require_fit(f"{stack.name}, of class {each.name},", each.opened.axes, each.opened.shape, first.shape)
    looks = [_look(folder) for folder in folders]
    tops = np.cumsum([0, *(look.top for look in looks)], dtype=np.int64)
    if tops[-1] >= IGNORED:
        raise ValueError(f"truth of {stack.name} must hold ids < {IGNORED} in all classes, got {tops[-1]}; renumber it")
    drawn = frozenset[tuple[int, ...]]().union(*(look.drawn for look in looks))
    is_empty_ignored = stack.empty_planes == "ignore" and bool(drawn)
    seen = SeenClasses(class_names(dict(stack.classes)))

    def planes() -> Iterator[Plane]:
        every = [folder.kept().planes for folder in folders]
        for index, *parts in zip(np.ndindex(*first.shape[:-2]), *every, strict=True):
            plane = _laid(stack, folders, parts, tops, index)
            for folder, part, before in zip(folders, parts, tops, strict=False):
                _add(seen, folder.name, part, int(before))
            is_ignored = is_empty_ignored and index not in drawn
            yield np.full(plane.shape, IGNORED) if is_ignored else plane

    has_ignored = is_empty_ignored or any(look.ignore is not None for look in looks)
    has_ignored |= any(folder.name == IGNORE for folder in folders)
    notes = tuple(
        dict.fromkeys([*(note for of in folders for note in of.opened.notes), *(n for of in looks for n in of.notes)])
    )
    ignore = int(IGNORED) if has_ignored else None
    return KeptTruth(IGNORED.dtype, ignore, notes, planes(), seen, first.axes, first.shape)


def _look(folder: FolderOfClass) -> _Seen:
    kept, top, drawn = folder.kept(), 0, set[tuple[int, ...]]()
    for index, plane in zip(np.ndindex(*kept.shape[:-2]), kept.planes, strict=True):
        objects = plane[_is_object(plane)]
        if objects.size:
            top = max(top, int(objects.max()))
            drawn.add(index)
    return _Seen(top, frozenset(drawn), kept.notes, kept.ignore)


def _is_object(plane: Plane) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (plane != 0) & (plane != IGNORED)
    return found


def _laid(
    stack: Stack,
    folders: Sequence[FolderOfClass],
    parts: Sequence[Plane],
    tops: NDArray[np.int64],
    index: tuple[int, ...],
) -> Plane:
    """Planes of all classes as one."""
    laid = np.zeros(parts[0].shape, IGNORED.dtype)
    owner = np.full(laid.shape, -1, np.int16)
    for number, (folder, part) in enumerate(zip(folders, parts, strict=True)):
        objects = _is_object(part)
        if (both := objects & (owner >= 0)).any():
            y, x = np.argwhere(both)[0].tolist()
            leading = zip(folders[0].opened.axes[:-2], index, strict=True)
            place = " ".join(f"{axis} {at}" for axis, at in (*leading, ("y", y), ("x", x)))
            raise ValueError(
                f"each pixel of truth of {stack.name} must be of one class, got {folders[owner[y, x]].name} and "
                f"{folder.name} on {np.count_nonzero(both)} pixels of a plane, the first at {place}; draw it as one"
            )
        owner[objects] = number
        laid[objects] = IGNORED if folder.name == IGNORE else part[objects] + tops[number]
    unjudged = np.logical_or.reduce([part == IGNORED for part in parts])
    laid[unjudged & (owner < 0)] = IGNORED
    return laid


def _add(seen: SeenClasses, name: str, part: Plane, before: int) -> None:
    if name != IGNORE:
        ids = np.unique(part[_is_object(part)]).astype(np.int64) + before
        seen.add(ids, np.full(ids.size, seen.names.index(name) + 1))
