"""A workstation's own server: schedules, the UI, and runs, in one command.

A user's first `serve` starts the server and ends it; another one, of another dataset, joins it. A server of someone
else on the same port is refused: our runs would show there, and end with it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from flows import server
from unet.folder import Dataset


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
    except (KeyboardInterrupt, SystemExit):  # the latter is how Prefect's runner answers SIGTERM
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
    """Serve `reprocess` on a schedule, and each stage for a click in the UI, under the dataset's name."""
    from prefect import serve as serve_deployments
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.reprocess import STAGE_FLOWS, reprocess

    # a machine that was off would take every late night at once: one run, and what comes meanwhile is dropped
    once = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    name = Dataset(dataset).name
    options: dict[str, Any] = {"parameters": {"dataset": dataset}, "entrypoint_type": EntrypointType.MODULE_PATH}
    stages: list[Any] = [each.to_deployment(name, **options) for each in STAGE_FLOWS.values()]
    nightly: Any = reprocess.to_deployment(
        name, schedule=Cron(cron, timezone=timezone()), concurrency_limit=once, **options
    )
    serve_deployments(nightly, *stages, pause_on_shutdown=False, print_starting_message=False)
