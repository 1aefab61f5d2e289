"""Training: windows drawn from planes with truth, augmented on the device, weighted loss, the best kept by validation.

A network is trained on what prediction will show it: images mirrored beyond their edges, normalised by the statistics
of their whole acquisition. `class_weights` comes from the class counts of the training part alone.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unet.augment import Batch, augment
from unet.inference import choose_device
from unet.loss import weighted_cross_entropy
from unet.mirror import Plane
from unet.model import UNet
from unet.records import Training
from unet.statistics import Statistics, normalise
from unet.tiles import Window

__all__ = ["Frame", "Progress", "Step", "Trained", "Training", "train"]

log = logging.getLogger(__name__)

VALIDATION_TILES = 32
"""Windows that a look at the validation part takes at most, spread over its frames."""
WARM_UP = 0.05
"""Share of the steps over which the learning rate rises to its peak."""


@dataclass(frozen=True)
class Frame:
    """One plane with truth: image, what training sees of the truth, and the image's statistics by channel."""

    image: Plane
    classes: Plane
    border: Plane
    statistics: list[Statistics]


@dataclass(frozen=True)
class Step:
    """One step's figures; `validation_loss` where there was a look at the validation part."""

    step: int
    loss: float
    rate: float
    validation_loss: float | None = None


@dataclass(frozen=True)
class Trained:
    """The best network by validation (the last one where nothing validates), its step, and all steps' figures."""

    network: UNet
    best: int
    history: list[Step]


Progress = Callable[[int, int, str], None]
"""Told what is done, of how much, and a word."""


def train(
    training_part: Sequence[Frame],
    validation_part: Sequence[Frame],
    class_weights: Sequence[float],
    training: Training,
    progress: Progress = lambda done, total, word: None,
) -> Trained:
    """A trained network and its history; the same seed, frames and threads give the same parameters.

    Raises:
        ValueError: without a frame to train on, or when the loss is no longer finite.
    """
    if not training_part:
        raise ValueError(
            "training must have at least one frame with truth, got none; draw labels or add a truth folder"
        )
    device = choose_device(training.device)
    network, optimiser, schedule = _begin(training, device)
    weights = torch.tensor(class_weights, dtype=torch.float32, device=device)
    looks = list(_validation_batches(validation_part, training, device))
    best, kept, history = math.inf, (0, network.state_dict()), list[Step]()
    for number, batch in enumerate(_batches(training_part, training, device), start=1):
        step = Step(number, _step(network, optimiser, batch, weights), float(schedule.get_last_lr()[0]))
        schedule.step()
        if number % training.validate_every == 0 or number == training.steps:
            step = replace(step, validation_loss=_look(network, looks, weights))
        _require_finite(step)
        history.append(step)
        if step.validation_loss is not None:
            log.info("step %d: loss %.3f, validation loss %.3f", number, step.loss, step.validation_loss)
        if step.validation_loss is not None and step.validation_loss < best:
            best, kept = step.validation_loss, (number, copy.deepcopy(network.state_dict()))
        progress(number, training.steps, f"loss {step.loss:.3f}")
    if looks:
        network.load_state_dict(kept[1])
    return Trained(network.eval(), kept[0] if looks else training.steps, history)


def plain_history(history: Sequence[Step]) -> list[dict[str, float | None]]:
    """Plain values for model.json."""
    return [asdict(step) for step in history]


def _begin(
    training: Training, device: torch.device
) -> tuple[UNet, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    torch.manual_seed(training.seed)
    network = UNet(training.architecture)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    if training.optimiser == "sgd":
        optimiser: torch.optim.Optimizer = torch.optim.SGD(network.parameters(), training.rate, training.momentum)
    else:
        optimiser = torch.optim.Adam(network.parameters(), training.rate)
    warm = max(int(WARM_UP * training.steps), 1)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(training.steps - warm, 1)))

    return network, optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, share)


