"""One loop over regions: submit, gather, never more in flight than memory allows.

`map_overlap` would make some twenty graph tasks a chunk and hold them all; here a region is one task that reads its own
halo and writes its own shard, whatever runs it: threads of this process, or the workers of a dask cluster.

Whoever leaves the loop leaves nothing behind: what was not begun is dropped, what is at work ends its shard.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import Future as LocalFuture
from contextvars import copy_context
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Resources = Mapping[str, float]
IN_FLIGHT = 2
"""Regions submitted for each thread of the cluster: one at work, one waiting."""
ASK_AFTER = 5.0
"""Seconds without an answer after which the workers are asked whether they are still there."""


class Workers(Protocol):
    """Who computes regions."""

    def submit(self, function: Callable[[Any], Any], item: Any, resources: Resources) -> Any:
        """A future of the function's answer."""

    def threads(self) -> int:
        """How many regions can be at work at once, now."""

    def require(self, resources: Resources) -> None:
        """Raise OSError where nobody will ever answer."""

    def answer(self, future: Any) -> Any:
        """The answer of a future that ended; OSError where it was lost together with its worker."""

    def cancel(self, futures: list[Any]) -> None:
        """Cancel the futures that were not begun."""


class Threads:
    """Threads of this process, used as the workers of a cluster are: no server, and nothing is pickled."""

    def __init__(self, count: int) -> None:
        self.count, self.pool, self.is_stopped = count, ThreadPoolExecutor(count), False

    def submit(self, function: Callable[[Any], Any], item: Any, resources: Resources) -> LocalFuture[Any]:
        """A future of the function's answer."""
        if not self.is_stopped:
            try:
                return self.pool.submit(copy_context().run, function, item)
            except RuntimeError:  # of another thread that stopped it in between
                if not self.is_stopped:
                    raise
        raise InterruptedError("the run was stopped; run it again to go on")

    def threads(self) -> int:
        """How many threads there are."""
        return self.count

    def require(self, resources: Resources) -> None:
        """Threads of this process are always there."""

    def answer(self, future: LocalFuture[Any]) -> Any:
        """The answer of a future that ended."""
        try:
            return future.result()
        except CancelledError as error:
            raise InterruptedError("the run was stopped; run it again to go on") from error

    def cancel(self, futures: list[LocalFuture[Any]]) -> None:
        """Cancel the futures that were not begun."""
        for future in futures:
            future.cancel()

    def stop(self) -> None:
        """Cancel all that was not begun, refuse new work, and wait for what is running."""
        self.is_stopped = True
        self.pool.shutdown(cancel_futures=True)


def run_regions(
    workers: Workers,
    function: Callable[[Item], Answer],
    items: Iterable[Item],
    progress: Callable[[], None] = lambda: None,
    resources: Resources | None = None,
) -> Iterator[tuple[Item, Answer]]:
    """Each item with its answer, as they come; the first error is raised after what is in flight has ended.

    `resources` are what a worker must have for one item, such as a GPU.
    """
    waiting, failure, needed = iter(items), None, dict(resources or {})
    futures: dict[Any, Item] = {}
    ended: SimpleQueue[Any] = SimpleQueue()

    def submit() -> None:
        threads = workers.threads() or 1  # asked again and again: workers come and go
        for item in islice(waiting, max(IN_FLIGHT * threads - len(futures), 0)):
            future = workers.submit(function, item, needed)
            futures[future] = item
            future.add_done_callback(ended.put)

    try:
        submit()
        while futures:
            future = _next(workers, ended, needed)
            item = futures.pop(future)
            try:
                answer = workers.answer(future)
            except Exception as error:  # raised below, when nothing is in flight any more
                failure = failure or error
                continue
            progress()
            yield item, answer
            if failure is None:
                submit()
    finally:
        workers.cancel(list(futures))
    if failure is not None:
        raise failure


def _next(workers: Workers, ended: "SimpleQueue[Any]", resources: Resources) -> Any:
    """The next future that ended."""
    while True:
        try:
            return ended.get(timeout=ASK_AFTER)
        except Empty:
            workers.require(resources)


def map_over_workers(
    workers: Workers,
) -> Callable[[Callable[[Item], Answer], Iterable[Item]], Iterator[tuple[Item, Answer]]]:
    """A map over items that workers compute; it gives each item with its answer, as they come."""
    return lambda function, items: run_regions(workers, function, items)


def map_one_by_one(function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
    """A map over items that is computed here, one item after another."""
    return ((item, function(item)) for item in items)
