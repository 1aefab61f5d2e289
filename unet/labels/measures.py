"""Tables: what is measured of each segment, one row a segment, in pixels and in physical units.

Everything kept of a segment is a sum, a least or a greatest, so that blocks are measured by themselves, each read once,
and merged. The law: measured in any blocks, merged in any order, the table is that of the whole array, and the one of
`skimage.measure.regionprops_table`; sums of integers are exact while they are below 2⁵³, others to rounding.

A block is cut into runs, pixels of one id that follow each other along x; each is added to its segment's row. Time
grows with the pixels, memory with the runs.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unet.images.array_types import Indices, Labels
from unet.images.units import column_symbol
from unet.labels.runs import run_spans, run_starts

Column = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Measures:
    """Sums and bounds of n segments, one row a segment; what can be merged, not yet what people read."""

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
    """Sums of squared intensities, n × channels."""
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
) -> Measures:
    """Measures of the segments in one block, or of as much of them as lies in it, in one pass over each channel.

    Args:
        labels: ids of segments, 0 = background; (t z) y x.
        image: channels, then the axes of `labels`.
        scores: of being any object, of the shape of `labels`; floats between 0 and 1, or uint8 = round(255·p).
        origin: the block's first pixel in the whole array; default 0.
        classes: scores of each class by itself, classes, then the axes of `labels`; default: `scores` alone.

    >>> measures = measure_block(np.array([[7, 7, 0, 3]]), np.array([[[1, 4, 9, 5]]]), origin=(10, 20))
    >>> measures.ids, measures.total[:, 0], measures.low.tolist(), measures.high.tolist()
    (array([3, 7]), array([5., 5.]), [[10, 23], [10, 20]], [[11, 24], [11, 22]])
    """
    _check_block(labels, image, scores)
    runs = _runs(labels)
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
    ids, starts = np.unique(joined["ids"][order], return_index=True)
    return Measures(ids, **{name: how.reduceat(joined[name][order], starts, axis=0) for name, how in MERGE.items()})


def table(  # noqa: PLR0913, PLR0917 - all of what is known of an image beside its pixels
    measures: Measures,
    axes: str,
    spacing: Mapping[str, float],
    units: Mapping[str, str],
    channels: Sequence[str],
    shape: Sequence[int],
    dimensions: int = 2,
    classes: Sequence[int] | None = None,
) -> dict[str, Column]:
    """Columns of the table, one row a segment, sorted by id.

    `id`; `class`, the one whose scores sum up to most, the lowest of equal ones, if there are scores; index of its
    plane (`t`, `z`) along axes that are not linked; `area_px` or `volume_px`; `area_um2` or `volume_um3`, absent unless
    size and one unit are known for all linked axes; along these `centroid_y`, `bbox_lo_y` and `bbox_hi_y` (half-open)
    in pixels; of each channel `intensity_mean_NAME`, `_min_`, `_max_` and `_std_` (of the population); `score_mean`
    between 0 and 1, if there are scores; `touches_border`: whether it reaches the image's edge along a linked axis.

    Args:
        measures: of the whole array, merged.
        axes: names of the axes of the labels, some of t z y x in this order.
        spacing: size of a pixel along each axis where it is known.
        units: unit of that size, as NGFF names it.
        channels: names of the channels, all different.
        shape: sides of the whole array of labels in pixels.
        dimensions: how many of the last axes are linked, as in `unet.labels.connected`.
        classes: what the classes are called that were measured; default: 1, 2, …

    >>> measures = measure_block(np.array([[7, 7, 0, 3]]), np.array([[[1, 4, 9, 5]]]))
    >>> micrometre = {"y": "micrometer", "x": "micrometer"}
    >>> for name, column in table(measures, "yx", {"y": 0.5, "x": 0.5}, micrometre, ["dna"], (1, 4)).items():
    ...     print(name, column)
    id [3 7]
    area_px [1 2]
    area_um2 [0.25 0.5 ]
    centroid_y [0. 0.]
    centroid_x [3.  0.5]
    bbox_lo_y [0 0]
    bbox_lo_x [3 0]
    bbox_hi_y [1 1]
    bbox_hi_x [4 2]
    intensity_mean_dna [5.  2.5]
    intensity_min_dna [5. 1.]
    intensity_max_dna [5. 4.]
    intensity_std_dna [0.  1.5]
    touches_border [ True  True]
    """
    _check_names(measures, axes, channels, shape, dimensions)
    linked, count = axes[-dimensions:], measures.count
    columns: dict[str, Column] = {"id": measures.ids}
    if measures.votes.shape[1]:
        columns["class"] = np.array(classes or range(1, measures.votes.shape[1] + 1))[measures.votes.argmax(axis=1)]
    columns |= {axis: measures.low[:, i] for i, axis in enumerate(axes[:-dimensions])}
    columns |= _sizes(count, linked, spacing, units)
    places = {"centroid": measures.place / count[:, None], "bbox_lo": measures.low, "bbox_hi": measures.high}
    columns |= {f"{name}_{axis}": place[:, axes.index(axis)] for name, place in places.items() for axis in linked}
    columns |= _intensities(measures, channels)
    if measures.score.shape[1]:
        columns["score_mean"] = measures.score[:, 0] / count
    edges = (measures.low == 0) | (measures.high == np.array(shape))
    columns["touches_border"] = edges[:, -dimensions:].any(axis=1)
    return columns


class _Runs(NamedTuple):
    """Runs of one id, background left out, and the ids there are."""

    start: Indices
    """Index of each run's first pixel."""
    stop: Indices
    """Index behind its last."""
    row: Indices
    """Row of its id in `ids`."""
    ids: Indices
    """All ids, sorted."""


