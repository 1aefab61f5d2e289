"""Measures of 4096² pixels with 20,000 objects, beside one `np.unique` of their pairs of ids, and what others take.

All default measures of objects together, with what became of each, take at most twice as long as that sort, which any
table of overlaps seems to need; V_rand and V_info at most four times as long.
"""

import importlib
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import adapted_rand_error, variation_of_information
from skimage.segmentation import watershed

from tests.bench.frames import cells
from tests.bench.measure import seconds
from unet.evaluation.block_figures import figures_of
from unet.evaluation.contingency import contingency
from unet.evaluation.measure import thinned_table
from unet.evaluation.metrics import METRICS
from unet.evaluation.object_errors import object_errors
from unet.evaluation.warping import warping_error
from unet.settings.evaluate import OBJECTS

SIDE, CORNER, PITCH, RUNS = 4096, 1024, 29, 5

Labels = NDArray[np.int32]


@pytest.fixture(scope="module")
def pair() -> tuple[Labels, Labels]:
    """Truth, and segments that lie a pixel beside it, some of them merged, missed and made up."""
    truth = cells(PITCH * (SIDE // PITCH + 1), PITCH)[:SIDE, :SIDE]
    names = np.arange(truth.max() + 1, dtype=np.int32)
    names[7::50], names[9::40] = names[6::50][: names[7::50].size], 0
    return truth, np.roll(names[truth], (1, 1), (0, 1))


def test_measures_beside_one_sort_of_pairs(pair: tuple[Labels, Labels]) -> None:
    truth, segments = pair
    pairs = truth.astype(np.int64) * (int(segments.max()) + 1) + segments
    thinned = [name for name, metric in METRICS.items() if metric.reads == "thinned"]

    def of_objects() -> None:
        table = contingency(truth, segments)
        figures_of(table, {}, OBJECTS)
        object_errors(table)

    def of_membranes() -> None:
        table = thinned_table(truth, segments)
        assert all(0 < METRICS[name].of_table(table) <= 1 for name in thinned)

    of_membranes()  # compiles
    warping_error(truth[:99, :99], segments[:99, :99])
    sort, ours, of_planes, warping = (
        _median(work)
        for work in (lambda: np.unique(pairs), of_objects, of_membranes, lambda: warping_error(truth, segments))
    )
    print(f"\n{np.unique(truth).size - 1:,} objects in {SIDE}²: one np.unique of their pairs {sort:.2f} s")
    print(f"{len(OBJECTS)} measures and what became of each object: {ours:.2f} s, {ours / sort:.2f} × (≤ 2)")
    print(f"{len(thinned)} measures of V_rand and V_info: {of_planes:.2f} s, {of_planes / sort:.2f} × (≤ 4)")
    print(f"warping error: {warping:.2f} s, {warping / sort:.2f} ×")
    for name, theirs in _of_planes(truth, segments).items():
        print(f"{name}: {theirs:.2f} s, {theirs / sort:.1f} ×")


def test_matching_beside_that_of_others(pair: tuple[Labels, Labels]) -> None:
    """On a corner with 1,300 objects: they hold a matrix of all objects and all segments, 3 GB of the whole plane."""
    truth, segments = (np.ascontiguousarray(labels[:CORNER, :CORNER]) for labels in pair)
    works: dict[str, Callable[[], Any]] = {}
    if stardist := _found("stardist.matching"):
        works["stardist matching"] = lambda: stardist.matching(truth, segments)
    if cellpose := _found("cellpose.metrics"):
        works["cellpose average_precision"] = lambda: cellpose.average_precision([truth], [segments])
    ours = _median(lambda: figures_of(contingency(truth, segments), {}, OBJECTS))
    print(f"\n{CORNER}²: {len(OBJECTS)} measures {ours * 1e3:.0f} ms")
    for name, work in works.items():
        print(f"{name}: {(theirs := _once(work)) * 1e3:.0f} ms, ours {theirs / ours:.0f} × as fast")


def _of_planes(truth: Labels, segments: Labels) -> dict[str, float]:
    """Seconds of what others have for the same, once, as they take long."""
    works: dict[str, Callable[[], Any]] = {
        "scikit-image adapted_rand_error": lambda: adapted_rand_error(truth, segments),
        "scikit-image variation_of_information": lambda: variation_of_information(truth, segments),
        "scikit-image watershed, as thinning": lambda: watershed(segments == 0, segments, watershed_line=True),
    }
    return {name: _once(work) for name, work in works.items()}


def _found(module: str) -> Any:
    """A module of others; None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(module)
        except ImportError:
            return None


def _once(work: Callable[[], Any]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they divide by 0
        return seconds(work)


def _median(work: Callable[[], Any]) -> float:
    return median(seconds(work) for _ in range(RUNS))
