"""The class of each pixel of semantic truth, by the table of the values or colours that stand for classes.

The law: each value stands for the class that the table gives it, 0 and black, and pixels that are not seen, for
background where it gives them none; a value that nobody named is refused, with its number of pixels.

    1 = nucleus, 2 = mitosis, 255 = ignore      0 1 1 2 255   →   0 1 1 2 255
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.formats.label_colours import colour_name
from unet.formats.stack import CLEAR
from unet.settings.classes import BACKGROUND, IGNORED, Table, class_names, kind_of_keys

NOT_JUDGED = 255
"""What stands for pixels nobody judged, among numbers of classes."""
UNNAMED = -1
LARGEST_DIRECT = CLEAR
"""Values up to this one are looked up directly."""
SHOWN = 4
"""Values that an error names at most."""


@dataclass(frozen=True)
class ClassValues:
    """The number of the class that each value or word of truth stands for: 0 is background, 255 not judged."""

    table: Table
    """Names by what stands for them, clean; see `unet.settings.classes`."""
    stack: str
    """Name of the stack, for people."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the classes of objects: the first is class 1."""
        return class_names(self.table)

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """Number of a class by value."""
        if kind_of_keys(self.table) == "words":
            words = ", ".join(map(str, self.table))
            raise ValueError(
                f"truth of {self.stack} must be outlines where `classes` names words ({words}), got pixels; name their "
                "values or colours"
            )
        found = {int(str(key).replace("#", "0x"), 0): self.number(name) for key, name in self.table.items()}
        return {0: 0, **({CLEAR: 0} if self._is_coloured else {}), **found}

    @property
    def _is_coloured(self) -> bool:
        return bool(self.table) and kind_of_keys(self.table) == "colours"

    def number(self, name: str) -> int:
        """Number of a class by its name."""
        return 0 if name == BACKGROUND else NOT_JUDGED if name == IGNORED else self.names.index(name) + 1

    def of(self, plane: NDArray[Any], free: Sequence[int] = ()) -> NDArray[np.uint8]:
        """Class of each pixel.

        Args:
            plane: values of semantic truth.
            free: values that stand for pixels nobody judged, unless the table names them.

        Raises:
            ValueError: a value has no name.

        >>> ClassValues({1: "nucleus", 2: "mitosis", 9: "ignore"}, "a").of(np.array([[0, 1, 2, 9]]))
        array([[  0,   1,   2, 255]], dtype=uint8)
        """
        numbers = {**dict.fromkeys(free, NOT_JUDGED), **self._numbers}
        is_direct = plane.dtype.kind in "bui" and plane.size and plane.min() >= 0 and plane.max() <= LARGEST_DIRECT
        if is_direct:
            lookup = np.full(int(plane.max()) + 1, UNNAMED, np.int16)
            known = [value for value in numbers if 0 <= value < lookup.size]
            lookup[known] = [numbers[value] for value in known]
            classes = lookup[plane]
        else:
            values, inverse = np.unique(plane, return_inverse=True)
            is_whole = np.isfinite(values) & (values == np.floor(values))
            found = [
                numbers.get(int(value), UNNAMED) if whole else UNNAMED
                for value, whole in zip(values, is_whole, strict=True)
            ]
            classes = np.array(found, np.int16)[inverse.reshape(plane.shape)]
        if (classes == UNNAMED).any():
            raise ValueError(self._unnamed(plane[classes == UNNAMED]))
        return np.asarray(classes, np.uint8)

    def of_words(self, counts: Mapping[str, int], of_what: str, file: str) -> dict[str, int]:
        """Number of the class that each word stands for, or names.

        Args:
            counts: words as a file has them, each with how many there are.
            of_what: what has these words, for people: lines or outlines.
            file: the file.

        Raises:
            ValueError: a word stands for no class.
        """
        numbers = {name: self.number(name) for name in (*self.names, BACKGROUND, IGNORED)}
        numbers |= {str(key): self.number(name) for key, name in self.table.items()}
        if unknown := {word: count for word, count in counts.items() if word not in numbers}:
            raise ValueError(
                f"{file} must have classes that `classes` names ({', '.join(map(str, self.table))}), got "
                f"{_listed(unknown, of_what)}; {_name_them(unknown)} if no class is meant"
            )
        return {word: numbers[word] for word in counts}

    def _unnamed(self, values: NDArray[Any]) -> str:
        found, counts = np.unique(values, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        said = {self._shown(found[at].item()): int(counts[at]) for at in order}
        named = ", ".join(map(str, self.table))
        return (
            f"truth of {self.stack} must hold what `classes` names ({named}), got {_listed(said, 'pixels')}; "
            f"{_name_them(said)} if no class is meant"
        )

    def _shown(self, value: float) -> str:
        return colour_name(int(value)) if self._is_coloured else f"{value:g}"


def _name_them(unknown: Mapping[str, int]) -> str:
    return f"name {'it' if len(unknown) == 1 else 'them'} there, as background or ignore"


def _listed(counts: Mapping[str, int], what: str) -> str:
    """Values with how often they were met, and how many more there are."""
    shown = [f"{word[:64]!s} on {count} {what}" for word, count in list(counts.items())[:SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
