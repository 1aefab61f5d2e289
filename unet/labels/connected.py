"""Segments: connected pixels of a mask get one id, at once or block by block.

The law: blocks that are labelled by themselves and merged across their faces give the segments of the whole array, ids
too; with every axis linked these are the ids of `skimage.measure.label`. It takes two passes, since an id is known only
when all blocks were seen:

1. `label_block` reads a block and keeps a `BlockLabels`: its faces, and where each of its components begins;
2. `merge_blocks` joins what was kept and gives the ids: a table for each block;
3. `relabel_block` reads the block again and writes its segments.

Where holes are filled, the law is that of the filled mask: `components(fill(mask))`, then the rules on objects. The
background is connected in the way that is dual to that of the objects, so that a hole is closed by what an object
connects; filled, it joins the objects that share a face with it, which are all that it touches.

Between the passes there is no array: memory is that of the faces, plus 17 bytes a component. With z linked a block's
largest face is a whole plane, so blocks should be several planes deep.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Ids, Indices, Labels, Mask
from unet.labels.blocks import in_whole, outer_layers
from unet.labels.components import ALONE, FACES, FULL, Connected, connect
from unet.labels.merging import BlockLabels, Merged, Rules, merge_blocks
from unet.labels.runs import painted, painted_rows, run_spans
from unet.labels.seams import Connectivity, Corner, mixed, touching_pairs

__all__ = ["BlockLabels", "Merged", "Rules", "connected_segments", "label_block", "merge_blocks", "relabel_block"]


def connected_segments(
    mask: Mask, dimensions: int = 2, connectivity: Connectivity = "faces", min_size: int = 0, max_hole_size: int = 0
) -> Labels:
    """Ids of connected pixels, 1 … n in the raster order of their first pixels, 0 = background.

    int32 while n fits, else int64. `mask` is where objects are, with any axes before the linked ones; the others are as
    in `Rules`.

    >>> mask = np.array([[1, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 0]], bool)
    >>> connected_segments(mask, min_size=2)
    array([[1, 1, 0, 0],
           [0, 0, 0, 0],
           [2, 2, 0, 0]], dtype=int32)
    >>> connected_segments(mask, connectivity="full").max()
    np.int32(1)
    >>> connected_segments(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool), max_hole_size=1).min()
    np.int32(1)
    """
    rules, origin = Rules(dimensions, connectivity, min_size, max_hole_size), (0,) * mask.ndim
    merged = merge_blocks([label_block(mask, origin, mask.shape, rules)], rules)
    return relabel_block(mask, merged.lookups[origin], rules)


def label_block(  # noqa: PLR0913, PLR0917  # a block, where it lies, what an object is, what is kept, what is known
    mask: Mask,
    origin: Sequence[int],
    shape: Sequence[int],
    rules: Rules = Rules(),
    high: Mask | None = None,
    boxes: bool = False,
    found: Connected | None = None,
) -> BlockLabels:
    """The labels that are kept of one block: the first pass.

    Args:
        mask: the block, one of a grid of blocks that tile the whole array, without halo.
        origin: its first pixel in the whole array.
        shape: sides of the whole array in pixels.
        rules: what an object is; the same in all passes.
        high: pixels that reach the high threshold, of which an object must have one; default: any will do.
        boxes: whether bounding boxes are kept too.
        found: the mask's runs, where they are known, as `connected_runs` has them.

    >>> label_block(np.array([[0, 1], [1, 1]], bool), origin=(0, 2), shape=(2, 4)).first
    array([3])
    """
    found = connected_runs(mask, rules) if found is None else found
    linked = range(-rules.dimensions, 0)
    faces = tuple((_layer(found, mask.shape, axis, 0), _layer(found, mask.shape, axis, -1)) for axis in linked)
    marked = np.ones(found.first.size, np.bool_)
    marked[: found.objects] = high is None or _reached(found, high)
    marked[found.objects :] = found.size[found.objects :] > rules.max_hole_size
    for axis, at in outer_layers(origin, mask.shape, shape, rules.dimensions):
        ids = np.unique(faces[axis][at])
        marked[ids[ids < 0]] = True  # background that reaches an edge is no hole
    return BlockLabels(
        origin=tuple(map(int, origin)),
        shape=mask.shape,
        count=found.objects,
        first=in_whole(found.first, mask.shape, origin, shape),
        size=found.size,
        marked=marked,
        box=_boxes(found, mask.shape, origin) if boxes else np.zeros((found.first.size, 2, 0), np.int64),
        holds=_holds(found, mask.shape, marked, rules),
        faces=faces,
    )


def relabel_block(mask: Mask, lookup: Labels, rules: Rules = Rules(), found: Connected | None = None) -> Labels:
    """Segments of one block with the ids of the whole array: the second pass. `lookup` is this block's in `Merged`."""
    found = connected_runs(mask, rules) if found is None else found
    if lookup.size != found.first.size + 1:
        raise ValueError(
            f"a block must be the same in both passes, got {found.first.size} components after {lookup.size - 1}; "
            "label it and merge again"
        )
    return _painted(found, lookup, mask.shape)


