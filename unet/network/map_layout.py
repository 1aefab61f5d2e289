"""Where the maps of a pass lie in one piece of memory, as plain integers; a map's place is another's once it was read.

time       0        1        2 = bottom   3        4
made       skip 0   skip 1   bottom       up 1     the scores
           pooled 0 pooled 1
read                pooled 0 pooled 1     bottom   up 1
                                          skip 1   skip 0
"""

import math
from dataclasses import dataclass

from unet.settings.architecture import Architecture

ALIGNED = 1024
"""Places begin at multiples of so many values: at a page, whatever the values are."""


@dataclass(frozen=True)
class MapPlace:
    """One map of a pass: its shape, and the values before it."""

    channels: int
    height: int
    width: int
    made: int
    """When it is written, and `read`, when it is for the last time read."""
    read: int
    offset: int = 0

    @property
    def end(self) -> int:
        """Values until the next place."""
        return self.offset + -(-self.channels * self.height * self.width // ALIGNED) * ALIGNED

    def is_beside(self, other: "MapPlace") -> bool:
        """Whether both must be kept at one time."""
        return self.made <= other.read and other.made <= self.read


def map_places(architecture: Architecture, height: int, width: int) -> dict[str, MapPlace]:
    """Places of the maps of a pass over one plane, but for its scores, by name: `skip 0`, `pooled 0`, `up 1`, ...

    The largest come first, each where the first room is beside those that are kept at the same time.

    >>> small = Architecture(base=4, depth=1, padding="same")
    >>> {name: (place.offset, place.channels, place.height) for name, place in map_places(small, 32, 32).items()}
    {'skip 0': (0, 4, 32), 'up 1': (4096, 8, 16), 'pooled 0': (6144, 4, 16)}
    """
    lives = _lives(architecture, height, width)
    placed: dict[str, MapPlace] = {}
    for name, life in sorted(lives.items(), key=lambda one: -math.prod((one[1].channels, one[1].height, one[1].width))):
        beside = sorted((other for other in placed.values() if other.is_beside(life)), key=lambda one: one.offset)
        placed[name] = _at_first_room(life, beside)
    return placed


def values_of(places: dict[str, MapPlace]) -> int:
    """Values of the memory in which they all lie."""
    return max(place.end for place in places.values())


def _at_first_room(life: MapPlace, beside: list[MapPlace]) -> MapPlace:
    def at(offset: int) -> MapPlace:
        return MapPlace(life.channels, life.height, life.width, life.made, life.read, offset)

    here = at(0)
    for other in beside:
        if here.end <= other.offset:
            break
        here = at(max(here.offset, other.end))
    return here


def _lives(architecture: Architecture, height: int, width: int) -> dict[str, MapPlace]:
    """Each map's shape and when it is needed; `up DEPTH` is the bottom."""
    depth, lost = architecture.depth, 4 if architecture.padding == "valid" else 0
    lives: dict[str, MapPlace] = {}
    for level in range(depth):
        height, width, channels = height - lost, width - lost, architecture.base << level
        lives[f"skip {level}"] = MapPlace(channels, height, width, level, 2 * depth - level)
        height, width = height // 2, width // 2
        lives[f"pooled {level}"] = MapPlace(channels, height, width, level, level + 1)
    for level in range(depth, 0, -1):
        height, width = height - lost, width - lost
        lives[f"up {level}"] = MapPlace(
            architecture.risen_channels(level), height, width, 2 * depth - level, 2 * depth - level + 1
        )
        height, width = 2 * height, 2 * width
    return lives
