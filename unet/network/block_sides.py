"""Side of the blocks that a level's convolutions take at once: a compromise, chosen by a count of what each costs.

    large   what lies between two layers leaves the cache
    small   more of each block is the rim around it, computed twice
    few     the last of them keep one thread busy while the others wait, at every level

The count knows no machine but by two figures: its threads, and how much of the last cache each of them has.
"""

import math
from contextlib import suppress
from pathlib import Path

from unet.images.windows import Sides
from unet.settings.architecture import Architecture

LEAST, MOST = 64, 384
"""Sides in pixels: below, the rim costs more than any gain; above, the allocator hands out new memory each time."""
STEP = 32
AT_ONCE = 2e7
"""Multiplications and additions that a core makes in the time that beginning a block takes, measured where it makes
90 · 10⁹ a second: 0.2 ms."""
MAPS_BESIDE = 2
"""Maps of the first level that lie in the cache at once, of five that a block has on the way up; as it was measured."""
RIM = 4
"""Pixels by which the input of two 3 × 3 convolutions is larger than what they write."""
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN = 16 * 2**20
"""Bytes of the last cache for each core where the machine does not say."""


def block_side(architecture: Architecture, tile: Sides, threads: int, cache: float, item: int = 4) -> int:
    """Side in pixels of the first level's blocks of a pass over an input of these sides.

    Args:
        architecture: of the network.
        tile: height and width in pixels of a pass's input.
        threads: that share the blocks of a level.
        cache: bytes of the last cache for each of them.
        item: bytes of a value.

    >>> small = Architecture(base=16, depth=3, padding="same")
    >>> [block_side(small, tile, threads, 16e6) for tile, threads in (((4096, 4096), 2), ((1024, 1024), 16))]
    [352, 64]
    """
    most = largest_side(architecture, cache, item)
    return min(range(most, LEAST - 1, -STEP), key=lambda side: cost_of_blocks(architecture, tile, side, threads))


def largest_side(architecture: Architecture, cache: float, item: int = 4) -> int:
    """Side in pixels of the largest blocks that a cache holds."""
    fitting = math.sqrt(cache / (MAPS_BESIDE * item * architecture.base))
    return max(min(MOST, int(fitting) // STEP * STEP), LEAST)


def cost_of_blocks(architecture: Architecture, tile: Sides, side: int, threads: int) -> float:
    """Work of the busiest thread at worst, as a multiple of an even share of what is written, on average of the levels.

    Every level waits for all threads: at worst its last block is begun when all others are done (Graham 1969).

    >>> paper = Architecture(base=64, depth=4)
    >>> [round(cost_of_blocks(paper, (1024, 1024), side, threads=8), 1) for side in (64, 256)]
    [1.6, 4.1]
    """
    costs = list[float]()
    for level in range(architecture.depth + 1):
        sides = [max(one >> level, 1) for one in tile]
        block = level_side(side, level)
        begun = AT_ONCE / float(36 * (architecture.base << level) ** 2)  # in pixels
        counts, lengths = zip(*((math.ceil(one / block), min(block, one) + RIM) for one in sides), strict=True)
        whole = math.prod(one + RIM * count for one, count in zip(sides, counts, strict=True))
        largest = math.prod(lengths) + begun
        costs.append((whole + math.prod(counts) * begun + largest * (threads - 1)) / math.prod(sides))
    return sum(costs) / len(costs)


def level_side(side: int, level: int) -> int:
    """Side in pixels, even, of a level's blocks: values stay as many while channels double."""
    return max(int(side / 2 ** (level / 2)) // 2 * 2, 2)


def cache_share() -> float:
    """Bytes of the last cache for each core that shares it."""
    with suppress(OSError, ValueError, IndexError, ZeroDivisionError):
        last = sorted(CACHES.glob("index*"))[-1]
        size, shared = ((last / name).read_text().strip() for name in ("size", "shared_cpu_map"))
        return int(size.removesuffix("K")) * 1024 / int(shared.replace(",", ""), 16).bit_count()
    return UNKNOWN
