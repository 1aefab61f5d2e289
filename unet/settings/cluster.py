"""Who computes: a dask scheduler's address, a cluster of a known class, or one that who runs this gave a name.

A record is data: it may come from anybody. What a cluster is started with can be a program (`job_script_prologue`,
`preload`, `python`, an image), and a scheduler sends its clients pickles. So a record names known classes, with options
that are numbers, sizes and plain words, which no shell and no batch script takes for anything else. All the rest stands
in `clusters.yaml` in the place of who runs this, and a record names it by its key.
"""

import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
    with_config,
)
from typing_extensions import TypedDict

from unet.settings.validation import CLOSED, one_of, require_no_secrets

Count = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Bytes = Annotated[float, Field(gt=0)] | Annotated[str, Field(pattern=r"\A[0-9.]{1,12} ?([kMGT]i?B)?\z")]
Time = Annotated[str, Field(pattern=r"\A[0-9]{1,4}([:-][0-9]{1,2}){0,3}\z")]
Word = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,99}\z")]
Loopback = Annotated[str, Field(pattern=r"\A(127\.0\.0\.1|localhost):[0-9]{1,5}\z")]
Request = Annotated[
    str,
    Field(pattern=r"\A--(gres=gpu(:\w{1,20})?:\d{1,3}|gpus(-per-\w{1,9})?=\d{1,3}|(constraint|qos)=[\w.-]{1,50})\z"),
]
WorkerArgument = Annotated[str, Field(pattern=r"\A(--resources|[A-Za-z]{1,20}=[0-9]{1,4})\z")]


@with_config(CLOSED)
class LocalOptions(TypedDict, total=False):
    """What a record may say of workers on this machine."""

    n_workers: Count
    threads_per_worker: Count
    processes: bool
    memory_limit: Bytes
    device_memory_limit: Bytes
    dashboard_address: Loopback
    worker_dashboard_address: Loopback


@with_config(CLOSED)
class SchedulerOptions(TypedDict, total=False):
    """What a record may say of the scheduler."""

    dashboard_address: Loopback


@with_config(CLOSED)
class QueueOptions(TypedDict, total=False):
    """What a record may say of the jobs of a queue."""

    n_workers: Count
    processes: Count
    cores: Count
    job_cpu: Count
    memory: Bytes
    job_mem: Bytes
    walltime: Time
    death_timeout: Count
    queue: Word
    account: Word
    project: Word
    interface: Word
    job_extra_directives: list[Request]
    worker_extra_args: list[WorkerArgument]
    scheduler_options: SchedulerOptions


QUEUES = ("HTCondor", "LSF", "Moab", "OAR", "PBS", "SGE", "SLURM")
KNOWN: dict[str, Any] = {
    "distributed.LocalCluster": LocalOptions,
    "dask.distributed.LocalCluster": LocalOptions,
    "dask_cuda.LocalCUDACluster": LocalOptions,
    **{f"dask_jobqueue.{queue}Cluster": QueueOptions for queue in QUEUES},
}
"""Classes that a record may name, each with the options that it may give."""
ELSE = "the rest must stand in clusters.yaml of who runs this, where a record names it by its key"


class Cluster(BaseModel):
    """A dask cluster to start: a known class such as `dask_jobqueue.SLURMCluster`, and what it is called with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cls: str
    """Dotted name of the class."""
    options: dict[str, Any] = {}
    """What it is called with."""

    @model_validator(mode="after")
    def _is_known(self) -> "Cluster":
        require_no_secrets("it", self.options)
        if self.cls not in KNOWN:
            raise ValueError(f"cls must be one of {', '.join(KNOWN)}, got {self.cls!r}; {ELSE}")
        try:
            TypeAdapter(KNOWN[self.cls]).validate_python(self.options)
        except ValidationError as error:
            wrong = ".".join(map(str, error.errors()[0]["loc"][:2]))
            known = ", ".join(KNOWN[self.cls].__annotations__)
            raise ValueError(f"options must be plain values of {known}, got another for {wrong}; {ELSE}") from error
        return self


Where = Annotated[
    str | Cluster | None, one_of("a scheduler's address, a name in clusters.yaml or {cls: CLASS, options: {…}}")
]

LOOPBACK_ADDRESS = re.compile(r"(\w+://)?(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


def is_name(cluster: str) -> bool:
    """Whether this is a key of `clusters.yaml`; an address has a colon.

    >>> is_name("slurm"), is_name("tcp://127.0.0.1:8786")
    (True, False)
    """
    return ":" not in cluster


def is_of_this_machine(address: str) -> bool:
    """Whether a scheduler's address is one of this machine.

    >>> is_of_this_machine("tcp://127.0.0.1:8786"), is_of_this_machine("tcp://127.0.0.1.example.org:8786")
    (True, False)
    """
    return LOOPBACK_ADDRESS.fullmatch(address) is not None
