"""Laws of finding a server: a person's own first, then the one that `serve` started, else none; no telemetry."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.server import address
from unet.images.synthetic import draw_stack


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and an environment in which nothing is said about Prefect."""
    for key in [
        *address.SETTINGS,
        *address.QUIET,
        "PREFECT_HOME",
        "PREFECT_API_URL",
        "http_proxy",
        "no_proxy",
        "NO_PROXY",
    ]:
        monkeypatch.setenv(key, "")  # so that it is put back afterwards
        monkeypatch.delenv(key)
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def answering():
    """Address of something that answers as a healthy server does."""

    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}/api"
        web.shutdown()
        thread.join()


def put_card(home, api):
    home.mkdir(exist_ok=True)
    (home / "server.json").write_text(json.dumps({"api": api, "pid": 1}))


def test_without_a_server_there_is_an_ephemeral_one_in_a_place_of_our_own(home):
    assert address.configure() == "an ephemeral server"
    assert os.environ["PREFECT_HOME"] == str(home / "prefect")
    assert (home / "prefect").is_dir()
    assert "PREFECT_API_URL" not in os.environ


def test_nothing_phones_home():
    address.configure()
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_the_server_that_serve_started_is_used_while_it_answers(home):
    with answering() as api:
        put_card(home, api)
        assert address.configure() == api
        assert os.environ["PREFECT_API_URL"] == api
    assert address.served_address() is None


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(home, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "lab.example")
    with answering() as api:
        put_card(home, api)
        assert address.configure() == api
    assert os.environ["no_proxy"] == "lab.example,127.0.0.1,localhost"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"api": null}', '{"api": "nonsense"}'])
def test_a_damaged_card_is_no_server(home, content):
    home.mkdir()
    address.server_file().write_text(content)
    assert address.served_address() is None


@contextmanager
def asking(status):
    """Address of something that answers so, and the headers it was sent."""
    seen = []

    class Asking(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("authorization"))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asking) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}/api", seen
        web.shutdown()
        thread.join()


@pytest.mark.parametrize(("string", "got"), [("", "none"), ("lab:hush", "another one")])
def test_a_server_that_does_not_take_us_says_so_in_a_sentence(monkeypatch, string, got):
    with asking(401) as (api, seen):
        monkeypatch.setenv("PREFECT_API_URL", api)
        monkeypatch.setenv(address.GIVEN, string)
        with pytest.raises(RuntimeError, match=f"asks for an auth string, got {got}; set PREFECT_API_AUTH") as refused:
            address.require_access()
    assert "hush" not in str(refused.value)
    assert seen == ["Basic bGFiOmh1c2g=" if string else None]


def test_a_server_that_takes_us_or_answers_otherwise_is_left_to_the_run(monkeypatch):
    for status in (200, 404, 500):
        with asking(status) as (api, _):
            monkeypatch.setenv("PREFECT_API_URL", api)
            address.require_access()
    address.require_access()  # nothing answers there any more
    monkeypatch.delenv("PREFECT_API_URL")
    address.require_access()


@pytest.mark.parametrize("given", [address.ASKED, address.GIVEN])
def test_either_auth_string_is_that_of_both_sides(monkeypatch, given):
    for key in (address.ASKED, address.GIVEN):
        monkeypatch.setenv(key, "")
    monkeypatch.setenv(given, "lab:hush")
    address.authenticate()
    assert [os.environ[key] for key in (address.ASKED, address.GIVEN)] == ["lab:hush"] * 2


def test_what_a_person_set_stays(home, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://lab:4200/api")
    monkeypatch.setenv("PREFECT_HOME", str(home / "mine"))
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "DEBUG")
    with answering() as api:
        put_card(home, api)
        assert address.configure() == "http://lab:4200/api"
    assert os.environ["PREFECT_HOME"] == str(home / "mine")
    assert os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "DEBUG"


def test_a_terminal_is_left_quiet_and_a_service_is_not():
    address.configure(quiet=False)
    assert not set(address.QUIET) & set(os.environ)
    address.configure()
    assert set(address.QUIET) <= set(os.environ)


def test_configuring_imports_no_prefect():
    code = "import sys; from flows.server import address; address.configure(); sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.prefect
def test_a_run_that_fails_says_one_sentence_on_the_terminal(make):
    dataset = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)})
    (Path(dataset.url).parent / "files/image/broken.tif").write_bytes(b"II*\0not a picture")
    command = [sys.executable, "-m", "flows.commands.app", "reprocess", dataset.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 1
    of_progress = r"note: .*|ingest .*\d+/\d+"  # every half minute, on a machine that is so busy
    said = [line for line in ended.stderr.splitlines() if not re.fullmatch(of_progress, line)]
    assert len(said) == 1, ended.stderr
    (line,) = said
    assert re.search(r"set aside.* broken at ingest: .*broken.tif is not a readable TIFF", line)


INTERRUPTED = """
import os, signal
from flows.server import address
from unet.images.synthetic import draw_stack
address.configure()
from prefect import flow
address.begin()

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
