"""The warping error: how a plane's objects are torn, joined, pierced or lost, wherever their borders went."""

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from unet.evaluation.contingency import LabelsOrMask, ratio, require_labels
from unet.images.array_types import Indices, Mask


def warping_error(
    truth: LabelsOrMask,
    prediction: NDArray[Any],
    threshold: float = 0.5,
    counted: Literal["pixels", "splits and mergers"] = "pixels",
    *,
    judged: Mask | None = None,
) -> float:
    """Fraction of a plane's pixels, 0 to 1, that differ once the truth is bent to the prediction without tearing it.

    Truth pixels that differ are flipped where that changes no topology, the worst first (ties by x, then y), until a
    pass over them flips none. Foreground is 4-connected, background 8-connected, and background lies all around. It is
    greedy: the order decides, and the result is an upper bound of the least error. NaN where no pixel was judged.

    Predicting nothing but background costs next to nothing, and nothing of splits and mergers: never use it alone.
    Source: Jain et al. 2010, CVPR; order and classes of errors as in Fiji's Trainable Segmentation.

    Args:
        truth: y x labels; foreground is > 0. Objects that touch are one here: ids are not looked at.
        prediction: y x labels, or scores of the foreground in floating point, 0 to 1; integers are always labels.
        threshold: scores above this are foreground; of no effect on labels.
        counted: `pixels`, all that differ; `splits and mergers`, those at which objects are torn apart or joined: the
            ISBI 2012 board's number, which took the mean over planes at the best of the thresholds 0.0, 0.1 … 0.9.
        judged: where truth says something; elsewhere both are background, and no pixel is counted. Default: everywhere.

    >>> cells = np.array([[1, 1, 0, 2, 2]])
    >>> warping_error(cells, np.array([[0.9, 0.1, 0.1, 0.8, 0.8]]))  # a border that moved
    0.0
    >>> warping_error(cells, np.array([[1, 1, 1, 1, 1]]))  # a merger of one pixel
    0.2
    >>> warping_error(cells, cells * 0), warping_error(cells, cells * 0, counted="splits and mergers")
    (0.4, 0.0)
    """
    require_labels(truth, prediction > threshold if prediction.dtype.kind == "f" else prediction, plane=True)
    scores, white = _scores(prediction, threshold), truth > 0
    pixels = truth.size if judged is None else np.count_nonzero(judged)
    if judged is not None:
        scores, white = scores * judged, white & judged
    warped = _warped(white, scores, threshold)
    left = warped != np.pad(scores > threshold, 1)
    if counted == "splits and mergers":
        return ratio(_splits_and_mergers(warped, left), pixels)
    if counted != "pixels":
        raise ValueError(f"counted must be 'pixels' or 'splits and mergers', got {counted!r}")
    return ratio(np.count_nonzero(left), pixels)


def _scores(prediction: NDArray[Any], threshold: float) -> NDArray[Any]:
    """Scores of the foreground, 1 where a label is; refused where they, or the threshold, lie outside of 0 to 1."""
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be 0 ≤ threshold < 1, got {threshold}")
    if prediction.dtype.kind != "f":
        return (prediction > 0).astype(np.float32)
    if not ((prediction >= 0) & (prediction <= 1)).all():
        raise ValueError(f"scores must lie between 0 and 1, got {prediction.min()} to {prediction.max()}; rescale them")
    return prediction


def _warped(white: Mask, scores: NDArray[Any], threshold: float) -> Mask:
    """Truth bent towards the scores, with one pixel of background around."""
    x, y = np.nonzero(((scores > threshold) != white).T)
    worst_first = np.argsort(-np.abs(scores - white)[y, x], kind="stable")
    warped = np.pad(white, 1)
    _flip_simple(warped, y[worst_first] + 1, x[worst_first] + 1)
    return warped


@njit(cache=True)
def _flip_simple(plane: Mask, y: Indices, x: Indices) -> None:
    """Flip the pixels y x in place, in their order, each where it is simple, until a pass over them flips none."""
    waiting = np.arange(y.size)
    before = y.size + 1
    while waiting.size < before:
        before = waiting.size
        kept = 0
        for k in waiting:
            if _runs(plane, y[k], x[k]) == 1:
                plane[y[k], x[k]] = not plane[y[k], x[k]]
            else:
                waiting[kept] = k
                kept += 1
        waiting = waiting[:kept]


@njit(cache=True)
def _runs(plane: Mask, y: int, x: int) -> int:
    """Runs of foreground around a pixel that touch it by an edge, its Yokoi number; 0 too amid nothing but foreground.

    Where it is 1 the pixel is simple: flipping it tears, joins, opens and fills nothing.
    """
    ring = (plane[y, x + 1], plane[y - 1, x + 1], plane[y - 1, x], plane[y - 1, x - 1],
            plane[y, x - 1], plane[y + 1, x - 1], plane[y + 1, x], plane[y + 1, x + 1])  # fmt: skip
    runs = 0
    for k in (0, 2, 4, 6):
        if ring[k] and not (ring[k + 1] and ring[(k + 2) % 8]):
            runs += 1
    return runs


def _splits_and_mergers(warped: Mask, left: Mask) -> int:
    """Number of pixels, out of those left, that join two objects or whose removal tears an object apart.

    Removing a pixel with r runs and k components of background around it makes one of these k, and so, the Euler number
    changing by r − 1, makes r − k + 1 parts of its object. That spares labelling the plane again for each pixel.
    """
    objects, _ = ndimage.label(warped)
    background, _ = ndimage.label(~warped, np.ones((3, 3)))
    count = 0
    for y, x in np.argwhere(left):
        around = np.s_[y - 1 : y + 2, x - 1 : x + 2]
        meets = np.unique(np.delete(objects[around], 4)).size > 2
        tears = warped[y, x] and _runs(warped, y, x) > np.unique(background[around]).size - 1
        count += meets or tears
    return count
