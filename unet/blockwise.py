"""One loop over regions: submit, gather, never more in flight than memory allows.

`map_overlap` would make some twenty graph tasks a chunk and hold them all; here a region is one task that reads its own
halo and writes its own shard, whatever runs it: threads of this process, or the workers of a dask cluster.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future as LocalFuture
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

import dask
from distributed import Client, as_completed
from distributed.deploy.cluster import Cluster as AnyCluster

from unet.records import Cluster

Item = TypeVar("Item")
Answer = TypeVar("Answer")
IN_FLIGHT = 2
"""Regions submitted for each thread of the cluster: one at work, one waiting."""
LOOPBACK = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
"""Where dask's HTTP servers listen, which it starts in any case: by default on port 8787 of all interfaces."""

MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**27, "MALLOC_MMAP_THRESHOLD_": 2**25}
"""Bytes that a worker started here keeps before it gives memory back. Dask's own 64 kB also pins the size from which
every block of memory is asked of the system and returned, page by page: convolutions then wait for the kernel."""

dask.config.set({"logging.distributed": "critical", "distributed.admin.tick.limit": "1h"})
dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in MALLOC.items()})


class Threads:
    """Threads of this process, used as the workers of a cluster are: no server, and nothing is pickled."""

    def __init__(self, count: int) -> None:
        self.count, self.pool = count, ThreadPoolExecutor(count)

    def submit(self, function: Callable[[Any], Any], item: Any, **_: Any) -> LocalFuture[Any]:
        """The function's answer, one day."""
        return self.pool.submit(copy_context().run, function, item)

    def nthreads(self) -> dict[str, int]:
        """Threads by worker."""
        return {"here": self.count}


class _Ending:
    """Futures of threads, as they end."""

    def __init__(self) -> None:
        self.ended, self.running = SimpleQueue[LocalFuture[Any]](), 0

    def add(self, future: LocalFuture[Any]) -> None:
        self.running += 1
        future.add_done_callback(self.ended.put)

    def __iter__(self) -> Iterator[LocalFuture[Any]]:
        while self.running:
            self.running -= 1
            yield self.ended.get()


Workers = Client | Threads


@contextlib.contextmanager
def workers(cluster: str | Cluster | None) -> Iterator[Workers]:
    """Threads of this process, or the workers of a dask cluster: a scheduler's address, or a class started now."""
    with contextlib.ExitStack() as stack:
        if cluster is None:
            threads = Threads(os.cpu_count() or 1)
            stack.enter_context(threads.pool)
            yield threads
            return
        where: Any = cluster
        if isinstance(cluster, Cluster):
            where = stack.enter_context(_cluster_class(cluster.cls)(**cluster.options))
        yield stack.enter_context(Client(address=where, set_as_default=False))


def run_regions(
    client: Workers,
    function: Callable[[Item], Answer],
    items: Iterable[Item],
    progress: Callable[[], None],
    resources: Mapping[str, float] | None = None,
) -> Iterator[tuple[Item, Answer]]:
    """Each item with its answer, as they come; the first error is raised after what is in flight has ended.

    `resources` are what a worker must have for one item, such as a GPU.
    """
    waiting, failure = iter(items), None
    futures: dict[Any, Item] = {}
    running: Any = as_completed(loop=client.loop) if isinstance(client, Client) else _Ending()

    def submit() -> None:
        threads = sum(client.nthreads().values()) or 1  # asked again and again: workers come and go
        for item in islice(waiting, max(IN_FLIGHT * threads - len(futures), 0)):
            future = client.submit(function, item, pure=False, resources=dict(resources or {}))
            futures[future] = item
            running.add(future)

    submit()
    for future in running:
        item = futures.pop(future)
        try:
            answer = future.result()
        except Exception as error:  # raised below, when nothing is in flight any more
            failure = failure or error
            continue
        progress()
        yield item, answer
        if failure is None:
            submit()
    if failure is not None:
        raise failure


def _cluster_class(name: str) -> type[AnyCluster]:
    """A cluster class by its dotted name; ValueError for anything else, or a record could call whatever it names."""
    module, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(module), last)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cluster.cls must name an installed class, got {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, AnyCluster)):
        raise ValueError(f"cluster.cls must name a dask cluster class, got {name!r}")
    return found
