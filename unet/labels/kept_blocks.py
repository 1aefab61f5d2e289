"""A block of scores as it is kept in memory between two passes (`unet.store.kept`)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet.labels.components import Connected


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
        """The same with ends of runs in half the bytes: a block has fewer than 2³¹ pixels."""
        return self._as(np.int32)

    def unpacked(self) -> "KeptBlock":
        """As it was before it was packed."""
        return self._as(np.int64)

    def _as(self, kind: type[np.signedinteger[Any]]) -> "KeptBlock":
        found = [each._replace(start=each.start.astype(kind), stop=each.stop.astype(kind)) for each in self.found]
        return self._replace(found=found)
