"""What one pass leaves in memory for the next: the last of it, within bounded memory.

A process keeps at most `ROOM` bytes, whatever the stack's size; of more, that goes first which was kept first. So the
next pass begins where the one before ended. What is not kept, because there was no room or another worker has it, is
read and made again, to the same values: nothing ever rests on what is kept.
"""

from collections import OrderedDict
from collections.abc import Collection, Hashable
from threading import Lock
from typing import Any, Protocol

Key = tuple[Hashable, ...]
"""What a value is found by: whose it is, then where it lies."""

ROOM = 3 * 2**27
"""Bytes that a process keeps; 16,384² pixels of scores as uint8, with the runs of their segments, fit in."""


class Sized(Protocol):
    """What knows the bytes that it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""


class Kept:
    """What a process keeps, for all that work in it."""

    def __init__(self, room: int) -> None:
        self.room, self.nbytes = room, 0
        self.values: OrderedDict[Key, Sized] = OrderedDict()
        self.lock = Lock()

    def keep(self, key: Key, value: Sized) -> None:
        """Keep a value, in place of those that were kept first where there is no room."""
        with self.lock:
            self._drop(key)
            self.values[key] = value
            self.nbytes += value.nbytes
            while self.nbytes > self.room:
                self._drop(next(iter(self.values)))

    def look(self, key: Key) -> Any:
        """A value that is kept, and stays so; None where it is not."""
        with self.lock:
            return self.values.get(key)

    def take(self, key: Key) -> Any:
        """A value that was kept, and is not any more; None where it was not."""
        with self.lock:
            value = self.values.get(key)
            self._drop(key)
        return value

    def forget(self, owners: Collection[Hashable]) -> None:
        """Keep nothing more of these."""
        with self.lock:
            for key in [key for key in self.values if key[0] in owners]:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        value = self.values.pop(key, None)
        self.nbytes -= value.nbytes if value is not None else 0


KEPT = Kept(ROOM)
"""All that this process keeps."""
