"""What the classes of objects are called, and what stands for each in truth.

Background is class 0, objects are classes 1, 2, … in the order in which their names stand in dataset.yaml. Truth
without a table of classes has one, `object`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from unet.settings.validation import require

BACKGROUND, OBJECT, IGNORED = "background", "object", "ignore"
"""Names that mean something: no object, an object of truth without classes, and what nobody judged."""
LARGEST = 254
"""Classes of objects at most: they are kept as uint8, of which 255 are pixels nobody judged."""

TAKEN = (BACKGROUND, IGNORED, "mean")
"""What no class of objects is called; of the mean of all scores tables have a column, `score_mean`."""

Table = Mapping[int | str, str]
"""Names of classes by what stands for them in truth: a value, a colour such as "#ff8800", or a name in the file."""
VALUE, COLOUR = re.compile(r"-?\d{1,18}"), re.compile("#[0-9a-f]{6}")


def class_names(table: Table) -> tuple[str, ...]:
    """Names of the classes of objects that a table has, each once, in its order.

    >>> class_names({0: "background", 1: "nucleus", 2: "mitosis", 3: "nucleus", 255: "ignore"})
    ('nucleus', 'mitosis')
    """
    return tuple(name for name in dict.fromkeys(table.values()) if name not in (BACKGROUND, IGNORED))


def joined_names(tables: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Names of several sources, each once, in their order; `object` where none has any.

    >>> joined_names([("nucleus", "debris"), ("mitosis", "nucleus")]), joined_names([])
    (('nucleus', 'debris', 'mitosis'), ('object',))
    """
    return tuple(dict.fromkeys(name for names in tables for name in names)) or (OBJECT,)


def check_names(names: tuple[str, ...]) -> None:
    """Refuse names that cannot be told apart, or are no plain words; and more classes than can be kept.

    >>> check_names(("nucleus", "Nucleus"))
    Traceback (most recent call last):
    ...
    ValueError: classes must have names that differ, got 'nucleus' and 'Nucleus'; rename one
    """
    require(0 < len(names) <= LARGEST, f"classes must be 1 to {LARGEST} names of objects, got {len(names)}")
    seen: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(names, 1):
        is_plain = name == name.strip() and name.isprintable() and 0 < len(name) <= 64 and "/" not in name
        require(is_plain, f"classes must have names of 1 to 64 printable characters without /, got {name!r}")
        require(name.casefold() not in TAKEN, f"classes must not be called {name}, which has a meaning of its own")
        first, same = seen.setdefault(name.casefold(), (number, name))
        require(first == number, f"classes must have names that differ, got {same!r} and {name!r}; rename one")
        is_other = name.isdecimal() and int(name) != number and 0 < int(name) <= len(names)
        require(not is_other, f"classes must not be called by the numbers of others, got {name!r} for class {number}")


def clean_table(table: Table) -> dict[int | str, str]:
    """The table with values as numbers and colours in small letters, as they may be written in other ways.

    >>> clean_table({"1": "nucleus", 2: "mitosis"}), clean_table({"#FF8800": "nucleus"}), clean_table({"Tumor": "cell"})
    ({1: 'nucleus', 2: 'mitosis'}, {'#ff8800': 'nucleus'}, {'Tumor': 'cell'})
    """
    clean: dict[int | str, str] = {}
    for written, name in table.items():
        text = str(written).strip()
        key = int(text) if VALUE.fullmatch(text) else text.lower() if text.startswith("#") else text
        require(
            not text.startswith("#") or bool(COLOUR.fullmatch(str(key))),
            f'classes must have colours like "#ff8800", got {text!r}',
        )
        require(key not in clean, f"classes must name each value, colour or name once, got {key!r} twice; remove one")
        clean[key] = name
    kinds = {str(key).startswith("#") for key in clean}
    require(len(kinds) < 2, "classes must be all colours or none, got both colours and others; name a colour for each")
    return clean


def kind_of_keys(table: Table) -> Literal["values", "colours", "words"]:
    """What stands for the classes of a clean table: values, colours of a picture, or words of outlines."""
    if all(isinstance(key, int) for key in table):
        return "values"
    return "colours" if all(str(key).startswith("#") for key in table) else "words"


CLASS_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
"""Colours that people who see colours otherwise can tell apart (Okabe and Ito 2008); its black is background."""


def class_colour(number: int) -> str:
    """Colour of a class of objects in pictures, viewers and plots; from 1, going round.

    >>> class_colour(1), class_colour(9)
    ('#E69F00', '#E69F00')
    """
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]
