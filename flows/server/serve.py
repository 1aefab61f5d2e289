"""A workstation's own server: schedules, the UI, and runs, in one command.

A user's first `serve` starts the server and ends it; another one, of other datasets, joins it. A server of someone
else on the same port is refused: our runs would show there, and end with it.

One run at a time, of all datasets: a stage takes all cores by itself. A look of `watch` that is due in a long night
comes after it, and does the work of all looks that were due meanwhile.
"""

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from flows.server import address, automations
from flows.server.definitions import TAG, names_of, read_definitions
from flows.server.guard import LOOPBACK
from flows.server.process import start_server
from flows.server.secret import open_privately, read_secret

if TYPE_CHECKING:
    from prefect.runner import Runner


@dataclass(frozen=True)
class Service:
    """What a workstation serves, and when."""

    datasets: Sequence[str]
    """Absolute paths, or URLs."""
    port: int = 4200
    host: str = "127.0.0.1"
    cron: str = "0 2 * * *"
    every: float = 5
    """Minutes between looks at the sources; 0 = none."""
    notify: str | None = None
    """Where messages are posted."""
    names: Sequence[str] = ()
    """What browsers call this machine, beside its own names and addresses."""
    auth: bool = True
    """Whether the server asks for a secret."""

    def words(self, ui: str) -> str:
        """What a person is told as it begins."""
        looks = f", looks every {self.every:g} minutes" if self.every else ""
        return f"the UI is at {ui}; reprocess runs at {self.cron!r}, {timezone()}{looks}; Ctrl-C ends it"

    def access(self) -> str:
        """What a person is told of who may use the server."""
        if not self.auth:
            who = "every user of this machine" if self.host in LOOPBACK else f"whoever reaches {self.host}:{self.port}"
            return f"warning: {who} can run and change everything, as --no-auth was said"
        own = os.environ[address.ASKED] == read_secret(address.secret_file())
        where = address.secret_file() if own else f"{address.ASKED} or {address.GIVEN}"
        return f"the UI asks once for a password: what stands in {where}"


def serve(service: Service, say: Callable[[str], None]) -> None:
    """Run a server, its UI, a nightly `reprocess` and a `watch` of the datasets on this machine, until Ctrl-C."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    os.environ.pop("PREFECT_API_URL", None)
    address.configure(quiet=False)
    joins = address.served_address() is not None
    _agree_on_access(service, joins)
    if not joins:
        say(service.access())
    try:
        with _running_server(service) as (api, is_gone):
            os.environ["PREFECT_API_URL"] = api
            address.require_access()
            if not joins:
                _pause_deployments()
            say(service.words(api.removesuffix("/api")))
            _serve_flows(service, api.removesuffix("/api"), is_gone)
    except KeyboardInterrupt:
        pass
    say("ended")


def _agree_on_access(service: Service, joins: bool) -> None:
    """Have server and commands use one auth string, or none; a server that is joined has chosen."""
    if service.auth:
        address.authenticate()
    elif not joins:
        for key in (address.ASKED, address.GIVEN):
            os.environ.pop(key, None)


def timezone() -> str:
    """Name of this machine's time zone, since a night is a local thing; UTC where it does not say."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


@contextmanager
def _running_server(service: Service) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """API address of this user's server, which runs already, or as long as this; and what says how it ended."""
    joined = address.served_process()
    if joined:
        api, pid = joined
        yield api, lambda: None if address.is_process(pid) else "the end of the `serve` that started it"
        return
    names = service.names if service.host in LOOPBACK else (*service.names, socket.gethostname(), socket.getfqdn())
    server = start_server(service.port, service.host, names)
    try:
        server.await_health()
        with open_privately(address.server_file()) as card:
            card.write(json.dumps({"api": server.api, "pid": server.process.pid}).encode())
        yield server.api, lambda: None if server.process.poll() is None else server.how_it_ended()
    finally:
        address.server_file().unlink(missing_ok=True)
        server.end()


def _serve_flows(service: Service, ui: str, is_gone: Callable[[], str | None]) -> None:
    """Run what is due, one at a time; and every flow on a click in the UI, listed under its dataset's name.

    One at a time is said to the runner and not to the server: there, a run that was killed would hold its place for
    good, and no night after it would start.
    """
    from prefect.runner import Runner
    from prefect.schedules import Cron, Interval, Schedule

    schedules: dict[str, Schedule] = {"reprocess": Cron(service.cron, timezone=timezone())}
    if service.every:
        schedules["watch"] = Interval(timedelta(minutes=service.every))
    runner = Runner(limit=1, pause_on_shutdown=False)
    for dataset, name in names_of(service.datasets).items():
        for each in read_definitions():
            when = [schedules[each.flow]] if each.flow in schedules else []
            runner.add_deployment(each.deployment(name, dataset, when, on_pool=False))
    automations.install(service.notify, ui)
    asyncio.run(_run_until_stopped(runner, is_gone))


def _pause_deployments() -> None:
    """Pause what an earlier `serve` left here: of a dataset that is served no more, all runs would be late."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    with get_client(sync_client=True) as client:
        while there := [each for each in client.read_deployments(deployment_filter=ours) if not each.paused]:
            for each in there:
                client.pause_deployment(each.id)


async def _run_until_stopped(runner: "Runner", is_gone: Callable[[], str | None]) -> None:
    """Run until SIGINT or SIGTERM, or until the server is gone; then end what is running, and have the server know.

    Prefect's own answer to SIGTERM never gets that far, and its runs would look as if they went on; without a server
    it would ask for it for good.

    Raises:
        RuntimeError: the server ended before this.
    """
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not runner.started:  # it is about to start, or about to end and somebody is impatient
            raise KeyboardInterrupt
        asyncio.run_coroutine_threadsafe(runner.astop(), loop)

    runner.handle_sigterm = stop  # type: ignore[method-assign]  # which it will install
    signal.signal(signal.SIGINT, stop)
    serving = asyncio.create_task(runner.start())
    while not (await asyncio.wait([serving], timeout=1))[0]:
        if how := is_gone():
            logging.disable(logging.CRITICAL)  # page after page of a server that does not answer
            serving.cancel()
            await asyncio.wait([serving], timeout=60)
            raise RuntimeError(f"the server must run as long as this, got {how}; start it again")
    await serving
