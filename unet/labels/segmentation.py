"""Segmentation in memory: from a plane's scores to its segments, as the stage makes them block by block."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Labels, Mask
from unet.labels.clumps import boxes_of, clumps_of
from unet.labels.connected import label_block, relabel_block
from unet.labels.declumping import Declumping, part_objects
from unet.labels.instances import painted_over
from unet.labels.merging import Rules, merge_blocks
from unet.labels.renumbering import numbered_on, renumber
from unet.labels.scores import largest_class, own_score, reaching
from unet.settings.segment import Segment, SegmentNumbers


def segments_of_scores(scores: NDArray[Any], settings: Segment, spacing: Sequence[float] | None = None) -> Labels:
    """Segments 1 … n of one image's scores, 0 = background: what the stage writes for the same scores and settings.

    Args:
        scores: of being an object, 0 … 1, or 0 … 255 as they are stored (uint8); y x, or with t or z before.
        settings: as in dataset.yaml, `auto` being what it is where nothing was found; `classes` has no meaning here, as
            scores of several are summed before, or each is segmented by itself (`segments_of_classes`).
        spacing: steps along z y x where objects go on along z; default 1.

    >>> segments_of_scores(np.array([[0.9, 0.6, 0.1, 0.8]]), Segment(min_size=2))
    array([[1, 1, 0, 0]], dtype=int32)
    """
    settings = settings.numbers()
    dimensions = min(settings.dimensions, scores.ndim)
    planes = scores.reshape(-1, *scores.shape[-dimensions:])
    found = [_segments(plane, settings, tuple(spacing) if spacing and dimensions == 3 else None) for plane in planes]
    before = np.cumsum([0, *(plane.max(initial=0) for plane in found)])
    return np.stack(
        [np.where(plane, plane + plane.dtype.type(count), 0) for plane, count in zip(found, before, strict=False)]
    ).reshape(scores.shape)


def segments_of_classes(
    scores: NDArray[Any], settings: Sequence[Segment], spacing: Sequence[float] | None = None
) -> Labels:
    """Segments 1 … n of one image's scores by class, ids class by class: what the stage writes where it mixes none.

    Args:
        scores: classes, then as in `segments_of_scores`.
        settings: of each class.
        spacing: as there.

    >>> segments_of_classes(np.array([[[0.9, 0.6, 0.1, 0.8]], [[0, 0.7, 0.9, 0]]]), [Segment(min_size=0)] * 2)
    array([[1, 3, 3, 2]], dtype=int32)
    """
    largest, before, found = largest_class(scores), 0, list[tuple[Labels, Mask]]()
    for row, own in enumerate(settings):
        mine = own_score(scores, largest, row)
        labels = segments_of_scores(mine, own, spacing)
        found.append((numbered_on(labels, before), reaching(mine, own.numbers().threshold)))
        before += int(labels.max(initial=0))
    return painted_over(found)


def _segments(scores: NDArray[Any], settings: SegmentNumbers, spacing: tuple[float, ...] | None) -> Labels:
    """Segments of one plane, or of one volume where objects go on along z."""
    mask, origin = reaching(scores, settings.threshold), (0,) * scores.ndim
    rules = Rules(scores.ndim, settings.connectivity, settings.min_size, settings.max_hole_size)
    high = None if settings.high_threshold is None else reaching(scores, settings.high_threshold)
    declump = settings.declump_depth > 0
    merged = merge_blocks([label_block(mask, origin, mask.shape, rules, high, declump)], rules)
    labels = relabel_block(mask, merged.lookups[origin], rules)
    if not declump:
        return labels
    boxes = boxes_of(merged, scores.shape)
    boxes = boxes.chosen(boxes.pixels() <= settings.max_declump_box)
    array = np.array([origin, scores.shape])
    parted = part_objects(labels, boxes.id, boxes.box, array, Declumping.of(settings, spacing), scores)
    final = renumber(merged, clumps_of(boxes.id, parted, origin, scores.shape), settings.min_size)
    parts = np.concatenate([np.zeros(1, final.ids.dtype), *final.parts.values()])  # in the order of their clumps
    return np.asarray(final.ids[labels] + parts[parted.parts])
