"""Instances: the segments of an array of scores, block by block from store to store.

Two passes over the scores: `label` keeps what `merging` merges, `write` writes the ids of the whole and measures.
Where clumps are parted, `part` comes between: each clump is looked at in its own bounding box by the block that its
first pixel lies in; where it reaches beyond the block, the box is read from the scores.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.images.array_types import Ids, Labels, Mask
from unet.labels.connected import connected_segments, label_block, relabel_block
from unet.labels.declumping import part_clump
from unet.labels.measures import Measures, measure_block
from unet.labels.merging import BlockLabels, Merged, Rules
from unet.labels.renumbering import Clump
from unet.labels.scores import Scores, of_any, reaching, read_channels
from unet.settings.segment import SegmentNumbers
from unet.store.arrays import Stored
from unet.store.shards import Layout, Region, overlapping, regions, within

PLANES = 16
"""Planes of a block where objects go on along z."""


@dataclass(frozen=True, eq=False)
class Box:
    """An object that may be a clump: where it lies."""

    id: int
    region: Region
    """Its bounding box in the whole array."""
    first: tuple[int, ...]
    """Its first pixel in the whole array."""
    parts: Labels | None = None
    """Final ids of its parts 0 … k, once they are known."""

    @property
    def span(self) -> list[tuple[int, int]]:
        """The box as plain values: first index and last plus 1 along each axis."""
        return [(part.start, part.stop) for part in self.region]

    @property
    def pixels(self) -> int:
        """Pixels of the bounding box."""
        return math.prod(part.stop - part.start for part in self.region)


class BlockClumps(NamedTuple):
    """What is needed to part the clumps of a block."""

    block: Region
    lookup: Labels
    """Ids of its components."""
    boxes: Sequence[Box]
    """The objects to be looked at."""


class BlockToWrite(NamedTuple):
    """What is needed to write a block."""

    block: Region
    final: Labels
    """Final ids of its components; 0 for clumps."""
    before: Labels
    """Ids of its components before clumps were parted."""
    clumps: Sequence[Box]


@dataclass(frozen=True)
class Instances:
    """What all passes need, as plain values: it goes to the workers."""

    image: Folder
    image_axes: str
    scores: Scores
    target: Folder
    axes: str
    layout: Layout
    settings: SegmentNumbers
    spacing: tuple[float, ...] | None = None
    """Steps along the linked axes, in y x pixels."""

    @property
    def rules(self) -> Rules:
        """What an object is; it goes on along z only where there is one."""
        dimensions = 3 if self.settings.dimensions == 3 and "z" in self.axes else 2
        return Rules(dimensions, self.settings.connectivity, self.settings.min_size, self.settings.max_hole_size)

    def blocks(self) -> Iterator[Region]:
        """Blocks of whole shards that tile the array."""
        planes = 1 if self.rules.dimensions == 2 else PLANES
        *leading, y, x = self.layout.shard
        return regions(
            Layout(self.layout.shape, (*leading[:-1], *([planes] if leading else []), y, x), self.layout.chunk)
        )

    def label(self, block: Region) -> BlockLabels:
        """The first pass."""
        scores = of_any(self.scores.read(block))
        high = None if self.settings.high_threshold is None else reaching(scores, self.settings.high_threshold)
        origin, mask = [part.start for part in block], reaching(scores, self.settings.threshold)
        return label_block(mask, origin, self.layout.shape, self.rules, high, self.settings.declump_depth > 0)

    def part(self, look: BlockClumps) -> list[Clump]:
        """The clumps among a block's objects, with their parts."""
        block, lookup, boxes = look
        labels = relabel_block(self._mask(block), lookup, self.rules)
        found = ((box, self._parts(box, block, labels)) for box in boxes)
        return [self._clump(box, parts) for box, parts in found if parts.max() > 1]

    def write(self, work: BlockToWrite) -> Measures:
        """The second pass: write a block's segments, and measure them."""
        labels, classes = self.relabel(work)
        pixels = read_channels(self.image, self.image_axes, self.axes, work.block)
        return measure_block(labels, pixels, of_any(classes), [part.start for part in work.block], classes)

    def relabel(self, work: BlockToWrite) -> tuple[Labels, NDArray[Any]]:
        """Write a block's segments; returns them and the scores of its classes."""
        block, final, before, clumps = work
        classes = self.scores.read(block)
        mask = reaching(of_any(classes), self.settings.threshold)
        labels = relabel_block(mask, final, self.rules)
        if clumps:
            objects = relabel_block(mask, before, self.rules)
            for box in clumps:
                self._paint(labels, box, block, objects)
        target = Stored(self.target)
        for region in overlapping(block, self.layout):
            if not target.is_done(region):
                target.write(region, labels[within(region, block)])
        return labels, classes

    def boxes(self, merged: Merged) -> tuple[dict[int, Box], list[Box]]:
        """The objects that may be parted, by their id, and the objects that are too large to be parted."""
        corners = zip(*np.unravel_index(merged.first, self.layout.shape), strict=True)
        all_of_them = [
            Box(number, tuple(map(slice, *box.tolist())), tuple(map(int, corner)))
            for number, (box, corner) in enumerate(zip(merged.box, corners, strict=True), start=1)
        ]
        large = [box for box in all_of_them if box.pixels > self.settings.max_declump_box]
        return {box.id: box for box in all_of_them if box.pixels <= self.settings.max_declump_box}, large

    def _mask(self, block: Region) -> Mask:
        return reaching(of_any(self.scores.read(block)), self.settings.threshold)

    def _parts(self, box: Box, block: Region, objects: Labels) -> Ids:
        """Parts 1 … k of one object in its bounding box, given the objects of a block that it has pixels in.

        The object is parted by its distance to the background. Around its box there is background, but for the edges
        of the array, beyond which nothing is known. So a layer is added where the array goes on, and cut off again:

            array  ┌─box─┐──────┐         padded  ┌─────┬─┐
                   │ ●●  │      │    ──▶          │ ●●  │·│   a layer behind and below, none before and above
                   └─────┘      │                 ├─────┘·│
                   └────────────┘                 └·······┘
        """
        inside = all(b.start <= r.start and r.stop <= b.stop for r, b in zip(box.region, block, strict=True))
        mask = objects[within(box.region, block)] == box.id if inside else self._read(box)
        linked = self.rules.dimensions
        sides = zip(box.region, self.layout.shape, strict=True)
        more = [(int(part.start > 0), int(part.stop < size)) for part, size in sides][-linked:]
        padded = np.pad(mask.reshape(mask.shape[-linked:]), more)
        parts = part_clump(padded, self.settings.declump_depth, self.rules.connectivity, self.spacing)
        cut = tuple(slice(low, low + side) for (low, _), side in zip(more, mask.shape[-linked:], strict=True))
        return parts[cut].reshape(mask.shape)

    def _read(self, box: Box) -> Mask:
        """The object's pixels in its bounding box, read from the scores, its holes filled."""
        rules = self.rules
        found = connected_segments(self._mask(box.region), rules.dimensions, rules.connectivity, 0, rules.max_hole_size)
        return np.asarray(
            found == found[tuple(at - part.start for at, part in zip(box.first, box.region, strict=True))]
        )

    def _clump(self, box: Box, parts: Ids) -> Clump:
        first = np.unique(parts, return_index=True)[1][-int(parts.max()) :]
        places = np.unravel_index(first, parts.shape)
        whole = [place + part.start for place, part in zip(places, box.region, strict=True)]
        return Clump(box.id, np.ravel_multi_index(whole, self.layout.shape), np.bincount(parts.ravel())[1:])

    def _paint(self, labels: Labels, box: Box, block: Region, objects: Labels) -> None:
        """Write the final ids of a clump's parts where they lie in the block."""
        assert box.parts is not None
        parts = self._parts(box, block, objects)
        shared = tuple(
            slice(max(r.start, b.start), min(r.stop, b.stop)) for r, b in zip(box.region, block, strict=True)
        )
        here = parts[within(shared, box.region)]
        labels[within(shared, block)] += box.parts[here].astype(labels.dtype)  # 0 so far where a clump is


def boxes_in(block: Region, lookup: Labels, boxes: dict[int, Box]) -> list[Box]:
    """The objects, out of `boxes`, that have pixels in a block."""
    return [boxes[number] for number in np.unique(lookup).tolist() if number in boxes]


def boxes_starting_in(block: Region, lookup: Labels, boxes: dict[int, Box]) -> list[Box]:
    """The objects, out of `boxes`, whose first pixel lies in a block."""
    return [
        box
        for box in boxes_in(block, lookup, boxes)
        if all(part.start <= at < part.stop for at, part in zip(box.first, block, strict=True))
    ]
