"""How arrays lie in a store: chunks, shards, pyramid levels and regions, as plain numbers.

A chunk is what is compressed at once (about 1 MB), a shard is one file and the unit of work: written once, whole, by
one worker. Two writers within a shard lose data silently, hence `require_whole_shards`.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Region = tuple[slice, ...]

PLANE_SHARD = 4096
"""Largest side in pixels of a shard of one plane: large enough for tiles whose context costs little."""
SOLID_SHARD = 512
"""Largest side in pixels of y x of a shard that is thick in z, of which each region reads a halo on all sides."""
SHARD_BYTES = 2**25
"""Bytes that a shard of several planes holds at most, uncompressed."""
SMALLEST = 512
"""Side in pixels below which a pyramid needs no further level."""


@dataclass(frozen=True)
class Layout:
    """Shape, shard and chunk of one stored array, in elements by axis."""

    shape: Shape
    shard: Shape
    chunk: Shape

    @property
    def plane(self) -> "Layout":
        """The layout of one y x plane."""
        return Layout(self.shape[-2:], self.shard[-2:], self.chunk[-2:])


def plane_layout(shape: Shape, itemsize: int) -> Layout:
    """Layout with one plane a shard, for scores, labels and weights.

    >>> plane_layout((3, 5000, 600), 1)
    Layout(shape=(3, 5000, 600), shard=(1, 4096, 600), chunk=(1, 1024, 600))
    """
    chunk = _plane_chunk(shape, itemsize)
    return Layout(shape, _planes(shape, chunk, PLANE_SHARD, 1), chunk)


def stack_layout(shape: Shape, itemsize: int) -> Layout:
    """Layout with several planes a shard, for images, which are written plane after plane and read in any way.

    >>> stack_layout((100, 512, 512), 2).shard
    (64, 512, 512)
    """
    chunk = _plane_chunk(shape, itemsize)
    plane = _planes(shape, chunk, PLANE_SHARD // 2, 1)
    whole = all(step >= size for step, size in zip(plane[-2:], shape[-2:], strict=True))
    several = SHARD_BYTES // (math.prod(plane) * itemsize) if whole else 1  # a large plane is decoded once, not held
    return Layout(shape, _planes(shape, chunk, PLANE_SHARD // 2, max(several, 1)), chunk)


def weights_layout(shape: Shape, dimensions: int) -> Layout:
    """Layout of classes and border weights: shards of at most 16 Mpx, as compact as what a region reads around itself.

    >>> weights_layout((1000, 512, 512), 2).shard, weights_layout((1000, 2048, 2048), 3).shard
    ((64, 512, 512), (64, 512, 512))
    >>> weights_layout((3, 9000, 9000), 2).shard
    (1, 4096, 4096)
    """
    chunk = _plane_chunk(shape, 4)
    side = PLANE_SHARD if dimensions == 2 else SOLID_SHARD
    plane = math.prod(_planes(shape, chunk, side, 1)[-2:])
    whole = dimensions == 3 or all(size <= side for size in shape[-2:])
    return Layout(shape, _planes(shape, chunk, side, PLANE_SHARD**2 // plane if whole else 1), chunk)


def regions(layout: Layout) -> Iterator[Region]:
    """Every shard's pixels, in raster order; together they are the array, each pixel once."""
    axes = [range(0, size, step) for size, step in zip(layout.shape, layout.shard, strict=True)]
    for corner in itertools.product(*axes):
        yield tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(corner, layout.shard, layout.shape, strict=True)
        )


