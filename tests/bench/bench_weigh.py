"""Weigh on a frame of 16,384², by two dask workers, beside two processes that share nothing: rates in one run.

The controls are two processes that start at one barrier, each with half of the shards: the same work from store to
store without dask, and the kernel alone on a block in memory. All three take turns, since two cores share their memory.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

from tasks.execution.dask_workers import LOOPBACK, DaskWorkers, workers
from tasks.execution.workers import map_over_workers
from tasks.weigh import ClassesOfTruth, StackWeighing, weigh_stack
from tests.bench.frames import cells
from tests.bench.measure import peak, seconds
from unet.dataset.folder import Dataset, Folder
from unet.ledger.recipes import weigh_recipe
from unet.ledger.results import labels_of, weights_of
from unet.settings.weigh import Weigh
from unet.store.arrays import UNSHUFFLED, create
from unet.store.shards import regions, weights_layout
from unet.weight_maps.border_weights import weigh_block

SIDE, RUNS = 16384, 3
SETTINGS = Weigh()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One stack, its truth drawn plane-wide, as ingest leaves it."""
    import tifffile

    from flows.planning.plan import make_plan
    from tasks.ingest import ingest_stack
    from unet.dataset.record_file import read_record, write_record
    from unet.settings.ingest import Source

    folder = tmp_path_factory.mktemp("bench")
    truth = np.tile(cells(4096, 32), (SIDE // 4096,) * 2)
    truth += (truth > 0) * np.repeat(np.repeat(np.arange(16, dtype=np.int32).reshape(4, 4), 4096, 0), 4096, 1) * 16384
    for kind, pixels in (("image", (truth > 0).astype(np.uint8)), ("truth", truth.astype(np.uint32))):
        (folder / kind).mkdir()
        tifffile.imwrite(folder / kind / "a.tif", pixels)
    place = Dataset(str(folder / "dataset"))
    write_record(place, [Source(str(folder / "image"), str(folder / "truth"))])
    record = read_record(place)
    ingest_stack(place, make_plan(place, record).stacks["a"], record.ingest)
    return place


def test_two_dask_workers_beside_two_processes(dataset: Dataset) -> None:
    times: dict[str, list[float]] = {"dask": [], "stores": [], "kernel": []}
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK)
    with cluster, workers(cluster.scheduler_address) as crew:
        crew.client.run(_warm)
        for _ in range(RUNS):
            times["dask"].append(seconds(lambda: _by_dask(dataset, crew)))
            times["stores"].append(_beside_each_other(_shards, str(dataset.url)))
            times["kernel"].append(_beside_each_other(_blocks, str(dataset.url)))
        at_peak = max(crew.client.run(peak).values())
    ratios = {name: median(t / d for t, d in zip(times[name], times["dask"], strict=True)) for name in times}
    print(f"\nweigh, 16,384², two dask workers: {SIDE**2 / 1e6 / median(times['dask']):.0f} Mpx/s")
    print(f"beside two processes from store to store: {ratios['stores']:.2f} of their rate (≥ 0.85)")
    print(f"beside two processes of the kernel alone, no store: {ratios['kernel']:.2f} of their rate")
    print(f"memory of a worker at its peak: {at_peak:.2f} GB (≤ 2)")


def _by_dask(dataset: Dataset, crew: DaskWorkers) -> None:
    shutil.rmtree(weights_of(dataset, "a").folder.url, ignore_errors=True)
    weigh_stack(dataset, "a", SETTINGS, weigh_recipe(dataset, "a", SETTINGS), map_over_workers(crew))


def _beside_each_other(work: Callable[[str, int, Any], None], dataset: str) -> float:
    """Seconds from a barrier until both of two processes have done their half."""
    context = multiprocessing.get_context("spawn")
    barrier, times = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_half, args=(work, dataset, i, barrier, times)) for i in (0, 1)]
    for process in processes:
        process.start()
    spans = [times.get() for _ in processes]
    for process in processes:
        process.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)


def _half(work: Callable[[str, int, Any], None], dataset: str, half: int, barrier: Any, times: Any) -> None:
    work(dataset, half, lambda: (barrier.wait(), times_began.append(time.time())))
    times.put((times_began[0], time.time()))


times_began: list[float] = []


def _shards(dataset: str, half: int, start: Callable[[], object]) -> None:
    """The same shards from the same truth, written beside the dataset; no dask."""
    place = Dataset(dataset)
    level = labels_of(place, "a", "truth")
    from unet.store import ome

    truth = ome.full_level(level)
    layout = weights_layout((SIDE, SIDE), 2)
    folder = Folder(str(Path(dataset).parent / f"half-{half}"))
    shutil.rmtree(folder.url, ignore_errors=True)
    create(folder / "classes", layout, np.uint8, "yx")
    create(folder / "border", layout, np.float32, "yx", UNSHUFFLED)
    work = StackWeighing(truth, folder, SETTINGS, (1.0, 1.0), None, ClassesOfTruth(level, ("object",), ""))
    _warm()
    start()
    for region in list(regions(layout))[half::2]:
        work(region)


def _blocks(dataset: str, half: int, start: Callable[[], object]) -> None:
    """As many pixels as a half, from memory to memory."""
    block = cells(4096, 32)
    _warm()
    start()
    for _ in range((SIDE // 4096) ** 2 // 2):
        weigh_block(block, SETTINGS)


def _warm() -> None:
    """Compiled, or read from the cache, before the clock runs."""
    from unet.weight_maps.truth_check import check_truth

    weigh_block(np.eye(9, dtype=np.uint32), SETTINGS)
    check_truth(np.eye(9, dtype=np.uint32))
