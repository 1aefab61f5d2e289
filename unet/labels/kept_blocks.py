"""Blocks that are still in memory when the next pass asks for them: the last ones of a pass, within bounded memory.

A process keeps at most `ROOM` bytes of them, whatever the stack's size; of more, those go first that were kept first.
So the next pass begins where the one before ended. Where a block is not kept, because there was no room or another
worker has it, it is read and connected again, to the same values: nothing ever rests on what is kept.
"""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.labels.components import Connected

ROOM = 3 * 2**27
"""Bytes of kept blocks in a process; 16,384² pixels of scores as uint8, with their runs, fit in."""


class KeptBlock(NamedTuple):
    """A block of scores, and the runs of each class's mask."""

    scores: NDArray[np.generic]
    found: list[Connected]

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        columns = (part for each in self.found for part in each if isinstance(part, np.ndarray))
        return self.scores.nbytes + sum(part.nbytes for part in columns)

    def packed(self) -> "KeptBlock":
        """The same with starts of runs in half the bytes: a block has fewer than 2³¹ pixels."""
        return self._replace(found=[each._replace(start=each.start.astype(np.int32)) for each in self.found])

    def unpacked(self) -> "KeptBlock":
        """As it was before it was packed."""
        return self._replace(found=[each._replace(start=each.start.astype(np.int64)) for each in self.found])


class KeptBlocks:
    """What a process keeps, for all that work in it."""

    def __init__(self, room: int) -> None:
        self.room, self.nbytes = room, 0
        self.blocks: OrderedDict[Hashable, KeptBlock] = OrderedDict()
        self.lock = Lock()

    def keep(self, key: Hashable, block: KeptBlock) -> None:
        """Keep a block, in place of those that were kept first where there is no room."""
        packed = block.packed()
        with self.lock:
            self._drop(key)
            self.blocks[key] = packed
            self.nbytes += packed.nbytes
            while self.nbytes > self.room:
                self._drop(next(iter(self.blocks)))

    def look(self, key: Hashable) -> KeptBlock | None:
        """A block that is kept, and stays so."""
        with self.lock:
            block = self.blocks.get(key)
        return None if block is None else block.unpacked()

    def take(self, key: Hashable) -> KeptBlock | None:
        """A block that was kept, and is not any more."""
        block = self.look(key)
        with self.lock:
            self._drop(key)
        return block

    def _drop(self, key: Hashable) -> None:
        block = self.blocks.pop(key, None)
        self.nbytes -= block.nbytes if block else 0


KEPT = KeptBlocks(ROOM)
"""Those of this process."""
