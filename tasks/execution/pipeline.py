"""Reading, computing and writing at once: while one item is computed, the next is read, the one before written."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from unet.store.read_ahead import read_ahead

T = TypeVar("T")
Values = TypeVar("Values")
Computed = TypeVar("Computed")

READERS = 2
"""Items that are read at once, ahead of the one in work: decoding waits for the disk and for one thread a chunk."""


@dataclass
class Clock:
    """Seconds that the computing thread waited for its input, and for room for its output."""

    waited: float = 0.0

    def wait(self, future: Future[Values]) -> Values:
        """The future's result."""
        began = time.perf_counter()
        try:
            return future.result()
        finally:
            self.waited += time.perf_counter() - began


def overlapped(
    items: Iterable[T],
    read: Callable[[T], Values],
    compute: Callable[[T, Values], Computed],
    write: Callable[[T, Computed], object],
    clock: Clock,
) -> Iterator[T]:
    """Each item once it is written, in order; the first error of reading, computing or writing is raised.

    `compute` runs in the calling thread, one item at a time; `read` and `write` run in threads of their own. Held at
    once are the item in work, `READERS` − 1 that are or were read, and two that are being written.

    >>> made = []
    >>> list(overlapped("ab", str.upper, lambda item, v: item + v, lambda item, m: made.append(m), Clock())), made
    (['a', 'b'], ['aA', 'bB'])
    """
    going: deque[tuple[T, Future[object]]] = deque()
    context = copy_context()  # what is logged in a thread belongs to this task run too
    reading = read_ahead(read, items, READERS, READERS - 1)
    with closing(reading) as coming, ThreadPoolExecutor(1) as writer:
        for item, values in coming:
            made = compute(item, clock.wait(values))
            del values
            going.append((item, writer.submit(context.copy().run, write, item, made)))
            del made
            if len(going) > 1:
                done, written = going.popleft()
                clock.wait(written)
                yield done
        for done, written in going:
            written.result()
            yield done
