"""The numeric plan of a prediction decides the last bits of its scores, and how much memory they take.

Chosen once for a stack, stored in its generation before the first shard, used by every worker and every resumption.

Every input pixel costs about the same, whatever tile it lies in (`block_forward` goes through a tile in blocks). So the
best tile is the one of which the largest part is written and not context: as large as the memory allows, and no wider
than one shard of scores. Rectangles count too: the halves of a shard have less context than its quarters.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from unet.images.windows import Sides
from unet.network.block_sides import RIM, UNKNOWN, block_side, largest_side
from unet.network.map_layout import map_places, values_of
from unet.network.tiles import FIXED_SIDE
from unet.settings.architecture import Architecture

Precision = Literal["float32", "float16", "bf16"]

PROCESS = 0.6e9
"""Bytes of a process that has imported everything, loaded a model and computed a first tile of a few pixels."""
WINDOWS = 4
"""Windows in memory at once as float32: one in work, one read and one being read, with what normalising it takes."""
GPU_BLOCK = 2048
"""Side in pixels of the blocks that a level's convolutions take at once on a GPU."""
BATCH_PIXELS = {"cpu": 1, "cuda": 2**22}
"""Pixels of input that fill the device in one pass: of smaller planes it takes several."""
SPLITS = 32
"""Tiles along one side of a shard at most; a memory that is too small for these is too small."""
VRAM_PART = 0.8
"""Part of a GPU's free memory that is planned with; its allocator and its libraries take of the rest."""


@dataclass(frozen=True)
class NumericPlan:
    """Equal plans give equal scores, bit for bit."""

    tile: Sides
    """Height and width in pixels of what a tile writes at most."""
    batch: int
    """Planes in one pass."""
    block: int
    """Side in pixels of what a level's convolutions take at once."""
    device: str
    """Kind of device: `cpu` or `cuda`."""
    threads: int
    """Threads of torch in each process."""
    precision: Precision
    """Of the network's arithmetic; scores are always of a float32 softmax."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Plan of the plain values in a generation."""
        known = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "tile": tuple(known["tile"])})

    @property
    def plain(self) -> dict[str, Any]:
        """Plain values for a generation."""
        return {**asdict(self), "tile": list(self.tile)}


@dataclass(frozen=True)
class PlanLimits:
    """Bounds of a numeric plan: the network, the scores, and the device's memory."""

    architecture: Architecture
    sides: Sides
    """Height and width in pixels of the largest window of scores, one shard's."""
    device: str
    precision: Precision
    score_bytes: int
    """Bytes of one score as it is stored."""
    memory: float
    """Bytes: on a CPU of the whole process, on a GPU of its free memory."""
    largest: int | None = None
    """Side in pixels that no tile exceeds."""
    threads: int = 1
    """Threads of torch in each process."""
    cache: float = UNKNOWN
    """Bytes of the last cache for each core of a CPU."""

    @property
    def item(self) -> int:
        """Bytes of a value of the maps."""
        return 4 if self.precision == "float32" else 2


def largest_plan(limits: PlanLimits) -> NumericPlan:
    """The plan whose tiles waste the least on context within the memory; ValueError where none fits.

    >>> small = PlanLimits(Architecture(base=16, depth=3, padding="same"), (4096, 4096), "cpu", "float32", 1, 4e9)
    >>> largest_plan(small).tile
    (4096, 4096)
    >>> from dataclasses import replace
    >>> largest_plan(replace(small, memory=3e9)).tile
    (2048, 4096)
    """
    if not limits.architecture.tileable:
        return _plan(limits, (FIXED_SIDE, FIXED_SIDE))
    best_first = sorted(_sides(limits), key=lambda s: (-useful(limits, s), s[0] * s[1]))
    for tile in best_first:
        if memory_of(limits, tile) <= limits.memory:
            return _plan(limits, tile)
    least = min(memory_of(limits, tile) for tile in best_first)
    raise ValueError(
        f"predict.memory_gb must hold at least the smallest tile, {math.ceil(least / 1e8) / 10} GB, got "
        f"{limits.memory / 1e9:.1f}; raise it, or lower predict.max_tile"
    )