def _runs(labels: Labels) -> _Runs:
    start = run_starts(labels)
    stop, value = np.append(start[1:], labels.size), labels.ravel()[start].astype(np.int64)
    drawn = value > 0
    start, stop, value = start[drawn], stop[drawn], value[drawn]
    lowest = value.min(initial=np.iinfo(np.int64).max)
    if value.size and value.max() - lowest > 4 * labels.size:
        ids, row = np.unique(value, return_inverse=True)
        return _Runs(start, stop, row, ids)
    seen = np.bincount(value - lowest) > 0  # no sort: ids of one block lie near each other
    return _Runs(start, stop, (np.cumsum(seen) - 1)[value - lowest], np.flatnonzero(seen) + lowest)


def _places(runs: _Runs, shape: Sequence[int], origin: Sequence[int]) -> tuple[Indices, Indices, Indices, Indices]:
    """Pixels, sums of indices, first index and last plus 1 along each axis, of each id."""
    length, count = runs.stop - runs.start, np.zeros(runs.ids.size, np.int64)
    np.add.at(count, runs.row, length)
    place = np.zeros((runs.ids.size, len(shape)), np.int64)
    for axis, first in enumerate(np.unravel_index(runs.start, shape)):
        along = length * (length - 1) // 2 if axis == len(shape) - 1 else 0
        np.add.at(place[:, axis], runs.row, (first + origin[axis]) * length + along)
    low, high = run_spans(runs.start, length, runs.row, runs.ids.size, shape)
    return count, place, low + np.array(origin), high + np.array(origin)


def _over(channels: NDArray[Any], runs: _Runs) -> Iterator[NDArray[np.float64]]:
    """Sums, sums of squares, least and greatest of each id: n × channels each."""
    found = np.zeros((4, runs.ids.size, len(channels)))
    found[2], found[3] = np.inf, -np.inf
    for k, channel in enumerate(channels):
        _measure(np.ascontiguousarray(channel).ravel(), runs.start, runs.stop, runs.row, found[:, :, k])
    found[2:, np.isnan(found[1])] = np.nan
    return iter(found)


