"""How well a prediction agrees with truth: one number a measure, from two arrays of labels.

Labels are integers of any size, 0 = background; a boolean mask is one object. Truth comes first. Where a measure is 0/0
it is NaN: whoever averages leaves such frames out and says how many.

| measure             | perfect | symmetric | looks at                         | NaN where                           |
|---------------------|---------|-----------|----------------------------------|-------------------------------------|
| `pixel_error`       | 0       | yes       | foreground                       | there is no pixel                   |
| `iou`               | 1       | yes       | foreground                       | neither has foreground              |
| `rand_error`        | 0       | no        | pairs of truth foreground pixels | truth has no object                 |
| `v_rand`            | 1       | no        | the same, prediction thinned     | truth has no object                 |
| `v_info`            | 1       | no        | bits that one tells of the other | that, or one object, one segment    |
| `warping_error`     | 0       | no        | topology of the foreground       | there is no pixel                   |
| `seg`               | 1       | no        | overlap of each truth object     | truth has no object                 |
| `det`               | 1       | no        | objects found, merged, made up   | truth has no object                 |
| `average_precision` | 1       | yes       | objects found, made up           | neither has an object               |
| `panoptic_quality`  | 1       | yes       | objects found and their overlap  | neither has an object               |

`v_rand`, `v_info` and `warping_error` are of one y x frame. The others take any shape: a stack whose ids are unique
over its frames gives the value pooled over them, which is not the mean of the frames' values.

The measures of objects read one sparse contingency table, made by `_table`. Ids are renamed densely before anything is
computed, so that their size and order change nothing.
"""

import math
from typing import Any, Literal, NamedTuple, SupportsFloat

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

Labels = NDArray[Any]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


def pixel_error(truth: Labels, prediction: Labels) -> float:
    """Fraction of pixels, 0 to 1, that are foreground in one and background in the other.

    NaN without pixels. The "pixel error" of the ISBI 2012 board is another number: 1 − F1 of the foreground.

    >>> pixel_error(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))
    0.25
    """
    _check(truth, prediction)
    return _ratio(np.count_nonzero((truth > 0) != (prediction > 0)), truth.size)


def iou(truth: Labels, prediction: Labels) -> float:
    """Intersection over union of the two foregrounds, 0 to 1; ids are not looked at.

    NaN where neither has foreground. The "IOU" of Ronneberger et al. 2015 is `seg`, a measure of objects.

    >>> iou(np.array([1, 1, 0, 2]), np.array([3, 0, 0, 3]))  # 2 pixels of 3
    0.6666666666666666
    """
    _check(truth, prediction)
    true, predicted = truth > 0, prediction > 0
    return _ratio(np.count_nonzero(true & predicted), np.count_nonzero(true | predicted))


def rand_error(truth: Labels, prediction: Labels) -> float:
    """Adapted Rand error, 0 to 1: 1 − `rand_f`.

    The ISBI 2012 board took this of 4-connected components, pooled over the stack, at the best of 11 thresholds.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_error(truth, prediction), 6)
    0.2
    """
    return 1 - rand_f(truth, prediction)


def rand_f(truth: Labels, prediction: Labels) -> float:
    """Adapted Rand F, 0 to 1, over all pairs of truth foreground pixels, together or apart.

    F is the harmonic mean of the split score Σn²/Σt² and the merge score Σn²/Σs²; t, s and n are the pixels of an
    object, of a segment and of their overlap. Each pixel of predicted background is a segment of its own; truth
    background is dropped, whatever is predicted there. NaN where truth has no object.

    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142, with squares rather than n·(n − 1)/2.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> round(rand_f(truth, prediction), 6)  # Σn² = Σs² = 1 + 1 + 1 + 9, Σt² = 9 + 9: F = 24/30
    0.8
    """
    _check(truth, prediction)
    return _rand_f(_foreground_table(truth, prediction))


