"""Scores of the same planes in two precisions, side by side: how far they differ, and what becomes of the objects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.evaluation.contingency import contingency
from unet.images.array_types import Labels
from unet.labels.scores import of_any
from unet.labels.segmentation import segments_of_scores
from unet.network.parity import CLOSE, ScoreParity
from unet.settings.segment import SegmentNumbers
from unet.training.found_objects import object_count
from unet.training.scored_truth import ScoredTruth, fitting_metric, served

SAME = 0.9
"""IoU above which two segments are the same object."""
ROUNDED = 1e-7
"""What float32 may add to a difference."""

ClassScores = NDArray[np.floating[Any]]
"""Scores (classes − 1, y, x), 0 … 1."""


@dataclass(frozen=True, eq=False)
class ScoredTwice:
    """A window of a plane, scored in two precisions."""

    scores: ClassScores
    """In float32."""
    others: ClassScores
    """In the other precision."""
    truth: ScoredTruth | None = None
    """What people drew; its own scores are not looked at. None: nothing."""


def compare_scores(windows: Sequence[ScoredTwice], numbers: SegmentNumbers) -> ScoreParity:
    """How far scores of two precisions differ over some windows, and their segments.

    The pixels of several classes count as one each: its largest difference.

    Args:
        windows: of the same planes.
        numbers: of segment, in two dimensions; scores become segments as bytes, as they are kept by default.
    """
    pixels = sum(each.scores[0].size for each in windows)
    if not all(np.isfinite(each.others).all() for each in windows):
        return ScoreParity(pixels=pixels, largest=None, close=0.0, segments=0, changed=0)
    differences = [np.abs(each.scores - each.others).max(axis=0) for each in windows]
    close = sum(int(np.count_nonzero(each <= CLOSE + ROUNDED)) for each in differences)
    pairs = [(_segments(each.scores, numbers), _segments(each.others, numbers)) for each in windows]
    return ScoreParity(
        pixels=pixels,
        largest=round(max(float(each.max(initial=0)) for each in differences), 6),
        close=math.floor(1e6 * close / pixels) / 1e6,  # never more than it is
        segments=sum(int(one.max(initial=0)) for one, _ in pairs),
        changed=sum(changed_segments(*pair) for pair in pairs),
        **_with_truth(windows, numbers),
    )


def changed_segments(ones: Labels, others: Labels) -> int:
    """Segments of either labels without one of the other that has an IoU above 0.9 with it, each pair once.

    >>> changed_segments(np.array([1, 1, 0, 2, 0, 3]), np.array([1, 1, 0, 0, 0, 2]))  # the second is gone
    1
    """
    table = contingency(ones, others)
    return int(max(table.objects.size, table.segments.size) - np.count_nonzero(table.iou > SAME))


def as_bytes(scores: ClassScores) -> NDArray[np.uint8]:
    """Scores as they are kept: round(255·p)."""
    found: NDArray[np.uint8] = np.rint(scores * np.float32(255)).astype(np.uint8)
    return found


def _segments(scores: ClassScores, numbers: SegmentNumbers) -> Labels:
    return segments_of_scores(of_any(as_bytes(scores)), numbers)


def _with_truth(windows: Sequence[ScoredTwice], numbers: SegmentNumbers) -> dict[str, Any]:
    """The metric of either; nothing where there is no truth, or no object."""
    pairs = [(each, each.truth) for each in windows if each.truth is not None]
    truths = [truth for _, truth in pairs]
    objects = object_count(truths) if truths else 0
    if not objects:
        return {}
    metric = fitting_metric(truths)
    ones, others = (
        served([replace(truth, scores=of_any(as_bytes(scores))) for scores, truth in scored], numbers, metric).mean
        for scored in ([(e.scores, t) for e, t in pairs], [(e.others, t) for e, t in pairs])
    )
    if not (math.isfinite(ones) and math.isfinite(others)):
        return {"objects": objects}
    return {"objects": objects, "metric": metric, "in_float32": round(ones, 6), "in_half": round(others, 6)}
