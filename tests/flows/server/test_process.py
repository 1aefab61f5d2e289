"""Laws of a server of ours: it ends with whoever started it, its failures are told at once, its files are private."""

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.server import address
from flows.server import process as module
from flows.server.process import start_ephemeral, start_server
from tests.flows.lab import forget_prefect

WAITS = "import os\nwhile os.read(0, 1): pass"
FAILS = """
import sys
print("Traceback (most recent call last):\\n  File 'x'\\nalembic.CommandError: Can't locate revision 'ff'\\n")
print("Application startup failed. Exiting.", flush=True)
sys.exit(3)
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and an environment in which nothing is said about Prefect."""
    forget_prefect(monkeypatch)
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "_started", [])
    address.configure()
    return tmp_path / "home"


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """What runs in place of the server."""

    def put(code):
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\n{code}")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return put


def test_a_port_in_use_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = f"port {port} of 127.0.0.1 must be free, got Address already in use; choose one by --port"
        with pytest.raises(RuntimeError, match=words):
            start_server(port)


def test_a_server_that_dies_as_it_starts_is_told_with_its_last_words_and_its_database(home, instead):
    (home / "server.log").write_text("OldError: of another day\n")
    instead(FAILS)
    server = start_server()
    with pytest.raises(RuntimeError) as told:
        server.await_health()
    words = (
        r"the server must start, got exit status 3 \(alembic.CommandError: Can't locate revision 'ff'\); see .*server"
    )
    assert re.match(rf"{words}\.log; its database is {home}/prefect/prefect\.db", str(told.value))
    server.end()


def test_a_server_that_does_not_answer_is_told_in_time(instead, monkeypatch):
    instead(WAITS)
    monkeypatch.setenv(module.PATIENCE, "0")
    server = start_server()
    with pytest.raises(RuntimeError, match=r"the server must answer within 0 s, got nothing; see .*server\.log"):
        server.await_health()
    server.end()


def test_the_ephemeral_one_is_named_asks_for_the_secret_and_is_started_once(home, instead):
    instead(WAITS)
    server = start_ephemeral()
    assert os.environ["PREFECT_API_URL"] == server.api
    assert os.environ[address.ASKED] == os.environ[address.GIVEN] == (home / "secret").read_text().strip()
    assert start_ephemeral() is None
    with server.log.open("a") as log:
        log.write("OperationalError: of another hour\n")
    server.process.kill()
    server.process.wait()
    assert server.how_it_ended() == f"exit status -9; see {home}/server.log"
    again = start_ephemeral()  # where Prefect looks for it
    assert again.api == server.api
    assert start_ephemeral() is None
    again.end()
    server.end()


def test_a_persons_own_server_is_left_alone(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://lab:4200/api")
    assert start_ephemeral() is None
    assert address.ASKED not in os.environ


def test_it_is_told_what_to_refuse_and_not_what_a_terminal_is(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://lab:4200/api")
    monkeypatch.setenv("PREFECT_SERVER_LOGGING_LEVEL", "INFO")
    told = module._environment("127.0.0.1", 4200)
    assert told["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] != "*"
    assert told["PREFECT_SERVER_UI_API_URL"] == "/api"
    assert told["PREFECT_SERVER_LOGGING_LEVEL"] == "INFO"
    assert not {"PREFECT_API_URL", "PREFECT_INTERNAL_LOGGING_LEVEL"} & set(told)
    assert {f"PREFECT_SERVER_API_{key}": told[f"PREFECT_SERVER_API_{key}"] for key in ("HOST", "PORT")} == {
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": "4200",
    }


@pytest.mark.parametrize(
    ("host", "api"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")]
)
def test_it_is_reached_where_it_listens(host, api, instead):
    instead(WAITS)
    server = start_server(0, host)
    assert re.fullmatch(rf"http://{re.escape(api)}:\d+/api", server.api)
    server.end()
    assert server.process.returncode == -signal.SIGTERM


STARTER = """
import subprocess, sys, time
watched = "import time; from threading import Thread; from flows.server.process import _end_with_starter as end; "
code = watched + "Thread(target=end, daemon=True).start(); print('ready', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def gone(pid, seconds=60):
    """Whether a process that is no child of ours ends in time."""
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_the_pipe_tells_a_process_that_its_starter_was_killed():
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        said = {starter.stdout.readline().strip() for _ in range(2)}
        starter.kill()
    (pid,) = said - {"ready"}
    assert gone(int(pid))


EPHEMERAL = """
import sys
from flows.server import address
from flows.server.process import start_ephemeral
address.configure()
server = start_ephemeral()
server.await_health()
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    print(server.process.pid, server.api, len(client.read_flow_runs()), flush=True)
sys.stdin.read()
"""


@pytest.mark.prefect
@pytest.mark.slow
def test_killing_a_command_leaves_no_server_behind_and_its_files_are_private(home):
    told = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", EPHEMERAL], **told, umask=0) as command:
        pid, api, runs = command.stdout.readline().split()
        assert runs == "0"
        assert address.is_healthy(api)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (home / "prefect").iterdir()}
        assert modes["prefect.db"] == 0o600
        assert not any(mode & 0o077 for mode in modes.values())
        assert stat.S_IMODE((home / "prefect").stat().st_mode) == 0o700
        command.kill()
    assert gone(int(pid))


@pytest.mark.prefect
@pytest.mark.slow
def test_a_proxy_that_the_client_cannot_use_is_not_asked_for_a_server_on_this_machine():
    for proxy in ("socks5://127.0.0.1:9", "socks://127.0.0.1:9"):
        ended = subprocess.run(
            [sys.executable, "-c", EPHEMERAL],
            env=os.environ | {"ALL_PROXY": proxy, "http_proxy": proxy},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.prefect
@pytest.mark.slow
def test_a_database_of_a_newer_prefect_is_named(home):
    with sqlite3.connect(home / "prefect/prefect.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    database.close()
    server = start_ephemeral()
    words = rf"Can't locate revision identified by 'ffffffffffff'.*database is {home}/prefect/prefect\.db"
    with pytest.raises(RuntimeError, match=words):
        server.await_health()
    server.end()


INTERRUPTED = """
import os, signal
from flows.server import address
from flows.server.process import start_ephemeral
address.configure()
start_ephemeral().await_health()
from prefect import flow

@flow
def interrupted():
    os.killpg(0, signal.SIGINT)

try:
    interrupted()
except KeyboardInterrupt:
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        print(*(run.state.type.value for run in client.read_flow_runs()))
"""


@pytest.mark.prefect
@pytest.mark.slow
def test_an_ephemeral_server_hears_of_the_run_that_ctrl_c_ended_and_the_terminal_stays_quiet(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    ended = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=Path.cwd(),
        start_new_session=True,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("CRASHED\n", "", 0)
