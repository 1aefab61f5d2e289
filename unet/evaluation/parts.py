"""The parts of the data that a report has figures of, and which of them is the headline."""

from collections.abc import Container

PARTS = ("test", "validation", "new", "training")
"""From the one whose figures are trusted most for a model that was trained here, to the one that flatters it."""


def headline_part(metrics: Container[str]) -> str | None:
    """The part whose figures are the headline, of those that there are; None where there is none.

    >>> headline_part({"training": {}, "new": {}}), headline_part({})
    ('new', None)
    """
    return next((part for part in PARTS if part in metrics), None)
