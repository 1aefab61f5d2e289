"""What a fold got right, by the challenge's measure, and what that comes to over all folds.

The law: counts of folds add up to those of all that was tested, so that the figure is that of one big test: sections of
all blocks at one threshold, sequences each by itself and then their mean, pictures each by itself and then their mean.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.benchmarks.folds import Fold, FoldPart
from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.pixels import read_cells, read_labels, read_truth
from unet.benchmarks.published import Benchmark
from unet.dataset.folder import Json
from unet.evaluation.challenge import board_counts, board_figures, summed
from unet.evaluation.metrics import average_precision, mean_average_precision
from unet.evaluation.sequence_scores import det_counts, of_interest, seg_counts, sequence_figures
from unet.store.opened_dataset import OpenedDataset

Array = NDArray[Any]
OF_UINT8 = 255
"""Scores that are stored as uint8 are round(255·p)."""


def counts_of(
    benchmark: Benchmark, units: Mapping[str, BenchmarkUnit], fold: Fold, opened: OpenedDataset, model: str
) -> Json:
    """What is counted of the tested part of a fold, in plain values.

    Args:
        benchmark: which measure.
        units: where truth is read from, in the challenge's own files.
        fold: what is tested.
        opened: its dataset, on which all stages were done.
        model: its model's name.
    """
    if benchmark.kind == "sections":
        (part,) = fold.tested
        scores = _probabilities(opened.scores(part.stack, model)[...], len(part.planes))
        cells = read_cells(units[part.unit], part.planes)
        return {"sections": len(part.planes), "board": summed(map(board_counts, cells, scores))}
    segments = {part.stack: _planes(opened.segments(part.stack, model)[...]) for part in fold.tested}
    if benchmark.kind == "sequences":
        return {part.unit: _of_sequence(units[part.unit], segments[part.stack], benchmark) for part in fold.tested}
    return {part.stack: _of_picture(units[part.unit], part, segments[part.stack]) for part in fold.tested}


def figures_of(benchmark: Benchmark, counts: Sequence[Json]) -> dict[str, Json]:
    """Figures over some folds by their counts: `value`, and `n`, of how many sections, objects or pictures."""
    if benchmark.kind == "sections":
        n = sum(of["sections"] for of in counts)
        board = board_figures(summed(of["board"] for of in counts))
        defined = {name: of for name, of in board.items() if not math.isnan(of.value)}
        return {name: {"value": of.value, "n": n, "threshold": round(of.threshold, 1)} for name, of in defined.items()}
    every = {name: of for fold in counts for name, of in fold.items()}
    of_each = [sequence_figures(of) for of in every.values()] if benchmark.kind == "sequences" else list(every.values())
    names = [figure.name for figure in benchmark.figures if any(figure.name in of for of in of_each)]
    counted = {"seg": "objects", "det": "markers", "op_csb": "objects"}
    found = {}
    for name in names:
        known = [of[name] for of in of_each if name in of and of[name] is not None and not math.isnan(of[name])]
        n = len(known)
        if benchmark.kind == "sequences":
            n = int(sum(of.get(counted[name], 0) for of in every.values()))
        found[name] = {"value": float(np.mean(known)) if known else math.nan, "n": n}
    return found


def _of_sequence(unit: BenchmarkUnit, segments: Array, benchmark: Benchmark) -> Json:
    """Counts of all frames of a sequence: of SEG where people drew objects, of DET where markers are."""
    places = {frame: place for place, frame in enumerate(unit.frames)}
    found = {frame: of_interest(segments[place], benchmark.border) for frame, place in places.items()}

    def truth(files: Mapping[int, str], frame: int) -> Array:
        labels = read_labels(files[frame], segments.shape[1:], unit.images[places[frame]])
        return of_interest(labels, benchmark.border)

    counts = _added(seg_counts(truth(unit.gold, frame), found[frame]) for frame in unit.gold)
    if unit.markers:
        counts |= _added(det_counts(truth(unit.markers, frame), found[frame]) for frame in unit.markers)
    return counts


def _of_picture(unit: BenchmarkUnit, part: FoldPart, segments: Array) -> Json:
    (truth,), (found,) = read_truth(unit, part.planes), segments
    values = {"mean_average_precision": mean_average_precision(truth, found)}
    values["average_precision"] = average_precision(truth, found)
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _added(counts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for of in counts:
        total = {name: total.get(name, 0.0) + number for name, number in of.items()}
    return total


def _probabilities(scores: Array, planes: int) -> Array:
    """Probability of cell of each plane (n y x)."""
    whole = scores.reshape(planes, *scores.shape[-2:])
    return whole / OF_UINT8 if whole.dtype == np.uint8 else whole.astype(np.float64)


def _planes(labels: Array) -> Array:
    """Labels as planes (n y x)."""
    return labels.reshape(-1, *labels.shape[-2:])
