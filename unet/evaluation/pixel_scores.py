"""Measures of the foreground's pixels, whichever object they are of."""

from unet.evaluation.contingency import Contingency, ratio
from unet.evaluation.measure import of_table


@of_table
def pixel_error(table: Contingency) -> float:
    """Fraction of pixels, 0 to 1, that are foreground in one and background in the other.

    NaN where no pixel was judged. The ISBI 2012 board's is another number, `board_pixel_error`.

    >>> import numpy as np
    >>> pixel_error(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))
    0.25
    """
    true, predicted, both = _foreground(table)
    return ratio(true + predicted - 2 * both, table.pixels)


@of_table
def board_pixel_error(table: Contingency) -> float:
    """The pixel error of the ISBI 2012 board, 0 to 1: 1 − F1 of the foreground's pixels, which is 1 − `dice`.

    NaN where neither has foreground. The board pooled the pixels of all planes, at the best of 11 thresholds.

    >>> import numpy as np
    >>> round(board_pixel_error(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3])), 6)
    0.2
    """
    return 1 - dice.of_table(table)


@of_table
def iou(table: Contingency) -> float:
    """Intersection over union of the two foregrounds, 0 to 1; ids are not looked at.

    NaN where neither has foreground. The "IOU" of Ronneberger et al. 2015 is `seg`, a measure of objects.

    >>> import numpy as np
    >>> iou(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))  # 2 pixels of 3
    0.6666666666666666
    """
    true, predicted, both = _foreground(table)
    return ratio(both, true + predicted - both)


@of_table
def dice(table: Contingency) -> float:
    """Twice the intersection over the summed sizes of the two foregrounds, 0 to 1: F1 of their pixels, 2·iou/(1 + iou).

    NaN where neither has foreground.
    Source: Dice 1945, Ecology 26:297; the Dice score of milesial/Pytorch-UNet adds 1e-6 above and below.

    >>> import numpy as np
    >>> dice(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))  # 2·2 pixels of 3 + 2
    0.8
    """
    true, predicted, both = _foreground(table)
    return ratio(2 * both, true + predicted)


def _foreground(table: Contingency) -> tuple[int, int, int]:
    """Pixels of the foreground of truth, of that of the segments, and of both."""
    return int(table.objects.sum()), int(table.segments.sum()), int(table.shared.sum())
