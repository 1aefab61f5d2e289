"""Reading ahead: what is read from a store, or computed, while those before it are still in use.

asked for      ▼ 0            ▼ 1            ▼ 2
in use         └──── 0 ──────┘└──── 1 ──────┘└──── 2 …
being read     1 … 1+ahead     2 … 2+ahead     at most `threads` of them at once
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
Value = TypeVar("Value")


def read_ahead(
    read: Callable[[T], Value], items: Iterable[T], threads: int, ahead: int, name: str = "read ahead"
) -> Generator[tuple[T, Future[Value]], None, None]:
    """Each item in order, with the future of what `read` makes of it; `ahead` more are begun by then.

    Close it when nobody asks any more, and its threads end: what was not begun is dropped.

    >>> [(item, value.result()) for item, value in read_ahead(str.upper, "abc", threads=2, ahead=1)]
    [('a', 'A'), ('b', 'B'), ('c', 'C')]
    """
    waiting = iter(items)
    context = copy_context()  # what is logged in a thread belongs to whoever asks
    with ThreadPoolExecutor(threads, name) as readers:

        def begin(count: int) -> list[tuple[T, Future[Value]]]:
            return [(item, readers.submit(context.copy().run, read, item)) for item in islice(waiting, count)]

        coming = deque(begin(ahead + 1))
        try:
            while coming:
                yield coming.popleft()
                coming.extend(begin(1))
        finally:
            readers.shutdown(wait=False, cancel_futures=True)
