"""Tables: what people read of each segment, one row a segment, in pixels and in physical units.

`segment_table` makes the table of an array in memory, in one call, for notebooks; the stage measures block by block,
merges, and takes `table_columns`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.images.array_types import Indices, Labels
from unet.images.units import column_symbol
from unet.labels.measures import Column, Measures, measure_block
from unet.labels.scores import of_any


@dataclass(frozen=True, eq=False)
class Kinds:
    """The class of each segment."""

    numbers: Column
    """Number of each segment's class, in the order of their ids."""
    measured: tuple[int, ...]
    """Numbers of the classes whose scores were measured, in their order."""
    names: tuple[str, ...] = ()
    """Their names; none where there is but one class to be told."""

    @classmethod
    def by_scores(cls, measures: Measures, measured: Sequence[int] = (), names: Sequence[str] = ()) -> "Kinds":
        """Each segment is of the class whose scores in it are the largest, of those that were measured, 1 to n.

        >>> labels, scores = np.array([[7, 7, 0, 3]]), np.array([[[0.9, 0.7, 0, 0.1]], [[0.1, 0.2, 0, 0.8]]])
        >>> Kinds.by_scores(measure_block(labels, labels[None], scores.sum(axis=0), classes=scores)).numbers
        array([2, 1])
        """
        numbers = tuple(measured) or tuple(range(1, measures.votes.shape[1] + 1))
        return cls(np.array(numbers)[measures.votes.argmax(axis=1)], numbers, tuple(names))

    def counts(self) -> dict[str, int]:
        """Segments of each class by its name."""
        return {
            name: int(np.count_nonzero(self.numbers == number))
            for number, name in zip(self.measured, self.names, strict=True)
        }


def segment_table(  # noqa: PLR0913, PLR0917  # an image, its segments, and what a microscope said of it
    segments: Labels,
    image: NDArray[Any] | None = None,
    spacing: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    scores: NDArray[Any] | None = None,
    dimensions: int = 2,
    classes: Sequence[str] = (),
) -> dict[str, Column]:
    """Columns of measures, one row a segment, sorted by id; in pixels, and in physical units where they are known.

    A `pandas.DataFrame`, a `polars.DataFrame` or a `pyarrow.table` is made of it as it is. What each column means
    stands at `table_columns`.

    Args:
        segments: ids, 0 = background; y x, z y x, t y x or t z y x. Along axes that are not linked, an id must lie in
            one plane alone, as the stage makes them.
        image: grey values, of the shape of `segments`, or channels before it; default: intensities are left out.
        spacing: size of a pixel along each axis where it is known, such as `{"y": 0.5, "x": 0.5}`.
        units: unit of that size, such as `{"y": "micrometer", "x": "micrometer"}`.
        channels: names of the channels; default "0", "1", …
        scores: of being an object, of the shape of `segments`, or of each of some classes before it; floats between 0
            and 1, or uint8 = round(255·p).
        dimensions: 2 = each plane by itself, 3 = segments that go through z.
        classes: names of the classes of `scores`; a segment is of the one whose scores in it are the largest.

    >>> columns = segment_table(np.array([[7, 7, 0, 3]]), np.array([[1, 4, 9, 5]]), channels=["dna"])
    >>> columns["id"], columns["area_px"], columns["intensity_mean_dna"]
    (array([3, 7]), array([1, 2]), array([5. , 2.5]))
    """
    axes = {2: "yx", 3: "zyx", 4: "tzyx"}.get(segments.ndim)
    if axes is None:
        raise ValueError(f"segments must be y x with at most z and t before it, got {segments.ndim} axes")
    grey = np.empty((0, *segments.shape)) if image is None else image
    grey = grey[None] if grey.ndim == segments.ndim else grey
    named = list(channels) if channels is not None else [str(number) for number in range(len(grey))]
    by_class = scores if scores is not None and scores.ndim > segments.ndim else None
    measures = measure_block(segments, grey, scores if by_class is None else of_any(by_class), None, by_class)
    if len(classes) not in (0, measures.votes.shape[1]):
        raise ValueError(f"classes must be {measures.votes.shape[1]} names, as scores are, got {list(classes)}")
    kinds = Kinds.by_scores(measures, names=classes) if len(classes) > 1 else None
    return table_columns(measures, axes, spacing or {}, units or {}, named, segments.shape, dimensions, kinds)


