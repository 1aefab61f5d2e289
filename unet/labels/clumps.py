"""Clumps in the whole array: where objects lie that may be clumps, and what is kept of the parts of those that are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unet.images.array_types import Indices, Labels, Mask
from unet.labels.blocks import in_whole
from unet.labels.declumping import Parted
from unet.labels.merging import Merged
from unet.labels.renumbering import Clump
from unet.store.shards import Region


class Boxes(NamedTuple):
    """Objects that may be clumps: where they lie in the whole array."""

    id: Indices
    """Their ids before clumps are parted, ascending."""
    box: Indices
    """First index and last plus 1 along each axis, n × 2 × axes."""
    first: Indices
    """Indices of their first pixels along each axis, n × axes."""

    def chosen(self, which: Mask) -> "Boxes":
        """Some of them."""
        return Boxes(self.id[which], self.box[which], self.first[which])

    def of(self, ids: Labels) -> "Boxes":
        """Those whose id is among some."""
        return self.chosen(np.isin(self.id, ids))

    def starting_in(self, block: Region) -> "Boxes":
        """Those whose first pixel lies in a block."""
        low, high = _corners(block)
        return self.chosen(np.asarray(((low <= self.first) & (self.first < high)).all(axis=1)))

    def pixels(self) -> Indices:
        """Pixels of each bounding box."""
        return np.asarray((self.box[:, 1] - self.box[:, 0]).prod(axis=1))

    def within(self, block: Region) -> Mask:
        """Which of them lie in a block with all of their box."""
        low, high = _corners(block)
        return np.asarray(((low <= self.box[:, 0]) & (self.box[:, 1] <= high)).all(axis=1))


def boxes_of(merged: Merged, shape: Sequence[int]) -> Boxes:
    """The objects of an array of `shape`."""
    first = np.stack(np.unravel_index(merged.first, tuple(shape)), axis=1)
    return Boxes(np.arange(1, merged.count + 1), merged.box, first)


def clumps_of(ids: Indices, parted: Parted, origin: Sequence[int], shape: Sequence[int]) -> list[Clump]:
    """The clumps among objects that were parted in a region of the whole array which begins at `origin`."""
    several = parted.counts > 1
    first, ends = in_whole(parted.first, parted.parts.shape, origin, shape), np.cumsum(parted.counts[several])[:-1]
    parts = zip(np.split(first, ends), np.split(parted.size, ends), strict=True)
    return [Clump(number, *part) for number, part in zip(ids[several].tolist(), parts, strict=False)]


def _corners(block: Region) -> tuple[Indices, Indices]:
    return np.array([part.start for part in block]), np.array([part.stop for part in block])
