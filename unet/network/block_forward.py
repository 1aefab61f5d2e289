"""One pass of a network, level by level through blocks: memory holds the maps that later levels need, and no more.

A level's two convolutions, with the pooling behind them or the widening and the joined skip before them, are taken
block by block; each reads the two pixels around it that they reach. What lies between the layers of a level stays
within a block, and mostly in the cache. The law: the scores are those of `UNet.forward`, to rounding.

Tiles can so be several times as large in the same memory, and a small network on a CPU, which waits for memory and not
for arithmetic, is faster than layer by layer.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from threading import Lock
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unet.network.block_sides import level_side
from unet.network.map_memory import MakeMap, MapMemory
from unet.network.padding import convolved
from unet.network.unet import UNet

MapBlock = tuple[slice, slice]
ReadBlock = Callable[[MapBlock], Tensor]
Layer = Callable[[Tensor], Tensor]
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


class BlockThreads:
    """Threads that share the blocks of a pass; each computes alone, so that scores do not depend on their number.

    Torch's own threads would share every convolution instead, and wait for each other after each, which takes a
    multiple of the time where something else runs on one of the cores.
    """

    def __init__(self, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, "pass", torch.set_num_threads, (1,))

    def __call__(self, work: Callable[[MapBlock], None], blocks: Iterable[MapBlock]) -> None:
        """Do the work for every block; the first error is raised."""
        for _ in self.pool.map(work, blocks):
            pass


def one_by_one(work: Callable[[MapBlock], None], blocks: Iterable[MapBlock]) -> None:
    """Do the work block after block: on a GPU, and with one thread."""
    for block in blocks:
        work(block)


ForEachBlock = Callable[[Callable[[MapBlock], None], Iterable[MapBlock]], None]


@torch.inference_mode()
def class_scores(
    network: UNet, image: Tensor, block: int, each: ForEachBlock = one_by_one, memory: MapMemory | None = None
) -> Tensor:
    """Scores (n, classes, y, x) between 0 and 1 of a batch (n, channels, y, x), in float32 or better.

    Args:
        network: in evaluation mode, without batch norms (`folded`), on the image's device.
        image: of a size that the network takes; in channels-last order it is faster.
        block: side in pixels of the first level's blocks, as many values as all others'. A network that is not
            tileable takes the whole.
        each: does the work for every block, a `BlockThreads` perhaps.
        memory: in which its maps lie, kept by who predicts tile after tile.
    """
    if not network.architecture.tileable:
        return _softmax(network(image))
    with (memory or MapMemory()).maps(network.architecture, image) as make:
        return _through_levels(network, image, block, each, make)


def _through_levels(network: UNet, image: Tensor, block: int, each: ForEachBlock, make: MakeMap) -> Tensor:
    skips, depth = [], network.architecture.depth

    def blocks(level: int) -> _Blocks:
        return _Blocks(level_side(block, level), each, make)

    for level, down in enumerate(network.down):
        kept: dict[str, Layer] = {f"skip {level}": _as_it_is, f"pooled {level}": _pooled}
        layers = kept if level < depth else {f"up {level}": _as_it_is}
        *skip, image = _level(
            down, _from(image), image.shape[-2:], _Blocks(level_side(block, level), each, make), layers
        )
        skips += skip
    for level, up, merge in zip(reversed(range(depth)), network.up, network.merge, strict=True):
        source, size = _widened(network, up, image, skips.pop())
        layers = {f"up {level}": _as_it_is if level else lambda values: _softmax(network.head(values))}
        (image,) = _level(merge, source, size, blocks(level), layers)
        del source
    return image


class _Blocks(NamedTuple):
    """How a level is gone through."""

    side: int
    each: ForEachBlock
    make: MakeMap
    """Memory of a map of a name and a shape."""


def _level(
    double: nn.Module, source: ReadBlock, size: Sequence[int], blocks: _Blocks, layers: Mapping[str, Layer]
) -> list[Tensor]:
    """The maps of a level by their names: its two convolutions, and each of `layers` applied to their values.

    `source` gives the input of a rectangle, `size` is the whole input's height and width. Of a block of the output the
    input is read with the two pixels around it that the convolutions reach:

        padded     wanted ⊇ place, 2 px more on each side that is no edge; at an edge zeros, then cut back to `place`
        unpadded   wanted = place and 4 px behind it: the output lies 2 px inside the input already
    """
    padded = cast("nn.Conv2d", cast("nn.Sequential", double)[0]).padding != (0, 0)
    rim, canvases = REACH if padded else 0, [_Canvas(name, blocks.make) for name in layers]
    height, width = (side - (0 if padded else 2 * REACH) for side in size)

    @torch.inference_mode()
    def work(place: MapBlock) -> None:
        wanted = _both(
            lambda part, side: slice(max(part.start - rim, 0), min(part.stop + 2 * REACH - rim, side)), place, size
        )
        if all(w.stop - w.start == p.stop - p.start + 2 * REACH for p, w in zip(place, wanted, strict=True)):
            values = convolved(double, source(wanted), 0)
        else:
            rows, columns = _both(lambda p, w: slice(p.start - w.start, p.stop - w.start), place, wanted)
            values = convolved(double, source(wanted), 1)[..., rows, columns]
        for canvas, layer in zip(canvases, layers.values(), strict=True):
            canvas.put(layer(values), place, (height, width))

    blocks.each(work, _places(height, width, blocks.side))
    return [canvas.values for canvas in canvases]


def _from(image: Tensor) -> ReadBlock:
    return lambda wanted: _cut(image, wanted)


def _widened(network: UNet, up: nn.Module, image: Tensor, skip: Tensor) -> tuple[ReadBlock, tuple[int, int]]:
    """Gives rectangles of the widened map joined with the skip; and its height and width."""
    size = 2 * image.shape[-2], 2 * image.shape[-1]
    lost = (skip.shape[-2] - size[0]) // 2, (skip.shape[-1] - size[1]) // 2  # of unpadded networks
    rim = 0 if network.architecture.up == "transposed" else 1  # half-size pixels that widening reaches

    def joined(wanted: MapBlock) -> Tensor:
        around = _both(lambda part, side: _grown(part, rim, side), wanted, image.shape[-2:])
        widened = up(_cut(image, around))
        rows, columns = _both(lambda p, a: slice(p.start - 2 * a.start, p.stop - 2 * a.start), wanted, around)
        y, x = _both(lambda p, n: slice(p.start + n, p.stop + n), wanted, lost)
        return torch.cat([skip[..., y, x], widened[..., rows, columns]], dim=1)

    return joined, size


def _places(height: int, width: int, side: int) -> list[MapBlock]:
    """Blocks that partition a map."""
    rows, columns = ([slice(i, min(i + side, length)) for i in range(0, length, side)] for length in (height, width))
    return list(product(rows, columns))


def _both(part: Callable[[slice, Any], slice], of: MapBlock, other: Sequence[Any]) -> MapBlock:
    """The result of `part` for rows and for columns, each with its own entry of `other`."""
    return part(of[0], other[0]), part(of[1], other[1])


def _grown(part: slice, rim: int, side: int) -> slice:
    """The half-size pixels of a range, and `rim` more on both sides where they are."""
    return slice(max(part.start // 2 - rim, 0), min(-(-part.stop // 2) + rim, side))


class _Canvas:
    """A map put together from blocks, which a layer may have made smaller; one block may be the whole map."""

    def __init__(self, name: str, make: MakeMap) -> None:
        self.name, self.make, self.lock, self.values = name, make, Lock(), torch.empty(0)

    def put(self, values: Tensor, place: MapBlock, shape: tuple[int, int]) -> None:
        smaller = (place[0].stop - place[0].start) // values.shape[-2]
        size = shape[0] // smaller, shape[1] // smaller
        if values.shape[-2:] == size:
            self.values = values
            return
        with self.lock:
            if not self.values.numel():
                self.values = self.make(self.name, (*values.shape[:2], *size), values)
        rows, columns = (slice(part.start // smaller, part.stop // smaller) for part in place)
        self.values[..., rows, columns] = values


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _pooled(values: Tensor) -> Tensor:
    return nn.functional.max_pool2d(values, 2)


def _cut(image: Tensor, wanted: MapBlock) -> Tensor:
    """A rectangle of a map, in its own memory: convolutions of a view would first lay it out anew, in a slower way."""
    rows, columns = wanted
    return image[..., rows, columns].contiguous(memory_format=torch.channels_last)


def _softmax(scores: Tensor) -> Tensor:
    return torch.softmax(scores, dim=1, dtype=torch.promote_types(scores.dtype, torch.float32))
