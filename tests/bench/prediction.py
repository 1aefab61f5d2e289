"""What benches of prediction have in common: a drawn dataset with an untrained model, and a prediction of it."""

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.predict import RunWindows, in_chosen_precision, of_this_process, predict_stack, run_locally
from tests.bench.flops import operations
from tests.bench.frames import microscopy
from tests.bench.measure import seconds
from unet.dataset.folder import Dataset
from unet.ledger.recipes import predict_recipe
from unet.ledger.results import model_of, scores_of
from unet.ledger.stamp import Recipe
from unet.network import model_files
from unet.network.inference import choose_device
from unet.network.numeric_plan import NumericPlan
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.predict import Predict

DEVICE = choose_device("auto")
GPU = DEVICE.type == "cuda"
SIDE = int(os.environ.get("UNET_FLOWS_BENCH_SIDE", "32768" if GPU else "8192"))
"""Side in pixels of the image that is predicted."""
RUNS = int(os.environ.get("UNET_FLOWS_BENCH_RUNS", "3"))
"""Times that each way is measured, one way after the other; medians count."""
SMALL = Architecture(base=16, depth=3, padding="same", norm="batch")
LARGE = Architecture(base=32, depth=4, padding="same", norm="batch")
PAPER = Architecture(base=64, depth=4, padding="same", norm="batch")


def put(folder: Path, side: int, architecture: Architecture) -> Dataset:
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
    put_model(place, architecture)
    return place


def put_model(dataset: Dataset, architecture: Architecture) -> None:
    """An untrained model "net"; one of another architecture is another model to all who hold it."""
    torch.manual_seed(0)
    model = model_files.Model(UNet(architecture).eval(), ("0",), {"rule": "percentiles"})
    result = model_of(dataset, "net")
    model_files.save(result, result.begin(Recipe("train", 1, asdict(architecture), {}), {}), model, {}, {})


def predict(dataset: Dataset, run: RunWindows = run_locally, threads: int | None = None, **settings: Any) -> float:
    """Seconds of a prediction from store to store, pyramid and stamp too; what precision pays is measured before."""
    (name,), asked = dataset.stacks(), Predict(model="net", **settings)
    shutil.rmtree(dataset.scores("net", name).url, ignore_errors=True)
    found, recipe = of_this_process("auto"), predict_recipe(dataset, "net", name, asked)
    machine = replace(found.machine, threads=threads or found.machine.threads)
    chosen, executor = in_chosen_precision(dataset, [name], "net", asked, replace(found, machine=machine, run=run))
    return seconds(lambda: predict_stack(dataset, name, "net", chosen, recipe, executor))


def plan_of(dataset: Dataset) -> NumericPlan:
    """The numeric plan of the last prediction."""
    return NumericPlan.of(scores_of(dataset, "net", dataset.stacks()[0]).committed().plan)


def pixels_read(plan: NumericPlan, architecture: Architecture, side: int) -> float:
    """Input pixels of all tiles, context too."""
    read: float = side**2 * np.prod([architecture.input_size(s) / s for s in plan.tile])
    return read


def arithmetic(plan: NumericPlan, architecture: Architecture, time: float, product: float) -> str:
    """Rates of operations of a prediction that took so many seconds, beside a matrix product's of the same precision.

    Useful ones are those of one pass over the image, without what tiles compute of their context.
    """
    useful, read = operations(architecture, SIDE, SIDE) / time, operations_read(plan, architecture, SIDE) / time
    return (
        f"useful {useful / 1e9:,.0f} GFLOP/s, with context {read / 1e9:,.0f}; a matrix product {product / 1e9:,.0f}: "
        f"{useful / product:.2f} × it (≥ 0.6), with context {read / product:.2f} ×"
    )


def operations_read(plan: NumericPlan, architecture: Architecture, side: int) -> float:
    """Floating-point operations of all tiles, their context too."""
    return pixels_read(plan, architecture, side) / side**2 * operations(architecture, side, side)