def _sums(channels: Iterable[NDArray[Any]], runs: _Runs) -> NDArray[np.float64]:
    """Sums of scores between 0 and 1: n × channels."""
    whole = [np.ascontiguousarray(channel).ravel() for channel in channels]
    sums = np.zeros((len(whole), runs.ids.size))
    for k, scores in enumerate(whole):
        _add(scores, runs.start, runs.stop, runs.row, sums[k])
        sums[k] /= 255 if scores.dtype == np.uint8 else 1
    return sums.T


@njit(cache=True, nogil=True)
def _measure(values: Column, start: Indices, stop: Indices, row: Indices, found: Column) -> None:
    for run in range(len(row)):
        total = squares = 0.0
        least, greatest = np.inf, -np.inf
        for at in range(start[run], stop[run]):
            value = np.float64(values[at])
            total += value
            squares += value * value
            least, greatest = min(least, value), max(greatest, value)
        found[0, row[run]] += total
        found[1, row[run]] += squares
        found[2, row[run]] = min(found[2, row[run]], least)
        found[3, row[run]] = max(found[3, row[run]], greatest)


@njit(cache=True, nogil=True)
def _add(values: Column, start: Indices, stop: Indices, row: Indices, sums: Column) -> None:
    for run in range(len(row)):
        total = 0.0
        for at in range(start[run], stop[run]):
            total += np.float64(values[at])
        sums[row[run]] += total


def _sizes(count: Indices, linked: str, spacing: Mapping[str, float], units: Mapping[str, str]) -> dict[str, Column]:
    name = "area" if len(linked) == 2 else "volume"
    sizes: dict[str, Column] = {f"{name}_px": count}
    known = {units.get(axis) for axis in linked}
    if len(known) == 1 and (unit := known.pop()) and all(axis in spacing for axis in linked):
        sizes[f"{name}_{column_symbol(unit)}{len(linked)}"] = count * math.prod(spacing[axis] for axis in linked)
    return sizes


def _intensities(measures: Measures, channels: Sequence[str]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for i, channel in enumerate(channels):
        mean = measures.total[:, i] / measures.count
        variance = measures.squares[:, i] / measures.count - mean**2
        columns[f"intensity_mean_{channel}"] = mean
        columns[f"intensity_min_{channel}"] = measures.least[:, i]
        columns[f"intensity_max_{channel}"] = measures.greatest[:, i]
        columns[f"intensity_std_{channel}"] = np.sqrt(np.maximum(variance, 0))
    return columns


def _check_block(labels: NDArray[Any], image: NDArray[Any], scores: NDArray[Any] | None) -> None:
    if labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        raise ValueError(f"labels must be integers ≥ 0, got {labels.dtype}; give each segment its id first")
    if image.shape[1:] != labels.shape:
        raise ValueError(f"image must be channels, then {labels.shape} as labels are, got {image.shape}")
    if scores is not None and scores.shape != labels.shape:
        raise ValueError(f"scores must have the shape of labels {labels.shape}, got {scores.shape}")
    if scores is not None and scores.dtype != np.uint8 and scores.dtype.kind != "f":
        raise ValueError(f"scores must be uint8 or floats between 0 and 1, got {scores.dtype}")


def _check_names(measures: Measures, axes: str, channels: Sequence[str], shape: Sequence[int], dimensions: int) -> None:
    if not len(axes) == len(shape) == measures.low.shape[1]:
        raise ValueError(f"axes and shape must name {measures.low.shape[1]} axes, got {axes!r} and {tuple(shape)}")
    if dimensions not in (2, 3) or not axes.endswith("zyx"[-dimensions:]):
        raise ValueError(f"dimensions must be 2 with axes … y x or 3 with … z y x, got {dimensions} with {axes!r}")
    if len(set(channels)) < len(channels) or len(channels) != measures.total.shape[1]:
        raise ValueError(f"channels must be {measures.total.shape[1]} different names, got {list(channels)}")
