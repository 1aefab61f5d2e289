"""Measures: sums and bounds of each segment's pixels, block by block, and merged over all blocks.

Everything kept of a segment is a sum, a least or a greatest, so that blocks are measured by themselves, each read once,
and merged. Squares are summed from the least intensity of the segment: from 0 their sum would round the spread of grey
values with a large offset away, up to all of it; where a part has another least one its sum is moved. The law: measured
in any blocks, merged in any order, the table is that of the whole array, and the one of
`skimage.measure.regionprops_table`; sums of integers are exact while they are below 2⁵³, others to rounding.
`unet.labels.tables` makes of them what people read.

A block is cut into runs, pixels of one id that follow each other along x; each is added to its segment's row. Time
grows with the pixels, memory with the runs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Indices, Labels
from unet.labels.run_sums import add_places, add_scores, add_squares, add_values, add_whole_scores, add_whole_values
from unet.labels.runs import IdRuns, id_runs

Column = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Measures:
    """Sums and bounds of n segments, one row a segment; they can be merged, and a table is made of them."""

    ids: Indices
    """Ids, n; > 0."""
    count: Indices
    """Pixels, n."""
    place: Indices
    """Sums of the pixels' indices in the whole array, n × axes."""
    low: Indices
    """First index along each axis, n × axes."""
    high: Indices
    """Last index along each axis plus 1, n × axes."""
    total: NDArray[np.float64]
    """Sums of intensities, n × channels."""
    squares: NDArray[np.float64]
    """Sums of squared differences from `least`, n × channels."""
    least: NDArray[np.float64]
    """Least intensities, n × channels."""
    greatest: NDArray[np.float64]
    """Greatest intensities, n × channels."""
    score: NDArray[np.float64]
    """Sums of scores between 0 and 1 of being any object, n × 1; n × 0 if there are no scores."""
    votes: NDArray[np.float64]
    """Sums of each class's scores, n × classes."""


MERGE = {
    **dict.fromkeys(("count", "place", "total", "squares", "score", "votes"), np.add),
    **dict.fromkeys(("low", "least"), np.minimum),
    **dict.fromkeys(("high", "greatest"), np.maximum),
}
"""How rows of one id become one."""


def measure_block(
    labels: Labels,
    image: NDArray[Any],
    scores: NDArray[Any] | None = None,
    origin: Sequence[int] | None = None,
    classes: NDArray[Any] | None = None,
    known: IdRuns | None = None,
) -> Measures:
    """Measures of the segments of one block, in one pass over each channel; of segments that go on, of their part here.

    Args:
        labels: ids of segments, 0 = background; (t z) y x.
        image: channels, then the axes of `labels`.
        scores: of being any object, of the shape of `labels`; floats between 0 and 1, or uint8 = round(255·p).
        origin: the block's first pixel in the whole array; default 0.
        classes: scores of each class by itself, classes, then the axes of `labels`; default: `scores` alone.
        known: the runs of `labels`, where they are known.

    >>> measures = measure_block(np.array([[7, 7, 0, 3]]), np.array([[[1, 4, 9, 5]]]), origin=(10, 20))
    >>> measures.ids, measures.total[:, 0], measures.low.tolist(), measures.high.tolist()
    (array([3, 7]), array([5., 5.]), [[10, 23], [10, 20]], [[11, 24], [11, 22]])
    """
    _check_block(labels, labels if known is None else known.value, image, scores)
    runs = _rows(id_runs(labels) if known is None else known, labels.size)
    count, place, low, high = _places(runs, labels.shape, origin or (0,) * labels.ndim)
    total, squares, least, greatest = _over(image, runs)
    score = _sums([] if scores is None else [scores], runs)
    votes = score if classes is None or scores is None or len(classes) == 1 else _sums(classes, runs)
    return Measures(runs.ids, count, place, low, high, total, squares, least, greatest, score, votes)


def merge_measures(parts: Sequence[Measures]) -> Measures:
    """Measures of the segments of all parts, sorted by id; rows of one id become one.

    >>> left = measure_block(np.array([[3, 3]]), np.array([[[1, 4]]]))
    >>> right = measure_block(np.array([[3, 8]]), np.array([[[7, 5]]]), origin=(0, 2))
    >>> merged = merge_measures([right, left])
    >>> merged.ids, merged.count, merged.total[:, 0]
    (array([3, 8]), array([3, 1]), array([12.,  5.]))
    """
    if len(parts) == 1:
        return parts[0]
    joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Measures)}
    order = np.argsort(joined["ids"], kind="stable")
    rows = {name: joined[name][order] for name in MERGE}
    ids, starts, of = np.unique(joined["ids"][order], return_index=True, return_inverse=True)
    rows["squares"] = _squares_from(np.minimum.reduceat(rows["least"], starts, axis=0)[of], rows)
    return Measures(ids, **{name: how.reduceat(rows[name], starts, axis=0) for name, how in MERGE.items()})


