"""Augmentation of a batch on its device: one field samples image, classes and border alike, once.

The field joins what moves a sample: quarter turns and flips, rotation, scale, shift, and the elastic deformation of
Ronneberger et al. 2015: Gaussian vectors on a 3 × 3 grid that spans the tile, per-pixel displacement by bicubic
interpolation, which passes through the grid's vectors. Images and borders are sampled linearly, classes by nearest.

What a field samples is read beforehand: `margin` says how much more than the tile, so that a tile is never mirrored at
its own edges, only the image at its true ones. At a whole position the sample is that pixel bit for bit: turns, flips
and whole shifts are exact, and no change at all gives the very same values.

Nearest sampling breaks the one-pixel ridge between touching objects here and there: on drawn cells, of 100 neighbours
parted by a ridge one or two share a piece connected by faces after a change within the default limits, and 14 one
connected by corners too; turns, flips and shifts break none. The border's weights stay high around such a gap.

Rejected: `grid_sample`, which scales positions to −1 … 1 and back, so that no position stays whole; it is faster on a
CPU, by a hundredth of a training step. Rejected: deformed instances parted anew, which needs their ids at every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from unet.settings.augmentation import Augmentation

OVERSHOOT = 1.375**2
"""Greatest sum of a bicubic interpolation's absolute weights, half-way between grid points: its field is at most as
many times the largest vector."""


@dataclass(frozen=True)
class Batch:
    """Samples: image (n, c, y, x) float32, classes (n, y, x) int64, border (n, y, x) float32, names of their planes."""

    image: Tensor
    classes: Tensor
    border: Tensor
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """The change that augmentation makes to one sample."""

    matrix: NDArray[np.float64]
    """2 × 2: from a pixel's place to the place that is sampled, both (y, x) from the tile's centre."""
    shift: NDArray[np.float64]
    """(y, x) in pixels, added to the place that is sampled."""
    vectors: NDArray[np.float64]
    """(y and x, 3, 3) in pixels: displacement at the grid's points."""
    gain: float
    offset: float
    slope: tuple[float, float]
    """What is added along y and x, over the tile's side; 0 in its middle."""
    gamma: float
    noise: float
    """Standard deviation, in the normalised image's grey values."""
    blur: float
    """Standard deviation in pixels."""
    seed: int
    """Of the noise."""


def draw_change(limits: Augmentation, draw: np.random.Generator) -> Change:
    """A change within the limits."""
    turns, flips = draw.integers((4, 2)) if limits.flips_and_quarter_turns else (0, 0)
    angle, power, gamma = draw.uniform(-1, 1, 3) * (limits.rotation, np.log(limits.scale), np.log(limits.gamma))
    turned = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), turns) * (1, -1 if flips else 1)
    return Change(
        matrix=_rotation(np.deg2rad(angle)) @ turned * np.exp(power),
        shift=draw.uniform(-1, 1, 2) * limits.shift,
        vectors=draw.normal(0, 1, (2, 3, 3)) * limits.elastic,
        gain=1 + draw.uniform(-1, 1) * limits.gain,
        offset=draw.uniform(-1, 1) * limits.offset,
        slope=_any_direction(draw, limits.slope),
        gamma=float(np.exp(gamma)),
        noise=draw.uniform(0, 1) * limits.noise,
        blur=draw.uniform(0, 1) * limits.blur,
        seed=int(draw.integers(2**62)),
    )


def _any_direction(draw: np.random.Generator, most: float) -> tuple[float, float]:
    """A vector (y, x) of any direction and of a length up to `most`."""
    angle, length = draw.uniform(0, 2 * np.pi), draw.uniform(0, most)
    return float(length * np.sin(angle)), float(length * np.cos(angle))


def _rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def margin(change: Change, side: int) -> int:
    """Pixels around a tile of `side` that the change may sample: none for turns and flips alone.

    >>> still = draw_change(Augmentation.none(), np.random.default_rng(0))
    >>> from dataclasses import replace
    >>> margin(still, 9), margin(replace(still, matrix=1.5 * np.eye(2)), 9)
    (0, 2)
    """
    half = (side - 1) / 2
    corners = np.abs(change.matrix).sum(axis=1) * half
    beyond: NDArray[np.float64] = corners - half + np.abs(change.shift) + OVERSHOOT * np.abs(change.vectors).max()
    return max(ceil(float(beyond.max()) - 1e-6), 0)


def augment(batch: Batch, changes: Sequence[Change], side: int) -> Batch:
    """The middle `side` × `side` pixels of a batch of square windows, each sample changed in its own way."""
    y, x = positions(changes, side, batch.image.device)
    rim = (batch.classes.shape[-1] - side) // 2
    sampled = sample_linear(torch.cat([batch.image, batch.border[:, None]], dim=1), y, x, rim)
    classes = sample_nearest(batch.classes, y, x, rim).long()
    image = blur(sampled[:, :-1], [change.blur for change in changes])
    return Batch(_grain(_grey(image, changes), changes), classes, sampled[:, -1], batch.names)


