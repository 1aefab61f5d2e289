"""The table of an array in memory, in one call: for notebooks; the stage measures block by block and merges."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.labels.measures import Column, measure_block, table


def segment_table(  # noqa: PLR0913, PLR0917  # an image, its segments, and what a microscope said of it
    segments: NDArray[np.integer[Any]],
    image: NDArray[Any] | None = None,
    spacing: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    scores: NDArray[Any] | None = None,
    dimensions: int = 2,
) -> dict[str, Column]:
    """Columns of measures, one row a segment, sorted by id; in pixels, and in physical units where they are known.

    A `pandas.DataFrame`, a `polars.DataFrame` or a `pyarrow.table` is made of it as it is. What each column means
    stands at `unet.labels.measures.table`.

    Args:
        segments: ids, 0 = background; y x, z y x, t y x or t z y x. Along axes that are not linked, an id must lie in
            one plane alone, as the stage makes them.
        image: grey values, of the shape of `segments`, or channels before it; default: intensities are left out.
        spacing: size of a pixel along each axis where it is known, such as `{"y": 0.5, "x": 0.5}`.
        units: unit of that size, such as `{"y": "micrometer", "x": "micrometer"}`.
        channels: names of the channels; default "0", "1", …
        scores: of being an object, of the shape of `segments`; floats between 0 and 1, or uint8 = round(255·p).
        dimensions: 2 = each plane by itself, 3 = segments that go through z.

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
    measures = measure_block(segments, grey, scores)
    return table(measures, axes, spacing or {}, units or {}, named, segments.shape, dimensions)
