"""The loop of a training: its steps one after another, looks at the validation part, checkpoints to go on from.

What a step does depends on the seed, the step's number and the parameters before it alone: no random state outlives
one. A training that was killed goes on from its last checkpoint, and on a CPU, with as many threads, it ends with the
parameters of an undisturbed one, bit for bit. So minutes become a number of steps once, early on, which the checkpoints
keep: a learning rate that follows the clock would be another one each time.

What is validated and kept is the running average of the parameters, which is steadier than those of any one step.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from unet.network.unet import UNet
from unet.settings.train import Training
from unet.training.augment import Batch
from unet.training.checkpoints import Checkpoints, CheckpointState, Step
from unet.training.devices import Progress
from unet.training.loss import class_overlaps, dice_of_classes, total_loss
from unet.training.optimiser import TIMED, optimiser_of, rate_at, running_average, steps_within
from unet.training.samples import draw_step, validation_batches
from unet.training.training_plane import TrainingPlane

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

READ_EVERY = 10
"""Steps between two readings of the loss from a GPU, which would otherwise wait for each."""
DIVERGED = 1000.0
"""A loss so many times the first one's, or above this number, will not come back."""


@dataclass(frozen=True)
class TrainingJob:
    """What is learnt from, and how; the same in every process."""

    training_part: Sequence[TrainingPlane]
    validation_part: Sequence[TrainingPlane]
    class_weights: Sequence[float]
    training: Training
    checkpoints: Checkpoints | None = None
    start: Mapping[str, Tensor] | None = None
    """Parameters to begin from; those that are not among them are drawn."""


