"""Checkpoints: all that a training goes on from, each a file that is put whole and read as tensors alone.

A file is called after its step and the digest of its bytes, so that a damaged one is known before it is read. The last
two are kept: where the newer one is damaged, the one before it is taken, and training goes on to the same parameters,
as every step depends on the seed, the step's number and the parameters before it alone.

Rejected: Lightning's own checkpoints (pickles, written in place), and random states in the file (drawing depends on no
state, and dropout is seeded anew at each step).
"""

import csv
import hashlib
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from unet.dataset.folder import Folder, Json
from unet.network.torch_files import read_torch
from unet.settings.architecture import Architecture

log = logging.getLogger(__name__)

CHECKPOINTS_KEPT = 2
"""Checkpoints that are kept while training goes on."""


@dataclass(frozen=True)
class Step:
    """One step's figures; `validation_loss` where there was a look at the validation part.

    `validation_dice` is that of each class of objects, where there are several: None of one that is not there.
    """

    step: int
    loss: float
    rate: float
    validation_loss: float | None = None
    validation_dice: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class CheckpointState:
    """A training after some steps: parameters of now and of the best look, the optimiser's state, all steps' figures.

    `best` is the step whose parameters are `kept`; 0 before the first look, when there are none. `averaged` is their
    running average, where there is one; `steps` are those to be made in all, 0 in files from before that was kept.
    """

    architecture: Architecture
    parameters: dict[str, Tensor]
    optimiser: Json
    best: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)
    history: tuple[Step, ...] = ()
    averaged: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0

    @property
    def step(self) -> int:
        """Number of steps made so far."""
        return len(self.history)


def plain_history(history: Sequence[Step], classes: Sequence[str] = ()) -> list[Json]:
    """Plain values for model.json; Dice by the names of `classes`, if they are given, and only where there is one."""
    rows = [asdict(step) for step in history]
    for row in rows:
        dice = row.pop("validation_dice")
        if dice:
            row["validation_dice"] = dict(zip(classes, dice, strict=True)) if classes else dice
    return rows


def history_csv(history: Sequence[Step], classes: Sequence[str] = ()) -> bytes:
    """A row for each step, for spreadsheets: step, loss, learning rate, and the validation loss where there was a look.

    Dice of each of these `classes` has a column of its own.

    >>> print(history_csv([Step(1, 0.5, 0.001), Step(2, 0.25, 0.001, 0.75)]).decode(), end="")
    step,loss,rate,validation_loss
    1,0.5,0.001,
    2,0.25,0.001,0.75
    >>> print(history_csv([Step(1, 0.5, 0.001, 0.75, (0.9, None))], ["a", "b"]).decode(), end="")
    step,loss,rate,validation_loss,validation_dice_a,validation_dice_b
    1,0.5,0.001,0.75,0.9,
    """
    names = [each.name for each in fields(Step)][:4]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *(f"validation_dice_{name}" for name in classes)])
    for step in history:
        writer.writerow([*(getattr(step, name) for name in names), *(step.validation_dice or [None] * len(classes))])
    return text.getvalue().encode()


def to_bytes(state: CheckpointState) -> bytes:
    """The state as a file of torch's, of tensors and plain values alone."""
    values: dict[str, Any] = {**vars(state), "architecture": asdict(state.architecture)}
    buffer = io.BytesIO()
    torch.save(values | {"history": plain_history(state.history)}, buffer)
    return buffer.getvalue()


def from_bytes(content: bytes) -> CheckpointState:
    """The state of a file; ValueError where it is none. Nothing in it is run."""
    try:
        values = read_torch(content)
        history = tuple(Step(**row) for row in values["history"])
        return CheckpointState(**{**values, "architecture": Architecture(**values["architecture"]), "history": history})
    except (KeyError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"a checkpoint must hold tensors and plain values of a training, got {said}") from error


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training, in a folder."""

    folder: Folder

    def save(self, state: CheckpointState) -> None:
        """Put a checkpoint, then remove all but the last two."""
        content = to_bytes(state)
        (self.folder / f"{state.step:08d}-{_digest(content)}.pt").write(content)
        self.keep(CHECKPOINTS_KEPT)

    def last(self, architecture: Architecture) -> CheckpointState | None:
        """The newest checkpoint that is whole and of this network; others are skipped with a warning."""
        for name in reversed(self._names()):
            try:
                return self._read(name, architecture)
            except ValueError as error:
                log.warning("%s is skipped: %s", (self.folder / name).url, error)
        return None

    def keep(self, count: int) -> None:
        """Remove all but the last `count` checkpoints, half-written files too."""
        kept = self._names()[-count:]
        for name in self.folder.names():
            if name not in kept:
                (self.folder / name).remove()

    @property
    def newest(self) -> str:
        """Where the last one lies, for people to find it; empty where there is none."""
        names = self._names()
        return (self.folder / names[-1]).url if names else ""

    def _names(self) -> list[str]:
        """Names of the checkpoints, the oldest first."""
        return [name for name in self.folder.names() if re.fullmatch(r"\d{8}-[0-9a-f]{12}\.pt", name)]

    def _read(self, name: str, architecture: Architecture) -> CheckpointState:
        content = (self.folder / name).read() or b""
        if _digest(content) != name[9:21]:
            raise ValueError("a checkpoint must have the digest in its name, got a damaged file")
        state = from_bytes(content)
        if state.architecture != architecture:
            raise ValueError(f"a checkpoint must be of {architecture}, got {state.architecture}")
        return state


def _digest(content: bytes) -> str:
    """Twelve hex digits that stand for the bytes."""
    return hashlib.blake2b(content, digest_size=6).hexdigest()
