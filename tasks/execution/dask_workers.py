"""The workers that a run is given: threads of this process, or those of a dask cluster, where they run what it runs.

Rejected: a worker plug-in that refuses strange workers. It stays with the scheduler when a run is killed, and refuses
them to everybody else; here a region asks, once in a process, so that a worker that comes late is refused too.
"""

import contextlib
import ctypes
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client, Future, KilledWorker, get_worker
from distributed.scheduler import NoValidWorkerError
from distributed.versions import VersionMismatchWarning

from tasks.execution.cluster_class import cluster_class
from tasks.execution.workers import Resources, Threads, Workers
from unet.dataset.user_place import StartedCluster, trusted_cluster
from unet.ledger.versions import COMPUTE, TALK, Versions, difference, of_here
from unet.settings.cluster import Cluster

log = logging.getLogger(__name__)

LOOPBACK = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
"""Where dask's HTTP servers listen, which it starts in any case: by default on port 8787 of all interfaces."""
TRIM, MMAP = 2**27, 2**25
"""Bytes that a worker keeps before it gives memory back, and from which on it asks the system for a block of its own.
Dask's own 64 kB of the first pins the second too, page by page: convolutions then wait for the kernel."""
PATIENCE, QUEUED = 300.0, 86400.0
"""Seconds without any worker after which a run ends: of a scheduler that was there, of a cluster that was started now,
whose workers may wait in a queue. `distributed.scheduler.no-workers-timeout` of dask's settings goes before both."""
SAME = "install the same versions on both"

dask.config.set({"logging.distributed": "critical", "distributed.admin.tick.limit": "1h"})


class ClusterError(OSError):
    """The cluster failed, not what it was asked: it may be back when it is asked again."""


class DaskWorkers:
    """The workers of a dask cluster."""

    def __init__(self, client: Client, patience: float = PATIENCE) -> None:
        asked = dask.config.get("distributed.scheduler.no-workers-timeout", None)
        self.client, self.patience = client, parse_timedelta(asked) if asked else patience
        self.is_stopped, self.seen = False, time.monotonic()
        self.address = str(client.scheduler_info(n_workers=0)["address"])

    def submit(self, function: Callable[[Any], Any], item: Any, resources: Resources) -> Future[Any]:
        """A future of the function's answer."""
        self._require_going()
        work = Alike(function, tuple(of_here().items()))
        with self._told():
            return self.client.submit(work, item, pure=False, resources=dict(resources))

    def threads(self) -> int:
        """How many regions can be at work at once, now."""
        with self._told():
            return sum(self.client.nthreads().values())

    def count(self, resources: Resources | None = None) -> int:
        """Workers, now, that have these resources."""
        with self._told():
            known = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(
            all(worker["resources"].get(name, 0) >= n for name, n in (resources or {}).items()) for worker in known
        )

    def require(self, resources: Resources) -> None:
        """Raise OSError where there has been no worker with these resources for too long."""
        self._require_going()
        now = time.monotonic()
        if self.count(resources):
            self.seen = now
        elif now - self.seen > self.patience:
            what = " and ".join(["workers", *(f"{name} {n:g}" for name, n in resources.items())])
            raise ClusterError(
                f"{self.address} must have {what}, got none for {self.patience:g} s; start `dask worker "
                f"{self.address}`, or wait longer by DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT"
            )

    def answer(self, future: Future[Any]) -> Any:
        """The answer of a future that ended; OSError where it was lost together with its worker."""
        self.seen = time.monotonic()
        try:
            return future.result()
        except CancelledError as error:
            self._require_going()
            raise self._lost("its connection was lost") from error
        except KilledWorker as error:
            raise ClusterError(
                f"workers must live through a region, got {error.allowed_failures + 1} that died at one, the last "
                f"{error.last_worker.address}; give them more memory, or fewer threads"
            ) from error
        except NoValidWorkerError as error:
            raise ClusterError(
                f"{self.address} must have workers, got none for {error.args[-1]} s; start some"
            ) from error

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Cancel the futures that were not begun."""
        if futures and self.client.status == "running":
            self.client.cancel(futures, force=True)

    def stop(self) -> None:
        """Refuse new work, and disconnect."""
        self.is_stopped = True
        self.client.close()

    def require_alike(self) -> None:
        """Refuse workers, and a scheduler, that run other versions than this process; ValueError names both."""
        with self._told():
            found: Any = self.client.get_versions(packages=[*TALK, *COMPUTE])
            theirs = {f"worker {address}": worker["packages"] for address, worker in found["workers"].items()}
            talk = {package: found["scheduler"]["packages"].get(package) for package in ("python", *TALK)}
            self._refuse({f"scheduler {self.address}": talk} | theirs)
            asked = self.client.run(of_here, on_error="return")
        for address, answer in list(asked.items()):
            if isinstance(answer, OSError):  # it is lost; those that come later are asked by their first region
                del asked[address]
            elif isinstance(answer, Exception):
                raise ValueError(f"worker {address} must run unet-flows, got {answer}; install it there") from answer
        self._refuse({f"worker {address}": versions for address, versions in asked.items()})

    def _refuse(self, nodes: dict[str, Versions]) -> None:
        for node, versions in nodes.items():
            wrong = difference(versions, of_here())
            if wrong:
                raise ValueError(f"{node} {wrong}; {SAME}")

    def _require_going(self) -> None:
        if self.is_stopped:
            raise InterruptedError("the run was stopped; run it again to go on")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns any failure of the network into one sentence."""
        try:
            yield
        except Exception as error:
            if self.client.status == "running" and not isinstance(error, OSError):
                raise
            raise self._lost(str(error)) from error  # a client that was closed in between fails in many ways
        if self.client.status != "running":
            raise self._lost("its connection was lost")

    def _lost(self, why: str) -> ClusterError:
        return ClusterError(
            f"the dask scheduler {self.address} must stay reachable, got: {why}; see to it and run again"
        )


