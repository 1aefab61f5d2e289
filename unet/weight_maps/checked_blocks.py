"""Checked blocks: the components of blocks that were checked by themselves, and those of the whole array made of them.

Components of one value that touch across a seam are one; components of different values that share a face there see
each other, as they would have within a block.

      block │ block
      5 5 5 │ 5 0 0      one object, and its row gets the pixels of both
      0 0 7 │ 8 8 0      7 and 8 touch: each notes the other's id in `low` and `high`
"""

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Mask
from unet.labels.seams import Connectivity, Corner, contacts, groups


class Components(NamedTuple):
    """A table of components, a row each."""

    value: Indices
    """Id of its pixels; 0 = background."""
    first: Indices
    """Its first pixel in the raster of the whole array."""
    size: Indices
    """Pixels."""
    low: Indices
    """Least id that it shares a face with, its own and background left out; above `high` where there is none."""
    high: Indices
    """Largest such id."""
    edge: Mask
    """Whether it reaches an edge of the whole array along a linked axis."""


@dataclass(frozen=True, eq=False)
class CheckedBlock:
    """A checked block: its table of components, and its inner faces."""

    origin: Corner
    """The block's first pixel in the whole array."""
    shape: Corner
    """The block's sides in pixels."""
    dimensions: int
    """Linked axes."""
    ignore: int | None
    """Id of the pixels that are not judged."""
    components: Components
    drawn: Indices
    """Planes of the whole array that hold anything but background in this block."""
    faces: tuple[tuple[bytes, bytes], ...]
    """Of each linked axis, component numbers (1 … n) of the first and the last layer, packed; empty at an edge."""

    def face(self, axis: int, side: int) -> Ids:
        """Component numbers of the first (side 0) or last (1) layer along a linked axis, counted from the last, −1."""
        layer = np.frombuffer(zlib.decompress(self.faces[axis][side]), np.int32)
        return layer.reshape([n for at, n in enumerate(self.shape, -len(self.shape)) if at != axis])


def joined_components(blocks: Sequence[CheckedBlock]) -> Components:
    """The components of the whole array: components of all blocks, joined where they touch across seams."""
    table = Components(*map(np.concatenate, zip(*(block.components for block in blocks), strict=True)))
    joined = []
    for pairs, across_faces in _seams(blocks):
        one, other = table.value[pairs]
        same = (one == other) & ((one != 0) | across_faces)
        joined.append(1 + pairs[:, same])
        if across_faces:
            _meet_across(table, pairs[:, one != other])
    return _by_group(table, groups(joined, table.value.size))


def _seams(blocks: Sequence[CheckedBlock]) -> Iterator[tuple[Indices, bool]]:
    """Pairs of rows of components that touch across a seam, each once; and whether they do so across faces."""
    starts = itertools.accumulate((block.components.value.size for block in blocks), initial=0)
    numbers = ((start,) for start in starts)
    dimensions, count = blocks[0].dimensions, sum(block.components.value.size for block in blocks)
    ways: tuple[tuple[Connectivity, bool], ...] = (("faces", True), ("full", False))
    for _, numbered in itertools.groupby(zip(blocks, numbers, strict=False), lambda item: item[0].origin[:-dimensions]):
        plane = list(numbered)
        for connectivity, across_faces in ways:
            for pairs in contacts(plane, dimensions, connectivity):
                codes = np.unique((pairs[0] - 1) * count + pairs[1] - 1)
                yield np.stack(np.divmod(codes, count)), across_faces


def _meet_across(table: Components, pairs: Indices) -> None:
    for rows, others in (pairs, pairs[::-1]):
        beside = table.value[others]
        drawn = beside != 0
        np.minimum.at(table.low, rows[drawn], beside[drawn])
        np.maximum.at(table.high, rows[drawn], beside[drawn])


def _by_group(table: Components, group: Ids) -> Components:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return Components(
        value=table.value[order][starts],
        first=reduced_groups(np.minimum, table.first[order], starts),
        size=reduced_groups(np.add, table.size[order], starts),
        low=reduced_groups(np.minimum, table.low[order], starts),
        high=reduced_groups(np.maximum, table.high[order], starts),
        edge=reduced_groups(np.logical_or, table.edge[order], starts),
    )


def reduced_groups(ufunc: np.ufunc, column: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Reduced over the rows from each start to the next; of an empty table, nothing."""
    return np.asarray(ufunc.reduceat(column, starts)) if starts.size else column