def bounds(index: Any, shape: Shape) -> Region:
    """The region that a basic index, of integers, slices without steps and an ellipsis, takes its values from.

    >>> bounds((2, ..., slice(1, None)), (4, 5, 6))
    (slice(2, 3, None), slice(0, 5, None), slice(1, 6, None))
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + (at < len(parts)))
    whole = (
        part if isinstance(part, slice) else slice(part % size, part % size + 1)
        for part, size in zip(parts, shape, strict=True)
    )
    return tuple(slice(*part.indices(size)[:2]) for part, size in zip(whole, shape, strict=True))


def overlapping(region: Region, layout: Layout) -> Iterator[Region]:
    """The whole region of every shard that shares pixels with `region`.

    >>> list(overlapping((slice(3, 5),), Layout((9,), (4,), (2,))))
    [(slice(0, 4, None),), (slice(4, 8, None),)]
    """
    parts = list(zip(region, layout.shard, layout.shape, strict=True))
    for corner in itertools.product(*(range(p.start // n * n, min(p.stop, size), n) for p, n, size in parts)):
        yield tuple(slice(c, min(c + n, size)) for c, (_, n, size) in zip(corner, parts, strict=True))


def shard_index(region: Region, layout: Layout) -> tuple[int, ...]:
    """Index of the shard that `region` covers, counted in shards; ValueError where it is not exactly one."""
    require_whole_shards(region, layout)
    return tuple(part.start // step for part, step in zip(region, layout.shard, strict=True))


def require_whole_shards(region: Region, layout: Layout) -> None:
    """Refuse a region that is not exactly one shard: two writers in one shard lose data without an error."""
    if len(region) != len(layout.shape):
        raise ValueError(f"a region must have {len(layout.shape)} axes, got {len(region)}")
    for axis, (part, step, size) in enumerate(zip(region, layout.shard, layout.shape, strict=True)):
        if part.start not in range(0, size, step) or part != slice(part.start, min(part.start + step, size)):
            raise ValueError(
                f"a region must be one whole shard, got [{part.start}, {part.stop}) on axis {axis} "
                f"where shards have {step} of {size} elements; take regions from `regions(layout)`"
            )


def pyramid_shapes(shape: Shape) -> list[Shape]:
    """Shapes of all levels, the full one first; y and x are halved until both are at most 512 px.

    >>> pyramid_shapes((7, 2001, 600))
    [(7, 2001, 600), (7, 1001, 300), (7, 501, 150)]
    """
    shapes = [shape]
    while max(shapes[-1][-2:]) > SMALLEST:
        *leading, height, width = shapes[-1]
        shapes.append((*leading, -(-height // 2), -(-width // 2)))
    return shapes


class Level(NamedTuple):
    """One level of a pyramid, and which pixels of the full level it stands for."""

    shape: Shape
    first: tuple[float, float]
    """y and x of the middle of its first pixel, in pixels of the full level; the next ones follow each 2^level."""


def averaged(shape: Shape) -> list[Level]:
    """Levels of an image, whose pixels are means of 2 × 2: the first pixel's middle is that of all it was made of.

    >>> [level.first for level in averaged((2048, 2000))]
    [(0.0, 0.0), (0.5, 0.5), (1.5, 1.5)]
    """
    return [Level(s, ((2**n - 1) / 2, (2**n - 1) / 2)) for n, s in enumerate(pyramid_shapes(shape))]


def sampled(shape: Shape) -> list[Level]:
    """Levels of labels, each pixel of which is one of 2 × 2: within half a pixel of its own where the image's level is.

    Rejected: the most frequent id of 2 × 2. Along an outline two ids have two pixels each, and whichever rule decides
    there moves all outlines one way; and where the pixels lie could not be said exactly any more.

    >>> [level.first for level in sampled((4096, 4095))]
    [(0, 0), (0, 0), (2, 2), (2, 2)]
    """
    shapes = pyramid_shapes(shape)
    starts = zip(*(_sampled_from([s[axis] for s in shapes]) for axis in (-2, -1)), strict=True)
    return [Level(s, (y, x)) for s, (y, x) in zip(shapes, starts, strict=True)]


def _sampled_from(sizes: list[int]) -> list[int]:
    """Which pixel of the full level is the first of each level, along an axis whose levels have these sizes.

    Of each two pixels one is taken: the second where that brings the level nearer to the image's, but where the last
    pixel has no second, at an odd edge. So the error does not add up: it stays below half a pixel of the level, or a
    quarter where all sizes are even.

    >>> _sampled_from([4096, 2048, 1024, 512, 256]), _sampled_from([4097, 2049, 1025, 513, 257])
    ([0, 0, 2, 2, 10], [0, 0, 0, 0, 0])
    """
    starts = [0]
    for level, size in enumerate(sizes[:-1]):
        first, second, middle = starts[-1], starts[-1] + 2**level, 2**level - 0.5
        is_nearer = abs(second - middle) < abs(first - middle)
        starts.append(second if is_nearer and size % 2 == 0 else first)
    return starts


def grow(region: Region, halo: Shape, shape: Shape) -> Region:
    """`region` with `halo` more elements on both sides of each axis, cut at the array's edges."""
    return tuple(
        slice(max(part.start - more, 0), min(part.stop + more, size))
        for part, more, size in zip(region, halo, shape, strict=True)
    )


def shared(one: Region, other: Region) -> Region:
    """The region that lies in both of two regions, which share pixels.

    >>> shared((slice(0, 5),), (slice(3, 9),))
    (slice(3, 5, None),)
    """
    return tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))


def within(region: Region, outer: Region) -> Region:
    """`region` counted from the corner of `outer`."""
    return tuple(
        slice(part.start - around.start, part.stop - around.start) for part, around in zip(region, outer, strict=True)
    )


def _plane_chunk(shape: Shape, itemsize: int) -> Shape:
    side = 1024 if itemsize == 1 else 512
    return (*(1 for _ in shape[:-2]), *(max(min(side, size), 1) for size in shape[-2:]))


def _planes(shape: Shape, chunk: Shape, side: int, planes: int) -> Shape:
    """Shard of whole chunks: at most `side` pixels in y x and `planes` planes along the innermost leading axis."""
    leading = [1 for _ in shape[:-2]]
    if leading:
        leading[-1] = max(min(planes, shape[-3]), 1)
    plane = (c * max(min(-(-size // c), side // c), 1) for c, size in zip(chunk[-2:], shape[-2:], strict=True))
    return (*leading, *plane)
