"""Classes of dask clusters, by the dotted names that records give them."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from importlib import import_module

from distributed.deploy.cluster import Cluster as AnyCluster


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps the handler of Ctrl-C: importing dask_jobqueue replaces it by one that ends the process with status 0."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def cluster_class(name: str) -> type[AnyCluster]:
    """A cluster class by its dotted name; ValueError for anything else, or a record could call whatever it names."""
    module, _, last = name.rpartition(".")
    try:
        with _own_signals():
            found = getattr(import_module(module), last)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cluster.cls must name an installed class, got {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, AnyCluster)):
        raise ValueError(f"cluster.cls must name a dask cluster class, got {name!r}")
    return found