def _batches(frames: Sequence[Frame], training: Training, device: torch.device) -> Iterator[Batch]:
    """Augmented batches, one a step; a frame is drawn in proportion to its pixels."""
    draw, generator = np.random.default_rng(training.seed), torch.Generator().manual_seed(training.seed)
    sizes = np.array([f.image.window.height * f.image.window.width for f in frames], np.float64)
    for _ in range(training.steps):
        chosen = draw.choice(len(frames), training.batch, p=sizes / sizes.sum())
        samples = [_read(frames[i], _draw_window(frames[i].image.window, training, draw), training) for i in chosen]
        yield _crop_target(augment(_collate(samples, device), training.elastic, generator), training)


def _draw_window(whole: Window, training: Training, draw: np.random.Generator) -> Window:
    """Where the loss is taken: anywhere in the plane, up to a quarter of the tile over its edges."""
    side = _target_side(training)

    def origin(size: int) -> int:
        low, high = -(side // 4), size - side + side // 4
        return int(draw.integers(low, high + 1)) if low < high else (size - side) // 2

    return Window(origin(whole.height), origin(whole.width), side, side)


def _read(frame: Frame, target: Window, training: Training) -> tuple[NDArray[np.float32], ...]:
    """Image, classes and border of the network's input that gives `target`."""
    lost = _lost(training)
    window = Window(target.y - lost, target.x - lost, target.height + 2 * lost, target.width + 2 * lost)
    border = frame.border.read(window)[0] if training.border else np.zeros((window.height, window.width), np.float32)
    return normalise(frame.image.read(window), frame.statistics), frame.classes.read(window)[0], border


def _target_side(training: Training) -> int:
    """Side of the network's output in pixels: `tile`, evened out for the architecture."""
    return training.architecture.input_size(training.tile) - 2 * training.architecture.context


def _lost(training: Training) -> int:
    """Pixels on each side that an unpadded network needs as context; padded ones are trained on the window alone."""
    return training.architecture.context if training.architecture.padding == "valid" else 0


def _collate(samples: Sequence[tuple[NDArray[np.float32], ...]], device: torch.device) -> Batch:
    image, classes, border = (torch.from_numpy(np.stack(values)).to(device) for values in zip(*samples, strict=True))
    return Batch(image.contiguous(memory_format=torch.channels_last), classes.long(), border.float())


def _crop_target(batch: Batch, training: Training) -> Batch:
    """The batch with classes and border cut to the network's output."""
    lost = _lost(training)
    middle = slice(lost, batch.classes.shape[-1] - lost)
    return Batch(batch.image, batch.classes[:, middle, middle], batch.border[:, middle, middle])


def _step(network: UNet, optimiser: torch.optim.Optimizer, batch: Batch, weights: Tensor) -> float:
    network.train()
    optimiser.zero_grad(set_to_none=True)
    loss = weighted_cross_entropy(network(batch.image), batch.classes, batch.border, weights)
    loss.backward()
    optimiser.step()
    return loss.item()


def _require_finite(step: Step) -> None:
    for name, loss in (("loss", step.loss), ("validation loss", step.validation_loss)):
        if loss is not None and not math.isfinite(loss):
            raise ValueError(f"the {name} must stay finite, got {loss} at step {step.step}; try a lower train.rate")


def _validation_batches(frames: Sequence[Frame], training: Training, device: torch.device) -> Iterator[Batch]:
    """Windows spread evenly over the frames, never augmented."""
    side = _target_side(training)
    windows = [
        (frame, Window(y, x, side, side))
        for frame in frames
        for y in range(0, max(frame.image.window.height - side // 2, 1), side)
        for x in range(0, max(frame.image.window.width - side // 2, 1), side)
    ]
    for frame, window in windows[:: -(-len(windows) // VALIDATION_TILES) or 1]:
        yield _crop_target(_collate([_read(frame, window, training)], device), training)


@torch.inference_mode()
def _look(network: UNet, looks: Sequence[Batch], weights: Tensor) -> float | None:
    """Mean loss over the validation part; None where nothing validates."""
    network.eval()
    losses = [weighted_cross_entropy(network(b.image), b.classes, b.border, weights).item() for b in looks]
    return sum(losses) / len(losses) if losses else None
