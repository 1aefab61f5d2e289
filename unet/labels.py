"""Segments: connected pixels of a mask get one id, at once or block by block.

The law: blocks that are labelled by themselves and merged across their faces give the segments of the whole array, ids
too; with every axis linked these are the ids of `skimage.measure.label`. It takes two passes, since an id is known only
when all blocks were seen:

1. `label_block` reads a block and keeps a `Part`: its faces, and where each of its components begins;
2. `merge_parts` joins the parts and deals the ids: a table for each block;
3. `relabel_block` reads the block again and writes its segments.

Between the passes there is no array: memory is that of the faces, plus 16 bytes a component. With z linked a block's
largest face is a whole frame, so blocks should be several planes deep.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Connectivity = Literal["faces", "full"]
Mask = NDArray[np.bool_]
Labels = NDArray[np.signedinteger[Any]]
Corner = tuple[int, ...]


def connected_segments(
    mask: Mask, dimensions: int = 2, connectivity: Connectivity = "faces", minimum: int = 0
) -> Labels:
    """Ids of connected pixels, 1 … n in the raster order of their first pixels, 0 = background.

    int32 while n fits, else int64.

    Args:
        mask: where objects are; any axes before the linked ones.
        dimensions: how many of the last axes are linked; 2: each y x plane by itself. Ids go on from plane to plane.
        connectivity: pixels touch if they share a face (4 in 2-D, 6 in 3-D), or any corner too (8, 26).
        minimum: components of fewer pixels are dropped before ids are dealt.

    >>> mask = np.array([[1, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 0]], bool)
    >>> connected_segments(mask, minimum=2)
    array([[1, 1, 0, 0],
           [0, 0, 0, 0],
           [2, 2, 0, 0]], dtype=int32)
    >>> connected_segments(mask, connectivity="full").max()
    np.int32(1)
    """
    local, first, size = _components(mask, dimensions, connectivity)
    return _ids(first, size, minimum)[local]


class Block(Protocol):
    """What merging needs of a block: where it lies, and the components of its faces."""

    @property
    def origin(self) -> Corner:
        """The block's first pixel in the whole array."""

    @property
    def shape(self) -> Corner:
        """The block's sides in pixels."""

    def face(self, axis: int, side: int) -> NDArray[np.int32]:
        """Local ids of the first (side 0) or last (1) layer along a linked axis, counted from the last, −1."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is kept of a block after the first pass: no pixels but those of its faces."""

    origin: Corner
    """The block's first pixel in the whole array."""
    shape: Corner
    """The block's sides in pixels."""
    first: NDArray[np.int64]
    """Of each local component, the index of its first pixel in the raster of the whole array."""
    size: NDArray[np.int64]
    """Pixels of each local component."""
    faces: tuple[tuple[NDArray[np.int32], NDArray[np.int32]], ...]
    """Of each linked axis, local ids (1 … n, 0 = background) of the block's first and last layer."""

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
    mask: Mask, origin: Sequence[int], shape: Sequence[int], dimensions: int = 2, connectivity: Connectivity = "faces"
) -> Part:
    """The part of one block, the first pass.

    Args:
        mask: the block, one of a grid of blocks that tile the whole array, without halo.
        origin: its first pixel in the whole array.
        shape: sides of the whole array in pixels.
        dimensions: as in `connected_segments`.
        connectivity: as in `connected_segments`.

    >>> label_block(np.array([[0, 1], [1, 1]], bool), origin=(0, 2), shape=(2, 4)).first
    array([3])
    """
    local, first, size = _components(mask, dimensions, connectivity)
    places = [place + o for place, o in zip(np.unravel_index(first, mask.shape), origin, strict=True)]
    faces = tuple(
        (_layer(local, axis, 0), _layer(local, axis, -1)) for axis in range(mask.ndim - dimensions, mask.ndim)
    )
    return Part(tuple(map(int, origin)), mask.shape, np.ravel_multi_index(places, tuple(shape)), size, faces)


def merge_parts(
    parts: Iterable[Part], dimensions: int = 2, connectivity: Connectivity = "faces", minimum: int = 0
) -> Merged:
    """Ids for the components of all blocks: those that touch across faces, edges and corners of blocks are one segment.

    `parts` are those of all blocks, in any order; the other arguments are as in `connected_segments`.

    >>> row = np.array([[0, 1, 1, 0, 1]], bool)
    >>> blocks = {x: row[:, x : x + 2] for x in (0, 2, 4)}
    >>> merged = merge_parts([label_block(mask, (0, x), row.shape) for x, mask in blocks.items()])
    >>> [relabel_block(mask, merged.lookups[0, x]).tolist() for x, mask in blocks.items()]
    [[[0, 1]], [[1, 0]], [[2]]]
    """
    parts = sorted(parts, key=lambda part: part.origin)
    require_tiling(parts)
    starts = list(itertools.accumulate((part.size.size for part in parts), initial=0))
    planes = itertools.groupby(zip(parts, starts[:-1], strict=True), lambda item: item[0].origin[:-dimensions])
    touching = [pairs for _, plane in planes for pairs in contacts(list(plane), dimensions, connectivity)]
    group = groups(touching, starts[-1])
    ids = _ids(*_joined(group, parts), minimum)
    tables = (ids[np.append(0, 1 + group[a:b])] for a, b in itertools.pairwise(starts))
    return Merged({part.origin: table for part, table in zip(parts, tables, strict=True)}, int(ids.max()))


def relabel_block(mask: Mask, lookup: Labels, dimensions: int = 2, connectivity: Connectivity = "faces") -> Labels:
    """Segments of one block with the ids of the whole array, the second pass; `lookup` is this block's in `Merged`."""
    local, first, _ = _components(mask, dimensions, connectivity)
    if lookup.size != first.size + 1:
        raise ValueError(
            f"a block must be the same in both passes, got {first.size} components after {lookup.size - 1}; "
            "label it and merge again"
        )
    return lookup[local]


