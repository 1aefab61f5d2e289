"""Memory of a pass's maps, kept from tile to tile: the kernel clears every page of new memory, an eighth of a pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from unet.network.map_layout import map_places, values_of
from unet.settings.architecture import Architecture

MakeMap = Callable[[str, Sequence[int], Tensor], Tensor]
"""Memory, in channels-last order, for the map of a name: of this shape (n, channels, y, x), of values like these."""


class MapMemory:
    """Memory that each pass takes for its maps and gives back; passes at the same time have their own.

    On a GPU torch keeps memory itself. numpy's comes in large pages where the machine has them.
    """

    def __init__(self) -> None:
        self.free: list[Tensor] = []

    @contextmanager
    def maps(self, architecture: Architecture, image: Tensor) -> Iterator[MakeMap]:
        """The places of the maps of one pass; of what has no place, as its scores, new memory."""
        if image.device.type != "cpu":
            yield _new
            return
        places = map_places(architecture, *image.shape[-2:])
        kept = self._of(values_of(places) * image.shape[0] * image.element_size())
        whole = kept[: len(kept) // image.element_size() * image.element_size()].view(image.dtype)

        def make(name: str, shape: Sequence[int], like: Tensor) -> Tensor:
            if name not in places:
                return _new(name, shape, like)
            n, channels, height, width = shape
            start = places[name].offset * n
            return whole[start : start + n * channels * height * width].view(n, height, width, channels).movedim(-1, 1)

        try:
            yield make
        finally:
            self.free.append(kept)

    def close(self) -> None:
        """Give what is kept back to the machine; the next pass takes new memory."""
        self.free.clear()

    def _of(self, size: int) -> Tensor:
        """So many bytes or more: what was given back, if that is large enough."""
        try:
            kept = self.free.pop()
        except IndexError:
            kept = torch.empty(0, dtype=torch.uint8)
        return kept if len(kept) >= size else torch.from_numpy(np.empty(size, np.uint8))


def _new(_: str, shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(tuple(shape), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


OF_PROCESS = MapMemory()
"""Kept from stack to stack by the stage, which closes it at the end; in a worker it closes after each of its tasks."""