@dataclass(frozen=True)
class Alike:
    """A function of one item that a worker refuses if it has other versions installed than the submitter."""

    function: Callable[[Any], Any]
    versions: tuple[tuple[str, str | None], ...]

    def __call__(self, item: Any) -> Any:
        """The function's answer; ClusterError on a worker that came late and has other versions."""
        wrong = _first_look(self.versions)
        if wrong:
            raise ClusterError(f"worker {get_worker().address} {wrong}; {SAME}")
        return self.function(item)


def own_threads() -> int:
    """Number of threads of the worker that calls this."""
    return int(get_worker().state.nthreads)


@lru_cache(maxsize=8)
def _first_look(versions: tuple[tuple[str, str | None], ...]) -> str:
    """How this worker's versions differ from these; at the first call glibc is also told how much memory to keep."""
    with contextlib.suppress(OSError, AttributeError):  # it is glibc's
        for option, size in ((-1, TRIM), (-3, MMAP)):
            ctypes.CDLL(None).mallopt(option, size)
    return difference(of_here(), dict(versions))


@contextlib.contextmanager
def workers(cluster: str | Cluster | None) -> Iterator[Workers]:
    """Threads of this process, or the workers of a dask cluster: a scheduler's address, or a class started now.

    Raises:
        ClusterError: the scheduler cannot be reached.
        ValueError: what is named is no cluster, wants certificates, or runs other versions.
    """
    with contextlib.ExitStack() as stack:
        if cluster is None:
            threads = Threads(os.cpu_count() or 1)
            stack.callback(threads.stop)
            yield threads
            return
        where = trusted_cluster(cluster)
        if isinstance(where, StartedCluster):
            found = DaskWorkers(_connect(stack.enter_context(_start(where)), where.cls), QUEUED)
        else:
            found = DaskWorkers(_connect(where, where))
        stack.callback(found.stop)
        found.require_alike()
        yield found


def _start(cluster: StartedCluster) -> Any:
    """The cluster, started; on this machine its pages are for this machine alone, unless told otherwise."""
    local = LOOPBACK if cluster.cls.rpartition(".")[2].startswith("Local") else {}
    try:
        return cluster_class(cluster.cls)(**local | cluster.options)
    except TypeError as error:
        raise ValueError(f"cluster.options must be what {cluster.cls} takes, got {error}") from error


def _connect(where: Any, name: str) -> Client:
    """A dask client, its warning about other versions silenced, because we refuse them ourselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)
            try:
                return Client(address=where, set_as_default=False)
            except AssertionError:  # dask gives a thread ten seconds to start, which a machine that stood still took
                return Client(address=where, set_as_default=False)
    except OSError as error:
        raise ClusterError(
            f"the dask scheduler {name} must be reachable, got: {error}; start it, or mend `cluster:` of dataset.yaml"
        ) from error
    except TypeError as error:
        if "ssl_context" not in str(error):
            raise
        names = " and ".join(
            f"DASK_DISTRIBUTED__COMM__TLS__{part}" for part in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
        )
        raise ValueError(f"{name} must be given certificates, got none; set {names}, or dask's own file") from error
