"""Segments grown over the background between them until lines of one pixel are left: wide borders cost nothing then.

The pixels of the background wait in a queue, those beside segments first, and each gets the id that it touches when it
is its turn; one that touches two stays background:

    segments   3 . . . . 4      the queue      3 a c . b 4      thinned   3 3 3 0 4 4
                                first a and b, then c: it touches 3 alone; the last one touches both

That is scikit-image's `watershed(segments == 0, segments, watershed_line=True)`, but for ties: there a heap decides
which of equals comes first, which takes 15 times as long. Most pixels of the lines differ, and the scores by less than
1e-4 where borders are some pixels wide in 512² pixels.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.evaluation.contingency import LabelsOrMask, numbered

EDGE, WAITING = -1, -2
"""What a pixel holds beyond the plane's edges, and while it is in the queue; later too, if it is part of a line."""


def thinned(segments: LabelsOrMask) -> LabelsOrMask:
    """Segments of a y x plane grown over its background until lines of one pixel part them.

    Segments that touch already stay as they are, and where they do a line may end early. One segment fills the plane.

    >>> thinned(np.array([[3, 0, 0, 0, 4]])).tolist()
    [[3, 3, 0, 4, 4]]
    """
    if segments.max(initial=0) > np.iinfo(np.int32).max:
        ids, places = numbered(np.append(segments, segments.dtype.type(0)))  # place 0 is background
        return ids[thinned(places[:-1].reshape(segments.shape))]
    plane = np.full([size + 2 for size in segments.shape], EDGE, np.int32)
    plane[1:-1, 1:-1] = segments
    _flood(plane.reshape(-1), plane.shape[1])
    grown: LabelsOrMask = np.maximum(plane[1:-1, 1:-1], 0)
    return grown


@njit(cache=True, nogil=True)
def _flood(plane: NDArray[np.int32], width: int) -> None:
    """Flood the zeros of a flat plane of this width from its ids, in place."""
    around = (-width, -1, 1, width)
    queue, last = np.empty(np.count_nonzero(plane == 0), np.int64), 0
    for at in range(plane.size):
        if plane[at] > 0:
            last = _queue_up(plane, at, around, queue, last)
    first = 0
    while first < last:
        at, found, is_line = queue[first], 0, False
        first += 1
        for step in around:
            near = plane[at + step]
            if near > 0:
                is_line |= found > 0 and near != found
                found = near
        if not is_line:
            plane[at] = found
            last = _queue_up(plane, at, around, queue, last)


@njit(cache=True, nogil=True)
def _queue_up(plane: NDArray[np.int32], at: int, around: tuple[int, ...], queue: NDArray[np.int64], last: int) -> int:
    """Put the background around a pixel at the queue's end; returns where that is now."""
    for step in around:
        if plane[at + step] == 0:
            plane[at + step] = WAITING
            queue[last] = at + step
            last += 1
    return last
