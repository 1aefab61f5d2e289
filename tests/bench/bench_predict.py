"""Prediction from store to store, beside the bare network on tiles in memory and beside MONAI: rates in one run.

The image is drawn noise and cells of 8192² px, the network a padded one of depth 3 and base 16; on a GPU 32,768² px and
depth 4, base 64. `UNET_FLOWS_BENCH_SIDES` are the sides of the images whose memory is measured; the largest takes a
quarter of an hour on two cores.
"""

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from distributed import LocalCluster

from tasks.execution.dask_workers import LOOPBACK, workers
from tasks.predict import RunWindows, of_this_process, predict_stack, run_locally, run_over_workers
from tests.bench.frames import microscopy
from tests.bench.measure import seconds
from unet.dataset.folder import Dataset
from unet.images.channel_statistics import Statistics
from unet.images.normalisation import normalise
from unet.ledger.contents import Contents
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import image_of, model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.inference import PRECISIONS, choose_device, ready_to_predict
from unet.network.numeric_plan import NumericPlan
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict
from unet.store import ome
from unet.store.arrays import open_array
from unet.store.shard_store import _Demanding, _LocalShards

RUNS = 3
DEVICE = choose_device("auto")
GPU = DEVICE.type == "cuda"
SIDE = int(os.environ.get("UNET_FLOWS_BENCH_SIDE", "32768" if GPU else "8192"))
ARCHITECTURE = Architecture(base=64 if GPU else 16, depth=4 if GPU else 3, padding="same", norm="batch")
SIDES = [int(side) for side in os.environ.get("UNET_FLOWS_BENCH_SIDES", "8192 16384 32768").split()]
WINDOWS = (512, 1024, 2048)
"""Sides of MONAI's windows in pixels; larger ones do not fit the memory that ours is given."""


ALONE = """
from tests.bench.bench_predict import *
from tests.bench.measure import peak

predict(Dataset(sys.argv[1]))
print(peak())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


def put(folder: Path, side: int) -> Dataset:
    """A dataset of one ingested stack "a" of this side and an untrained model "net"."""
    import tifffile

    from flows.planning.plan import make_plan
    from tasks.ingest import ingest_stack
    from unet.dataset.record_file import read_record, write_record
    from unet.settings.ingest import Source

    folder.mkdir(parents=True, exist_ok=True)
    source, place = folder / f"{side}.tif", Dataset(str(folder / str(side)))
    frame = tifffile.memmap(source, shape=(side, side), dtype=np.uint16)
    part = microscopy(min(side, 2048))
    for y in range(0, side, 2048):
        for x in range(0, side, 2048):
            frame[y : y + 2048, x : x + 2048] = part
    frame.flush()
    write_record(place, [Source(str(source))])
    record = read_record(place)
    (stack,) = make_plan(place, record).stacks.values()
    ingest_stack(place, stack, record.ingest)
    source.unlink()
    torch.manual_seed(0)
    model = model_files.Model(UNet(ARCHITECTURE).eval(), ("0",), {"rule": "percentiles"})
    result = model_of(place, "net")
    model_files.save(result, result.begin(Recipe("train", 1, {}, {}), {}), model, {}, {})
    return place


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return put(folder, SIDE)


def predict(dataset: Dataset, run: RunWindows = run_locally, threads: int | None = None, **settings: Any) -> float:
    """Seconds of a prediction from store to store, pyramid and stamp too."""
    (name,), asked = dataset.stacks(), Predict(model="net", **settings)
    shutil.rmtree(dataset.scores("net", name).url, ignore_errors=True)
    found, recipe = of_this_process("auto"), predict_recipe(dataset, "net", name, asked)
    machine = replace(found.machine, threads=threads or found.machine.threads)
    executor = replace(found, machine=machine, run=run)
    return seconds(lambda: predict_stack(dataset, name, "net", asked, recipe, executor))


def plan_of(dataset: Dataset) -> NumericPlan:
    return NumericPlan.of(scores_of(dataset, "net", dataset.stacks()[0]).committed().plan)


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
    read = SIDE**2 * np.prod([ARCHITECTURE.input_size(s) / s for s in plan.tile])
    waited = scores_of(dataset, "net", dataset.stacks()[0]).committed().facts["waited"]
    print(f"\npredict, {SIDE}² uint16, base {ARCHITECTURE.base}, depth {ARCHITECTURE.depth}, tiles of {plan.tile} px,")
    print(f"{plan.precision}: {SIDE**2 / 1e6 / median(took[1:]):.2f} Mpx/s; computing waited {waited:.2f} s")
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


def test_beside_monai(dataset: Dataset) -> None:
    """MONAI's windows overlap by a quarter, its default; it holds image and scores in memory, from zarr to zarr."""
    monai = pytest.importorskip("monai.inferers", reason="needs the extra `bench`")
    import zarr

    (name,) = dataset.stacks()
    image = image_of(dataset, name)
    statistics = [Statistics(**image.committed().facts["statistics"][0])]
    network = model_files.load(dataset, "net").network.to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    out = Path(dataset.url).parent / "monai.zarr"

    def theirs(window: int) -> None:
        pixels = normalise(np.asarray(open_array(ome.full_level(image))[:])[None], statistics)
        with torch.inference_mode():
            scores = monai.sliding_window_inference(
                torch.from_numpy(pixels)[None],
                window,
                1,
                lambda batch: network(batch.contiguous(memory_format=torch.channels_last)).softmax(dim=1)[:, 1:],
                sw_device=DEVICE,
                device="cpu",
            )
        stored = (scores[0] * 255).round_().to(torch.uint8).numpy()
        zarr.create_array(out, data=stored, chunks=(1, 1024, 1024), shards=(1, 4096, 4096), overwrite=True)

    times = {window: seconds(lambda window=window: theirs(window)) for window in WINDOWS}
    best = min(times, key=times.__getitem__)
    ours, again = [], []
    for _ in range(RUNS):
        ours.append(predict(dataset, dtype="uint8", precision="float32"))
        again.append(seconds(lambda: theirs(best)))
    seams = _seam_errors(dataset, zarr.open_array(out, mode="r"))
    print(f"\nMONAI's windows: {', '.join(f'{w} px {t:.1f} s' for w, t in times.items())}; best: {best} px")
    print(f"predict beside MONAI, store to store: {median(again) / median(ours):.2f} × as fast (≥ 1.3)")
    print(f"largest difference from one pass over {PASS}² px, in steps of 255: ours {seams[0]}, MONAI's {seams[1]}")


