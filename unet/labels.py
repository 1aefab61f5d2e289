"""Segments: connected pixels of a mask get one id, at once or block by block.

The law: blocks that are labelled by themselves and merged across their faces give the segments of the whole array, ids
too; with every axis linked these are the ids of `skimage.measure.label`. It takes two passes, since an id is known only
when all blocks were seen:

1. `label_block` reads a block and keeps a `Part`: its faces, and where each of its components begins;
2. `merge_parts` joins the parts and deals the ids: a table for each block;
3. `relabel_block` reads the block again and writes its segments.

Where holes are filled, the law is that of the filled mask: `components(fill(mask))`, then the rules on objects. The
background is connected in the way that is dual to that of the objects, so that a hole is closed by what an object
connects; filled, it joins the objects that share a face with it, which are all that it touches.

Between the passes there is no array: memory is that of the faces, plus 17 bytes a component. With z linked a block's
largest face is a whole frame, so blocks should be several planes deep.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.components import ALONE, FACES, FULL, Connected, connect, painted
from unet.seams import Connectivity, Corner, contacts, grounds, groups, mixed, require_tiling, within

Mask = NDArray[np.bool_]
Labels = NDArray[np.signedinteger[Any]]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """What an object is."""

    dimensions: int = 2
    """How many of the last axes are linked, 1 to 3; 2: each y x plane by itself. Ids go on from plane to plane."""
    connectivity: Connectivity = "faces"
    """Pixels touch if they share a face (4 in 2-D, 6 in 3-D), or any corner too (8, 26)."""
    minimum: int = 0
    """Objects of fewer pixels are dropped before ids are dealt."""
    holes: int = 0
    """Background parts of at most this many pixels that reach no edge of the array along a linked axis are filled."""

    def __post_init__(self) -> None:
        """Refuse a connectivity that is none."""
        if self.connectivity not in ("faces", "full"):
            raise ValueError(f"connectivity must be 'faces' or 'full', got {self.connectivity!r}")

    @property
    def dual(self) -> Connectivity:
        """Connectivity of the background."""
        return "full" if self.connectivity == "faces" else "faces"


def connected_segments(
    mask: Mask, dimensions: int = 2, connectivity: Connectivity = "faces", minimum: int = 0, holes: int = 0
) -> Labels:
    """Ids of connected pixels, 1 … n in the raster order of their first pixels, 0 = background.

    int32 while n fits, else int64. `mask` is where objects are, with any axes before the linked ones; the others are as
    in `Rules`.

    >>> mask = np.array([[1, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 0]], bool)
    >>> connected_segments(mask, minimum=2)
    array([[1, 1, 0, 0],
           [0, 0, 0, 0],
           [2, 2, 0, 0]], dtype=int32)
    >>> connected_segments(mask, connectivity="full").max()
    np.int32(1)
    >>> connected_segments(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool), holes=1).min()
    np.int32(1)
    """
    rules, origin = Rules(dimensions, connectivity, minimum, holes), (0,) * mask.ndim
    merged = merge_parts([label_block(mask, origin, mask.shape, rules)], rules)
    return relabel_block(mask, merged.lookups[origin], rules)


@dataclass(frozen=True, eq=False)
class Part:
    """What is kept of a block after the first pass: no pixels but those of its faces.

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
    holds: Indices
    """Pairs of local ids of a background part that may be a hole and an object that shares a face with it, 2 × pairs."""
    faces: tuple[tuple[NDArray[np.int32], NDArray[np.int32]], ...]
    """Of each linked axis, local ids (0 = background that was not numbered) of the block's first and last layer."""

    def face(self, axis: int, side: int) -> NDArray[np.int32]:
        """Local ids of the first (side 0) or last (1) layer along a linked axis, counted from the last, −1."""
        return self.faces[axis][side]


@dataclass(frozen=True, eq=False)
class Merged:
    """The ids of all blocks' components."""

    lookups: dict[Corner, Labels]
    """Of the block at each origin, the id of each of its local components; 0 for background and what was dropped."""
    count: int
    """Segments of the whole array."""


