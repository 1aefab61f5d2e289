"""Prediction from store to store, beside the bare network on tiles in memory: rates in one run.

The image is drawn noise and cells of 8192² px, the network a padded one of depth 3 and base 16; on a GPU 32,768² px and
depth 4, base 64. `UNET_FLOWS_BENCH_SIDES` are the sides of the images whose memory is measured; the largest takes a
quarter of an hour on two cores. `bench_predict_peers` has other programs beside it.
"""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from distributed import LocalCluster

from tasks.execution.dask_workers import LOOPBACK, workers
from tasks.predict import run_over_workers
from tests.bench.flops import matrix_product
from tests.bench.measure import machine, seconds
from tests.bench.prediction import DEVICE, GPU, PAPER, RUNS, SIDE, SMALL, arithmetic, pixels_read, plan_of, predict, put
from unet.dataset.folder import Dataset
from unet.ledger.contents import Contents
from unet.ledger.results import scores_of
from unet.network import model_files
from unet.network.inference import PRECISIONS, ready_to_predict
from unet.network.numeric_plan import NumericPlan
from unet.network.unet import UNet
from unet.settings.predict import Predict
from unet.store.shard_store import _Demanding, _LocalShards

ARCHITECTURE = PAPER if GPU else SMALL
SIDES = [int(side) for side in os.environ.get("UNET_FLOWS_BENCH_SIDES", "8192 16384 32768").split()]


ALONE = """
import sys

from tests.bench.measure import peak
from tests.bench.prediction import Dataset, predict

predict(Dataset(sys.argv[1]))
print(peak())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return put(folder, SIDE, ARCHITECTURE)


def bare(dataset: Dataset, plan: NumericPlan) -> dict[str, Callable[[], float]]:
    """Seconds an input pixel of the network alone on one resident tile: as it is trained, and with its norms folded."""
    height, width = (ARCHITECTURE.input_size(side) for side in plan.tile)
    dtype = PRECISIONS[plan.precision]
    network = model_files.load(dataset, "net").network
    as_trained = network.to(DEVICE, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    folded = ready_to_predict(network, DEVICE, dtype)
    tile = torch.rand(1, 1, height, width, device=DEVICE).to(dtype).contiguous(memory_format=torch.channels_last)

    def timed(one: UNet) -> Callable[[], float]:
        def run() -> float:
            with torch.inference_mode():
                return seconds(lambda: one(tile).sum().item()) / (height * width)

        return run

    return {"as trained": timed(as_trained), "norms folded": timed(folded)}


def test_store_to_store_beside_the_bare_network(dataset: Dataset) -> None:
    took = [predict(dataset)]
    plan = plan_of(dataset)
    controls = bare(dataset, plan)
    times: dict[str, list[float]] = {name: [] for name in controls}
    for _ in range(RUNS):
        for name, control in controls.items():
            times[name].append(control())
        took.append(predict(dataset))
    read = pixels_read(plan, ARCHITECTURE, SIDE)
    waited = scores_of(dataset, "net", dataset.stacks()[0]).committed().facts["waited"]
    print(f"\n{machine()}\npredict, {SIDE}² uint16, base {ARCHITECTURE.base}, depth {ARCHITECTURE.depth},", end=" ")
    print(f"tiles of {plan.tile} px,")
    time, product = median(took[1:]), matrix_product(PRECISIONS[plan.precision], DEVICE)
    print(f"{plan.precision}: {SIDE**2 / 1e6 / time:.2f} Mpx/s; of {time:.0f} s it waited {waited:.2f};", end=" ")
    print(arithmetic(plan, ARCHITECTURE, time, product))
    for name, values in times.items():
        ours, alone = median(took[1:]), median(values)
        print(f"beside the bare network {name}: {read * alone / ours:.2f} × its input pixels (≥ 0.95),", end=" ")
        print(f"useful {SIDE**2 * alone / ours:.2f} × (≥ {0.80 if GPU else 0.85})")


def test_every_shard_demanded_beside_none(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without: shards that are not there are read as zeros, files are put by zarr, and nobody takes their digests."""
    took: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(RUNS):
        took["with"].append(predict(dataset))
        with monkeypatch.context() as patch:
            patch.delattr(_Demanding, "get")
            patch.delattr(_LocalShards, "set")
            patch.setattr(Contents, "_digest", lambda *_: "")
            took["without"].append(predict(dataset))
    ratio = median(took["with"]) / median(took["without"])
    print(f"\npredict, every shard demanded, listed and digested: {ratio:.3f} × the time without (≤ 1.03)")


def test_two_dask_workers_beside_two_bare_processes(dataset: Dataset) -> None:
    """Each of one thread; the controls go through one resident tile again and again, beside each other."""
    if GPU:
        pytest.skip("one process a GPU")
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK)
    with cluster, workers(cluster.scheduler_address) as crew:
        run = run_over_workers(crew, Predict(model="net"))
        predict(dataset, run, 1)
        took, alone = [], []
        for _ in range(RUNS):
            alone.append(_beside_each_other(dataset.url))
            took.append(predict(dataset, run, 1))
    plan = plan_of(dataset)
    read = pixels_read(plan, ARCHITECTURE, SIDE)
    ratio = read / median(took) * median(alone)
    print(
        f"\npredict, two dask workers of one thread, tiles of {plan.tile} px: {ratio:.2f} × two bare processes (≥ 0.85)"
    )


def _beside_each_other(url: str) -> float:
    """Seconds an input pixel of two processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, times = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_alone, args=(url, barrier, times)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [times.get() for _ in processes]
    for process in processes:
        process.join()
    return float(np.mean(found)) / 2


def _alone(url: str, barrier: Any, times: Any) -> None:
    torch.set_num_threads(1)
    network = ready_to_predict(model_files.load(Dataset(url), "net").network, DEVICE)
    tile = torch.rand(1, 1, 2144, 2144).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        network(tile)
        barrier.wait()
        times.put(median(seconds(lambda: network(tile)) for _ in range(3)) / 2144**2)


@pytest.mark.parametrize("side", SIDES)
def test_memory_does_not_grow_with_the_image(folder: Path, side: int) -> None:
    """Of a process of its own, at the default `predict.memory_gb`."""
    dataset = put(folder if side != SIDE else folder / "again", side, ARCHITECTURE)
    told = subprocess.run([sys.executable, "-c", ALONE, dataset.url], check=True, capture_output=True, text=True)
    print(f"\npredict, {side}², CPU: {float(told.stdout.split()[-1]):.2f} GB at the peak (≤ {Predict().memory_gb:g})")
    shutil.rmtree(dataset.url)
