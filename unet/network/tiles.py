"""Tiles: which pixels are read together and which are written, as plain integers.

The law: every pixel of a window is written by exactly one tile; every tile reads its context on all sides, beyond
the image's edges too, where the image is mirrored; origins are multiples of 2^depth, counted from the image's origin.
With it a tile's scores are the whole image's scores, since each reads the same pixels of the same, endless image.

Networks that are not tileable give other scores for tiles of another size. Theirs are all of one size, as far as they
read, so that at least the same pixels always give the same scores, wherever a window or the image ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from unet.images.windows import Sides, Window
from unet.settings.architecture import Architecture

FIXED_SIDE = 512
"""Side in pixels of what a tile of a network that is not tileable writes. Sides of shards are multiples of it, so that
its tiles are counted from the image's origin; four times the pixels would cost memory, and hardly less time."""


@dataclass(frozen=True)
class Tile:
    """One pass of the network: it reads `read` and writes `write`, which lies `context` pixels within."""

    read: Window
    write: Window


def reading_window(write: Window, architecture: Architecture) -> Window:
    """The smallest legal input of the network that writes `write`: with context on all sides, and evened out behind."""
    context = architecture.context
    return Window(
        write.y - context,
        write.x - context,
        architecture.input_size(write.height),
        architecture.input_size(write.width),
    )


def plan_tiles(window: Window, sides: int | Sides, architecture: Architecture) -> list[Tile]:
    """Tiles that partition `window`, in raster order; on the way they read each other's pixels as context.

    One row of tiles of step s, each reading its context c on both sides; the last is evened out behind its end:

        write        |·····s·····|·····s·····|··s'··|
        read     ├─c─┼───────────┼─c─┤
                             ├─c─┼───────────┼─c─┤
                                         ├─c─┼──────┼─c─┼ more until the side is legal
                     ▲ a multiple of 2^depth, so that poolings fall as the whole image's do

    Args:
        window: what is to be written; its origin must be a multiple of 2^depth.
        sides: largest height and width of a written rectangle in pixels, or both as one number, rounded down to
            multiples of 2^depth, but at least that. The scores of networks that are not tileable depend on it.
        architecture: gives the context and the multiple.

    >>> [t.write.slices for t in plan_tiles(Window(0, 0, 16, 40), 32, Architecture())]
    [(slice(0, 16, None), slice(0, 32, None)), (slice(0, 16, None), slice(32, 40, None))]
    """
    multiple = architecture.multiple
    if window.y % multiple or window.x % multiple:
        raise ValueError(
            f"the origin of a window must be a multiple of 2^depth = {multiple}, got {window.y}, {window.x}"
        )
    height, width = (sides, sides) if isinstance(sides, int) else sides
    steps = max(height // multiple, 1) * multiple, max(width // multiple, 1) * multiple
    if architecture.tileable:
        return [Tile(reading_window(write, architecture), write) for write in _partition(window, steps)]
    whole = {write: Window(write.y, write.x, *steps) for write in _partition(window, steps)}
    return [Tile(reading_window(full, architecture), write) for write, full in whole.items()]


def _partition(window: Window, steps: Sides) -> Iterator[Window]:
    height, width = steps
    for y in range(window.y, window.y + window.height, height):
        for x in range(window.x, window.x + window.width, width):
            yield Window(y, x, min(height, window.y + window.height - y), min(width, window.x + window.width - x))
