"""Tables of parity: what half precision changes of a model's scores and objects, and its seams. Run by hand:

    python -m tests.bench.parity_table DATASET MODEL …

Nothing is written. On a GPU where there is one; what a CPU has no arithmetic of is computed by rounding, in minutes.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch

from tasks import parity
from unet.dataset.folder import Dataset
from unet.network.inference import Predictor, choose_device, ready_to_predict
from unet.network.model_files import load
from unet.network.numeric_plan import Precision, block_on
from unet.network.parity import Parity
from unet.training.score_parity import ClassScores

HALVES: tuple[Precision, ...] = ("float16", "bf16")
DEVICE = choose_device("auto")
SIDES = 512, 128
"""Tiles in pixels whose scores are compared with each other's: what differs there is a seam."""


def main(url: str, models: Sequence[str]) -> None:
    """Print a row for each model and precision."""
    print("| model | precision | planes, pixels | ≤ 2/255 | largest | segments changed | metric | n | fits | seam |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for model in models:
        found = parity.measure_model(Dataset(url), model, Dataset(url).stacks(), DEVICE.type, HALVES)
        for one in map(Parity.of, found):
            print(_row(model, one, _seam(Dataset(url), model, one.precision)), flush=True)
        print(f"| {model} | float32 | | | | | | | | {_seam(Dataset(url), model, 'float32')} |", flush=True)


def _row(model: str, one: Parity, seam: str) -> str:
    metric = "–" if one.metric is None else f"{one.metric} {one.in_float32:.4f} → {one.in_half:.4f}"
    amounts = f"{one.planes} {one.part}, {one.pixels:,}"
    far = "not finite" if one.largest is None else f"{one.largest:.4f}"
    changed = f"{one.changed} of {one.segments}"
    cells = (
        model,
        one.precision,
        amounts,
        f"{100 * one.close:.4f} %",
        far,
        changed,
        metric,
        one.objects,
        one.fits,
        seam,
    )
    return f"| {' | '.join(map(str, cells))} |"


def _seam(dataset: Dataset, model: str, precision: Precision) -> str:
    """Largest difference of scores of two sizes of tiles over one window, in steps of 1/255."""
    measured = parity._planes_to_measure(dataset, model, dataset.stacks())
    (block, *_) = parity.blocks_of(dataset, measured.parts, parity._segment_settings(dataset), parity.PIXELS)
    loaded = load(dataset, model)
    network = ready_to_predict(loaded.network, DEVICE)
    if precision != "float32":
        _, network = parity.in_half(loaded.network, precision, DEVICE)
    seen = parity._SeenImage.of(dataset, loaded, block.stack)
    threads = torch.get_num_threads()

    def scored(side: int) -> ClassScores:
        block_sides = block_on(DEVICE.type, network.architecture, (side, side), threads)
        return seen.scores(Predictor(network, (side, side), block_sides, torch.float32, threads=threads), block)

    scores = [scored(side) for side in SIDES]
    return f"{255 * float(np.abs(scores[0] - scores[1]).max()):.3g}/255"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