def smaller_plan(limits: PlanLimits, plan: NumericPlan) -> NumericPlan | None:
    """A plan that takes half the memory of `plan`; None where no smaller one gives the same scores."""
    if plan.batch > 1:
        return replace(plan, batch=plan.batch // 2)
    sides = [s for s in _sides(limits) if _tile_bytes(limits, s) <= _tile_bytes(limits, plan.tile) / 2]
    if not sides or not limits.architecture.tileable:
        return None
    return replace(plan, tile=max(sides, key=lambda s: (useful(limits, s), -s[0] * s[1])))


def useful(limits: PlanLimits, tile: Sides) -> float:
    """Fraction of a shard's input pixels that is written; the others are context.

    >>> round(useful(PlanLimits(Architecture(padding="same"), (4096, 4096), "cpu", "float32", 1, 0), (1024, 1024)), 2)
    0.71
    """
    reads = [
        sum(limits.architecture.input_size(min(step, side - start)) for start in range(0, side, step))
        for side, step in zip(limits.sides, tile, strict=True)
    ]
    part: float = math.prod(limits.sides) / math.prod(reads)
    return part


def memory_of(limits: PlanLimits, tile: Sides) -> float:
    """Bytes at the peak of a prediction in such tiles."""
    return _buffers(limits) + _batch(limits, tile) * _tile_bytes(limits, tile)


def _buffers(limits: PlanLimits) -> float:
    """Bytes that a process takes besides its tiles: the program, and the windows that are read and written."""
    architecture = limits.architecture
    read = math.prod(architecture.input_size(side) for side in limits.sides)
    each = 4 * WINDOWS * architecture.in_channels + 3 * limits.score_bytes * (architecture.classes - 1)
    return read * each + (PROCESS if limits.device == "cpu" else 0.0)


def _tile_bytes(limits: PlanLimits, tile: Sides) -> float:
    """Bytes of one tile's maps, and of a block's."""
    architecture, item = limits.architecture, limits.item
    height, width = (architecture.input_size(side) for side in tile)
    maps = values_of(map_places(architecture, height, width))
    most = GPU_BLOCK if limits.device == "cuda" else largest_side(architecture, limits.cache, item)
    block = min(most + RIM, max(height, width))
    work = limits.threads * block * block * item * 6 * architecture.base
    return item * maps + 4 * height * width * (architecture.in_channels + architecture.classes) + work


def _sides(limits: PlanLimits) -> list[Sides]:
    """Tiles that divide a shard evenly, each side a multiple of 2^depth."""
    by_axis = []
    for side in limits.sides:
        multiple = limits.architecture.multiple
        steps = {-(-side // parts // multiple) * multiple for parts in range(1, SPLITS + 1)}
        cap = max(limits.largest or side + multiple, multiple)
        by_axis.append(sorted({min(step, cap // multiple * multiple) for step in steps}))
    return [(height, width) for height in by_axis[0] for width in by_axis[1]]


def _plan(limits: PlanLimits, tile: Sides) -> NumericPlan:
    batch, block = _batch(limits, tile), _block(limits, tile)
    return NumericPlan(tile, batch, block, limits.device, limits.threads, limits.precision)


def _block(limits: PlanLimits, tile: Sides) -> int:
    if limits.device == "cuda":
        return GPU_BLOCK
    height, width = (limits.architecture.input_size(side) for side in tile)
    return block_side(limits.architecture, (height, width), limits.threads, limits.cache, limits.item)


def block_on(kind: str, architecture: Architecture, sides: Sides, threads: int) -> int:
    """Side in pixels of the blocks of a pass over an input of these sides, on a kind of device, out of any plan."""
    return GPU_BLOCK if kind == "cuda" else block_side(architecture, sides, threads, UNKNOWN)


def _batch(limits: PlanLimits, tile: Sides) -> int:
    """Planes in one pass: more than one where the whole shard is one small tile."""
    whole = all(t >= side for t, side in zip(tile, limits.sides, strict=True))
    pixels = math.prod(limits.architecture.input_size(side) for side in tile)
    return max(BATCH_PIXELS[limits.device] // pixels, 1) if whole else 1
