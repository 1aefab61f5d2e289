"""Instances: the segments of an array of scores, block by block from store to store.

Two passes over the scores: `label` keeps what `merging` merges, `write` writes the ids of the whole and measures.
Where clumps are parted, `part` comes between: each clump is looked at in its own bounding box by the block that its
first pixel lies in; where it reaches beyond the block, the box is read from the scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.images.array_types import Labels
from unet.labels.clumps import Boxes, boxes_of, clumps_of
from unet.labels.connected import connected_segments, label_block, relabel_block
from unet.labels.declumping import Declumping, Parted, part_objects
from unet.labels.measures import Measures, measure_block
from unet.labels.merging import BlockLabels, Merged, Rules
from unet.labels.renumbering import Clump
from unet.labels.scores import Scores, of_any, reaching, read_channels
from unet.settings.segment import SegmentNumbers
from unet.store.arrays import Stored
from unet.store.shards import Layout, Region, overlapping, regions, within

PLANES = 16
"""Planes of a block where objects go on along z."""


class BlockClumps(NamedTuple):
    """What is needed to part the clumps of a block."""

    block: Region
    lookup: Labels
    """Ids of its components."""
    boxes: Boxes
    """The objects to be looked at."""


class BlockToWrite(NamedTuple):
    """What is needed to write a block."""

    block: Region
    final: Labels
    """Final ids of its components; 0 for clumps."""
    before: Labels
    """Ids of its components before clumps were parted."""
    clumps: Boxes
    """The clumps that have pixels in it."""
    parts: Sequence[Labels]
    """Of each of these, the final ids of its parts 0 … k."""


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
        scores = of_any(self.scores.read(block))
        objects = relabel_block(reaching(scores, self.settings.threshold), lookup, self.rules)
        return [
            clump
            for region, some, parted in self._parted(boxes, block, objects, scores)
            for clump in clumps_of(some.id, parted, [part.start for part in region], self.layout.shape)
        ]

    def write(self, work: BlockToWrite) -> Measures:
        """The second pass: write a block's segments, and measure them."""
        labels, classes = self.relabel(work)
        pixels = read_channels(self.image, self.image_axes, self.axes, work.block)
        return measure_block(labels, pixels, of_any(classes), [part.start for part in work.block], classes)

    def relabel(self, work: BlockToWrite) -> tuple[Labels, NDArray[Any]]:
        """Write a block's segments; returns them and the scores of its classes."""
        block, classes = work.block, self.scores.read(work.block)
        scores = of_any(classes)
        mask = reaching(scores, self.settings.threshold)
        labels = relabel_block(mask, work.final, self.rules)
        if work.parts:
            self._paint(labels, work, relabel_block(mask, work.before, self.rules), scores)
        target = Stored(self.target)
        for region in overlapping(block, self.layout):
            if not target.is_done(region):
                target.write(region, labels[within(region, block)])
        return labels, classes

    def boxes(self, merged: Merged) -> tuple[Boxes, Boxes]:
        """The objects that may be parted, and those that are too large to be."""
        objects = boxes_of(merged, self.layout.shape)
        small = objects.pixels() <= self.settings.max_declump_box
        return objects.chosen(small), objects.chosen(~small)

    def _parted(
        self, boxes: Boxes, block: Region, objects: Labels, scores: NDArray[Any]
    ) -> Iterator[tuple[Region, Boxes, Parted]]:
        """Parts of the objects that lie in a block, all together; of each other one in its own box, which is read.

        A region, the objects that are looked at in it, and their parts.
        """
        inside = boxes.within(block)
        yield block, boxes.chosen(inside), self._parted_in(block, boxes.chosen(inside), objects, scores)
        for row in np.flatnonzero(~inside):
            one = boxes.chosen(np.arange(inside.size) == row)
            region = tuple(slice(*span) for span in one.box[0].T.tolist())
            yield region, one, self._parted_in(region, one, *self._read(one, region))

    def _parted_in(self, region: Region, boxes: Boxes, objects: Labels, scores: NDArray[Any]) -> Parted:
        linked, origin = self.rules.dimensions, np.array([part.start for part in region])
        array = np.stack([-origin, np.array(self.layout.shape) - origin])[:, -linked:]
        sides, how = objects.shape[-linked:], Declumping.of(self.settings, self.spacing)
        found = part_objects(
            objects.reshape(sides), boxes.id, (boxes.box - origin)[..., -linked:], array, how, scores.reshape(sides)
        )
        return found._replace(parts=found.parts.reshape(objects.shape))

    def _read(self, one: Boxes, region: Region) -> tuple[Labels, NDArray[Any]]:
        """An object's pixels in its bounding box, read from the scores, its holes filled; and the scores."""
        rules, scores = self.rules, of_any(self.scores.read(region))
        mask = reaching(scores, self.settings.threshold)
        found = connected_segments(mask, rules.dimensions, rules.connectivity, 0, rules.max_hole_size)
        corner = one.box[0, 0]
        return np.where(found == found[tuple(one.first[0] - corner)], one.id[0], 0), scores

    def _paint(self, labels: Labels, work: BlockToWrite, objects: Labels, scores: NDArray[Any]) -> None:
        """Write the final ids of the parts of clumps where they lie in a block; there is 0 so far."""
        ids = dict(zip(work.clumps.id.tolist(), work.parts, strict=True))
        for region, some, parted in self._parted(work.clumps, work.block, objects, scores):
            table = np.concatenate([np.zeros(1, labels.dtype), *(ids[number] for number in some.id.tolist())])
            shared = tuple(
                slice(max(r.start, b.start), min(r.stop, b.stop)) for r, b in zip(region, work.block, strict=True)
            )
            labels[within(shared, work.block)] += table[parted.parts[within(shared, region)]]
