"""One pass of a network, level by level through blocks: memory holds the maps that later levels need, and no more.

A level's two convolutions, with the pooling behind them or the widening and the joined skip before them, are taken
block by block; each reads the two pixels around it that they reach. What lies between the layers of a level stays
within a block, and mostly in the cache. The law: the scores are those of `UNet.forward`, to rounding.

Of a pass over 2144² px with 16 channels at depth 3 the layers' own maps would take 1.3 GB, these take 0.7 GB, and two
CPU cores are faster by a quarter, since small networks wait for memory and not for arithmetic.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unet.model import UNet

Block = tuple[slice, slice]
REACH = 2
"""Pixels on each side that two 3 × 3 convolutions reach."""


def folded(network: UNet) -> UNet:
    """The network in evaluation mode, its batch norms made part of the convolutions before them."""
    if network.architecture.norm == "none":
        return copy.deepcopy(network).eval()
    like = network.head.weight
    plain = UNet(replace(network.architecture, norm="none", bias=False)).to(like.device, like.dtype).eval()
    kept = {k: v for k, v in network.state_dict().items() if k.startswith(("up.", "head."))}
    plain.load_state_dict(kept, strict=False)
    for ours, theirs in zip([*plain.down, *plain.merge], [*network.down, *network.merge], strict=True):
        for here, there in ((0, 0), (2, 3)):
            convolution, norm = (copy.deepcopy(theirs[i]).double().eval() for i in (there, there + 1))
            ours[here] = fuse_conv_bn_eval(convolution, norm).to(like.dtype)
    return plain


@torch.inference_mode()
def class_scores(network: UNet, image: Tensor, block: int) -> Tensor:
    """Scores (n, classes, y, x) between 0 and 1 of a batch (n, channels, y, x), in float32 or better.

    Args:
        network: in evaluation mode, without batch norms (`folded`), on the image's device.
        image: of a size that the network takes; in channels-last order it is faster.
        block: side in pixels of a block, even. A network that is not tileable takes the whole.
    """
    if not network.architecture.tileable:
        return _softmax(network(image))
    skips = []
    for down in network.down[:-1]:
        skip, image = _down(cast("nn.Sequential", down), image, block)
        skips.append(skip)
    del skip
    image = _bottom(network, image, block)
    for up, merge in zip(network.up, network.merge, strict=True):
        head = network.head if len(skips) == 1 else None
        image = _merge(network, up, cast("nn.Sequential", merge), skips, image, block, head)
    return image


def _down(double: nn.Sequential, image: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """The two convolutions of a level, and what they give pooled."""
    full, pooled = _Canvas(), _Canvas()
    for place, shape, values in _in_blocks(double, lambda wanted: _cut(image, wanted), image.shape[-2:], block):
        full.put(values, place, shape)
        pooled.put(nn.functional.max_pool2d(values, 2), _halved(place), (shape[0] // 2, shape[1] // 2))
    return full.values, pooled.values


def _bottom(network: UNet, image: Tensor, block: int) -> Tensor:
    canvas, double = _Canvas(), cast("nn.Sequential", network.down[-1])
    for place, shape, values in _in_blocks(double, lambda wanted: _cut(image, wanted), image.shape[-2:], block):
        canvas.put(values, place, shape)
    return canvas.values


def _merge(  # noqa: PLR0913, PLR0917  # a level's three layers, its two maps, and how
    network: UNet,
    up: nn.Module,
    merge: nn.Sequential,
    skips: list[Tensor],
    image: Tensor,
    block: int,
    head: nn.Module | None,
) -> Tensor:
    """The widened map joined with the last skip, which is used up, and convolved; with a `head`, the scores of that."""
    skip, canvas = skips.pop(), _Canvas()
    size = 2 * image.shape[-2], 2 * image.shape[-1]
    lost = (skip.shape[-2] - size[0]) // 2, (skip.shape[-1] - size[1]) // 2  # of unpadded networks
    rim = 0 if network.architecture.up == "transposed" else 1  # half-size pixels that widening reaches

    def joined(wanted: Block) -> Tensor:
        around = _both(lambda part, side: _grown(part, rim, side), wanted, image.shape[-2:])
        widened = up(_cut(image, around))
        rows, columns = _both(lambda p, a: slice(p.start - 2 * a.start, p.stop - 2 * a.start), wanted, around)
        y, x = _both(lambda p, n: slice(p.start + n, p.stop + n), wanted, lost)
        return torch.cat([skip[..., y, x], widened[..., rows, columns]], dim=1)

    for place, shape, values in _in_blocks(merge, joined, size, block):
        canvas.put(values if head is None else _softmax(head(values)), place, shape)
    return canvas.values


def _in_blocks(
    double: nn.Sequential, source: Callable[[Block], Tensor], size: tuple[int, ...], block: int
) -> Iterator[tuple[Block, tuple[int, int], Tensor]]:
    """Where each block lies in a level's output, that output's height and width, and the block's values.

    `source` gives the input of a rectangle, `size` is the whole input's height and width.
    """
    padded = cast("nn.Conv2d", double[0]).padding != (0, 0)
    rim = REACH if padded else 0
    height, width = (side - (0 if padded else 2 * REACH) for side in size)
    for y in range(0, height, block):
        for x in range(0, width, block):
            place = slice(y, min(y + block, height)), slice(x, min(x + block, width))
            wanted = _both(
                lambda part, side: slice(max(part.start - rim, 0), min(part.stop + 2 * REACH - rim, side)), place, size
            )
            rows, columns = _both(lambda p, w: slice(p.start - w.start, p.stop - w.start), place, wanted)
            yield place, (height, width), double(source(wanted))[..., rows, columns]


def _both(part: Callable[[slice, Any], slice], of: Block, other: Sequence[Any]) -> Block:
    """What `part` makes of rows and columns, each with its own of `other`."""
    return part(of[0], other[0]), part(of[1], other[1])


def _grown(part: slice, rim: int, side: int) -> slice:
    """The half-size pixels of a range, and `rim` more on both sides where they are."""
    return slice(max(part.start // 2 - rim, 0), min(-(-part.stop // 2) + rim, side))


class _Canvas:
    """A map put together of blocks; one block that is the whole is taken as it is."""

    values: Tensor

    def put(self, values: Tensor, place: Block, shape: tuple[int, int]) -> None:
        if tuple(values.shape[-2:]) == shape:
            self.values = values
            return
        if not hasattr(self, "values"):
            self.values = torch.empty(
                (*values.shape[:2], *shape),
                dtype=values.dtype,
                device=values.device,
                memory_format=torch.channels_last,
            )
        rows, columns = place
        self.values[..., rows, columns] = values


def _cut(image: Tensor, wanted: Block) -> Tensor:
    """A rectangle of a map, in its own memory: convolutions of a view would first lay it out anew, in a slower way."""
    rows, columns = wanted
    return image[..., rows, columns].contiguous(memory_format=torch.channels_last)


def _halved(place: Block) -> Block:
    rows, columns = place
    return slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)


def _softmax(scores: Tensor) -> Tensor:
    return torch.softmax(scores, dim=1, dtype=torch.promote_types(scores.dtype, torch.float32))
