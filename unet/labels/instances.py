"""Instances: the segments of an array of scores, block by block from store to store.

Two passes over the scores: `label` keeps what `merging` merges, `write` writes the ids of the whole and measures. What
of a block is still in memory in the second (`kept_blocks`) is not read and connected again.
Where clumps are parted, `part` comes between: each clump is looked at in its own bounding box by the block that its
first pixel lies in; where it reaches beyond the block, the box is read from the scores.

Each class that is segmented by itself is a mask of its own, of the pixels where its score is the largest of all. Each
pass reads a block's scores once for all of them; ids are given class by class, so that an id tells its class.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from unet.dataset.folder import Folder
from unet.images.array_types import Labels, Mask
from unet.labels.clumps import Boxes, boxes_of, clumps_of
from unet.labels.components import Connected
from unet.labels.connected import connected_runs, connected_segments, label_block, relabel_block
from unet.labels.declumping import Declumping, Parted, part_objects
from unet.labels.kept_blocks import KeptBlock
from unet.labels.measures import Measures, measure_block
from unet.labels.merging import BlockLabels, Merged, Rules
from unet.labels.renumbering import Clump
from unet.labels.runs import IdRuns, joined_runs
from unet.labels.scores import Scores, largest_class, of_any, own_score, reaching, read_channels
from unet.settings.segment import SegmentNumbers
from unet.store.arrays import Stored
from unet.store.kept import KEPT, Key
from unet.store.pyramid import keep_sampled
from unet.store.shards import Layout, Region, overlapping, regions, shared, within

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
class ClassInstances:
    """The segments of one mask: of a class by itself, or of all that are chosen together."""

    scores: Scores
    axes: str
    shape: tuple[int, ...]
    """Sides of the whole array."""
    settings: SegmentNumbers
    spacing: tuple[float, ...] | None = None
    """Steps along the linked axes, in y x pixels."""
    row: int | None = None
    """Which of the chosen classes they are of; None: of all of them, whose scores are added."""

    @property
    def rules(self) -> Rules:
        """What an object is; it goes on along z only where there is one."""
        dimensions = 3 if self.settings.dimensions == 3 and "z" in self.axes else 2
        return Rules(dimensions, self.settings.connectivity, self.settings.min_size, self.settings.max_hole_size)

    @property
    def is_parted(self) -> bool:
        """Whether clumps are looked for."""
        return self.settings.declump_depth > 0

    def of_objects(self, classes: NDArray[Any], largest: NDArray[np.uint8] | None = None) -> NDArray[Any]:
        """Scores of being one of these objects, of those of all classes; `largest` as `largest_class` has it."""
        if self.row is None:
            return of_any(classes)
        return own_score(classes, largest_class(classes) if largest is None else largest, self.row)

    def mask(self, scores: NDArray[Any]) -> Mask:
        """Pixels of these objects, before holes are filled and small objects dropped."""
        return reaching(scores, self.settings.threshold)

    def label(self, block: Region, scores: NDArray[Any]) -> tuple[BlockLabels, Connected]:
        """The first pass, and the runs of the mask."""
        high = None if self.settings.high_threshold is None else reaching(scores, self.settings.high_threshold)
        origin, mask = [part.start for part in block], self.mask(scores)
        found = connected_runs(mask, self.rules)
        return label_block(mask, origin, self.shape, self.rules, high, self.is_parted, found), found

    def part(self, look: BlockClumps, scores: NDArray[Any], found: Connected | None = None) -> list[Clump]:
        """The clumps among a block's objects, with their parts; `found` are the runs of its mask, if known."""
        block, lookup, boxes = look
        objects = relabel_block(self.mask(scores), lookup, self.rules, found)
        return [
            clump
            for region, some, parted in self._parted(boxes, block, objects, scores)
            for clump in clumps_of(some.id, parted, [part.start for part in region], self.shape)
        ]

    def relabel(self, work: BlockToWrite, scores: NDArray[Any], found: Connected | None = None) -> tuple[Labels, Mask]:
        """The second pass: a block's segments, and the mask that they were made of."""
        mask = self.mask(scores)
        found = connected_runs(mask, self.rules) if found is None else found
        labels = relabel_block(mask, work.final, self.rules, found)
        if work.parts:
            self._paint(labels, work, relabel_block(mask, work.before, self.rules, found), scores)
        return labels, mask

    def boxes(self, merged: Merged) -> tuple[Boxes, Boxes]:
        """The objects that may be parted, and those that are too large to be."""
        objects = boxes_of(merged, self.shape)
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
        array = np.stack([-origin, np.array(self.shape) - origin])[:, -linked:]
        sides, how = objects.shape[-linked:], Declumping.of(self.settings, self.spacing)
        found = part_objects(
            objects.reshape(sides), boxes.id, (boxes.box - origin)[..., -linked:], array, how, scores.reshape(sides)
        )
        return found._replace(parts=found.parts.reshape(objects.shape))

    def _read(self, one: Boxes, region: Region) -> tuple[Labels, NDArray[Any]]:
        """An object's pixels in its bounding box, read from the scores, its holes filled; and the scores."""
        rules, scores = self.rules, self.of_objects(self.scores.read(region))
        found = connected_segments(self.mask(scores), rules.dimensions, rules.connectivity, 0, rules.max_hole_size)
        corner = one.box[0, 0]
        return np.where(found == found[tuple(one.first[0] - corner)], one.id[0], 0), scores

    def _paint(self, labels: Labels, work: BlockToWrite, objects: Labels, scores: NDArray[Any]) -> None:
        """Write the final ids of the parts of clumps where they lie in a block; there is 0 so far."""
        ids = dict(zip(work.clumps.id.tolist(), work.parts, strict=True))
        for region, some, parted in self._parted(work.clumps, work.block, objects, scores):
            table = np.concatenate([np.zeros(1, labels.dtype), *(ids[number] for number in some.id.tolist())])
            common = shared(region, work.block)
            labels[within(common, work.block)] += table[parted.parts[within(common, region)]]


