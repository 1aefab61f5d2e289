"""Prediction from store to store beside MONAI, torch-em and the machine's own matrix product: one run, medians.

The image is drawn noise and cells of 8192² px (`UNET_FLOWS_BENCH_SIDE`), each way is taken `UNET_FLOWS_BENCH_RUNS`
times, in turns; the networks are padded ones of base 16 and depth 3, and of base 32 and depth 4, on a GPU of base 64.
On two cores the larger one takes hours: `-k small` leaves it out.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch

from tests.bench import peers
from tests.bench.flops import matrix_product
from tests.bench.measure import machine, seconds
from tests.bench.prediction import (
    DEVICE,
    GPU,
    LARGE,
    PAPER,
    RUNS,
    SIDE,
    SMALL,
    arithmetic,
    plan_of,
    predict,
    put,
    put_model,
)
from unet.dataset.folder import Dataset
from unet.images.channel_statistics import Statistics
from unet.images.normalisation import normalise
from unet.images.planes import Plane
from unet.images.windows import Window
from unet.ledger.results import image_of, scores_of
from unet.network import model_files
from unet.network.inference import PRECISIONS
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.store import ome
from unet.store.arrays import open_array

TRIED = min(2048, SIDE)
"""Side in pixels of the part on which the settings of others are tried."""
PASS = min(3072, SIDE // 4)
"""Side in pixels of what is passed at once to know the true scores."""
PEERS: dict[str, tuple[Callable[[UNet, torch.device], dict[str, peers.Setting]], float]] = {
    "monai": (peers.monai_settings, 1.8),
    "torch-em": (peers.torch_em_settings, 2.0),
}
"""What makes their settings, and how many times as fast as the best of them ours is to be."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return put(tmp_path_factory.mktemp("bench"), SIDE, SMALL)


@pytest.mark.parametrize(
    "architecture", [PAPER] if GPU else [SMALL, LARGE], ids=["paper"] if GPU else ["small", "large"]
)
def test_beside_others_and_the_matrix_product(dataset: Dataset, architecture: Architecture) -> None:
    import zarr

    put_model(dataset, architecture)
    network = model_files.load(dataset, "net").network.eval().to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"\n{machine()}\npredict, {SIDE}² uint16, base {architecture.base}, depth {architecture.depth}")
    best = {name: found for name in PEERS if (found := _best(name, network, dataset))}
    took = _times(dataset, best)
    _print_ours(dataset, architecture, took)
    for name in best:
        ratio, floor = median(took[name]) / median(took["float32"]), PEERS[name][1]
        print(
            f"  {name} {version(name)}: {SIDE**2 / 1e6 / median(took[name]):.2f} Mpx/s; ours {ratio:.2f} × (≥ {floor})"
        )
    predict(dataset, dtype="uint8", precision="float32")
    arrays: dict[str, Any] = {"ours": open_array(ome.full_level(scores_of(dataset, "net", dataset.stacks()[0])))}
    arrays |= {name: zarr.open_array(_out(dataset, name), mode="r") for name in best}
    errors = ", ".join(f"{name} {_error(dataset, network, scores)}" for name, scores in arrays.items())
    print(f"  largest difference from one pass over {PASS}² px, in steps of 255: {errors}")


def _best(name: str, network: UNet, dataset: Dataset) -> peers.Best | None:
    """The best settings of another program; None, with a word, where it is not installed."""
    try:
        settings = PEERS[name][0](network, DEVICE)
    except ImportError as error:
        print(f"  {name} is left out, since it cannot be imported: {error}")
        return None
    found = peers.best_of(settings, _pixels(dataset)[:, :TRIED, :TRIED], SIDE)
    rates = "; ".join(f"{each} {rate:.2f}" for each, rate in found.rates.items())
    print(f"  {name}, Mpx/s as expected by {TRIED}² in memory: {rates}\n  {name}, best: {found.name}")
    return found


def _times(dataset: Dataset, best: dict[str, peers.Best]) -> dict[str, list[float]]:
    """Seconds of each way, store to store, in turns; and of each round the rate of the matrix product."""
    ways: dict[str, Callable[[], float]] = {
        "auto": lambda: predict(dataset, dtype="uint8"),
        "float32": lambda: predict(dataset, dtype="uint8", precision="float32"),
        **{
            name: lambda name=name, found=found: seconds(lambda: _store_to_store(dataset, name, found.predict))
            for name, found in best.items()
        },
    }
    predict(dataset, dtype="uint8")
    precision = plan_of(dataset).precision
    if precision == "float32":
        del ways["auto"]
    ways |= {
        f"product {kind}": lambda kind=kind: matrix_product(PRECISIONS[kind], DEVICE) for kind in {precision, "float32"}
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            took[name].append(way())
    return took


def _print_ours(dataset: Dataset, architecture: Architecture, took: dict[str, list[float]]) -> None:
    for asked in ("float32", "auto"):
        if asked not in took:
            print("  auto is float32 on this machine")
            continue
        predict(dataset, dtype="uint8", precision=asked)
        plan, time = plan_of(dataset), median(took[asked])
        product = median(took[f"product {plan.precision}"])
        print(f"  ours, {plan.precision}: {SIDE**2 / 1e6 / time:.2f} Mpx/s in tiles of {plan.tile} px;", end=" ")
        print(arithmetic(plan, architecture, time, product))
        if asked == "auto":
            print(f"  auto, {plan.precision}: {median(took['float32']) / time:.2f} × our float32 (≥ 1.5)")


def _out(dataset: Dataset, name: str) -> Path:
    return Path(dataset.url).parent / f"{name}.zarr"


def _store_to_store(dataset: Dataset, name: str, predict_pixels: peers.Tiler) -> None:
    import zarr

    stored = predict_pixels(_pixels(dataset))
    zarr.create_array(_out(dataset, name), data=stored, chunks=(1, 1024, 1024), shards=(1, 4096, 4096), overwrite=True)


def _pixels(dataset: Dataset) -> peers.Pixels:
    """The whole image, normalised, as it is read from its store."""
    image = image_of(dataset, dataset.stacks()[0])
    return normalise(np.asarray(open_array(ome.full_level(image))[:])[None], _statistics(dataset))


def _statistics(dataset: Dataset) -> list[Statistics]:
    return [Statistics(**image_of(dataset, dataset.stacks()[0]).committed().facts["statistics"][0])]


def _error(dataset: Dataset, network: UNet, scores: Any) -> int:
    """Largest difference from the scores of one pass in the middle of the image."""
    context, start = network.architecture.context, SIDE // 2 - PASS // 2
    start -= start % network.architecture.multiple
    around = Window(start - context, start - context, PASS + 2 * context, PASS + 2 * context)
    image = open_array(ome.full_level(image_of(dataset, dataset.stacks()[0])))
    pixels = normalise(Plane(image, ((),)).read(around), _statistics(dataset))
    with torch.inference_mode():
        whole = network(torch.from_numpy(pixels)[None].to(DEVICE)).softmax(dim=1)[0, 1:]
    true = (whole[..., context:-context, context:-context] * 255).round().cpu().numpy()
    part = slice(start, start + PASS)
    return int(np.abs(np.asarray(scores[:, part, part]).astype(int) - true).max())