PASS = min(3072, SIDE // 4)
"""Side in pixels of what is passed at once to know the true scores."""


def _seam_errors(dataset: Dataset, theirs: Any) -> tuple[int, int]:
    """Largest difference from the scores of one pass, in the image's corner; at its true edges both are left out."""
    from unet.images.planes import Plane
    from unet.images.windows import Window

    (name,) = dataset.stacks()
    image, context = image_of(dataset, name), ARCHITECTURE.context
    statistics = [Statistics(**image.committed().facts["statistics"][0])]
    around = Window(
        SIDE // 2 - PASS // 2 - context, SIDE // 2 - PASS // 2 - context, PASS + 2 * context, PASS + 2 * context
    )
    pixels = normalise(Plane(open_array(ome.full_level(image)), ((),)).read(around), statistics)
    network = model_files.load(dataset, "net").network
    with torch.inference_mode():
        scores = network(torch.from_numpy(pixels)[None]).softmax(dim=1)[0, 1:, context:-context, context:-context]
    true = (scores * 255).round().numpy()
    part = slice(SIDE // 2 - PASS // 2, SIDE // 2 - PASS // 2 + PASS)
    ours = open_array(ome.full_level(scores_of(dataset, "net", name)))[:, part, part]
    return tuple(int(np.abs(one.astype(int) - true).max()) for one in (ours, theirs[:, part, part]))


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
    read = SIDE**2 * np.prod([ARCHITECTURE.input_size(s) / s for s in plan.tile])
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
    dataset = put(folder, side) if side != SIDE else put(folder / "again", side)
    told = subprocess.run([sys.executable, "-c", ALONE, dataset.url], check=True, capture_output=True, text=True)
    print(f"\npredict, {side}², CPU: {float(told.stdout.split()[-1]):.2f} GB at the peak (≤ {Predict().memory_gb:g})")
    shutil.rmtree(dataset.url)