def connected_runs(mask: Mask, rules: Rules) -> Connected:
    """The runs of a block's mask, each with the number of its component; both passes begin with them."""
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, got {mask.dtype}; compare scores with a threshold first")
    if not 1 <= rules.dimensions <= min(mask.ndim, 3):
        raise ValueError(
            f"dimensions must lie between 1 and the mask's {mask.ndim} axes, and be at most 3, got {rules.dimensions}"
        )
    depth, height, width = (1, 1, *mask.shape[-rules.dimensions :])[-3:]
    volumes = np.ascontiguousarray(mask).reshape(-1, depth, height, width)
    ways = (FACES, FULL) if rules.connectivity == "faces" else (FULL, FACES)
    return connect(volumes, 3 if depth > 1 else 2, ways[0], ways[1] if rules.max_hole_size else ALONE)


def _reached(found: Connected, high: Mask) -> Mask:
    """Which objects have a pixel where `high` holds."""
    reached = np.zeros(found.objects + 1, np.bool_)
    reached[_painted(found, _local_ids(found), high.shape)[high]] = True
    return reached[1:]


def _holds(found: Connected, sides: Corner, marked: Mask, rules: Rules) -> Indices:
    if not rules.max_hole_size:
        return np.zeros((2, 0), np.int64)
    ids = _local_ids(found)
    ids[found.objects + 1 :][marked[found.objects :]] = 0
    pairs: Indices = np.sort(touching_pairs(_painted(found, ids, sides), rules.dimensions, mixed), axis=0)
    return pairs


def _boxes(found: Connected, sides: Corner, origin: Sequence[int]) -> Indices:
    """First index and last plus 1 of each column along each axis of the whole array: n × 2 × axes."""
    row = np.where(found.number > 0, found.number - 1, found.number + found.first.size).astype(np.int64)
    box = run_spans(found.start, found.stop - found.start, row, found.first.size, sides)
    return np.asarray(np.stack(box, axis=1) + np.array(origin), np.int64)


def _local_ids(found: Connected) -> Ids:
    """Local ids in the order of the columns, a 0 before them."""
    return np.append(np.arange(found.objects + 1), np.arange(found.objects - found.first.size, 0)).astype(np.int32)


def _painted(found: Connected, table: NDArray[Any], sides: Corner) -> NDArray[Any]:
    return painted(found.start, found.stop, found.number, table, math.prod(sides)).reshape(sides)


def _layer(found: Connected, sides: Corner, axis: int, at: int) -> Ids:
    """Local ids of the first or last layer along an axis; only its own rows are painted, or the ends of all rows."""
    ids = _local_ids(found)
    if axis == -1:
        ends = np.arange(found.row.size - 1) * sides[-1] + at % sides[-1]
        run = np.searchsorted(found.start, ends, "right") - 1  # −1, before all runs, is what is appended
        number = np.where(ends < np.append(found.stop, 0)[run], np.append(found.number, 0)[run], 0)
        return np.array(ids[number].reshape(sides[:-1]), np.int32)
    rows = np.take(np.arange(found.row.size - 1).reshape(sides[:-1]), at, axis + 1)
    layer = painted_rows(rows.ravel(), found.row, found.start, found.stop, found.number, ids, sides[-1])
    return np.array(layer.reshape(*rows.shape, sides[-1]), np.int32)
