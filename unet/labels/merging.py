"""Merging: what is kept of blocks that were labelled by themselves, and how the ids of the whole are made of it.

The rows that are joined are the objects of all blocks and, where holes are filled, the parts of the background between
them: first those of one hole are joined, which tells how large it is, and then holes with the objects beside them.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Labels, Mask
from unet.labels.seams import Connectivity, Corner, contacts, grounds, groups, mixed, require_tiling


@dataclass(frozen=True)
class Rules:
    """What an object is."""

    dimensions: int = 2
    """How many of the last axes are linked, 1 to 3; 2: each y x plane by itself. Ids go on from plane to plane."""
    connectivity: Connectivity = "faces"
    """Pixels touch if they share a face (4 in 2-D, 6 in 3-D), or any corner too (8, 26)."""
    min_size: int = 0
    """Objects of fewer pixels are dropped before ids are given."""
    max_hole_size: int = 0
    """Background parts of at most this many pixels that reach no edge of the array along a linked axis are filled."""

    def __post_init__(self) -> None:
        """Refuse an unknown connectivity."""
        if self.connectivity not in ("faces", "full"):
            raise ValueError(f"connectivity must be 'faces' or 'full', got {self.connectivity!r}")

    @property
    def dual(self) -> Connectivity:
        """Connectivity of the background."""
        return "full" if self.connectivity == "faces" else "faces"


@dataclass(frozen=True, eq=False)
class BlockLabels:
    """The labels that are kept of a block after the first pass: a table of components, and the pixels of its faces.

    Local ids are 1 … n for objects and −1 … −m for background, of which none is numbered where no holes are filled. The
    columns hold them in the order 1 … n, −m … −1, so that a table with a 0 before them is indexed by local ids.
    """

    origin: Corner
    """The block's first pixel in the whole array."""
    shape: Corner
    """The block's sides in pixels."""
    count: int
    """n."""
    first: Indices
    """Of each local component, the index of its first pixel in the raster of the whole array."""
    size: Indices
    """Pixels of each local component."""
    marked: Mask
    """Of each object, whether it has a strong pixel; of background, whether it cannot be a hole."""
    box: Indices
    """First index and last plus 1 along each axis of the whole array, n + m × 2 × axes; no axes where nobody asks."""
    holds: Indices
    """Pairs of local ids: a background part that may be a hole, and an object that shares a face with it; 2 × pairs."""
    faces: tuple[tuple[Ids, Ids], ...]
    """Of each linked axis, local ids (0 = background that was not numbered) of the block's first and last layer."""

    def face(self, axis: int, side: int) -> Ids:
        """Local ids of the first (side 0) or last (1) layer along a linked axis, counted from the last, −1."""
        return self.faces[axis][side]


@dataclass(frozen=True, eq=False)
class Merged:
    """The ids of all blocks' components."""

    lookups: dict[Corner, Labels]
    """Of the block at each origin, the id of each of its local components; 0 for background and what was dropped."""
    count: int
    """Segments of the whole array."""
    first: Indices
    """Of each segment, the index of its first pixel in the raster of the whole array."""
    box: Indices
    """First index and last plus 1 along each axis, count × 2 × axes; no axes where the parts have none."""


def merge_blocks(parts: Iterable[BlockLabels], rules: Rules = Rules()) -> Merged:
    """Ids for the components of all blocks; components that touch across a seam are one segment.

    `parts` are those of all blocks, in any order, labelled by the same rules.

    >>> from unet.labels.connected import label_block, relabel_block
    >>> row = np.array([[0, 1, 1, 0, 1]], bool)
    >>> blocks = {x: row[:, x : x + 2] for x in (0, 2, 4)}
    >>> merged = merge_blocks([label_block(mask, (0, x), row.shape) for x, mask in blocks.items()])
    >>> [relabel_block(mask, merged.lookups[0, x]).tolist() for x, mask in blocks.items()]
    [[[0, 1]], [[1, 0]], [[2]]]
    """
    parts = sorted(parts, key=lambda part: part.origin)
    require_tiling(parts)
    nodes = _nodes(parts)
    numbered = list(zip(parts, nodes.starts, strict=False))
    planes = [list(p) for _, p in itertools.groupby(numbered, lambda item: item[0].origin[: -rules.dimensions])]
    touching = [pairs for plane in planes for pairs in contacts(plane, rules.dimensions, rules.connectivity)]
    if rules.max_hole_size:
        ground = [pairs for plane in planes for pairs in contacts(plane, rules.dimensions, rules.dual, grounds)]
        nodes = replace(nodes, kept=_kept(nodes, ground, rules))
        touching += [nodes.rows(pairs) for pairs in (*ground, *_beside(planes, rules))]
    group = groups([pairs[:, nodes.kept[pairs - 1].all(axis=0)] for pairs in touching], nodes.kept.size)
    first, size, marked, box = _joined(group, nodes)
    kept = np.flatnonzero((size >= rules.min_size) & marked)
    kept = kept[np.argsort(first[kept])]
    ids = _ids(kept, first.size)[np.where(nodes.kept, group + 1, 0)]
    return Merged(dict(_lookups(parts, nodes, ids)), kept.size, first[kept], box[kept])