def label_block(
    mask: Mask, origin: Sequence[int], shape: Sequence[int], rules: Rules = Rules(), strong: Mask | None = None
) -> Part:
    """The part of one block, the first pass.

    Args:
        mask: the block, one of a grid of blocks that tile the whole array, without halo.
        origin: its first pixel in the whole array.
        shape: sides of the whole array in pixels.
        rules: what an object is; the same in all passes.
        strong: pixels of which an object must have one; default: any will do.

    >>> label_block(np.array([[0, 1], [1, 1]], bool), origin=(0, 2), shape=(2, 4)).first
    array([3])
    """
    found = _connected(mask, rules)
    local = painted(found.start, found.number, _local_ids(found)).reshape(mask.shape)
    marked = np.ones(found.first.size, np.bool_)
    marked[: found.count] = strong is None or _reached(local, strong, found.count)
    marked[found.count :] = found.size[found.count :] > rules.holes
    marked[_at_edge(local, origin, shape, rules.dimensions)] = True
    return Part(
        origin=tuple(map(int, origin)),
        shape=mask.shape,
        count=found.count,
        first=_in_whole(found.first, mask.shape, origin, shape),
        size=found.size,
        marked=marked,
        holds=_holds(found, mask.shape, marked, rules),
        faces=tuple((_layer(local, axis, 0), _layer(local, axis, -1)) for axis in range(-rules.dimensions, 0)),
    )


def merge_parts(parts: Iterable[Part], rules: Rules = Rules()) -> Merged:
    """Ids for the components of all blocks: those that touch across faces, edges and corners of blocks are one segment.

    `parts` are those of all blocks, in any order, labelled by the same rules.

    >>> row = np.array([[0, 1, 1, 0, 1]], bool)
    >>> blocks = {x: row[:, x : x + 2] for x in (0, 2, 4)}
    >>> merged = merge_parts([label_block(mask, (0, x), row.shape) for x, mask in blocks.items()])
    >>> [relabel_block(mask, merged.lookups[0, x]).tolist() for x, mask in blocks.items()]
    [[[0, 1]], [[1, 0]], [[2]]]
    """
    parts = sorted(parts, key=lambda part: part.origin)
    require_tiling(parts)
    nodes = _nodes(parts)
    numbered = list(zip(parts, nodes.starts, strict=False))
    planes = [list(p) for _, p in itertools.groupby(numbered, lambda item: item[0].origin[: -rules.dimensions])]
    touching = [pairs for plane in planes for pairs in contacts(plane, rules.dimensions, rules.connectivity)]
    if rules.holes:
        ground = [pairs for plane in planes for pairs in contacts(plane, rules.dimensions, rules.dual, grounds)]
        nodes = replace(nodes, kept=_kept(nodes, ground, rules))
        touching += [nodes.rows(pairs) for pairs in (*ground, *_beside(planes, rules))]
    group = groups([pairs[:, nodes.kept[pairs - 1].all(axis=0)] for pairs in touching], nodes.kept.size)
    ids = _ids(*_joined(group, nodes), rules.minimum)[np.where(nodes.kept, group + 1, 0)]
    return Merged(dict(_lookups(parts, nodes, ids)), int(ids.max(initial=0)))


def relabel_block(mask: Mask, lookup: Labels, rules: Rules = Rules()) -> Labels:
    """Segments of one block with the ids of the whole array, the second pass; `lookup` is this block's in `Merged`."""
    found = _connected(mask, rules)
    if lookup.size != found.first.size + 1:
        raise ValueError(
            f"a block must be the same in both passes, got {found.first.size} components after {lookup.size - 1}; "
            "label it and merge again"
        )
    return np.asarray(painted(found.start, found.number, lookup)).reshape(mask.shape)


def _connected(mask: Mask, rules: Rules) -> Connected:
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, got {mask.dtype}; compare scores with a threshold first")
    if not 1 <= rules.dimensions <= min(mask.ndim, 3):
        raise ValueError(
            f"dimensions must lie between 1 and the mask's {mask.ndim} axes, and be at most 3, got {rules.dimensions}"
        )
    depth, height, width = ((1, 1) + mask.shape[-rules.dimensions :])[-3:]
    volumes = np.ascontiguousarray(mask).reshape(-1, depth, height, width)
    ways = (FACES, FULL) if rules.connectivity == "faces" else (FULL, FACES)
    return connect(volumes, 3 if depth > 1 else 2, ways[0], ways[1] if rules.holes else ALONE)


def _reached(local: NDArray[np.int32], strong: Mask, count: int) -> Mask:
    reached = np.zeros(count + 1, np.bool_)
    reached[local[strong]] = True
    return reached[1:]


def _at_edge(
    local: NDArray[np.int32], origin: Sequence[int], shape: Sequence[int], dimensions: int
) -> NDArray[np.int32]:
    """Local ids, below 0, of the background parts at an edge of the whole array along a linked axis."""
    layers = [np.zeros(0, np.int32)]
    for axis in range(-dimensions, 0):
        if origin[axis] == 0:
            layers.append(np.take(local, 0, axis).ravel())
        if origin[axis] + local.shape[axis] == shape[axis]:
            layers.append(np.take(local, -1, axis).ravel())
    ids = np.unique(np.concatenate(layers))
    return ids[ids < 0]


