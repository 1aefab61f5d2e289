"""Truth of sequences in which people drew some of the cells: where nobody can tell what a pixel is, it is ignored.

Gold truth of the Cell Tracking Challenge has some cells of some frames, and 0 is no background where a cell was not
drawn. The markers, which all cells have, tell where that is:

    frame  . . A A . . . . . m . . .      A drawn, m the marker of a cell that nobody drew
    kept   0 0 1 1 0 0 - - - - - - -      - ignored: as far from the marker as the largest cell that was drawn is wide

Silver truth has all cells, and is taken as it is. Without either, what was not drawn counts as background.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[Any]

UNJUDGED_ID = 65535
"""Id of pixels that nobody judged, in what is written for training."""


def widest(labels: Iterable[Labels]) -> float:
    """Pixels across the largest object of all planes, were it a disk; 0 where there is none.

    >>> round(widest([np.array([[1, 1, 2], [1, 1, 0]])]), 2)
    2.26
    """
    areas = (int(np.bincount(plane.ravel())[1:].max(initial=0)) for plane in labels)
    return float(2 * np.sqrt(max(areas, default=0) / np.pi))


def judged(labels: Labels, markers: Labels, reach: float) -> Labels:
    """Labels with `UNJUDGED_ID` around each marker that no object holds, but not on objects.

    >>> judged(np.array([[1, 1, 0, 0, 0]]), np.array([[3, 0, 0, 0, 4]]), 1).tolist()
    [[1, 1, 0, 65535, 65535]]

    Args:
        labels: the objects that people drew, of a plane.
        markers: a mark in each object of that plane, drawn or not.
        reach: pixels from a lonely marker within which nothing is known.
    """
    known = np.unique(markers[labels > 0])
    lonely = (markers > 0) & ~np.isin(markers, known)
    if not lonely.any():
        return labels
    near = ndimage.distance_transform_edt(~lonely) <= reach
    return np.where(near & (labels == 0), UNJUDGED_ID, labels).astype(np.uint16)
