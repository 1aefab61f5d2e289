"""Windows: rectangles of pixels, as plain integers; they may reach beyond an image's edges."""

from collections.abc import Iterable
from dataclasses import dataclass

Sides = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels `[y, y + height) × [x, x + width)`; it may reach beyond an image's edges."""

    y: int
    x: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rectangle as an index of the last two axes."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def within(self, outer: "Window") -> "Window":
        """The same rectangle, counted from `outer`'s corner."""
        return Window(self.y - outer.y, self.x - outer.x, self.height, self.width)


def hull(windows: Iterable[Window]) -> Window:
    """The least rectangle that holds all of them.

    >>> hull([Window(0, 0, 4, 4), Window(-2, 8, 4, 4)])
    Window(y=-2, x=0, height=6, width=12)
    """
    known = list(windows)
    y, x = min(w.y for w in known), min(w.x for w in known)
    return Window(y, x, max(w.y + w.height for w in known) - y, max(w.x + w.width for w in known) - x)