@dataclass(frozen=True)
class Instances:
    """What all passes need, as plain values: it goes to the workers."""

    image: Folder
    image_axes: str
    scores: Scores
    target: Folder
    axes: str
    layout: Layout
    settings: tuple[SegmentNumbers, ...]
    """Of each chosen class, or one for all of them together."""
    spacing: tuple[float, ...] | None = None
    """Steps along the linked axes, in y x pixels."""
    run: str = field(default_factory=lambda: uuid4().hex, compare=False)
    """Under which its blocks are kept: those of another run are never taken for its own."""

    @property
    def classes(self) -> list[ClassInstances]:
        """Each mask that is segmented by itself."""
        rows: Iterable[int | None] = [None] if len(self.settings) == 1 else range(len(self.settings))
        return [
            ClassInstances(self.scores, self.axes, self.layout.shape, settings, self.spacing, row)
            for settings, row in zip(self.settings, rows, strict=True)
        ]

    def blocks(self) -> Iterator[Region]:
        """Blocks of whole shards that tile the array."""
        planes = 1 if self.classes[0].rules.dimensions == 2 else PLANES
        *leading, y, x = self.layout.shard
        return regions(
            Layout(self.layout.shape, (*leading[:-1], *([planes] if leading else []), y, x), self.layout.chunk)
        )

    def label(self, block: Region) -> list[BlockLabels]:
        """The first pass, of each class."""
        scores = self.scores.read(block)
        labelled = [each.label(block, own) for each, own in self._by_class(scores)]
        KEPT.keep(self._key(block), KeptBlock(scores, [found for _, found in labelled]).packed())
        return [labels for labels, _ in labelled]

    def part(self, looks: Sequence[BlockClumps]) -> list[list[Clump]]:
        """The clumps among a block's objects, with their parts, of each class."""
        scores, runs = self._again(looks[0].block, KEPT.look)
        return [
            each.part(look, own, found) if each.is_parted else []
            for look, found, (each, own) in zip(looks, runs, self._by_class(scores), strict=True)
        ]

    def write(self, works: Sequence[BlockToWrite]) -> Measures:
        """The second pass: write a block's segments, those of all classes, and measure them."""
        labels, classes, known = self.relabel(works)
        block = works[0].block
        pixels = read_channels(self._image, self.image_axes, self.axes, block)
        return measure_block(labels, pixels, of_any(classes), [part.start for part in block], classes, known)

    def relabel(self, works: Sequence[BlockToWrite]) -> tuple[Labels, NDArray[Any], IdRuns | None]:
        """Write a block's segments; returns them, the scores of its classes, and the segments' runs if known."""
        block = works[0].block
        classes, runs = self._again(block, KEPT.take)
        by_class = zip(works, runs, self._by_class(classes), strict=True)
        labels = painted_over(each.relabel(work, scores, found) for work, found, (each, scores) in by_class)
        for region in overlapping(block, self.layout):
            if not self._target.is_done(region):
                self._target.write(region, labels[within(region, block)])
                keep_sampled(self._target, region, labels[within(region, block)])
        return labels, classes, _known_runs(works, runs, block[-1].stop - block[-1].start)

    @cached_property
    def _image(self) -> Stored:
        return Stored(self.image)

    @cached_property
    def _target(self) -> Stored:
        return Stored(self.target)

    def _again(
        self, block: Region, kept: Callable[[Key], KeptBlock | None]
    ) -> tuple[NDArray[Any], Sequence[Connected | None]]:
        """A block's scores and the runs of each class's mask, of which there are none where it is not kept."""
        held = kept(self._key(block))
        return (self.scores.read(block), [None] * len(self.settings)) if held is None else held.unpacked()

    def _key(self, block: Region) -> Key:
        return self.run, *(part.start for part in block)

    def _by_class(self, scores: NDArray[Any]) -> Iterator[tuple[ClassInstances, NDArray[Any]]]:
        """Each mask's objects with the scores that they are made of; those of one class at a time are in memory."""
        classes = self.classes
        largest = largest_class(scores) if len(classes) > 1 else None
        return ((each, each.of_objects(scores, largest)) for each in classes)


def _known_runs(works: Sequence[BlockToWrite], runs: Sequence[Connected | None], width: int) -> IdRuns | None:
    """The runs of a block's segments, where these are those of its mask: of one class, no clump among them."""
    if len(works) > 1 or runs[0] is None or works[0].parts:
        return None
    return joined_runs(runs[0].start, runs[0].stop, runs[0].number, works[0].final, width)


def painted_over(classes: Iterable[tuple[Labels, Mask]]) -> Labels:
    """Segments of all classes in one array: of each its segments, and the mask that they were made of.

    Masks share no pixel; a hole that was filled may hold objects of another class, which stay what they are. Of two
    classes that fill one hole the first has it.

    >>> ring, spot = np.array([[1, 1, 1, 1]]), np.array([[0, 2, 0, 0]])
    >>> painted_over([(ring, np.array([[True, False, False, True]])), (spot, spot > 0)])
    array([[1, 2, 1, 1]])
    """
    others = iter(classes)
    whole, _ = next(others)
    for labels, mask in others:  # one class at a time: they may be made only now
        np.copyto(whole, labels, where=(labels > 0) & (mask | (whole == 0)), casting="same_kind")
    return whole
