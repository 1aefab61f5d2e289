"""A server of ours is a process of its own: Prefect's application behind the guard, ended with whoever started it.

The port is opened by who starts it, and handed on: one that is in use is told at once, and nobody takes it in between.
A pipe leads to the process. However its starter ends, by kill -9 too, the pipe is closed, and the server ends.
"""

import atexit
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flows.server import address
from flows.server.guard import Guard
from flows.server.secret import open_privately

EPHEMERAL = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_UI_ENABLED": "0"}
"""What Prefect's own short-lived servers are told: no schedules, no pages."""
OWN = {
    "PREFECT_SERVER_UI_API_URL": "/api",  # by whatever name the browser came
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "none",  # which no page is of: by default every page may read answers
}
"""What a server of ours is told, unless a person says otherwise."""
PATIENCE = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
"""Where it stands for how many seconds a server may start; Prefect knows it too."""
NOT_STARTED = 3
"""Exit status of a server that could not start, as uvicorn has it."""


@dataclass(frozen=True)
class ServerProcess:
    """A server that was started here."""

    api: str
    process: "subprocess.Popen[bytes]"
    log: Path
    begin: int
    """Bytes of the log that were there before."""

    def await_health(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it ended, or does not answer in time.
        """
        seconds = float(os.environ[PATIENCE])
        end = time.monotonic() + seconds
        while not address.is_healthy(self.api):
            if self.process.poll() is not None:
                database = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
                raise RuntimeError(f"the server must start, got {self.how_it_ended()}; its database is {database}")
            if time.monotonic() > end:
                raise RuntimeError(f"the server must answer within {seconds:.0f} s, got nothing; see {self.log}")
            time.sleep(0.1)

    def how_it_ended(self) -> str:
        """The exit status of one that ended, its last words, and where to look."""
        with self.log.open("rb") as log:
            log.seek(self.begin)
            words = last_words(log.read().decode("utf-8", "replace"))
        said = f" ({words})" if words and self.process.returncode > 0 else ""  # who was killed has not said why
        return f"exit status {self.process.returncode}{said}; see {self.log}"

    def end(self, seconds: float = 30) -> None:
        """End it, and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_ephemeral() -> ServerProcess | None:
    """Start a server that lives as long as this process, and have Prefect use it; None where there is one already.

    It is named before Prefect is imported, which would start one of its own else: without a guard, and left behind by
    kill -9. One that was killed meanwhile is started again, where Prefect will look for it.
    """
    named, port = os.environ.get("PREFECT_API_URL"), 0
    if named:
        last = _started[-1] if _started else None
        if last is None or last.api != named or last.process.poll() is None:
            return None
        port = urlsplit(named).port or 0
    address.authenticate()
    server = start_server(port, **EPHEMERAL)
    os.environ["PREFECT_API_URL"] = server.api
    _started.append(server)
    atexit.register(server.end, 5)
    return server


_started: list[ServerProcess] = []


def start_server(port: int = 0, host: str = "127.0.0.1", names: Iterable[str] = (), **more: str) -> ServerProcess:
    """Start a server at once, without waiting until it answers; port 0 is any that is free.

    Args:
        port: where it listens.
        host: the address it listens at.
        names: what browsers may call it.
        more: what it is told by its environment.
    """
    log_file = address.user_home() / "server.log"
    with _listen(host, port) as listening, open_privately(log_file, os.O_APPEND) as log:
        port, descriptor = listening.getsockname()[1], listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.server.process", str(descriptor), *names],
            env=_environment(host, port) | more,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[descriptor],
            cwd=address.user_home(),  # Prefect reads settings of the folder it is started in
            start_new_session=True,  # Ctrl-C does not reach it: it must outlive an interrupted run
        )
        return ServerProcess(f"http://{_reachable(host)}:{port}/api", process, log_file, log.tell())


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise RuntimeError(f"port {port} of {host} must be free, got {why}; choose one by --port") from error


def _reachable(host: str) -> str:
    """How this machine reaches what listens there."""
    if host in ("0.0.0.0", "localhost"):
        return "127.0.0.1"
    return f"[{'::1' if host == '::' else host}]" if ":" in host else host


def _environment(host: str, port: int) -> dict[str, str]:
    """Without what quietens a terminal, as a log is to say why a server fails, and without another server's address."""
    given = os.environ.items() - address.QUIET.items()
    told = {"PREFECT_SERVER_API_HOST": host, "PREFECT_SERVER_API_PORT": str(port)}
    return OWN | {key: value for key, value in given if key != "PREFECT_API_URL"} | told


def last_words(log: str) -> str:
    r"""The last line of a log that names an error, else the last.

    >>> last_words("Traceback ...\nalembic.CommandError: Can't locate revision 'ff'\n\nApplication startup failed.\n")
    "alembic.CommandError: Can't locate revision 'ff'"
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b.*: ", line)]
    return (named or lines or [""])[-1]


def main() -> None:
    """Serve on the port that was handed on, until it is told to end or its starter is gone."""
    os.umask(0o077)  # what the database holds is this user's
    descriptor, *names = sys.argv[1:]
    threading.Thread(target=_end_with_starter, daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    settings = get_current_settings().server
    config = uvicorn.Config(
        Guard(create_app(final=True), frozenset(names)),
        lifespan="on",
        log_level=settings.logging_level.lower(),
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=int(descriptor))])
    sys.exit(0 if server.started else NOT_STARTED)


def _end_with_starter(seconds: float = 20) -> None:
    """Wait until the pipe is closed; then end this process, by force if need be."""
    os.read(0, 1)  # a daemon must hold no lock of `sys.stdin` as the interpreter ends
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(seconds)
    os._exit(1)


if __name__ == "__main__":
    main()
