"""What a pattern of file names may hold: fields in braces, `*` for what does not matter, and plain text."""

import re

from unet.settings.validation import require

FIELDS = {
    "plate": "[^/]+",
    "name": "[^/]+",
    "well": "[A-Za-z]{1,2}-?[0-9]{1,2}",
    "row": "[A-Za-z]{1,2}|[0-9]{1,2}",
    "column": "[0-9]{1,2}",
    "field": "[A-Za-z0-9]+?",
    "t": "[0-9]+",
    "c": "[^/]+?",
    "z": "[0-9]+",
}
"""Fields of a pattern, and what each of them may be; those before t tell stacks apart."""
PIECES = re.compile(r"\{([^{}]*)\}|(\*)|([^{}*]+)|([{}])")
"""A field, a star, a text, or a brace that is none of a field's."""
MOST_STARS = 4
"""A star may be anything: with many of them a name would be tried in more ways than there is time for."""


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that no names could be read by.

    >>> check_pattern("{name}_z{depth}.tif")
    Traceback (most recent call last):
    ...
    ValueError: pattern must hold known fields, got {depth}; known are plate, name, well, row, column, field, t, c, z
    """
    found = [piece[0] for piece in PIECES.finditer(pattern)]
    fields = [piece for piece in found if piece[0] in "{}"]
    strange = next((piece for piece in fields if piece[1:-1] not in FIELDS), None)
    require(strange is None, f"pattern must hold known fields, got {strange}; known are {', '.join(FIELDS)}")
    require(bool(fields), f"pattern must hold a field such as {{name}} or {{z}}, got {pattern!r}")
    stars = found.count("*")
    require(stars <= MOST_STARS, f"pattern must hold at most {MOST_STARS} of *, got {stars} in {pattern!r}")
    require(
        not {"", ".", ".."} & set(pattern.split("/")),
        f"pattern must be counted from the file upward, such as {{name}}/z{{z}}.tif, got {pattern!r}",
    )