def _squares_from(least: NDArray[np.float64], rows: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Sums of squared differences from other least intensities, which do not exceed those of the rows."""
    count = rows["count"][:, None]
    with np.errstate(invalid="ignore"):  # pixels that are not finite have no spread
        down = rows["least"] - least
        more = np.asarray(down * (2 * (rows["total"] - count * rows["least"]) + count * down))
        return np.asarray(rows["squares"] + more)


class _RunRows(NamedTuple):
    """Runs of one id, background left out, and the ids there are."""

    start: Indices
    """Index of each run's first pixel."""
    stop: Indices
    """Index behind its last."""
    row: Indices
    """Row of its id in `ids`."""
    ids: Indices
    """All ids, sorted."""


def _rows(runs: IdRuns, pixels: int) -> _RunRows:
    start, stop, value = runs
    lowest = value.min(initial=np.iinfo(np.int64).max)
    if value.size and value.max() - lowest > 4 * pixels:
        ids, row = np.unique(value, return_inverse=True)
        return _RunRows(start, stop, row, ids)
    seen = np.bincount(value - lowest) > 0  # no sort: ids of one block lie near each other
    return _RunRows(start, stop, (np.cumsum(seen) - 1)[value - lowest], np.flatnonzero(seen) + lowest)


def _places(runs: _RunRows, shape: Sequence[int], origin: Sequence[int]) -> tuple[Indices, Indices, Indices, Indices]:
    """Pixels, sums of indices, first index and last plus 1 along each axis, of each id."""
    limits, sides = np.iinfo(np.int64), (runs.ids.size, len(shape))
    count, place = np.zeros(runs.ids.size, np.int64), np.zeros(sides, np.int64)
    low, high = np.full(sides, limits.max), np.full(sides, limits.min)
    whole = np.array(shape, np.int64), np.array(origin, np.int64)
    add_places(runs.start, runs.stop, runs.row, *whole, count, place, low, high)
    return count, place, low, high


def _over(channels: NDArray[Any], runs: _RunRows) -> Iterator[NDArray[np.float64]]:
    """Sums, sums of squares from the least, least and greatest of each id: n × channels each."""
    found = np.zeros((4, runs.ids.size, len(channels)))
    found[2], found[3] = np.inf, -np.inf
    for k, channel in enumerate(channels):
        values = np.ascontiguousarray(channel).ravel()
        if _is_small(values):
            found[:, :, k] = _measured_whole(values, runs)
            continue
        add_values(values, runs.start, runs.stop, runs.row, found[:, :, k])
        add_squares(values, runs.start, runs.stop, runs.row, found[:, :, k])
    found[2:, np.isnan(found[1])] = np.nan
    return iter(found)


def _is_small(values: NDArray[Any]) -> bool:
    """Whether squares of all values, times 2, sum up to less than 2⁶³."""
    return values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.size <= 2**28


def _measured_whole(values: Column, runs: _RunRows) -> NDArray[np.float64]:
    """The same of small integers, in integers, which add up in any order: in one pass, and several pixels at once.

    Squares from the least are made of those from 0, exactly: Σ (v − m)² = Σ v² − 2m Σ v + n m².
    """
    limits = np.iinfo(np.int64)
    sums = np.zeros((5, runs.ids.size), np.int64)
    sums[2], sums[3] = limits.max, limits.min
    add_whole_values(values, runs.start, runs.stop, runs.row, sums)
    total, squares, least, greatest, count = sums
    return np.stack([total, squares - least * (2 * total - count * least), least, greatest]).astype(np.float64)


def _sums(channels: Iterable[NDArray[Any]], runs: _RunRows) -> NDArray[np.float64]:
    """Sums of scores between 0 and 1: n × channels."""
    whole = [np.ascontiguousarray(channel).ravel() for channel in channels]
    sums = np.zeros((len(whole), runs.ids.size))
    for k, scores in enumerate(whole):
        add = add_whole_scores if scores.dtype == np.uint8 else add_scores
        add(scores, runs.start, runs.stop, runs.row, sums[k])
        sums[k] /= 255 if scores.dtype == np.uint8 else 1
    return sums.T


def _check_block(labels: Labels, ids: Labels, image: NDArray[Any], scores: NDArray[Any] | None) -> None:
    if labels.dtype.kind not in "iu" or (ids.size and ids.min() < 0):
        raise ValueError(f"labels must be integers ≥ 0, got {labels.dtype}; give each segment its id first")
    if image.shape[1:] != labels.shape:
        raise ValueError(f"image must be channels, then {labels.shape} as labels are, got {image.shape}")
    if scores is not None and scores.shape != labels.shape:
        raise ValueError(f"scores must have the shape of labels {labels.shape}, got {scores.shape}")
    if scores is not None and scores.dtype != np.uint8 and scores.dtype.kind != "f":
        raise ValueError(f"scores must be uint8 or floats between 0 and 1, got {scores.dtype}")


def middle_object(measures: Measures) -> dict[str, float | None]:
    """Pixels of the middle segment, `median_size`, and the middle one's mean score, `certainty`; None where none is.

    >>> middle_object(measure_block(np.array([[7, 7, 0, 3]]), np.zeros((0, 1, 4)), np.array([[0.9, 0.7, 0, 0.6]])))
    {'median_size': 1.5, 'certainty': 0.7}
    """
    size = float(np.median(measures.count)) if measures.count.size else None
    scores = measures.score[:, 0] / measures.count if measures.score.shape[1] else np.empty(0)
    return {"median_size": size, "certainty": float(np.median(scores)) if scores.size else None}
