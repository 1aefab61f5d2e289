"""Augmentation of a batch on its device: one field warps image, classes and border alike.

Elastic deformation as in Ronneberger et al. 2015: random vectors on a coarse 3 × 3 grid that spans the tile, Gaussian,
per-pixel displacement by bicubic interpolation (which passes through the grid's vectors). Images and borders are
sampled linearly, classes by nearest. Flips, quarter turns and displacements by whole pixels are exact: torch's
`grid_sample` is not, as it scales positions to −1 … 1 and back.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Batch:
    """Samples: image (n, c, y, x) float32, classes (n, y, x) int64, border (n, y, x) float32, all of one window."""

    image: Tensor
    classes: Tensor
    border: Tensor


def augment(batch: Batch, elastic: float, generator: torch.Generator) -> Batch:
    """The batch turned, flipped, deformed by `elastic` px (standard deviation), and with its grey values changed."""
    turns, flip = torch.randint(0, 4, (1,), generator=generator).item(), torch.rand(1, generator=generator).item() < 0.5
    batch = symmetric(batch, int(turns), flip)
    if elastic > 0:
        batch = warp(batch, displacement(batch.image, elastic, generator))
    return Batch(_grey(batch.image, generator), batch.classes, batch.border)


def symmetric(batch: Batch, turns: int, flip: bool) -> Batch:
    """The batch after `turns` quarter turns and, if asked, a flip: exact, no pixel is interpolated."""

    def move(values: Tensor) -> Tensor:
        turned = torch.rot90(values, turns, (-2, -1))
        return turned.flip(-1) if flip else turned

    return Batch(move(batch.image), move(batch.classes), move(batch.border))


def displacement(image: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Displacement (n, 2, y, x) in pixels, along x and y: 3 × 3 Gaussian vectors, bicubic in between."""
    coarse = torch.randn((image.shape[0], 2, 3, 3), generator=generator) * sigma
    return functional.interpolate(coarse.to(image.device), size=image.shape[-2:], mode="bicubic", align_corners=True)


def warp(batch: Batch, field: Tensor) -> Batch:
    """The batch sampled at each pixel's place plus `field`, mirrored beyond the window."""
    height, width = field.shape[-2:]
    x = torch.arange(width, device=field.device) + field[:, 0]
    y = torch.arange(height, device=field.device)[:, None] + field[:, 1]
    classes = _taken(batch.classes[:, None], _mirrored(y.round(), height), _mirrored(x.round(), width))[:, 0]
    linear = _linear(torch.cat([batch.image, batch.border[:, None]], dim=1), y, x)
    return Batch(linear[:, :-1], classes, linear[:, -1])


def _linear(values: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values (n, c, y, x) at the positions y and x (n, y, x), linear between the four pixels around."""
    top, left = y.floor(), x.floor()
    rows = [_mirrored(top + k, values.shape[-2]) for k in (0, 1)]
    columns = [_mirrored(left + k, values.shape[-1]) for k in (0, 1)]
    (nw, ne), (sw, se) = ([_taken(values, row, column) for column in columns] for row in rows)
    right, down = (x - left)[:, None], (y - top)[:, None]
    return torch.lerp(torch.lerp(nw, ne, right), torch.lerp(sw, se, right), down)


def _taken(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values (n, c, y, x) at an index for each pixel (n, y, x)."""
    index = (rows * values.shape[-1] + columns).flatten(1)[:, None].expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, index).view(values.shape)


def _mirrored(position: Tensor, size: int) -> Tensor:
    """Index within `size` of whole positions, mirrored again and again, as `unet.mirror` does."""
    period = max(2 * (size - 1), 1)
    position = position.long() % period
    return torch.minimum(position, period - position) if size > 1 else torch.zeros_like(position)


def _grey(image: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast 0.8–1.2 and brightness ±0.1 by sample, and noise of up to 0.05, on images normalised to about 0–1."""
    shape = (image.shape[0], 1, 1, 1)
    gain, shift, noise = (torch.rand(shape, generator=generator).to(image.device) for _ in range(3))
    grain = torch.randn(image.shape, generator=generator).to(image.device)
    return image * (0.8 + 0.4 * gain) + 0.2 * (shift - 0.5) + 0.05 * noise * grain
