"""Quality for minutes: `python -m tests.bench.train_curves FOLDER [--minutes 1 2 4] [--precisions float32 bf16]`.

Drawn cells as those of `make demo`; a training for each precision, seed and number of minutes, since the learning rate
falls over a training's own time. Each is scored on planes of its own: the mean average precision over IoU 0.5 to 0.95
of what is connected above 0.5. Printed as it comes, kept in FOLDER/curves.jsonl, drawn as FOLDER/curves.png.

A precision pays where its curve lies above: more steps in a minute, or fewer that are wasted.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.measure import machine
from unet.images.normalisation import normalise
from unet.images.synthetic import draw_stack
from unet.labels.connected import connected_segments
from unet.network.inference import predict_image
from unet.network.unet import UNet
from unet.settings.train import Training
from unet.training.train import train
from unet.training.training_plane import TrainingPlane, training_plane

STACKS, PLANES, SIDE = 6, 4, 256
"""Drawn stacks that are learnt from; the last of them validates, and as many planes more are scored."""


@dataclass(frozen=True)
class Drawn:
    """A plane that is learnt from or scored, and its true ids."""

    plane: TrainingPlane
    truth: np.ndarray


def main(words: Sequence[str] | None = None) -> None:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bf16"])
    asked = parser.parse_args(words)
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(machine())
    *learnt, validating, scored = (draw(seed) for seed in range(STACKS + 1))
    lines = []
    with (asked.folder / "curves.jsonl").open("w", encoding="utf-8") as file:
        for minutes, seed, precision in product(asked.minutes, asked.seeds, asked.precisions):
            training = replace(Training(), minutes=minutes, seed=seed, precision=precision)
            trained = train([d.plane for s in learnt for d in s], [d.plane for d in validating], [1.0, 1.0], training)
            quality = mean_average_precision(trained.network, scored)
            lines.append({"precision": precision, "seed": seed, "minutes": minutes, "ap": quality})
            lines[-1]["steps"] = len(trained.history)
            file.write(json.dumps(lines[-1]) + "\n")
            print(
                f"{precision}, seed {seed}, {minutes:g} min: {len(trained.history)} steps, AP {quality:.3f}", flush=True
            )
    picture(lines, asked.folder / "curves.png")


def draw(seed: int) -> list[Drawn]:
    """The planes of a drawn stack, weighed."""
    pairs = zip(*draw_stack(PLANES, SIDE, seed + 1), strict=True)
    return [Drawn(training_plane(image, truth), truth) for image, truth in pairs]


def mean_average_precision(network: UNet, scored: Sequence[Drawn]) -> float:
    """Mean over planes of what is connected above 0.5, beside its truth."""
    from unet.evaluation.metrics import mean_average_precision as of_plane

    values = []
    for drawn in scored:
        pixels = normalise(drawn.plane.image.read(drawn.plane.image.window), drawn.plane.statistics)
        found = connected_segments(predict_image(network, pixels)[0] > 0.5, min_size=16)
        values.append(of_plane(drawn.truth, found))
    return float(np.mean(values))


def picture(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """A curve for each precision and seed."""
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(5, 4), layout="constrained")).subplots()
    for precision, seed in dict.fromkeys((line["precision"], line["seed"]) for line in lines):
        mine = [line for line in lines if (line["precision"], line["seed"]) == (precision, seed)]
        axes.plot(
            [line["minutes"] for line in mine], [line["ap"] for line in mine], "o-", label=f"{precision}, seed {seed}"
        )
    axes.set(xlabel="minutes of training", ylabel="mean AP, IoU 0.5 to 0.95, planes never seen", ylim=(0, 1))
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
