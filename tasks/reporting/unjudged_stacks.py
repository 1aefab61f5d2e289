"""Stacks that nobody judged: how many segments they have, how large and bright, and how certain the model was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Dataset, Json
from unet.ledger.results import image_of, labels_of
from unet.reports.error_pictures import UNCERTAIN
from unet.reports.plot_sums import PlotSums
from unet.reports.report import ReportTable
from unet.reports.report_words import counted
from unet.store.tables import read_table

LOOKED_AT = 500
"""Stacks, evenly spread over all, that are looked at."""
SIZES = ("area_um2", "area_px", "volume_um3", "volume_px")
"""Columns of a table that hold sizes, the first one that is there is shown."""
UNITS = {"area_um2": "µm²", "area_px": "px", "volume_um3": "µm³", "volume_px": "voxels"}
GREY = "intensity_mean_"
"""Columns of mean grey values, before the name of the channel."""
BINS = 20
"""Of the histogram of certainty."""


@dataclass(frozen=True, eq=False)
class Unjudged:
    """What a stack's table tells, in numbers of a size that does not grow with it."""

    name: str
    count: int
    size: float | None
    """Of the middle segment, in `unit`."""
    unit: str
    grey: dict[str, float]
    """Mean grey value of the middle segment, by channel."""
    certainty: float | None
    """Mean over segments of their mean scores; None where there is none."""
    uncertain: int
    """Segments of a mean score below `UNCERTAIN`."""
    plane: int
    """Plane whose segments are the least certain."""
    sums: PlotSums
    certainties: NDArray[np.int64]
    """Segments by their mean score, in bins from 0 to 1."""

    def plain(self) -> Json:
        """As `metrics.json` holds it."""
        return {
            "segments": self.count,
            "median_size": self.size,
            "unit": self.unit,
            "median_intensity": self.grey,
            "certainty": self.certainty,
            "uncertain": self.uncertain,
        }


def unjudged_names(dataset: Dataset, model: str, judged: Sequence[str]) -> list[str]:
    """Stacks with segments that a report does not compare."""
    others = [name for name in dataset.stacks() if name not in set(judged)]
    return [name for name in sorted(others) if labels_of(dataset, name, model).known_stamp() is not None]


def look_at(dataset: Dataset, model: str, names: Sequence[str]) -> list[Unjudged]:
    """What the tables of some stacks tell, of many of some evenly spread; the least certain first, empty ones last."""
    found = [_of_stack(dataset, model, name) for name in names[:: max(1, -(-len(names) // LOOKED_AT))]]
    return sorted(found, key=lambda one: (one.certainty is None, one.certainty or 0.0, one.name))


def unjudged_table(found: Sequence[Unjudged], whole: int) -> ReportTable:
    """A row a stack, with a sentence on all of them."""
    channels = list(dict.fromkeys(channel for one in found for channel in one.grey))
    greys = ["middle grey value" if len(channels) == 1 else f"middle grey value, {name}" for name in channels]
    rows = [
        [
            one.name,
            f"{one.count:,}",
            f"{one.size:,.4g} {one.unit}" if one.size is not None else "–",
            *(f"{one.grey[name]:,.4g}" if name in one.grey else "–" for name in channels),
            f"{one.certainty:.3f}" if one.certainty is not None else "–",
            f"{one.uncertain:,}",
        ]
        for one in found
    ]
    count = sum(one.count for one in found)
    shown = f", of which {len(found):,}, evenly spread, were looked at" if len(found) < whole else ""
    said = f"{counted(whole, 'stack')} without truth{shown}: {counted(count, 'segment')}. The least certain first."
    return ReportTable(["stack", "segments", "middle size", *greys, "certainty", "uncertain segments"], rows, 1, said)


def segment_scores(dataset: Dataset, model: str, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ids of a stack's segments, ascending, and the mean score of each; 1 where there are no scores."""
    table = read_table(dataset, model, name)
    ids = table["id"].to_numpy()
    return ids, table["score_mean"].to_numpy() if "score_mean" in table.column_names else np.ones(len(ids))


def _of_stack(dataset: Dataset, model: str, name: str) -> Unjudged:
    table = read_table(dataset, model, name)
    columns = {column: table[column].to_numpy() for column in table.column_names if _is_wanted(column)}
    scores = columns.get("score_mean", np.zeros(0))
    size = next((column for column in SIZES if column in columns), "area_px")
    pixels = columns.get("area_px", columns.get("volume_px", np.zeros(0)))
    count = int(pixels.size)
    greys = {column for column in columns if column.startswith(GREY)}
    grey = {column.removeprefix(GREY): _middle(of) for column, of in columns.items() if column in greys}
    return Unjudged(
        name,
        count,
        _middle(columns[size]) if count else None,
        UNITS[size],
        {channel: value for channel, value in grey.items() if count},
        float(scores.mean()) if scores.size else None,
        int(np.count_nonzero(scores < UNCERTAIN)),
        _least_certain_plane(dataset, name, columns),
        PlotSums.of_segments(pixels),
        np.histogram(scores, BINS, (0, 1))[0].astype(np.int64),
    )


def _is_wanted(column: str) -> bool:
    return column in (*SIZES, "score_mean", "t", "z", "centroid_z") or column.startswith(GREY)


def _middle(values: NDArray[Any]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _least_certain_plane(dataset: Dataset, name: str, columns: dict[str, NDArray[Any]]) -> int:
    """The plane, by its place among all, whose segments have the least mean score."""
    facts, scores = image_of(dataset, name).committed().facts, columns.get("score_mean", np.zeros(0))
    if not scores.size:
        return 0
    sizes = dict(zip(facts["axes"], facts["shape"], strict=True))
    z = columns.get("z", np.round(columns.get("centroid_z", np.zeros(scores.size))))
    of = (columns.get("t", np.zeros(scores.size)) * sizes.get("z", 1) + z).astype(np.int64)
    counts = np.bincount(of)
    means = np.bincount(of, scores) / np.maximum(counts, 1)
    return int(np.where(counts > 0, means, np.inf).argmin())