def v_rand(truth: Labels, prediction: Labels) -> float:
    """Foreground-restricted Rand score V_rand of a y x frame, 0 to 1: the F of `rand_error`, prediction thinned.

    Predicted background is flooded from the segments until a line of one pixel is left between them, so that wide
    borders cost nothing. A frame without segments becomes one segment. NaN where truth has no object.

    The ISBI 2012 board takes the mean over frames, then the best threshold. Rejected: thinning to a skeleton, which
    retracts from the frame's edge, so that cells leak together.
    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142.

    >>> truth, prediction = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 0, 0, 9, 9, 9]])
    >>> v_rand(truth, prediction)  # thinned to 7 7 0 9 9 9: Σn² = Σs² = 4 + 1 + 9, Σt² = 9 + 9: 28/32
    0.875
    """
    _check(truth, prediction, frame=True)
    return _rand_f(_foreground_table(truth, _thinned(prediction)))


def v_info(truth: Labels, prediction: Labels) -> float:
    """Information theoretic score V_info of a y x frame, 0 to 1: 2·I/(H(S) + H(T)), prediction thinned as in `v_rand`.

    I is the mutual information of objects T and segments S over the truth foreground, H their entropies; the base of
    the logarithm cancels. NaN where truth has no object, and where one object meets one segment (0/0; the official
    code gives 0 there, although they agree).
    Source: Arganda-Carreras et al. 2015, Front Neuroanat 9:142.

    >>> v_info(np.array([[1, 1, 2, 2]]), np.array([[1, 2, 3, 4]]))  # I = H(T) = 1 bit, H(S) = 2 bits
    0.6666666666666666
    """
    _check(truth, prediction, frame=True)
    table = _foreground_table(truth, _thinned(prediction))
    apart = _entropy(table.segments) + _entropy(table.objects)
    return _ratio(2 * max(0.0, apart - _entropy(table.shared)), apart)


def seg(truth: Labels, prediction: Labels) -> float:
    """Mean over the truth objects of the IoU with their segment, 0 to 1; an object without one counts 0.

    An object's segment covers more than half of it, so there is at most one; a segment may have several objects.
    Segments without object cost nothing. NaN where truth has no object. The challenge pools a sequence's frames.
    Source: Cell Tracking Challenge, Maška et al. 2014, Bioinformatics 30:1609.

    >>> seg(np.array([1, 1, 1, 1, 0, 2, 2]), np.array([5, 5, 5, 0, 0, 0, 2]))  # 3/4 and 0: half is not enough
    0.375
    """
    _check(truth, prediction)
    table = _table(truth, prediction)
    return _ratio(table.iou[table.covered].sum(), table.objects.size)


def det(truth: Labels, prediction: Labels) -> float:
    """Detection score, 0 to 1: 1 − (5·NS + 10·FN + FP)/(10·objects), and 0 where that is negative.

    Objects and segments match as in `seg`. FN: objects without segment; FP: segments without object; NS: splits needed,
    the objects of each segment beyond its first. NaN where truth has no object. The challenge pools the frames of a
    sequence, and its truth here are the markers of the tracks.
    Source: Cell Tracking Challenge, Matula et al. 2015, PLoS ONE 10:e0144959.

    >>> det(np.array([1, 1, 0, 2, 2]), np.array([7, 7, 7, 7, 7]))  # one split needed for two objects: 1 − 5/20
    0.75
    """
    _check(truth, prediction)
    table = _table(truth, prediction)
    objects, matches = table.objects.size, int(np.count_nonzero(table.covered))
    matched_segments = np.unique(table.column[table.covered]).size
    splits, missed, made_up = matches - matched_segments, objects - matches, table.segments.size - matched_segments
    return 1 - _ratio(min(5 * splits + 10 * missed + made_up, 10 * objects), 10 * objects)


def average_precision(truth: Labels, prediction: Labels, threshold: float = 0.5) -> float:
    """Fraction TP/(TP + FP + FN) of objects and segments, 0 to 1, that pair off with an IoU above `threshold`.

    Above, not at: half of an object is no match at 0.5. From 0.5 on nothing has two partners, so that no assignment is
    sought; lower thresholds are refused. NaN where neither has an object, 0 where only one has. In spite of its name it
    is no area under a curve. The competition takes the mean over thresholds 0.50, 0.55 … 0.95, then over images.
    Source: Data Science Bowl 2018, Caicedo et al. 2019, Nat Methods 16:1247.

    >>> truth, prediction = np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])
    >>> average_precision(truth, prediction), average_precision(truth, prediction, 0.75)
    (0.5, 0.0)
    """
    _check(truth, prediction)
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold must be an IoU of 0.5 ≤ threshold < 1, got {threshold}")
    table = _table(truth, prediction)
    hits = np.count_nonzero(table.iou > threshold)
    return _ratio(hits, table.objects.size + table.segments.size - hits)


