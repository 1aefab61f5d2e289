"""Border weights on one core, beside what a user would pick instead, in one run: ratios of medians."""

import time
import tracemalloc
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from tests.bench.frames import cells
from tests.bench.measure import seconds
from unet.settings.weigh import BorderWeights
from unet.weight_maps.border_weights import border_weights

BORDER = BorderWeights(w0=10, sigma=5)
RUNS = 7


def test_a_plane_beside_one_distance_transform() -> None:
    plane = cells(4096, 32)
    ratio = _ratio(lambda: border_weights(plane, BORDER), lambda: distance_transform_edt(plane == 0))
    print(f"\nborder weights, 4096², {plane.max():,} cells: {ratio:.2f} × one scipy distance transform (≤ 1.0)")


def test_time_does_not_grow_with_the_cells() -> None:
    few, many = cells(4096, 64), cells(4096, 16)
    ratio = _ratio(lambda: border_weights(many, BORDER), lambda: border_weights(few, BORDER))
    print(f"\nborder weights, 4096², 256² cells beside 64² cells: {max(ratio, 1 / ratio):.2f} × (≤ 1.5)")


def test_a_volume_beside_one_distance_transform() -> None:
    volume, spacing = cells(256, 16, ndim=3), (2.5, 1.0, 1.0)
    ratio = _ratio(
        lambda: border_weights(volume, BORDER, spacing), lambda: distance_transform_edt(volume == 0, sampling=spacing)
    )
    print(f"\nborder weights, 256³, {volume.max():,} cells: {ratio:.2f} × one scipy distance transform (≤ 2.0)")


def test_a_plane_beside_the_form_that_people_copy() -> None:
    plane = cells(1024, 32)
    began = time.perf_counter()
    copied = one_distance_transform_per_cell(plane)
    theirs = time.perf_counter() - began
    ours = median(seconds(lambda: border_weights(plane, BORDER)) for _ in range(RUNS))
    tracemalloc.start()
    found = border_weights(plane, BORDER)
    extra = tracemalloc.get_traced_memory()[1] / found.nbytes
    tracemalloc.stop()
    assert np.abs(found - copied).max() <= 1e-5 * BORDER.w0
    print(f"\nborder weights, 1024², 1,024 cells: {theirs / ours:,.0f} × faster than one transform a cell (≥ 200)")
    print(f"border weights, memory at its peak: {extra:.1f} × the frame as float32 (≤ 10)")


def one_distance_transform_per_cell(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """As it is found on the web, but kinder to memory: a distance map for each cell, the two least at every pixel."""
    ids = np.unique(labels)[1:]
    distances = np.empty((ids.size, *labels.shape), np.float32)
    for i, each in enumerate(ids):
        distances[i] = distance_transform_edt(labels != each)
    distances.partition(1, axis=0)
    total = distances[0] + distances[1]
    return np.where(labels == 0, BORDER.w0 * np.exp(-(total**2) / (2 * BORDER.sigma**2)), 0).astype(np.float32)


def _ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Median of the ratios of runs in turn."""
    ours()  # compiled, or read from the cache, before the clock runs
    return median(seconds(ours) / seconds(theirs) for _ in range(RUNS))
