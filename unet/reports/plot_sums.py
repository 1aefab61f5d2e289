"""What the plots of a report are made of: sums over planes, of a size that does not grow with them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unet.dataset.folder import Json
from unet.evaluation.contingency import Contingency
from unet.evaluation.object_scores import OVERLAPS, SIZE_RATIOS, average_precisions, size_ratio_counts

PER_DOUBLING = 4
"""Bins of the size histogram for each doubling of the size."""
BINS = 40 * PER_DOUBLING
"""Up to 2⁴⁰ pixels."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlotSums:
    """Sums over planes, or over blocks of planes that are one scored unit; those of two sets of planes add up."""

    precision: NDArray[np.float64]
    """Sum of the average precision at each of `OVERLAPS`, over the planes where it is defined."""
    planes: int
    """These planes."""
    object_sizes: Counts
    """True objects by their size: bin k holds those from 2^(k/4) pixels on."""
    segment_sizes: Counts
    """Segments by their size."""
    size_ratios: Counts
    """Matches by the size of the segment ÷ that of its object, in the bins of `SIZE_RATIOS`."""

    @classmethod
    def of(cls, table: Contingency) -> "PlotSums":
        """Those of one plane.

        >>> from unet.evaluation.contingency import contingency
        >>> sums = PlotSums.of(contingency(np.array([1, 1, 1, 1, 0, 2]), np.array([5, 5, 5, 0, 0, 0])))
        >>> sums.precision_over_iou()[:7]  # the IoU of the pair is 3/4
        [0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0]
        """
        is_defined = table.objects.size + table.segments.size > 0
        precision = average_precisions(table) if is_defined else np.zeros(len(OVERLAPS))
        sizes = (size_counts(table.objects), size_counts(table.segments))
        return cls(precision, int(is_defined), *sizes, size_ratio_counts(table))

    @classmethod
    def of_segments(cls, sizes: ArrayLike) -> "PlotSums":
        """Those of segments of these sizes where there is no truth."""
        nothing = np.zeros(len(SIZE_RATIOS) - 1, np.int64)
        return cls(np.zeros(len(OVERLAPS)), 0, size_counts([]), size_counts(sizes), nothing)

    def __add__(self, other: "PlotSums") -> "PlotSums":
        return PlotSums(*(getattr(self, of.name) + getattr(other, of.name) for of in fields(self)))

    def precision_over_iou(self) -> list[float]:
        """Mean over planes of the average precision at each of `OVERLAPS`; nothing where it is nowhere defined."""
        return [round(float(value), 6) for value in self.precision / self.planes] if self.planes else []

    def plain(self) -> Json:
        """As `metrics.json` holds them; sizes from the first bin to the last that holds any."""
        whole = np.flatnonzero(self.object_sizes + self.segment_sizes)
        shown = slice(whole[0], whole[-1] + 1) if whole.size else slice(0)
        return {
            "average_precision_over_iou": dict(
                zip(map(str, OVERLAPS.tolist()), self.precision_over_iou(), strict=False)
            ),
            "sizes": {
                "from_px": [round(float(edge), 2) for edge in bin_edges()[:-1][shown]],
                "objects": self.object_sizes[shown].tolist(),
                "segments": self.segment_sizes[shown].tolist(),
            },
            "size_ratios": {"from": SIZE_RATIOS.round(4).tolist(), "matches": self.size_ratios.tolist()},
        }


def size_counts(sizes: ArrayLike) -> Counts:
    """How many objects there are in each bin of size, of objects of so many pixels.

    >>> np.flatnonzero(size_counts([1, 2, 16])).tolist()
    [0, 4, 16]
    """
    bins = np.searchsorted(bin_edges(), np.asarray(sizes, np.float64), side="right") - 1
    return np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)


def bin_edges() -> NDArray[np.float64]:
    """Sizes in pixels at which bins begin, and at last where the last one ends."""
    edges: NDArray[np.float64] = 2.0 ** (np.arange(BINS + 1) / PER_DOUBLING)
    return edges


def added(sums: Iterable[PlotSums | None]) -> PlotSums | None:
    """Those of all planes together; None where there are none."""
    known: list[Any] = [each for each in sums if each is not None]
    return reduce(add, known) if known else None
