"""Deployments, work pools and automations onto a server there is; again and again with the same result."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from flows.server import automations
from flows.server.address import GIVEN
from flows.server.definitions import TAG, Definition, names_of, read_definitions

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deploy:
    """What is to be put on the server."""

    datasets: Sequence[str]
    """Folders as the workers see them, or URLs."""
    api: str
    notify: str | None = None
    """Where messages are posted."""
    late: timedelta = timedelta(minutes=30)
    """How long a scheduled run may wait before it is told of."""

    @cached_property
    def definitions(self) -> Sequence[Definition]:
        """All deployments that a dataset gets."""
        return read_definitions()

    @property
    def pools(self) -> list[str]:
        """Names of the work pools that are needed."""
        return sorted({each.pool for each in self.definitions})

    def lines(self) -> list[str]:
        """What is put there, a line each."""
        told = [f"work pool {pool}" for pool in self.pools]
        for dataset, name in names_of(self.datasets).items():
            for each in self.definitions:
                when = f", at {each.cron!r} {each.timezone}" if each.cron else ""
                told.append(f"deployment {each.flow}/{name} of {dataset} on {each.pool}{when}")
        return told

    def next(self) -> list[str]:
        """What to start on the machines that work."""
        limits = {"gpu": "1          # one for each GPU"}
        commands = [f"export PREFECT_API_URL={self.api} DO_NOT_TRACK=1"]
        if os.environ.get(GIVEN):
            commands.append(f"export {GIVEN}=…    # which the server asks for, as of this command")
        commands += [f"prefect worker start --pool {p} --limit {limits.get(p, '4')}" for p in self.pools]
        return ["next, on every machine that works:", *(f"  {command}" for command in commands)]


def deploy(wanted: Deploy, say: Say) -> None:
    """Create or update the deployments on the server, and say so."""
    _require_own_names(wanted)
    _make_pools(wanted.pools)
    names = names_of(wanted.datasets)
    for dataset in wanted.datasets:
        for each in wanted.definitions:
            each.deployment(names[dataset], dataset).apply()
    for line in wanted.lines():
        say(line)
    for name in automations.install(wanted.notify, wanted.api.removesuffix("/api"), wanted.late):
        say(f"automation {name}")
    for line in wanted.next():
        say(line)


def _require_own_names(wanted: Deploy) -> None:
    """Refuse to take the name of another dataset's deployments."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        for dataset, name in names_of(wanted.datasets).items():
            try:
                there = client.read_deployment_by_name(f"reprocess/{name}")
            except ObjectNotFound:
                continue
            other = there.parameters.get("dataset")
            if TAG in there.tags and other != dataset:
                raise ValueError(
                    f"the name {name!r} must be free on the server, got deployments of {other}; rename the folder, or "
                    f"remove them: prefect deployment delete reprocess/{name}"
                )


def _make_pools(pools: Sequence[str]) -> None:
    """Make the pools that are missing, of processes; one of another kind stays what it is."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        there = {pool.name for pool in client.read_work_pools()}
        for pool in set(pools) - there:
            client.create_work_pool(WorkPoolCreate(name=pool, type=ProcessWorker.type, base_job_template=template))
