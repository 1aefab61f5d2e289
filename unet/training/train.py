"""Training: a network from planes with truth, on one device or several, the best parameters kept by validation.

Of several devices each takes its share of every batch, and the gradients' mean is taken: without a batch norm, whose
statistics are of each share by itself, that is the step of one device. `unet.training.loop` has the steps themselves.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unet.network.unet import UNet
from unet.settings.train import Training
from unet.training.checkpoints import Checkpoints, Step, from_bytes, plain_history, to_bytes
from unet.training.devices import Progress, fastest_convolutions, on_devices
from unet.training.loop import TrainingJob, start_loop
from unet.training.samples import batches
from unet.training.training_plane import TrainingPlane

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Progress", "Step", "Trained", "Training", "TrainingPlane", "plain_history", "train"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """The best network by validation (the last one where nothing validates), its step, and all steps' figures."""

    network: UNet
    best: int
    history: list[Step]


def train(  # noqa: PLR0913, PLR0917  # four values to learn from, and three ways to be followed, resumed and started
    training_part: Sequence[TrainingPlane],
    validation_part: Sequence[TrainingPlane],
    class_weights: Sequence[float],
    training: Training,
    progress: Progress = lambda done, total, word: None,
    checkpoints: Checkpoints | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> Trained:
    """A trained network, on the CPU, and its history; the same seed, planes and threads give the same parameters.

    Args:
        training_part: planes to learn from.
        validation_part: planes to look at, never learnt from; there may be none.
        class_weights: w_c of each class.
        training: how.
        progress: told of the steps that are done.
        checkpoints: where to keep them; a training whose checkpoints lie there goes on from the last one.
        start: parameters of a network of the same architecture, to begin from; what is not among them is drawn anew.

    Raises:
        ValueError: without a plane to train on, with other classes than the network's, or when the loss is no longer
            finite.
    """
    job = TrainingJob(training_part, validation_part, class_weights, training, checkpoints, start)
    _require_trainable(job)
    state = from_bytes(on_devices(training, partial(_learn, job), progress))
    with torch.random.fork_rng(devices=[]):  # parameters are drawn only to be replaced
        network = UNet(training.architecture)
    network.load_state_dict(state.kept or state.averaged or state.parameters)
    return Trained(network.eval(), state.best or state.step, list(state.history))


def _require_trainable(job: TrainingJob) -> None:
    training, planes = job.training, job.training_part
    classes, context = training.architecture.classes, training.architecture.context
    if not planes:
        raise ValueError(
            "training must have at least one plane with truth, got none; draw labels or add a truth folder"
        )
    if len(job.class_weights) != classes:
        raise ValueError(
            f"class_weights must be one for each of the network's {classes} classes, got {len(job.class_weights)}; "
            "set train.architecture.classes"
        )
    small = sum(min(plane.image.window.height, plane.image.window.width) < context for plane in planes)
    if small:
        log.warning(
            "%d of %d planes are smaller than the network's context of %d px: beyond their edges they are mirrored "
            "again and again; a lower train.architecture.depth needs less",
            *(small, len(planes), context),
        )


def _learn(job: TrainingJob, fabric: "Fabric", progress: Progress) -> bytes:
    """The state at the end of a training, as bytes; run by each process."""
    share = job.training.batch_size // fabric.world_size
    mine = replace(job.training, batch_size=share, devices=1)
    with torch.random.fork_rng([fabric.device] if fabric.device.type == "cuda" else []), fastest_convolutions():
        loop = start_loop(job, fabric, progress)
        drawn = batches(job.training_part, mine, fabric.device, loop.step, share * fabric.global_rank)
        with closing(drawn):
            while not loop.is_over:
                loop.advance(next(drawn))
    return to_bytes(loop.state) if fabric.is_global_zero else b""