def _components(
    mask: Mask, dimensions: int, connectivity: Connectivity
) -> tuple[Labels, NDArray[np.int64], NDArray[np.int64]]:
    """Local ids 1 … n in any order, and of each the raster index of its first pixel and its number of pixels."""
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, got {mask.dtype}; compare scores with a threshold first")
    if not 1 <= dimensions <= mask.ndim:
        raise ValueError(f"dimensions must lie between 1 and the mask's {mask.ndim} axes, got {dimensions}")
    local: Labels
    local, count = ndimage.label(mask, _structure(mask.ndim, dimensions, connectivity))
    flat = local.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=flat.dtype.type(-1)))[::-1]
    first = np.zeros(count + 1, np.int64)
    first[flat[starts]] = starts  # of repeated ids the last is kept, here the foremost
    return local, first[1:], np.bincount(flat, minlength=count + 1)[1:]


def _structure(ndim: int, dimensions: int, connectivity: Connectivity) -> Mask:
    if connectivity not in ("faces", "full"):
        raise ValueError(f"connectivity must be 'faces' or 'full', got {connectivity!r}")
    structure = np.zeros((3,) * ndim, np.bool_)
    reach = 1 if connectivity == "faces" else dimensions
    structure[(1,) * (ndim - dimensions)] = ndimage.generate_binary_structure(dimensions, reach)
    return structure


def _ids(first: NDArray[np.int64], size: NDArray[np.int64], minimum: int) -> Labels:
    """Table from component 0 … n to id: 0 for the background and what is too small."""
    kept = np.flatnonzero(size >= minimum)
    kept = kept[np.argsort(first[kept])]
    ids: Labels = np.zeros(first.size + 1, np.int32 if kept.size <= np.iinfo(np.int32).max else np.int64)
    ids[1 + kept] = np.arange(1, kept.size + 1)
    return ids


def _layer(local: Labels, axis: int, at: int) -> NDArray[np.int32]:
    return np.array(np.take(local, at, axis), np.int32)


def require_tiling(parts: Sequence[Block]) -> Corner:
    """Shape of the array that blocks, sorted by origin, are said to tile; ValueError where they do not."""
    if not parts:
        raise ValueError("parts must be those of all blocks, got none; label each block first")
    shape = tuple(map(sum, zip(parts[-1].origin, parts[-1].shape, strict=True)))
    pixels = sum(math.prod(part.shape) for part in parts)
    if pixels != math.prod(shape) or len({part.origin for part in parts}) < len(parts):
        raise ValueError(
            f"parts must tile the array, got {len(parts)} parts of {pixels} pixels for a shape of {shape}; "
            "label every block once"
        )
    return shape


def groups(touching: Sequence[NDArray[np.int64]], count: int) -> NDArray[np.int32]:
    """Group 0 … g − 1 of each of the components 1 … `count`, given the pairs that touch."""
    one, other = np.concatenate([np.zeros((2, 0), np.int64), *touching], axis=1) - 1
    graph = coo_array((np.ones(one.size, np.bool_), (one, other)), shape=(count, count))
    group: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return group


def _joined(group: NDArray[np.int32], parts: Sequence[Part]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each group, the index of its first pixel and its number of pixels."""
    count = int(group.max(initial=-1)) + 1
    first, size = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    np.minimum.at(first, group, np.concatenate([part.first for part in parts]))
    np.add.at(size, group, np.concatenate([part.size for part in parts]))
    return first, size


def contacts(
    numbered: Sequence[tuple[Block, int]], dimensions: int, connectivity: Connectivity
) -> Iterator[NDArray[np.int64]]:
    """Pairs of component numbers that touch across a seam, a cut through all of these blocks between two layers.

    Both layers are laid out whole, so that a diagonal across the corner of four blocks is one like any other.
    """
    reach = (-1, 0, 1) if connectivity == "full" else (0,)
    ndim = len(numbered[0][0].origin)
    for axis in range(-dimensions, 0):
        shifts = [reach if other >= -dimensions else (0,) for other in range(-ndim, 0) if other != axis]
        for cut in sorted({part.origin[axis] for part, _ in numbered} - {0}):
            before, after = (_layout(numbered, axis, cut, side) for side in (1, 0))
            yield from (_touching(before, after, shift) for shift in itertools.product(*shifts))


def _layout(numbered: Sequence[tuple[Block, int]], axis: int, cut: int, side: int) -> NDArray[np.int64]:
    """Component numbers of the layer before (side 1) or behind (side 0) a cut."""
    low, high = np.array(numbered[0][0].origin), np.add(numbered[-1][0].origin, numbered[-1][0].shape)
    layer = np.zeros(np.delete(high - low, axis), np.int64)
    for part, start in numbered:
        if part.origin[axis] + side * part.shape[axis] == cut:
            corner, face = np.delete(part.origin - low, axis), part.face(axis, side)
            window = tuple(slice(c, c + n) for c, n in zip(corner, face.shape, strict=True))
            layer[window] = np.where(face > 0, face + start, 0)
    return layer


def _touching(before: NDArray[np.int64], after: NDArray[np.int64], shift: Sequence[int]) -> NDArray[np.int64]:
    sides = list(zip(shift, before.shape, strict=True))
    one = before[tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in sides)]
    other = after[tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in sides)]
    both = (one > 0) & (other > 0)
    pairs = np.stack([one[both], other[both]])
    return pairs[:, np.any(np.diff(pairs, prepend=0), axis=0)]  # once for each run of pixels
