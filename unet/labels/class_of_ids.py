"""The class of each id of a label image: kept beside the ids, as ranges of them by the name of their class.

ids      0 7 7 0 9          nucleus: 7 … 8, mitosis: 9          classes  0 1 1 0 2
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder, Json
from unet.dataset.safe_load import LARGEST_JSON
from unet.images.array_types import Labels
from unet.labels.runs import painted, run_starts
from unet.ledger.contents import CLASSES
from unet.ledger.generations import Result
from unet.settings.classes import BACKGROUND, IGNORED, LARGEST, OBJECT

MOST = 2**25
"""Ids that have a class at most, so that a damaged file asks for no more memory than there is."""
GATHERED = 256
"""Planes after which what they hold is put together."""
DENSE = 2**24
"""Ids up to which a table has a place for each, which is the quickest to look up; one byte an id."""
UNKNOWN = 255
"""In that table, an id without a class."""
NAMED = 5
"""Ids that an error names at most."""


@dataclass(frozen=True, eq=False)
class ClassOfIds:
    """The class of each id, by its number in a list of names: the first is class 1."""

    names: tuple[str, ...]
    ids: NDArray[np.int64]
    """Ids that have a class of their own, ascending."""
    classes: NDArray[np.uint8]
    """Of each of these its class."""
    others: int = 0
    """Class of all other ids; 0 where they have none."""

    @classmethod
    def of_one(cls, name: str = OBJECT) -> "ClassOfIds":
        """All ids are of one class."""
        return cls((name,), np.zeros(0, np.int64), np.zeros(0, np.uint8), 1)

    @classmethod
    def of_plain(cls, values: Json) -> "ClassOfIds":
        """Read from what `plain` gives; of a single class all ids are, those that were drawn since too.

        Raises:
            ValueError: it is not that, or an id has two classes.
        """
        try:
            runs = [np.array(pairs, None if pairs else np.int64).reshape(-1, 2) for pairs in values.values()]
            if any(each.dtype.kind != "i" for each in runs):
                raise ValueError("ids that are no whole numbers")  # told below
            first, last = np.concatenate([np.zeros((0, 2), np.int64), *runs]).T
            if ((first <= 0) | (first > last)).any() or (last - first + 1.0).sum() > MOST:
                raise ValueError("runs that are none")  # told below
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"{CLASSES} must hold runs of ids by the names of their classes, got {error}") from error
        length, of_class = last - first + 1, np.repeat(np.arange(1, len(runs) + 1), [len(each) for each in runs])
        begins = np.repeat(
            first - (np.cumsum(length) - length), length
        )  # of each id, less how many come before its run
        ids, classes = begins + np.arange(begins.size), np.repeat(of_class, length).astype(np.uint8)
        order = np.argsort(ids, kind="stable")
        ids, classes = ids[order], classes[order]
        if (twice := ids[1:][np.diff(ids) == 0]).size:
            raise ValueError(f"each id of truth must have one class in {CLASSES}, got two for {twice[0]}; remove one")
        return cls(tuple(values), ids, classes, int(len(values) == 1))

    def of(self, labels: Labels) -> NDArray[np.uint8]:
        """Class of each pixel, of the shape of `labels`; 0 for background.

        Raises:
            ValueError: an id has no class.

        >>> known = ClassOfIds(("nucleus", "mitosis"), np.array([7, 9]), np.array([1, 2], np.uint8))
        >>> known.of(np.array([[0, 7, 9]]))
        array([[0, 1, 2]], dtype=uint8)
        """
        if not self.ids.size and self.others:
            return np.asarray(labels != 0, np.uint8) * np.uint8(self.others)
        starts, flat = run_starts(labels), labels.reshape(-1)  # real labels have far fewer runs than pixels
        found = self._class_of(flat[starts])
        if (found == UNKNOWN).any():
            self._raise_unknown(np.unique(flat[starts][found == UNKNOWN]).tolist())
        runs = np.arange(starts.size, dtype=np.int32)
        return np.asarray(
            painted(starts, np.append(starts[1:], flat.size), runs, found, flat.size).reshape(labels.shape)
        )

    def _class_of(self, ids: NDArray[Any]) -> NDArray[np.uint8]:
        """Class of each of some ids; `UNKNOWN` where it has none."""
        if self._dense is not None and 0 <= ids.min(initial=0) <= ids.max(initial=0) < self._dense.size:
            return np.asarray(self._dense[ids])
        at = np.minimum(np.searchsorted(self.ids, ids), max(self.ids.size - 1, 0))
        known = self.ids[at] == ids if self.ids.size else np.zeros(ids.shape, np.bool_)
        classes = np.where(known, self.classes[at] if self.ids.size else 0, self.others or UNKNOWN)
        return np.where(ids == 0, 0, classes).astype(np.uint8)

    @cached_property
    def _dense(self) -> NDArray[np.uint8] | None:
        """Class of each id up to the largest that has one; None where that is large."""
        if not 0 < self.ids.max(initial=0) < DENSE:
            return None
        table = np.full(int(self.ids[-1]) + 1, self.others or UNKNOWN, np.uint8)
        table[self.ids] = self.classes
        table[0] = 0
        return table

    def _raise_unknown(self, lost: list[int]) -> NoReturn:
        raise ValueError(
            f"each id of truth must have a class, got none for {listed_ids(lost)}; "
            f"name one of {', '.join(self.names)} for it in {CLASSES}"
        )

    def in_order(self, names: Sequence[str]) -> "ClassOfIds":
        """The same with the numbers that classes have in another list of names.

        Raises:
            ValueError: a name is not in that list.
        """
        for lost in (name for name in self.names if name not in names):
            raise ValueError(
                f"classes must name {lost!r}, which truth has, got {', '.join(names)}; name it in dataset.yaml, or, "
                f"where truth was edited by hand, call it otherwise in its {CLASSES}"
            )
        numbers = np.array([0, *(names.index(name) + 1 for name in self.names)], np.uint8)
        return ClassOfIds(tuple(names), self.ids, numbers[self.classes], int(numbers[self.others]))

    def plain(self) -> Json:
        """As JSON writes it: first and last id of each run of ids of one class, by its name.

        >>> ClassOfIds(("a", "b"), np.array([1, 2, 3, 9]), np.array([1, 1, 2, 1], np.uint8)).plain()
        {'a': [[1, 2], [9, 9]], 'b': [[3, 3]]}
        """
        cuts = np.flatnonzero((np.diff(self.ids) != 1) | (np.diff(self.classes.astype(int)) != 0)) + 1
        starts, stops = np.append(0, cuts), np.append(cuts, self.ids.size) - 1
        by_name: dict[str, list[list[int]]] = {name: [] for name in self.names}
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True) if self.ids.size else ():
            by_name[self.names[self.classes[start] - 1]].append([int(self.ids[start]), int(self.ids[stop])])
        return by_name


def write_classes(file: Folder, classes: ClassOfIds) -> None:
    """Write the class of each id, as `read_classes` reads it, a line a class.

    Raises:
        ValueError: they are of so many ids that it could not be read.
    """
    lines = (f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(runs)}" for name, runs in classes.plain().items())
    content = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    if len(content) > LARGEST_JSON or classes.ids.size > MOST:
        raise ValueError(
            f"classes of truth must be of at most {MOST:,} ids in runs that take {LARGEST_JSON:,} bytes, got "
            f"{classes.ids.size:,} in {len(content):,}; number the objects of a class on"
        )
    file.write(content)


def listed_ids(ids: Sequence[int]) -> str:
    """The first of some ids, and how many more there are.

    >>> listed_ids([7, 9]), listed_ids(range(9))
    ('7, 9', '0, 1, 2, 3, 4 and 4 more')
    """
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(map(str, ids[:NAMED])) + more


@dataclass
class SeenClasses:
    """The class of each id, gathered plane by plane while truth is read."""

    names: tuple[str, ...]
    expected: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Ids that must be met."""
    said_by: str = "classes"
    """What says so, for people."""
    _pairs: list[NDArray[np.int64]] = field(default_factory=list)
    """Ids and numbers as one number each, 256 · id + number: eight bytes for each of many millions."""

    def add(self, ids: NDArray[Any], numbers: NDArray[Any]) -> None:
        """Take ids and the numbers of their classes, those of background and of what was not judged too."""
        self._pairs.append(ids.astype(np.int64) * 256 + numbers)
        if len(self._pairs) >= GATHERED:
            self._pairs = [self._gathered()]

    def _gathered(self) -> NDArray[np.int64]:
        """All pairs, each once, by ascending ids."""
        pairs = np.unique(np.concatenate([np.zeros(0, np.int64), *self._pairs]))
        if (at := np.flatnonzero(np.diff(pairs // 256) == 0)).size:
            first, second = pairs[at[0]], pairs[at[0] + 1]
            both = " and ".join(self.name(int(pair % 256)) for pair in (first, second))
            raise ValueError(f"each id of truth must have one class, got {both} for {first // 256}; draw it anew")
        return pairs

    def name(self, number: int) -> str:
        """Name of a class by its number."""
        return self.names[number - 1] if 0 < number <= LARGEST else BACKGROUND if not number else IGNORED

    def found(self) -> ClassOfIds:
        """The class of each id that was seen, those left out that are background or not judged.

        Raises:
            ValueError: an id was not met that must be, or has two classes.
        """
        if lost := np.setdiff1d(self.expected, self._gathered() // 256).tolist():
            raise ValueError(f"{self.said_by} must be of ids that truth has, got {listed_ids(lost)}; take them off it")
        return self.found_so_far()

    def found_so_far(self) -> ClassOfIds:
        """The same while not all planes were read."""
        pairs = self._gathered()
        numbers = pairs % 256
        is_object = (numbers > 0) & (numbers <= LARGEST)
        return ClassOfIds(self.names, pairs[is_object] // 256, numbers[is_object].astype(np.uint8))


def read_classes(truth: Result) -> ClassOfIds:
    """The class of each id of a stack's truth; of truth without classes all ids are of the class `object`.

    Raises:
        ValueError: the file that tells them is lost or damaged.
    """
    stamp = truth.stamp()
    if stamp is None or "classes" not in stamp.facts:  # what was drawn here has no stamp
        return ClassOfIds.of_one()
    file = truth.folder / stamp.generation / CLASSES
    values = file.read_json()
    if values is None:
        raise ValueError(f"{file.url} must tell the class of each id of truth, got no file; run `unet-flows ingest`")
    return ClassOfIds.of_plain(values)
