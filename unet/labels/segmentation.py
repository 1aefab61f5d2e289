"""Segmentation in memory: from a plane's scores to its segments, as the stage makes them block by block."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from unet.images.array_types import Ids, Labels
from unet.labels.connected import label_block, relabel_block
from unet.labels.declumping import part_clump
from unet.labels.merging import Merged, Rules, merge_blocks
from unet.labels.renumbering import Clump, renumber
from unet.labels.scores import reaching
from unet.settings.segment import Segment, SegmentNumbers


def segments_of_scores(scores: NDArray[Any], settings: Segment, spacing: Sequence[float] | None = None) -> Labels:
    """Segments 1 … n of one image's scores, 0 = background: what the stage writes for the same scores and settings.

    Args:
        scores: of being an object, 0 … 1, or 0 … 255 as they are stored (uint8); y x, or with t or z before.
        settings: as in dataset.yaml, `auto` being what it is where nothing was found; `classes` has no meaning here, as
            scores of several are summed before.
        spacing: steps along z y x where objects go on along z; default 1.

    >>> segments_of_scores(np.array([[0.9, 0.6, 0.1, 0.8]]), Segment(min_size=2))
    array([[1, 1, 0, 0]], dtype=int32)
    """
    settings = settings.numbers()
    mask, origin = reaching(scores, settings.threshold), (0,) * scores.ndim
    dimensions = min(settings.dimensions, scores.ndim)
    rules = Rules(dimensions, settings.connectivity, settings.min_size, settings.max_hole_size)
    high = None if settings.high_threshold is None else reaching(scores, settings.high_threshold)
    merged = merge_blocks([label_block(mask, origin, mask.shape, rules, high)], rules)
    labels = relabel_block(mask, merged.lookups[origin], rules)
    return _parted(labels, merged, settings, spacing) if settings.declump_depth > 0 else labels


def _parted(labels: Labels, merged: Merged, settings: SegmentNumbers, spacing: Sequence[float] | None) -> Labels:
    linked = min(settings.dimensions, labels.ndim)
    steps, clumps, painted = spacing if linked == 3 else None, [], np.zeros(labels.shape, np.int32)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = labels[box] == number
        if mask.size > settings.max_declump_box:
            continue
        sides = list(zip(box, labels.shape, strict=True))[-linked:]
        more = [(int(part.start > 0), int(part.stop < size)) for part, size in sides]
        padded = np.pad(mask.reshape(mask.shape[-linked:]), more)
        parts = part_clump(padded, settings.declump_depth, settings.connectivity, steps)
        parts = parts[tuple(slice(low, side - high) for (low, high), side in zip(more, padded.shape, strict=True))]
        if parts.max() > 1:
            painted[box] += parts.reshape(mask.shape)
            clumps.append(_clump(number, parts.reshape(mask.shape), [part.start for part in box], labels.shape))
    final = renumber(merged, clumps, settings.min_size)
    found = final.ids[labels]
    for number, parts_to_ids in final.parts.items():
        here = labels == number
        found[here] = parts_to_ids[painted[here]]
    return found


def _clump(number: int, parts: Ids, corner: Sequence[int], shape: Sequence[int]) -> Clump:
    first = np.unique(parts, return_index=True)[1][-int(parts.max()) :]
    places = [place + at for place, at in zip(np.unravel_index(first, parts.shape), corner, strict=True)]
    return Clump(number, np.ravel_multi_index(places, tuple(shape)), np.bincount(parts.ravel())[1:])
