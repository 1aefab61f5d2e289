"""What became of each object and of each segment: found, missed, invented, merged or split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unet.evaluation.contingency import Contingency

KINDS = ("found", "missed", "invented", "merged", "split")
"""What an object or a segment may be, by its number."""
FOUND, MISSED, INVENTED, MERGED, SPLIT = range(len(KINDS))


@dataclass(frozen=True, eq=False)
class ObjectErrors:
    """The kind of each object and of each segment of a table; the first law that holds says it.

    found     an object and a segment whose overlap (IoU) is above one half, as `average_precision` has it
    merged    an object more than half of which lies in a segment that has more than half of another object, too;
              and a segment that has more than half of several objects
    split     an object that has more than half of each of several segments; and a segment more than half of which lies
              in an object that has more than half of another segment, too
    missed    any other object
    invented  any other segment

    So a found object may have a piece beside it, which is a split segment, and a found segment may have swallowed a
    small object, which is a merged one.
    """

    objects: NDArray[np.uint8]
    """Kind of each object, in the order of the table's `object_ids`."""
    segments: NDArray[np.uint8]
    """Kind of each segment, in the order of the table's `segment_ids`."""

    def counts(self) -> dict[str, int]:
        """Objects found, missed, merged and split, which make up all of truth, and segments invented, by kind."""
        of_objects = np.bincount(self.objects, minlength=len(KINDS))
        of_objects[INVENTED] = np.count_nonzero(self.segments == INVENTED)
        return dict(zip(KINDS, of_objects.tolist(), strict=True))


def object_errors(table: Contingency) -> ObjectErrors:
    """What became of each object and each segment of a table.

    >>> from unet.evaluation.contingency import contingency
    >>> truth, found = np.array([1, 1, 1, 2, 2, 2, 0, 3, 3, 4]), np.array([5, 5, 5, 5, 5, 5, 6, 7, 7, 0])
    >>> object_errors(contingency(truth, found)).counts()  # 1 and 2 are one segment
    {'found': 1, 'missed': 1, 'invented': 1, 'merged': 2, 'split': 0}
    """
    objects = np.full(table.objects.size, MISSED, np.uint8)
    segments = np.full(table.segments.size, INVENTED, np.uint8)
    pieces, swallowed = np.bincount(table.row[table.enclosed]), np.bincount(table.column[table.covered])
    split, merged = table.enclosed.copy(), table.covered.copy()
    split[split] = pieces[table.row[split]] > 1
    merged[merged] = swallowed[table.column[merged]] > 1
    for kind, overlaps in ((SPLIT, split), (MERGED, merged), (FOUND, table.iou > 0.5)):  # the last one holds
        objects[table.row[overlaps]], segments[table.column[overlaps]] = kind, kind
    return ObjectErrors(objects, segments)
