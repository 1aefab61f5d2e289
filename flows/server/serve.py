"""A workstation's own server: schedules, the UI, and runs, in one command.

A user's first `serve` starts the server and ends it; another one, of other datasets, joins it. A server of someone
else on the same port is refused: our runs would show there, and end with it.

One run at a time, of all datasets: a stage takes all cores by itself. A look of `watch` that is due in a long night
comes after it, and does the work of all looks that were due meanwhile.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from flows.server import address, automations
from flows.server.definitions import TAG, names_of, read_definitions

if TYPE_CHECKING:
    from prefect.runner import Runner

LOOPBACK = ("127.0.0.1", "localhost", "::1")


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

    def words(self, ui: str) -> str:
        """What a person is told as it begins."""
        looks = f", looks every {self.every:g} minutes" if self.every else ""
        return f"the UI is at {ui}; reprocess runs at {self.cron!r}, {timezone()}{looks}; Ctrl-C ends it"


def serve(service: Service, say: Callable[[str], None]) -> None:
    """Run a server, its UI, a nightly `reprocess` and a `watch` of the datasets on this machine, until Ctrl-C."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    os.environ.pop("PREFECT_API_URL", None)
    address.configure(quiet=False)
    address.authenticate()
    if service.host not in LOOPBACK and not os.environ.get(address.ASKED):
        say(
            f"warning: whoever reaches {service.host}:{service.port} can run and change everything; set {address.ASKED}"
        )
    joins = address.served_address() is not None
    try:
        with _running_server(service.port, service.host) as api:
            os.environ["PREFECT_API_URL"] = api
            address.require_access()
            if not joins:
                _pause_deployments()
            say(service.words(api.removesuffix("/api")))
            _serve_flows(service, api.removesuffix("/api"))
    except KeyboardInterrupt:
        pass
    say("ended")


def timezone() -> str:
    """Name of this machine's time zone, since a night is a local thing; UTC where it does not say."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


@contextmanager
def _running_server(port: int, host: str = "127.0.0.1") -> Iterator[str]:
    """API address of this user's server: one that runs already, or one that runs as long as this."""
    joined = address.served_address()
    if joined:
        yield joined
        return
    api = f"http://{'127.0.0.1' if host in ('0.0.0.0', *LOOPBACK) else host}:{port}/api"
    if address.is_healthy(api):
        raise RuntimeError(f"port {port} must be free, got another Prefect server there; choose one by --port")
    process = _start_server(port, host)
    try:
        _await_server(api, process)
        address.server_file().write_text(json.dumps({"api": api, "pid": process.pid}))
        yield api
    finally:
        address.server_file().unlink(missing_ok=True)
        _end_server(process)


def _start_server(port: int, host: str) -> subprocess.Popen[bytes]:
    """A Prefect server; host and port go by environment, as the UI asks that for its API."""
    environment = os.environ | {"PREFECT_SERVER_API_HOST": host, "PREFECT_SERVER_API_PORT": str(port)}
    if host not in LOOPBACK:  # a browser elsewhere asks this machine by name
        environment.setdefault("PREFECT_SERVER_UI_API_URL", f"http://{socket.getfqdn()}:{port}/api")
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with (address.user_home() / "server.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _await_server(api: str, process: subprocess.Popen[bytes], seconds: float = 180) -> None:
    log, end = address.user_home() / "server.log", time.monotonic() + seconds
    while not address.is_healthy(api):
        if process.poll() is not None:
            raise RuntimeError(f"the server must start, got exit status {process.returncode}; see {log}")
        if time.monotonic() > end:
            raise RuntimeError(f"the server must answer within {seconds:.0f} s, got nothing; see {log}")
        time.sleep(0.5)


def _end_server(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def _serve_flows(service: Service, ui: str) -> None:
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
    asyncio.run(_run_until_stopped(runner))


def _pause_deployments() -> None:
    """Pause what an earlier `serve` left here: of a dataset that is served no more, all runs would be late."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    with get_client(sync_client=True) as client:
        while there := [each for each in client.read_deployments(deployment_filter=ours) if not each.paused]:
            for each in there:
                client.pause_deployment(each.id)


async def _run_until_stopped(runner: "Runner") -> None:
    """Run until SIGINT or SIGTERM; then end what is running, and have the server know.

    Prefect's own answer to SIGTERM never gets that far, and its runs would look as if they went on.
    """
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not runner.started:  # it is about to start, or about to end and somebody is impatient
            raise KeyboardInterrupt
        asyncio.run_coroutine_threadsafe(runner.astop(), loop)

    runner.handle_sigterm = stop  # type: ignore[method-assign]  # which it will install
    signal.signal(signal.SIGINT, stop)
    await runner.start()