def positions(changes: Sequence[Change], side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns (n, side, side) that are sampled, from the tile's corner on."""
    matrix, shift, vectors = (
        torch.tensor(np.stack([getattr(change, name) for change in changes]), dtype=torch.float32, device=device)
        for name in ("matrix", "shift", "vectors")
    )
    centre = (side - 1) / 2
    place = torch.arange(side, device=device) - centre
    linear = matrix[:, :, :1, None] * place[:, None] + matrix[:, :, 1:, None] * place
    elastic = functional.interpolate(vectors, size=(side, side), mode="bicubic", align_corners=True)
    y, x = (linear + (shift + centre)[:, :, None, None] + elastic).unbind(1)
    return y, x


def sample_linear(values: Tensor, y: Tensor, x: Tensor, rim: int) -> Tensor:
    """Values (n, c, rows, columns) at positions, linear between the four pixels around.

    Args:
        values: read with `rim` pixels around the tile.
        y: rows (n, side, side), counted from the tile's corner, so that the rim does not round them.
        x: columns.
        rim: in pixels.
    """
    pixels = values.permute(0, 2, 3, 1).flatten(0, 2)
    top, left = y.floor(), x.floor()
    (nw, ne), (sw, se) = (
        [pixels.index_select(0, _flat(row, column, rim, values.shape)) for column in (left, left + 1)]
        for row in (top, top + 1)
    )
    down, across = (part.flatten()[:, None] for part in (y - top, x - left))
    sampled = torch.lerp(torch.lerp(nw, ne, across), torch.lerp(sw, se, across), down)
    return sampled.view(*y.shape, values.shape[1]).permute(0, 3, 1, 2)


def sample_nearest(values: Tensor, y: Tensor, x: Tensor, rim: int) -> Tensor:
    """Values (n, rows, columns) at the pixels nearest to positions; as `sample_linear`."""
    return values.flatten().index_select(0, _flat(y.round(), x.round(), rim, values.shape)).view(y.shape)


def _flat(rows: Tensor, columns: Tensor, rim: int, shape: torch.Size) -> Tensor:
    """Index of whole positions (n, side, side) among the pixels of all samples in turn."""
    height, width = shape[-2:]
    sample = torch.arange(len(rows), device=rows.device)[:, None, None] * (height * width)
    row, column = (rows.long() + rim).clamp(0, height - 1), (columns.long() + rim).clamp(0, width - 1)
    return (row * width + column + sample).flatten()


def blur(image: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Images (n, c, y, x) after a Gaussian of so many pixels each, cut at 3 σ; the edge's pixels go on beyond it."""
    reach = torch.tensor([int(3 * sigma) for sigma in sigmas], device=image.device)[:, None]
    most = int(3 * max(sigmas))
    if most == 0:
        return image
    place = torch.arange(-most, most + 1, device=image.device)
    sigma = torch.tensor(sigmas, device=image.device).clamp_min(0.1)[:, None]  # below it there is no reach
    weights = torch.exp(-0.5 * (place / sigma) ** 2) * (place.abs() <= reach)
    kernel = (weights / weights.sum(1, keepdim=True)).repeat_interleave(image.shape[1], 0)[:, None, None]
    padded = functional.pad(image, [most] * 4, mode="replicate").flatten(0, 1)[None]
    rows = functional.conv2d(padded, kernel, groups=len(kernel))
    return functional.conv2d(rows, kernel.transpose(2, 3), groups=len(kernel)).view(image.shape)


def _grey(image: Tensor, changes: Sequence[Change]) -> Tensor:
    """Grey values raised to a power, keeping their sign, then scaled and moved, more on one side than on the other."""
    gain, offset, gamma = (
        torch.tensor([getattr(change, name) for change in changes], device=image.device)[:, None, None, None]
        for name in ("gain", "offset", "gamma")
    )
    place = (torch.arange(image.shape[-1], device=image.device) + 0.5) / image.shape[-1] - 0.5
    down, across = torch.tensor([change.slope for change in changes], device=image.device).unbind(1)
    slope = down[:, None, None, None] * place[:, None] + across[:, None, None, None] * place
    return image.sign() * image.abs() ** gamma * gain + offset + slope


def _grain(image: Tensor, changes: Sequence[Change]) -> Tensor:
    """The images with Gaussian noise of their own."""
    if not any(change.noise for change in changes):
        return image
    seeded = [torch.Generator(image.device).manual_seed(change.seed) for change in changes]
    noise = [torch.randn(image.shape[1:], generator=one, device=image.device) for one in seeded]
    return image + torch.stack([grain * change.noise for grain, change in zip(noise, changes, strict=True)])
