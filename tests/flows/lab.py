"""A lab's server for tests: a real one, that asks for an auth string, and somewhere that messages are posted to."""

import base64
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from flows.server import address

AUTH = "lab:correct-horse-battery"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(found, seconds, what=""):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"{what or 'nothing'} within {seconds} s"
        time.sleep(0.5)
    return value


@contextmanager
def receiver():
    """Bodies that are posted to an address, and that address, which holds a secret as those of chats do."""
    posted = []

    class Posted(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    with listening(Posted) as port:
        yield posted, f"http://127.0.0.1:{port}/hooks/hush-hush-token"


class Lab:
    """A server, and commands that know of it; all that was started is ended with it."""

    def __init__(self, folder: Path, **environment):
        self.folder, self.port, self.started = folder, free_port(), []
        self.home = folder / "home"
        self.home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        self.environment = kept | {
            "PYTHONPATH": str(Path.cwd()),
            "UNET_FLOWS_HOME": str(self.home),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "1",
            **environment,
        }
        (folder / "prefect").mkdir()

    @property
    def api(self):
        return f"http://127.0.0.1:{self.port}/api"

    def begin(self):
        asked = {"PREFECT_SERVER_API_PORT": str(self.port), "PREFECT_SERVER_API_AUTH_STRING": AUTH}
        self.start("prefect", "server", "start", **asked)
        until(self.answers, 240, "an answer of the server")
        self.environment |= {"PREFECT_API_URL": self.api, "PREFECT_API_AUTH_STRING": AUTH}

    def answers(self):
        try:
            urllib.request.urlopen(f"{self.api}/health", timeout=2).close()
        except OSError:
            return False
        return True

    def start(self, module, *words, **more):
        """A command in the background; its words go to a log named after it."""
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, words)],
                env=self.environment | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(self, *words, module="flows.commands.app", check=True, **more):
        """A command: status, and all that it said."""
        command = [sys.executable, "-m", module, *map(str, words)]
        ended = subprocess.run(
            command, env=self.environment | more, capture_output=True, text=True, timeout=400, check=False
        )
        assert not check or ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def ask(self, what, **asked):
        """What the server's API answers."""
        headers = {
            "content-type": "application/json",
            "authorization": f"Basic {base64.b64encode(AUTH.encode()).decode()}",
        }
        request = urllib.request.Request(f"{self.api}/{what}", json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def runs(self, flow, *states):
        """Runs of a flow in these states."""
        chosen = {"flow_runs": {"state": {"name": {"any_": list(states)}}}} if states else {}
        return self.ask("flow_runs/filter", flows={"name": {"any_": [flow]}}, **chosen)

    def end(self):
        for process in reversed(self.started):
            stop(process)


def stop(process, seconds=60):
    """End a process and all that it started."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(family, 20)[1]:
        left.kill()


def forget_prefect(monkeypatch):
    """An environment in which nothing is said about Prefect; it is put back afterwards."""
    told = {address.ASKED, address.GIVEN, "PREFECT_API_URL", "PREFECT_HOME", *address.SETTINGS, *address.QUIET}
    for key in told | {key for key in os.environ if key.startswith("PREFECT_")}:
        monkeypatch.setenv(key, "")  # so that it is put back afterwards
        monkeypatch.delenv(key)


@contextmanager
def listening(handler):
    """Port of this machine at which a handler of requests answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield web.server_port
        web.shutdown()
        thread.join()


@contextmanager
def chromium(*options):
    """A real browser, with command-line options; the test is skipped where none is installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=program, args=["--no-sandbox", *options])
        yield opened
        opened.close()
