"""A workstation's own server: schedules, the UI, and runs, in one command.

A user's first `serve` starts the server and ends it; another one, of another dataset, joins it. A server of someone
else on the same port is refused: our runs would show there, and end with it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from flows import server
from unet.folder import Dataset

if TYPE_CHECKING:
    from prefect.runner import Runner


def serve(dataset: str, port: int, cron: str, say: Callable[[str], None]) -> None:
    """Run a server, its UI and a nightly `reprocess` of the dataset on this machine, until Ctrl-C."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    os.environ.pop("PREFECT_API_URL", None)
    server.configure(quiet=False)
    try:
        with _running(port) as api:
            os.environ["PREFECT_API_URL"] = api
            say(f"the UI is at {api.removesuffix('/api')}; reprocess runs at {cron!r}, {timezone()}; Ctrl-C ends it")
            _deploy(dataset, cron)
    except KeyboardInterrupt:
        pass
    say("ended")


def timezone() -> str:
    """Name of this machine's time zone, since a night is a local thing; UTC where it does not say."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


@contextmanager
def _running(port: int) -> Iterator[str]:
    """API address of this user's server: one that runs already, or one that runs as long as this."""
    joined = server.served()
    if joined:
        yield joined
        return
    api = f"http://127.0.0.1:{port}/api"
    if server.is_healthy(api):
        raise RuntimeError(f"port {port} must be free, got another Prefect server there; choose one by --port")
    process = _start(port)
    try:
        _await(api, process)
        server.card().write_text(json.dumps({"api": api, "pid": process.pid}))
        yield api
    finally:
        server.card().unlink(missing_ok=True)
        _end(process)


def _start(port: int) -> subprocess.Popen[bytes]:
    """A Prefect server on loopback; the port goes by environment, as the UI asks that for its API."""
    environment = os.environ | {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(port)}
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with (server.home() / "server.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _await(api: str, process: subprocess.Popen[bytes], seconds: float = 180) -> None:
    log, end = server.home() / "server.log", time.monotonic() + seconds
    while not server.is_healthy(api):
        if process.poll() is not None:
            raise RuntimeError(f"the server must start, got exit status {process.returncode}; see {log}")
        if time.monotonic() > end:
            raise RuntimeError(f"the server must answer within {seconds:.0f} s, got nothing; see {log}")
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def _deploy(dataset: str, cron: str) -> None:
    """Run `reprocess` on a schedule, and a stage on a click in the UI, one at a time, listed under the dataset's name.

    One at a time is said to the runner and not to the server: there, a run that was killed would hold its place for
    good, and no night after it would start.
    """
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.reprocess import STAGE_FLOWS, reprocess

    runner = Runner(limit=1, pause_on_shutdown=False)
    options: dict[str, Any] = {"parameters": {"dataset": dataset}, "entrypoint_type": EntrypointType.MODULE_PATH}
    name = Dataset(dataset).name
    nightly: Any = reprocess.to_deployment(name, schedule=Cron(cron, timezone=timezone()), **options)
    for deployment in (nightly, *(each.to_deployment(name, **options) for each in STAGE_FLOWS.values())):
        runner.add_deployment(deployment)
    asyncio.run(_run(runner))


async def _run(runner: "Runner") -> None:
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