def panoptic_quality(truth: Labels, prediction: Labels) -> float:
    """Sum of the IoU of all pairs above 0.5, divided by the mean number of objects and segments, 0 to 1.

    This is Σ IoU/(TP + FP/2 + FN/2), of one class. NaN where neither has an object, 0 where only one has.
    Source: Kirillov et al. 2019, CVPR, arXiv 1801.00868.

    >>> panoptic_quality(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0]))  # 3/4 over (2 + 1)/2
    0.5
    """
    _check(truth, prediction)
    table = _table(truth, prediction)
    return _ratio(2 * table.iou[table.iou > 0.5].sum(), table.objects.size + table.segments.size)


def warping_error(
    truth: Labels,
    prediction: NDArray[Any],
    threshold: float = 0.5,
    counted: Literal["pixels", "splits and mergers"] = "pixels",
) -> float:
    """Fraction of a frame's pixels, 0 to 1, that differ once the truth is bent to the prediction without tearing it.

    Truth pixels that differ are flipped where that changes no topology, the worst first (ties by x, then y), until a
    pass over them flips none. Foreground is 4-connected, background 8-connected, and background lies all around. It is
    greedy: the order decides, and the result is an upper bound of the least error. NaN without pixels.

    Predicting nothing but background costs next to nothing, and nothing of splits and mergers: never use it alone.
    Source: Jain et al. 2010, CVPR; order and classes of errors as in Fiji's Trainable Segmentation.

    Args:
        truth: y x labels; foreground is > 0. Objects that touch are one here: ids are not looked at.
        prediction: y x labels, or scores of the foreground in floating point, 0 to 1; integers are always labels.
        threshold: scores above this are foreground; of no effect on labels.
        counted: `pixels`, all that differ; `splits and mergers`, those at which objects are torn apart or joined: the
            ISBI 2012 board's number, which took the mean over frames at the best of the thresholds 0.0, 0.1 … 0.9.

    >>> cells = np.array([[1, 1, 0, 2, 2]])
    >>> warping_error(cells, np.array([[0.9, 0.1, 0.1, 0.8, 0.8]]))  # a border that moved
    0.0
    >>> warping_error(cells, np.array([[1, 1, 1, 1, 1]]))  # a merger of one pixel
    0.2
    >>> warping_error(cells, cells * 0), warping_error(cells, cells * 0, counted="splits and mergers")
    (0.4, 0.0)
    """
    _check(truth, prediction > threshold if prediction.dtype.kind == "f" else prediction, frame=True)
    scores = _scores(prediction, threshold)
    warped = _warped(truth > 0, scores, threshold)
    left = warped != np.pad(scores > threshold, 1)
    if counted == "splits and mergers":
        return _ratio(_splits_and_mergers(warped, left), truth.size)
    if counted != "pixels":
        raise ValueError(f"counted must be 'pixels' or 'splits and mergers', got {counted!r}")
    return _ratio(np.count_nonzero(left), truth.size)


def _check(truth: Labels, prediction: Labels, frame: bool = False) -> None:
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype.kind not in "biu":
            raise ValueError(f"{name} must hold integer labels, got {labels.dtype}; make labels of scores first")
        if labels.min(initial=0) < 0:
            raise ValueError(f"{name} must hold labels ≥ 0, got {labels.min()}; set what is no object to 0")
    if truth.shape != prediction.shape:
        raise ValueError(
            f"truth and prediction must have one shape, got {truth.shape}, {prediction.shape}; crop or pad one"
        )
    if frame and truth.ndim != 2:
        raise ValueError(f"truth must be one y x frame, got shape {truth.shape}; measure frame by frame")


def _ratio(part: SupportsFloat, whole: SupportsFloat) -> float:
    return float(part) / float(whole) if whole else math.nan


class _Table(NamedTuple):
    """Contingency table of truth objects (rows) and segments (columns), sparse; background is in neither."""

    row: Indices
    """Object of each overlap."""
    column: Indices
    """Segment of each overlap."""
    shared: Indices
    """Pixels of each overlap."""
    objects: Indices
    """Pixels of each truth object, those on predicted background among them."""
    segments: Indices
    """Pixels of each segment, those on truth background among them."""

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each overlap's object and segment."""
        return self.shared / (self.objects[self.row] + self.segments[self.column] - self.shared)

    @property
    def covered(self) -> Mask:
        """Whether each overlap is more than half of its object."""
        return 2 * self.shared > self.objects[self.row]