def _in_whole(at: Indices, sides: Corner, origin: Sequence[int], shape: Sequence[int]) -> Indices:
    """Index in the raster of the whole array of indices in the raster of a block."""
    places = [place + o for place, o in zip(np.unravel_index(at, sides), origin, strict=True)]
    return np.ravel_multi_index(places, tuple(shape)).astype(np.int64)


def _holds(found: Connected, sides: Corner, marked: Mask, rules: Rules) -> Indices:
    if not rules.holes:
        return np.zeros((2, 0), np.int64)
    ids = _local_ids(found)
    ids[found.count + 1 :][marked[found.count :]] = 0
    local = painted(found.start, found.number, ids).reshape(sides)
    return np.sort(within(local, rules.dimensions, mixed), axis=0)


def _local_ids(found: Connected) -> NDArray[np.int32]:
    """Local ids in the order of the columns, a 0 before them."""
    return np.append(np.arange(found.count + 1), np.arange(found.count - found.first.size, 0)).astype(np.int32)


def _layer(local: NDArray[np.int32], axis: int, at: int) -> NDArray[np.int32]:
    return np.array(np.take(local, at, axis), np.int32)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """The components of all blocks as rows 1, 2, …: all objects, then all parts of the background."""

    starts: list[tuple[int, int]]
    """How many of each the blocks before have; of all, last."""
    first: Indices
    size: Indices
    marked: Mask
    kept: Mask
    """Objects and holes, not the background that stays."""

    @property
    def objects(self) -> int:
        """How many rows are objects."""
        return self.starts[-1][0]

    def rows(self, numbers: Indices) -> Indices:
        """Rows of component numbers, which count the background from −1 downwards."""
        return np.where(numbers < 0, self.objects - numbers, numbers)


def _nodes(parts: Sequence[Part]) -> _Nodes:
    objects = itertools.accumulate((part.count for part in parts), initial=0)
    ground = itertools.accumulate((part.first.size - part.count for part in parts), initial=0)
    starts = list(zip(objects, ground, strict=True))

    def column(name: str) -> NDArray[Any]:
        whole = [getattr(part, name) for part in parts]
        split = list(zip(whole, parts, strict=True))
        return np.concatenate([c[: p.count] for c, p in split] + [c[p.count :][::-1] for c, p in split])

    kept = np.arange(sum(starts[-1])) < starts[-1][0]
    return _Nodes(starts, column("first"), column("size"), column("marked"), kept)


def _kept(nodes: _Nodes, meeting: Sequence[Indices], rules: Rules) -> Mask:
    """Objects, and the background whose parts together are small and reach no edge."""
    group = groups([-pairs for pairs in meeting], nodes.starts[-1][1])
    size, marked = (np.bincount(group, column[nodes.objects :]) for column in (nodes.size, nodes.marked))
    hole = (size <= rules.holes) & (marked == 0)
    return np.append(nodes.kept[: nodes.objects], hole[group])


def _beside(planes: Sequence[list[tuple[Part, tuple[int, int]]]], rules: Rules) -> Iterator[Indices]:
    """Pairs of a background part and an object that share a face, within blocks and across seams."""
    for plane in planes:
        yield from contacts(plane, rules.dimensions, "faces", mixed)
        for part, (objects, ground) in plane:
            yield part.holds + np.array([[-ground], [objects]])


def _joined(group: NDArray[np.int32], nodes: _Nodes) -> tuple[Indices, Indices, Mask]:
    """Of each group, the index of its first pixel, its number of pixels, and whether it is a marked object."""
    count, rows = int(group.max(initial=-1)) + 1, np.flatnonzero(nodes.kept)
    first, size, marked = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    np.minimum.at(first, group[rows], nodes.first[rows])
    np.add.at(size, group[rows], nodes.size[rows])
    objects = group[: nodes.objects]
    marked[objects[nodes.marked[: nodes.objects]]] = True
    return first, size, marked


def _ids(first: Indices, size: Indices, marked: Mask, minimum: int) -> Labels:
    """Table from group 0 … n to id: 0 for the background and what is dropped."""
    kept = np.flatnonzero((size >= minimum) & marked)
    kept = kept[np.argsort(first[kept])]
    ids: Labels = np.zeros(first.size + 1, np.int32 if kept.size <= np.iinfo(np.int32).max else np.int64)
    ids[1 + kept] = np.arange(1, kept.size + 1)
    return ids


def _lookups(parts: Sequence[Part], nodes: _Nodes, ids: Labels) -> Iterator[tuple[Corner, Labels]]:
    for part, (a, b), (c, d) in zip(parts, *zip(*itertools.pairwise(nodes.starts), strict=True), strict=True):
        objects, ground = ids[a:c], ids[nodes.objects + b : nodes.objects + d]
        yield part.origin, np.concatenate([np.zeros(1, ids.dtype), objects, ground[::-1]])