def table_columns(  # noqa: PLR0913, PLR0917  # all of what is known of an image beside its pixels
    measures: Measures,
    axes: str,
    spacing: Mapping[str, float],
    units: Mapping[str, str],
    channels: Sequence[str],
    shape: Sequence[int],
    dimensions: int = 2,
    kinds: Kinds | None = None,
) -> dict[str, Column]:
    """Columns of the table, one row a segment, sorted by id.

    `id`; `class`, its number, if there are scores: the class that it was segmented as, else the one whose scores sum up
    to most, the lowest of equal ones; `class_name`, where classes have names; index of its plane (`t`, `z`) along axes
    that are not linked; `area_px` or `volume_px`; `area_um2` or `volume_um3`, absent unless size and one unit are known
    for all linked axes; along these `centroid_y`, `bbox_lo_y` and `bbox_hi_y` (half-open) in pixels; of each channel
    `intensity_mean_NAME`, `_min_`, `_max_` and `_std_` (of the population); `score_mean`, of being any of the objects,
    between 0 and 1, if there are scores, and `score_NAME` of each class by its name; `touches_border`: whether it
    reaches the image's edge along a linked axis.

    Args:
        measures: of the whole array, merged.
        axes: names of the axes of the labels, some of t z y x in this order.
        spacing: size of a pixel along each axis where it is known.
        units: unit of that size, as NGFF names it.
        channels: names of the channels, all different.
        shape: sides of the whole array of labels in pixels.
        dimensions: how many of the last axes are linked, as in `unet.labels.connected`.
        kinds: the class of each segment, where there are scores; default: by these, the classes being 1, 2, …

    >>> measures = measure_block(np.array([[7, 7, 0, 3]]), np.array([[[1, 4, 9, 5]]]))
    >>> micrometre = {"y": "micrometer", "x": "micrometer"}
    >>> for name, column in table_columns(measures, "yx", {"y": 0.5, "x": 0.5}, micrometre, ["dna"], (1, 4)).items():
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
        kinds = kinds or Kinds.by_scores(measures)
        columns["class"] = kinds.numbers
        columns |= _class_names(kinds)
    columns |= {axis: measures.low[:, i] for i, axis in enumerate(axes[:-dimensions])}
    columns |= _sizes(count, linked, spacing, units)
    places = {"centroid": measures.place / count[:, None], "bbox_lo": measures.low, "bbox_hi": measures.high}
    columns |= {f"{name}_{axis}": place[:, axes.index(axis)] for name, place in places.items() for axis in linked}
    columns |= _intensities(measures, channels)
    if measures.score.shape[1]:
        columns["score_mean"] = measures.score[:, 0] / count
        by_class = zip(kinds.names if kinds else (), measures.votes.T, strict=False)
        columns |= {f"score_{name}": votes / count for name, votes in by_class}
    edges = (measures.low == 0) | (measures.high == np.array(shape))
    columns["touches_border"] = edges[:, -dimensions:].any(axis=1)
    return columns


def _class_names(kinds: Kinds) -> dict[str, Column]:
    if not kinds.names:
        return {}
    name_of = dict(zip(kinds.measured, kinds.names, strict=True))
    return {"class_name": np.array([name_of[number] for number in kinds.numbers.tolist()], np.str_)}


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
        with np.errstate(invalid="ignore"):  # pixels that are not finite have no spread
            variance = measures.squares[:, i] / measures.count - (mean - measures.least[:, i]) ** 2
        columns[f"intensity_mean_{channel}"] = mean
        columns[f"intensity_min_{channel}"] = measures.least[:, i]
        columns[f"intensity_max_{channel}"] = measures.greatest[:, i]
        columns[f"intensity_std_{channel}"] = np.sqrt(np.maximum(variance, 0))
    return columns


def _check_names(measures: Measures, axes: str, channels: Sequence[str], shape: Sequence[int], dimensions: int) -> None:
    if not len(axes) == len(shape) == measures.low.shape[1]:
        raise ValueError(f"axes and shape must name {measures.low.shape[1]} axes, got {axes!r} and {tuple(shape)}")
    if dimensions not in (2, 3) or not axes.endswith("zyx"[-dimensions:]):
        raise ValueError(f"dimensions must be 2 with axes … y x or 3 with … z y x, got {dimensions} with {axes!r}")
    if len(set(channels)) < len(channels) or len(channels) != measures.total.shape[1]:
        raise ValueError(f"channels must be {measures.total.shape[1]} different names, got {list(channels)}")
