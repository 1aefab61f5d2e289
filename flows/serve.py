"""A workstation's own server: schedules, the UI, and runs, in one command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from flows import server


def serve(dataset: str, port: int, cron: str, say: Callable[[str], None]) -> None:
    """Run a server, its UI and a nightly `reprocess` of the dataset on this machine, until Ctrl-C."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, signal.default_int_handler)
    api = f"http://127.0.0.1:{port}/api"
    os.environ["PREFECT_API_URL"] = api
    server.configure(quiet=False)
    process = None if server.is_healthy(api) else _start(port)
    try:
        _await(api, process)
        server.card().write_text(json.dumps({"api": api, "pid": os.getpid()}))
        say(f"the UI is at http://127.0.0.1:{port}; reprocess runs at {cron!r}; Ctrl-C ends all of it")
        _deploy(dataset, cron)
    except KeyboardInterrupt:
        say("ended")
    finally:
        server.card().unlink(missing_ok=True)
        if process is not None:
            process.terminate()
            process.wait(30)


def _start(port: int) -> subprocess.Popen[bytes]:
    """A Prefect server on loopback; the port goes by environment, as the UI asks that for its API."""
    server.home().mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(port)}
    environment.pop("PREFECT_API_URL", None)
    log = (server.home() / "server.log").open("ab")
    command = [sys.executable, "-m", "prefect", "server", "start"]
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _await(api: str, process: subprocess.Popen[bytes] | None, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not server.is_healthy(api):
        if process is not None and process.poll() is not None:
            raise RuntimeError(
                f"the server must start, got exit status {process.returncode}; see {server.home()}/server.log"
            )
        if time.monotonic() > end:
            raise RuntimeError(
                f"the server must answer within {seconds:.0f} s, got nothing; see {server.home()}/server.log"
            )
        time.sleep(0.5)


def _deploy(dataset: str, cron: str) -> None:
    """Serve `reprocess` on a schedule, and each stage for a click in the UI."""
    from prefect import serve as serve_deployments
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.types.entrypoint import EntrypointType

    from flows.reprocess import STAGE_FLOWS, reprocess

    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    options: dict[str, Any] = {"parameters": {"dataset": dataset}, "entrypoint_type": EntrypointType.MODULE_PATH}
    stages: list[Any] = [each.to_deployment(each.name, **options) for each in STAGE_FLOWS.values()]
    nightly: Any = reprocess.to_deployment("nightly", cron=cron, concurrency_limit=one, **options)
    serve_deployments(nightly, *stages, pause_on_shutdown=False, print_starting_message=False)
