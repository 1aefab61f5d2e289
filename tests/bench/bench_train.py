"""A step of training, end to end, beside the bare network, and beside a loop as one finds it: ratios in one run.

`UNET_FLOWS_BENCH_BASE` sets the network's width (32), so that a GPU may be given the paper's 64.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tests.bench.measure import machine
from unet.images.normalisation import Gathering
from unet.images.planes import Plane
from unet.network.inference import choose_device
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.settings.train import Training
from unet.training.devices import FABRIC_PRECISIONS
from unet.training.loop import TrainingJob, TrainingLoop, start_loop
from unet.training.loss import total_loss
from unet.training.samples import TrainingPlane, batches
from unet.weight_maps.border_weights import weigh_block

DEVICE = choose_device("auto")
BASE = int(os.environ.get("UNET_FLOWS_BENCH_BASE", "32"))
SIDE, FRAMES = 1024, 4
STEPS = 8 if DEVICE.type == "cpu" else 100
ROUNDS = 3
TRAINING = Training(
    Architecture(base=BASE, padding="same", norm="batch"),
    tile_size=256,
    batch_size=2 if DEVICE.type == "cpu" else 16,
    steps=10**6,
    validate_every=10**6,
    checkpoint_every=10**6,
    precision="float32" if DEVICE.type == "cpu" else "bf16",
)
"""The network, the tile, the batch and the precision of all loops here."""
Stepper = Callable[[], object]


@pytest.fixture(scope="module")
def frames() -> list[TrainingPlane]:
    """Drawn cells, weighed, resident in memory."""
    from tests.bench.frames import cells
    from unet.settings.weigh import Weigh

    draw = np.random.default_rng(0)
    made = []
    for number in range(FRAMES):
        truth = np.roll(cells(SIDE, 32), 7 * number, axis=1)
        image = (1000 * (truth > 0) + draw.poisson(200, truth.shape)).astype(np.uint16)
        classes, border = weigh_block(truth, Weigh())
        layers = (Plane(layer[None], ((0,),)) for layer in (image, classes, border))
        gathering = Gathering()
        gathering.add(image)
        made.append(TrainingPlane(*layers, [gathering.finish(1.0, 99.8)], f"drawn {number}"))
    return made


def test_a_step_beside_the_bare_network_and_a_plain_loop(frames: list[TrainingPlane], tmp_path: Path) -> None:
    course = _course(frames)
    with closing(batches(frames, TRAINING, DEVICE)) as drawn, closing(_plain_loop(frames, tmp_path)) as plain:
        resident = next(drawn)
        ways: dict[str, Stepper] = {
            "ours": lambda: course.advance(next(drawn)),
            "bare": lambda: _bare(course, resident.image, resident),
            "plain": lambda: next(plain),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for step in ways.values():
            _rate(step, 2)  # warm
        for _ in range(ROUNDS):
            for name, step in ways.items():
                rates[name].append(_rate(step, STEPS))
    over = {n: median(a / b for a, b in zip(rates["ours"], rates[n], strict=True)) for n in ("bare", "plain")}
    floor = 0.8 if DEVICE.type == "cpu" else 0.9
    print(f"\n{machine()}\ntrain on {DEVICE.type}, base {BASE},", end=" ")
    print(f"{TRAINING.batch_size} × {TRAINING.tile_size}², {TRAINING.precision}:")
    print(f"  {median(rates['ours']):.2f} samples a second end to end")
    print(f"  {over['bare']:.2f} × the bare forward and backward of one resident batch (≥ {floor})")
    print(f"  {over['plain']:.2f} × a plain loop with a data loader of whole-image files (≥ 1.3)")


def _course(frames: list[TrainingPlane]) -> TrainingLoop:
    fabric = Fabric(accelerator=DEVICE.type, devices=1, precision=FABRIC_PRECISIONS[TRAINING.precision])
    return start_loop(TrainingJob(frames, [], [0.5, 1.5], TRAINING, None, None), fabric, lambda done, total, word: None)


def _bare(course: TrainingLoop, image: Tensor, batch: object) -> None:
    """Forward and backward on a batch that lies there; nothing drawn, nothing updated."""
    course.optimiser.zero_grad(set_to_none=True)
    loss = total_loss(course.module(image), batch, course.class_weights)  # type: ignore[arg-type]
    course.fabric.backward(loss)


class WholeImages(Dataset[dict[str, Tensor]]):
    """A file an image and a file a mask, both read whole for each sample, and a tile cut out of them."""

    def __init__(self, folder: Path) -> None:
        self.images, self.masks = sorted(folder.glob("image-*.png")), sorted(folder.glob("mask-*.png"))

    def __len__(self) -> int:
        return 10_000

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        from PIL import Image

        with Image.open(self.images[i % len(self.images)]) as opened:
            image = np.asarray(opened).astype(np.float32)
        with Image.open(self.masks[i % len(self.masks)]) as opened:
            mask = np.asarray(opened).astype(np.int64)
        image = image / 255 if (image > 1).any() else image
        y, x = np.random.default_rng(i).integers(0, SIDE - TRAINING.tile_size, 2)
        window = slice(y, y + TRAINING.tile_size), slice(x, x + TRAINING.tile_size)
        return {"image": torch.tensor(image[None][:, *window]), "mask": torch.tensor(mask[window])}


def _plain_loop(frames: list[TrainingPlane], folder: Path) -> Iterator[None]:
    """Steps of a loop as `train.py` of milesial/Pytorch-UNet is: RMSprop, cross entropy and Dice, clipping."""
    from PIL import Image

    for number, frame in enumerate(frames):
        Image.fromarray((frame.image.array[0] >> 3).clip(0, 255).astype(np.uint8)).save(folder / f"image-{number}.png")
        Image.fromarray((frame.classes.array[0] == 1).astype(np.uint8)).save(folder / f"mask-{number}.png")
    files, pinned = WholeImages(folder), DEVICE.type != "cpu"
    loader = DataLoader(files, TRAINING.batch_size, shuffle=True, num_workers=os.cpu_count() or 1, pin_memory=pinned)
    network = UNet(TRAINING.architecture).to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.RMSprop(network.parameters(), lr=1e-5, weight_decay=1e-8, momentum=0.999, foreach=True)
    criterion, amp = nn.CrossEntropyLoss(), TRAINING.precision == "bf16"
    network.train()
    for batch in loader:
        images = batch["image"].to(DEVICE, dtype=torch.float32, memory_format=torch.channels_last)
        masks = batch["mask"].to(DEVICE)
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=amp):
            scores = network(images)
            loss = criterion(scores, masks) + _dice(scores, masks)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        loss.item()  # it is shown at every step
        yield


def _dice(scores: Tensor, masks: Tensor) -> Tensor:
    found = nn.functional.softmax(scores, dim=1).float()
    true = nn.functional.one_hot(masks, scores.shape[1]).permute(0, 3, 1, 2).float()
    both, sums = 2 * (found * true).sum(dim=(-1, -2)), found.sum(dim=(-1, -2)) + true.sum(dim=(-1, -2))
    return 1 - ((both + 1e-6) / (torch.where(sums == 0, both, sums) + 1e-6)).mean()


def _rate(step: Stepper, steps: int) -> float:
    """Samples a second."""
    _finish()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    _finish()
    return steps * TRAINING.batch_size / (time.perf_counter() - began)


def _finish() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