@dataclass
class TrainingLoop:
    """A training on its way, in one process."""

    job: TrainingJob
    fabric: "Fabric"
    progress: Progress
    network: UNet
    module: Callable[[Tensor], Tensor]
    optimiser: torch.optim.Optimizer
    class_weights: Tensor
    validation_batches: list[Batch]
    averaged: AveragedModel | None
    """The running average of the network; None where there is none."""
    steps: int
    """Steps that are made in all: those asked for, or fewer once it is known how many the minutes allow."""
    best: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)
    history: list[Step] = field(default_factory=list)
    unread: list[Tensor] = field(default_factory=list)
    reads: list[tuple[int, float]] = field(default_factory=list)
    """Step and time, in seconds, of this process's readings of the loss, up to step `TIMED`."""

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.job.training

    @property
    def step(self) -> int:
        """Number of steps made so far."""
        return len(self.history) + len(self.unread)

    @property
    def state(self) -> CheckpointState:
        """The state that a later process can go on from."""
        return CheckpointState(
            self.training.architecture,
            parameters=_copied(self.network),
            optimiser=self.optimiser.state_dict(),
            best=self.best,
            kept=self.kept,
            history=tuple(self.history),
            averaged=_copied(self.averaged.module) if self.averaged else {},
            steps=self.steps,
        )

    @property
    def is_over(self) -> bool:
        """Whether all steps were made, or the last `patience` validations brought nothing better."""
        if self.step >= self.steps or not self.training.patience:
            return self.step >= self.steps
        since = sum(step.validation_loss is not None for step in self.history[self.best :])
        return since >= self.training.patience

    def advance(self, batch: Batch) -> None:
        """One step of the optimiser; its loss is read, and the rest done, when it is due."""
        self._learn(batch)
        number = self.step
        looks, saves = number % self.training.validate_every == 0, number % self.training.checkpoint_every == 0
        if looks or saves or self.is_over or number % READ_EVERY == 0 or self.fabric.device.type == "cpu":
            self._read()
            self._bound_steps()
        last = number >= self.steps
        if looks or last:
            self._look()
        if saves or self.is_over:
            self._save()

    def _learn(self, batch: Batch) -> None:
        training, number = self.training, self.step + 1
        torch.manual_seed(_seed(training.seed, number, self.fabric.global_rank))  # of the dropout
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(number, self.steps, training.learning_rate)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        loss = total_loss(self.module(batch.image), batch, self.class_weights, training.dice_weight)
        self.fabric.backward(loss)
        if training.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), training.gradient_clip)
        self.optimiser.step()
        if self.averaged:
            self.averaged.update_parameters(self.network)
        self.unread.append(loss.detach())

    def _read(self) -> None:
        """Losses of the last steps, means over all processes, go into the history."""
        losses = self.fabric.all_reduce(torch.stack(self.unread), reduce_op="mean")
        self.unread.clear()
        for loss in losses.tolist():  # type: ignore[union-attr]  # a tensor gives a tensor
            number = len(self.history) + 1
            self.history.append(Step(number, loss, rate_at(number, self.steps, self.training.learning_rate)))
            self._require_sound("loss", loss)
        self.progress(len(self.history), self.steps, f"loss {self.history[-1].loss:.3f}")

    def _bound_steps(self) -> None:
        """Lower the number of steps, at step `TIMED`, to what the minutes allow; the first process says it for all."""
        if self.step <= TIMED:
            self.reads.append((self.step, monotonic()))
        if self.step != TIMED or len(self.reads) < 2:
            return
        times = [(now - then) / (step - before) for (before, then), (step, now) in pairwise(self.reads)]
        allowed = steps_within(self.training.minutes, median(times), self.training.steps)  # one stall says nothing
        self.steps = int(self.fabric.broadcast(allowed))
        if self.steps < self.training.steps:
            log.info("%d steps of %d fit into %g minutes", self.steps, self.training.steps, self.training.minutes)

    def _look(self) -> None:
        """Mean loss over the validation part; the parameters are kept where it is the least so far."""
        if not self.validation_batches:
            return
        looked = (
            _looked_at(self._kept_network, self.validation_batches, self.job, self.fabric)
            if self.fabric.is_global_zero
            else (0.0, ())
        )
        found, dice = self.fabric.broadcast(looked)
        last = self.history[-1]
        self.history[-1] = replace(last, validation_loss=found, validation_dice=dice)
        self._require_sound("validation loss", found)
        log.info("step %d: loss %.3f, validation loss %.3f", last.step, last.loss, found)
        least = self.history[self.best - 1].validation_loss if self.best else math.inf
        if least is not None and found < least:
            self.best, self.kept = last.step, _copied(self._kept_network)

    @property
    def _kept_network(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.averaged.module if self.averaged else self.network

    def _save(self) -> None:
        if self.job.checkpoints is not None and self.fabric.is_global_zero:
            self.job.checkpoints.save(self.state)

    def _require_sound(self, name: str, loss: float) -> None:
        """Refuse a loss from which no training comes back, with all that helps to find out why."""
        first = self.history[0].loss
        most = DIVERGED * (first if 1 < first < math.inf else 1.0)
        if math.isfinite(loss) and loss <= most:
            return
        step, checkpoints = self.history[-1].step, self.job.checkpoints
        names = draw_step(self.job.training_part, self.training, 0, step - 1).windows.names
        seen = f" on {', '.join(dict.fromkeys(names))}" if any(names) else ""
        saved = f"; the last good checkpoint is {checkpoints.newest}" if checkpoints and checkpoints.newest else ""
        raise ValueError(
            f"the {name} must stay finite and below {most:g}, got {loss:g} at step {step}{seen}{saved}; try a lower "
            "train.learning_rate, and look at these images and their truth"
        )


def start_loop(job: TrainingJob, fabric: "Fabric", progress: Progress) -> TrainingLoop:
    """A training at its first step, or at the step of its last checkpoint."""
    training, device = job.training, fabric.device
    torch.manual_seed(training.seed)
    network = UNet(training.architecture)
    saved = job.checkpoints.last(training.architecture) if job.checkpoints else None
    begun = saved.parameters if saved else job.start
    if begun is not None:
        network.load_state_dict({**network.state_dict(), **begun})
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    optimiser, averaged = optimiser_of(network, training), running_average(network, training.averaging)
    if saved:
        optimiser.load_state_dict(saved.optimiser)
    if saved and averaged:
        averaged.module.load_state_dict(saved.averaged or saved.parameters)
        averaged.n_averaged.fill_(saved.step)
    if training.compile:
        network.compile()
    module, optimiser = fabric.setup(network, optimiser)
    weights = torch.tensor(job.class_weights, dtype=torch.float32, device=device)
    kept_aside = list(validation_batches(job.validation_part, training, device))
    loop = TrainingLoop(
        job, fabric, progress, network, module, optimiser, weights, kept_aside, averaged, training.steps
    )
    if saved:
        log.info("going on from step %d", saved.step)
        loop.best, loop.kept, loop.history = saved.best, saved.kept, list(saved.history)
        loop.steps = saved.steps or training.steps
    return loop


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: values.detach().cpu().clone() for name, values in network.state_dict().items()}


def _seed(seed: int, step: int, rank: int) -> int:
    """A seed for each step of each process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


@torch.inference_mode()
def _looked_at(
    network: nn.Module, kept_aside: Sequence[Batch], job: TrainingJob, fabric: "Fabric"
) -> tuple[float, tuple[float | None, ...]]:
    """Mean loss over batches, and Dice of each class where there are several.

    The network is in evaluation mode, and the bare one, since the other processes do not look.
    """
    network.eval()
    weights = torch.tensor(job.class_weights, dtype=torch.float32, device=fabric.device)
    has_several, losses, overlaps = len(job.class_weights) > 2, [], []
    with fabric.autocast():
        for batch in kept_aside:
            scores = network(batch.image).float()
            losses.append(total_loss(scores, batch, weights, job.training.dice_weight))
            overlaps += [class_overlaps(scores, batch.classes)] if has_several else []
    return float(torch.stack(losses).mean()), dice_of_classes(torch.stack(overlaps).sum(dim=0)) if overlaps else ()