@dataclass(frozen=True, eq=False)
class _Nodes:
    """The components of all blocks as rows 1, 2, …: all objects, then all parts of the background."""

    starts: list[tuple[int, int]]
    """How many of each the blocks before have; of all, last."""
    first: Indices
    size: Indices
    marked: Mask
    box: Indices
    kept: Mask
    """Objects and holes, not the background that stays."""

    @property
    def objects(self) -> int:
        """How many rows are objects."""
        return self.starts[-1][0]

    def rows(self, numbers: Indices) -> Indices:
        """Rows of component numbers, which count the background from −1 downwards."""
        return np.where(numbers < 0, self.objects - numbers, numbers)


def _nodes(parts: Sequence[BlockLabels]) -> _Nodes:
    """The rows of all blocks' components: a block's columns 1 … n, −m … −1 are cut, and −m … −1 turned round."""
    objects = itertools.accumulate((part.count for part in parts), initial=0)
    ground = itertools.accumulate((part.first.size - part.count for part in parts), initial=0)
    starts = list(zip(objects, ground, strict=True))

    def column(name: str) -> NDArray[Any]:
        whole = [getattr(part, name) for part in parts]
        split = list(zip(whole, parts, strict=True))
        return np.concatenate([c[: p.count] for c, p in split] + [c[p.count :][::-1] for c, p in split])

    kept = np.arange(sum(starts[-1])) < starts[-1][0]
    return _Nodes(starts, column("first"), column("size"), column("marked"), column("box"), kept)


def _kept(nodes: _Nodes, meeting: Sequence[Indices], rules: Rules) -> Mask:
    """Rows that are kept: all objects, and background that is a small hole once its parts are joined."""
    group = groups([-pairs for pairs in meeting], nodes.starts[-1][1])
    size, marked = (np.bincount(group, column[nodes.objects :]) for column in (nodes.size, nodes.marked))
    hole = (size <= rules.max_hole_size) & (marked == 0)
    return np.append(nodes.kept[: nodes.objects], hole[group])


def _beside(planes: Sequence[list[tuple[BlockLabels, tuple[int, int]]]], rules: Rules) -> Iterator[Indices]:
    """Pairs of a background part and an object that share a face, within blocks and across seams."""
    for plane in planes:
        yield from contacts(plane, rules.dimensions, "faces", mixed)
        for part, (objects, ground) in plane:
            yield part.holds + np.array([[-ground], [objects]])


def _joined(group: Ids, nodes: _Nodes) -> tuple[Indices, Indices, Mask, Indices]:
    """Of each group, its first pixel, its number of pixels, whether it is a marked object, and its bounding box.

    Rows are the components of all blocks; those that touch have one group, and only rows that are kept count:

        rows     objects of all blocks │ background of all blocks
        group    0   1   0   2         │ 3   1   4
        kept     yes yes yes yes       │ no  yes no       ← a hole of group 1, filled: its pixels are the object's
    """
    # A group may be marked by any of its objects (a high pixel), never by its background, whose mark says "no hole".
    count, rows = int(group.max(initial=-1)) + 1, np.flatnonzero(nodes.kept)
    limits = np.iinfo(np.int64)
    first, size, marked = np.full(count, limits.max), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    np.minimum.at(first, group[rows], nodes.first[rows])
    np.add.at(size, group[rows], nodes.size[rows])
    objects = group[: nodes.objects]
    marked[objects[nodes.marked[: nodes.objects]]] = True
    box = np.zeros((count, *nodes.box.shape[1:]), np.int64)
    box[:, 0], box[:, 1] = limits.max, limits.min
    for axis in range(nodes.box.shape[2]):
        np.minimum.at(box[:, 0, axis], group[rows], nodes.box[rows, 0, axis])
        np.maximum.at(box[:, 1, axis], group[rows], nodes.box[rows, 1, axis])
    return first, size, marked, box


def _ids(kept: NDArray[np.intp], count: int) -> Labels:
    """Table from group 0 … n to id; 0 for the background and for dropped objects."""
    ids: Labels = np.zeros(count + 1, np.int32 if kept.size <= np.iinfo(np.int32).max else np.int64)
    ids[1 + kept] = np.arange(1, kept.size + 1)
    return ids


def _lookups(parts: Sequence[BlockLabels], nodes: _Nodes, ids: Labels) -> Iterator[tuple[Corner, Labels]]:
    for part, (a, b), (c, d) in zip(parts, *zip(*itertools.pairwise(nodes.starts), strict=True), strict=True):
        objects, ground = ids[a:c], ids[nodes.objects + b : nodes.objects + d]
        yield part.origin, np.concatenate([np.zeros(1, ids.dtype), objects, ground[::-1]])
