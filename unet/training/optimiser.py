"""How the parameters move: the optimiser, its learning rate step by step, and the running average that is kept.

Rejected, tried on nuclei: tiles with mirrored context beyond what the loss is taken over, which cost half as much again
and brought nothing.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from unet.network.unet import UNet
from unet.settings.train import Training

WARM_UP = 0.05
"""Share of the steps over which the learning rate rises to its peak."""
TIMED = 20
"""The step at which the minutes become a number of steps, by the middle one of the times that those before took."""


def rate_at(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step, counted from 1: a rise over the first 5 % of the steps, then half a cosine down to 0.

    >>> [round(rate_at(step, 40, 1.0), 2) for step in (1, 2, 21, 40)]
    [0.5, 1.0, 0.54, 0.0]
    """
    warm = max(int(WARM_UP * steps), 1)
    if step <= warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - 1 - warm) / max(steps - warm, 1)))


def steps_within(minutes: float, seconds: float, steps: int) -> int:
    """Steps that fit into some minutes at so many seconds each: at least those that were timed, at most `steps`.

    >>> steps_within(1, 0.5, 1000), steps_within(1, 0.05, 1000), steps_within(0, 0.5, 1000)
    (120, 1000, 1000)
    """
    return min(steps, max(int(60 * minutes / seconds), TIMED)) if minutes else steps


def optimiser_of(network: UNet, training: Training) -> torch.optim.Optimizer:
    """The optimiser that the settings name, at its first step."""
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), rate, training.momentum, weight_decay=decay)
    return torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)  # half the time on a CPU


def running_average(network: UNet, averaging: float) -> AveragedModel | None:
    """The running average of a network's parameters and norms, as it begins; None where nothing is averaged."""
    if not averaging:
        return None
    return AveragedModel(network, multi_avg_fn=partial(_take_in, averaging), use_buffers=True)


@torch.no_grad()
def _take_in(averaging: float, averages: Any, values: Any, taken: Tensor | int) -> None:
    """Take a step's values into their averages, of which the first steps, far from any goal, are soon forgotten."""
    share = 1 - min(averaging, (1 + int(taken)) / (10 + int(taken)))
    for average, value in zip(averages, values, strict=True):
        if average.dtype.is_floating_point:
            average.lerp_(value, share)
        else:
            average.copy_(value)
