"""A check of the truth before it is trained on: what looks like a slip is counted and named, and never mended.

An *object* is an id in its plane (2-D) or in its volume (3-D); a *component* is pixels of one value that are connected,
across corners too if they are an object's (8 or 26), across faces alone if they are background (4 or 6).

- *specks*: objects of fewer than `SPECK` pixels, all their pieces together. Objects cut by the plane's edge count too.
- *holes*: components of background that reach no edge of the plane (or volume) and border one id, across faces.
  Background between two objects is none, nor is what borders pixels that are ignored.
- *pieces*: objects of more than one component. A bridge across a corner connects; the smallest piece is the example.
- *touching*: objects that share a face with another id.
- *empty*: y x planes of nothing but background, in volumes too.

Ignored pixels are neither object nor background: no hole, no neighbour, and a plane of them is not empty.

The law: blocks checked by themselves and merged across their faces give the check of the whole array. As in `labels`
there is no array between: `check_block` keeps its components and the faces it has in common with other blocks, packed,
since with z linked and blocks one plane deep every plane is a face. Time is linear in the pixels.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from unet.images.array_types import Ids, Indices, Labels, Mask
from unet.labels.blocks import in_whole, outer_layers
from unet.labels.components import components
from unet.labels.seams import Corner, require_tiling
from unet.ledger.truth_findings import COUNTED_SIZES, SPECK, Finding, Place, TruthCheck
from unet.weight_maps.checked_blocks import CheckedBlock, Components, joined_components, reduced_groups

EXAMPLES = 5
"""Places that are named of each kind, the first in raster order."""


def check_truth(labels: Labels, dimensions: int = 2, ignore: int | None = None) -> TruthCheck:
    """Counts of what is odd about labels, with up to five places (plane, id, y, x) of each kind.

    The arguments are those of `check_block`.

    >>> ring = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 3], [1, 1, 1, 2, 0]])
    >>> found = check_truth(ring)
    >>> found.objects, found.specks.count, found.holes.count, found.pieces.count, found.touching.count
    (3, 3, 1, 0, 2)
    >>> found.holes.examples
    (Place(plane=0, id=1, y=1, x=1),)
    """
    return merge_checks([check_block(labels, (0,) * labels.ndim, labels.shape, dimensions, ignore)])


def check_block(
    labels: Labels, origin: Sequence[int], shape: Sequence[int], dimensions: int = 2, ignore: int | None = None
) -> CheckedBlock:
    """The check of one block, to be merged with the others.

    Args:
        labels: the block, ids ≥ 0 with 0 = background; one of a grid of blocks that tile the whole array, without halo.
        origin: its first pixel in the whole array.
        shape: sides of the whole array in pixels.
        dimensions: 2: each y x plane by itself; 3: whole z y x volumes.
        ignore: id of pixels that nobody judged, if any; of no effect where it does not occur.

    >>> check_block(np.array([[0, 7], [7, 7]]), origin=(0, 2), shape=(2, 4)).components.value
    array([0, 7])
    """
    _check(labels, origin, shape, dimensions, ignore)
    alone = labels.ndim - dimensions
    volumes = labels.reshape((math.prod(labels.shape[:alone]), -1, *labels.shape[-2:]))
    found = components(volumes, dimensions)
    local = found.local.reshape(labels.shape)
    outer = set(outer_layers(origin, labels.shape, shape, dimensions))
    table = Components(
        value=found.value,
        first=in_whole(found.first, labels.shape, origin, shape),
        size=found.size,
        low=found.low,
        high=found.high,
        edge=_reaching(local, outer),
    )
    packed = tuple((_packed(local, axis, 0, outer), _packed(local, axis, -1, outer)) for axis in range(-dimensions, 0))
    return CheckedBlock(
        origin=tuple(map(int, origin)),
        shape=labels.shape,
        dimensions=dimensions,
        ignore=ignore,
        components=table,
        drawn=_drawn(labels, origin, shape),
        faces=packed,
    )


def merge_checks(parts: Iterable[CheckedBlock]) -> TruthCheck:
    """The check of the whole array; `parts` are those of all its blocks, in any order.

    >>> row = np.array([[7, 7, 0, 7, 8]])
    >>> blocks = {x: row[:, x : x + 2] for x in (0, 2, 4)}
    >>> found = merge_checks([check_block(labels, (0, x), row.shape) for x, labels in blocks.items()])
    >>> found == check_truth(row), found.pieces.examples  # the smaller piece
    (True, (Place(plane=0, id=7, y=0, x=3),))
    """
    parts = sorted(parts, key=lambda part: part.origin)
    shape = require_tiling(parts)
    whole, ignore = joined_components(parts), parts[0].ignore
    drawn = np.unique(np.concatenate([part.drawn for part in parts]))
    planes = math.prod(shape[:-2])
    empty = np.setdiff1d(np.arange(planes), drawn, assume_unique=True)
    hole = (whole.value == 0) & ~whole.edge & (whole.low == whole.high) & ~_is(whole.low, ignore)
    objects = _objects(whole, ignore, math.prod(shape[-parts[0].dimensions :]))
    return TruthCheck(
        objects=objects.value.size,
        planes=planes,
        specks=_finding(objects.size < SPECK, objects.value, objects.first, shape),
        holes=_finding(hole, whole.low, whole.first, shape),
        pieces=_finding(objects.pieces > 1, objects.value, objects.smallest, shape),
        touching=_finding(objects.touching, objects.value, objects.first, shape),
        empty=Finding(empty.size, tuple(Place(int(plane)) for plane in empty[:EXAMPLES])),
        sizes=_sizes(objects.size),
    )


def _sizes(sizes: Indices) -> tuple[tuple[int, int], ...]:
    """How many objects there are of each size, of small ones."""
    found, counts = np.unique(sizes[sizes < COUNTED_SIZES], return_counts=True)
    return tuple(zip(found.tolist(), counts.tolist(), strict=True))


def _check(labels: Labels, origin: Sequence[int], shape: Sequence[int], dimensions: int, ignore: int | None) -> None:
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, one id an object, got {labels.dtype}; give each object an id")
    if dimensions not in (2, 3) or labels.ndim < dimensions:
        raise ValueError(f"dimensions must be 2 or 3 and at most the {labels.ndim} axes of labels, got {dimensions}")
    if ignore == 0:
        raise ValueError("ignore must be an id other than 0, which is background, got 0; give ignored pixels an id")
    if labels.size >= 2**31:
        raise ValueError(f"a block must have fewer than 2³¹ pixels, got {labels.size}; check smaller blocks")
    if not len(origin) == len(shape) == labels.ndim:
        raise ValueError(f"origin and shape must have the {labels.ndim} axes of labels, got {origin} and {shape}")
    if labels.dtype.kind == "i" and (labels[labels < 0] != ignore).any():
        raise ValueError(f"labels must be ≥ 0 (0 = background), got {labels.min()}; name it as `ignore` or map it to 0")


def _reaching(local: Ids, outer: Iterable[tuple[int, int]]) -> Mask:
    reached = np.zeros(int(local.max(initial=0)) + 1, np.bool_)
    for axis, at in outer:
        reached[np.take(local, at, axis)] = True
    return reached[1:]


def _packed(local: Ids, axis: int, at: int, outer: set[tuple[int, int]]) -> bytes:
    return b"" if (axis, at) in outer else zlib.compress(np.take(local, at, axis).tobytes(), 1)


def _drawn(labels: Labels, origin: Sequence[int], shape: Sequence[int]) -> Indices:
    drawn = np.flatnonzero(labels.any(axis=(-2, -1)))
    return in_whole(drawn, (1, *labels.shape[:-2]), (0, *origin[:-2]), (1, *shape[:-2]))


class _Objects(NamedTuple):
    """A table of objects, a row each, in the order of their planes (2-D) or volumes (3-D)."""

    value: Indices
    first: Indices
    size: Indices
    pieces: Indices
    smallest: Indices
    """First pixel of the smallest piece."""
    touching: Mask


def _objects(whole: Components, ignore: int | None, pixels: int) -> _Objects:
    """The objects: components of one id within one plane or volume, which has so many `pixels`.

    Rows of components are sorted by plane, id and size, so that an object is a stretch of rows, the smallest first:

        plane  0  0  0  1           new object where the plane or the id changes
        id     3  3  7  3
        size   5 40 12 60
               └──┘  ↑  ↑
    """
    rows = np.flatnonzero((whole.value != 0) & ~_is(whole.value, ignore))
    order = rows[np.lexsort((whole.first[rows], whole.size[rows], whole.value[rows], whole.first[rows] // pixels))]
    columns: list[Any] = [column[order] for column in whole]
    part = Components(*columns)
    new = np.flatnonzero((np.diff(part.value, prepend=0) != 0) | (np.diff(part.first // pixels, prepend=-1) != 0))
    touching = (part.low <= part.high) & ~((part.low == part.high) & _is(part.low, ignore))
    return _Objects(
        value=part.value[new],
        first=reduced_groups(np.minimum, part.first, new),
        size=reduced_groups(np.add, part.size, new),
        pieces=np.diff(np.append(new, order.size)),
        smallest=part.first[new],
        touching=reduced_groups(np.logical_or, touching, new),
    )


def _is(values: Indices, ignore: int | None) -> Mask:
    return np.zeros(values.shape, np.bool_) if ignore is None else np.asarray(values == ignore)


def _finding(found: Mask, ids: Indices, first: Indices, shape: Corner) -> Finding:
    """The count, and the places that come first in the raster."""
    rows = np.flatnonzero(found)
    rows = rows[np.argsort(first[rows], kind="stable")[:EXAMPLES]]
    planes, pixels = np.divmod(first[rows], math.prod(shape[-2:]))
    places = zip(planes, ids[rows], *np.divmod(pixels, shape[-1]), strict=True)
    return Finding(int(found.sum()), tuple(Place(*map(int, place)) for place in places))
