"""A Prefect server as a lab runs it: PostgreSQL behind it, a worker beside it, a browser before it; all real."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from flows.server import address as settings

ROOT = Path(__file__).parents[2]
LAB = "lab"
"""The database of the server that tests share; another one is left to a test of its own."""
SERVANT = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
"""PostgreSQL refuses to run as root; Debian's package makes this user."""


@pytest.fixture(scope="session")
def postgres():
    """What Prefect is told of a PostgreSQL of ours on loopback, with two databases and a password."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp")), free_port()
    password = secrets.token_hex() + "@/: %"  # which would have to be quoted in a URL
    if SERVANT:
        shutil.chown(folder, SERVANT["user"], SERVANT["group"])
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)
    tool = {each: installed[-1].with_name(each) for each in ("initdb", "postgres", "createdb")}
    words = ["-A", "scram-sha-256", "-U", "prefect", f"--pwfile={folder}/password", "-E", "UTF8", "--no-sync"]
    _as_servant([tool["initdb"], "-D", folder / "data", *words])
    words = [
        "-p",
        port,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={folder}",
        "-c",
        "fsync=off",
    ]
    with (folder / "log").open("wb") as log, started([tool["postgres"], "-D", folder / "data", *words], log, **SERVANT):
        await_port(int(port))
        address = ["-h", "127.0.0.1", "-p", port, "-U", "prefect"]
        for name in ("prefect", LAB):
            _as_servant([tool["createdb"], *address, name], PGPASSWORD=password)
        said = {"driver": "postgresql+asyncpg", "host": "127.0.0.1", "port": port, "name": "prefect", "user": "prefect"}
        yield {
            f"PREFECT_SERVER_DATABASE_{key.upper()}": value for key, value in (said | {"password": password}).items()
        }
    shutil.rmtree(folder)


def _as_servant(command, **more):
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd="/tmp", env=os.environ | more, **SERVANT)


@contextmanager
def started(command, log, **options):
    """A process that runs while this does; SIGINT ends it, and what it leaves behind is killed."""
    options = {"stdout": log, "stderr": log, "start_new_session": True, "cwd": "/tmp"} | options
    process = subprocess.Popen(list(map(str, command)), **options)
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        for left in psutil.wait_procs([psutil.Process(process.pid), *family] if family else family, 30)[1]:
            left.kill()
        process.wait(30)


@pytest.fixture
def serving(tmp_path):
    """Starts a command that runs until the test has ended."""
    with ExitStack() as stack, (tmp_path / "serving.log").open("wb") as log:
        yield lambda command, **options: stack.enter_context(started(command, log, **options))


@pytest.fixture
def free_ports():
    return lambda count: [free_port() for _ in range(count)]


@pytest.fixture
def await_true():
    """Asks again and again until the answer is true."""

    def ask(question, seconds=240):
        end = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(1)

    return ask


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def await_port(port, seconds=60):
    _until(lambda: socket.create_connection(("127.0.0.1", port), 2).close(), seconds, f"port {port}")


def await_page(url, seconds=240):
    _until(lambda: urllib.request.urlopen(url, timeout=2).close(), seconds, url)


def _until(reach, seconds, what):
    end = time.monotonic() + seconds
    while True:
        try:
            return reach()
        except OSError:
            assert time.monotonic() < end, f"{what} does not answer within {seconds} s"
            time.sleep(0.3)


@pytest.fixture(scope="session")
def server(postgres, tmp_path_factory):
    """A Prefect server on PostgreSQL with a flow of ours and a worker; by `server.env` others find it."""
    place, port = tmp_path_factory.mktemp("server"), free_port()
    found = Server(f"http://127.0.0.1:{port}", _environment(postgres, place, port))
    with (place / "log").open("wb") as log, ExitStack() as stack:
        start = partial(_start, stack, log, found.env)
        start("server", "start")
        await_page(f"{found.api}/health")
        found.env["PREFECT_API_URL"] = found.api
        for pool in ("cpu", "gpu"):
            found.run("prefect", "work-pool", "create", pool, "--type", "process")
        file = ROOT / "deployments/prefect.yaml"
        found.run("prefect", "--no-prompt", "deploy", "--name", "segment", "--prefect-file", file)  # no schedules
        start("worker", "start", "--pool", "cpu", "--limit", "1")
        yield found


def _environment(postgres, place, port):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    own = {
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_HOME": str(place / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "UNET_FLOWS_HOME": str(place / "home"),
        "UNET_FLOWS_DATASET": "/data/none",
        "PREFECT_SERVER_DATABASE_NAME": LAB,
    }
    return inherited | settings.SETTINGS | postgres | own


def _start(stack, log, env, *words):
    stack.enter_context(started([sys.executable, "-m", "prefect", *words], log, env=env))


@dataclass(frozen=True)
class Server:
    """Where a server answers, and the environment of everybody who uses it."""

    ui: str
    env: dict[str, str]

    @property
    def api(self):
        return f"{self.ui}/api"

    def run(self, *words):
        """What a command line of Prefect's or ours says."""
        module, *rest = ("flows.commands.app" if words[0] == "unet-flows" else words[0], *words[1:])
        command = [sys.executable, "-m", module, *map(str, rest)]
        options = {"env": self.env, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 400}
        return subprocess.run(command, check=True, **options).stdout

    def find(self, what, **filters):
        """What the server's API holds: `find("flow_runs", flow_runs={...})`."""
        request = urllib.request.Request(
            f"{self.api}/{what}/filter", json.dumps(filters).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
