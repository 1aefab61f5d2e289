"""Which metrics a report has: those that are asked for, or those that suit the truth."""

from collections.abc import Sequence

import numpy as np

from tasks.reporting.comparison import foreground_of, labels_planes, pixels
from unet.dataset.folder import Dataset
from unet.ledger.results import labels_of
from unet.ledger.truth_state import ignored_id
from unet.settings.evaluate import MEMBRANES, OBJECTS, Evaluate

LOOKED_AT = 32
"""Planes of masks, spread evenly, whose pixels say whether they are of membranes."""


def chosen_metrics(dataset: Dataset, names: Sequence[str], settings: Evaluate) -> tuple[str, ...]:
    """Names of the metrics that these stacks with truth are scored by."""
    if settings.metrics != "auto":
        return settings.metrics
    return MEMBRANES if _are_membranes(dataset, names) else OBJECTS


def _are_membranes(dataset: Dataset, names: Sequence[str]) -> bool:
    """Whether most truth was drawn as masks, and most of what was judged there is object: the rest parts it."""
    masks = [name for name in names if foreground_of(dataset, name) not in {"ids", "classes"}]
    if 2 * len(masks) <= len(names):
        return False
    planes = [
        (plane, ignored_id(dataset, name))
        for name in masks
        for plane in labels_planes(labels_of(dataset, name, "truth"))
    ]
    objects = judged = 0
    for plane, ignored in planes[:: -(-len(planes) // LOOKED_AT)]:
        truth = pixels(plane)
        is_judged = np.ones(truth.shape, bool) if ignored is None else truth != ignored
        objects += int(np.count_nonzero(truth[is_judged]))
        judged += int(np.count_nonzero(is_judged))
    return 2 * objects > judged