def _table(truth: Labels, prediction: Labels) -> _Table:
    rows, columns = _dense(truth), _dense(prediction)
    objects, segments = np.bincount(rows)[1:], np.bincount(columns)[1:]
    both = (rows > 0) & (columns > 0)
    pairs, shared = np.unique((rows[both] - 1) * segments.size + columns[both] - 1, return_counts=True)
    row, column = np.divmod(pairs, max(segments.size, 1))
    return _Table(row, column, shared, objects, segments)


def _dense(labels: Labels) -> Indices:
    """Labels renamed 1, 2, … in the order of their ids, 0 kept; flat.

    >>> _dense(np.array([[7, 0], [2**40, 7]]))
    array([1, 0, 2, 1])
    """
    with_background = np.concatenate([np.zeros(1, labels.dtype), labels.ravel()])
    return np.unique(with_background, return_inverse=True)[1][1:]


def _foreground_table(truth: Labels, prediction: Labels) -> _Table:
    """Table of the truth foreground alone, in which each pixel of predicted background is a segment of its own."""
    inside = truth > 0
    segments = _dense(prediction[inside])
    border = segments == 0
    segments[border] = segments.size + np.arange(1, np.count_nonzero(border) + 1)
    return _table(truth[inside], segments)


def _rand_f(table: _Table) -> float:
    shared, objects, segments = (
        np.square(pixels, dtype=float).sum() for pixels in (table.shared, table.objects, table.segments)
    )
    return _ratio(2 * shared, objects + segments)


def _entropy(pixels: Indices) -> float:
    """Entropy in nats of a partition into parts of so many pixels; summed exactly, so that their order is no matter."""
    fractions = pixels / pixels.sum()
    return -math.fsum(fractions * np.log(fractions))


def _thinned(prediction: Labels) -> Labels:
    """Segments grown over the background until lines of one pixel part them; one segment where there is none.

    Segments that touch already stay as they are, and where they do a line may end early.

    >>> _thinned(np.array([[3, 0, 0, 0, 4]]))
    array([[1, 1, 0, 2, 2]])
    """
    segments = _dense(prediction).reshape(prediction.shape)
    if not segments.any():
        return np.ones_like(segments)
    thinned: Labels = watershed(segments == 0, segments, connectivity=1, watershed_line=True)
    return thinned


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
def _flip_simple(frame: Mask, y: Indices, x: Indices) -> None:
    """Flip the pixels y x in place, in their order, each where it is simple, until a pass over them flips none."""
    waiting = np.arange(y.size)
    before = y.size + 1
    while waiting.size < before:
        before = waiting.size
        kept = 0
        for k in waiting:
            if _runs(frame, y[k], x[k]) == 1:
                frame[y[k], x[k]] = not frame[y[k], x[k]]
            else:
                waiting[kept] = k
                kept += 1
        waiting = waiting[:kept]


@njit(cache=True)
def _runs(frame: Mask, y: int, x: int) -> int:
    """Runs of foreground around a pixel that touch it by an edge, its Yokoi number; 0 too amid nothing but foreground.

    Where it is 1 the pixel is simple: flipping it tears, joins, opens and fills nothing.
    """
    ring = (frame[y, x + 1], frame[y - 1, x + 1], frame[y - 1, x], frame[y - 1, x - 1],
            frame[y, x - 1], frame[y + 1, x - 1], frame[y + 1, x], frame[y + 1, x + 1])  # fmt: skip
    runs = 0
    for k in (0, 2, 4, 6):
        if ring[k] and not (ring[k + 1] and ring[(k + 2) % 8]):
            runs += 1
    return runs


def _splits_and_mergers(warped: Mask, left: Mask) -> int:
    """Number of the pixels left that lie beside two objects, or whose removal, each by itself, tears their own.

    Removing a pixel with r runs and k components of background around it makes one of these k, and so, the Euler number
    changing by r − 1, makes r − k + 1 parts of its object. That spares labelling the frame again for each pixel.
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
