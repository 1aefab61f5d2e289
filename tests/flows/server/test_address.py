"""Laws of finding a server: a person's own first, then the one that `serve` started, else none; no telemetry."""

import http.server
import json
import os
import re
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.server import address
from tests.flows.lab import listening
from unet.images.synthetic import draw_stack


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and an environment in which nothing is said about Prefect."""
    for key in [
        *address.SETTINGS,
        *address.QUIET,
        address.ASKED,
        address.GIVEN,
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

    with listening(Healthy) as port:
        yield f"http://127.0.0.1:{port}/api"


def put_card(home, api):
    home.mkdir(exist_ok=True)
    (home / "server.json").write_text(json.dumps({"api": api, "pid": os.getpid()}))


def test_without_a_server_there_is_an_ephemeral_one_in_a_place_of_our_own(home):
    assert address.configure() == "an ephemeral server"
    assert os.environ["PREFECT_HOME"] == str(home / "prefect")
    assert stat.S_IMODE((home / "prefect").stat().st_mode) == stat.S_IMODE(home.stat().st_mode) == 0o700
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
        put_card(home, "http://127.0.0.1:9/api")
    assert address.served_address() is None


def test_what_answers_where_a_server_was_is_not_taken_for_it(home, monkeypatch):
    with answering() as api:
        for pid in (-1, 0, 2**22 + 1, 10**30):  # nobody's
            home.mkdir(exist_ok=True)
            address.server_file().write_text(json.dumps({"api": api, "pid": pid}))
            assert address.served_address() is None
        put_card(home, api)
        monkeypatch.setattr(os, "kill", _refuse)  # somebody else's
        assert address.configure() == "an ephemeral server"


def _refuse(*_):
    raise PermissionError("Operation not permitted")


def test_our_own_server_gets_the_secret_and_no_other_does(home, monkeypatch):
    address.authenticate()
    secret = os.environ[address.GIVEN]
    assert secret == address.secret_file().read_text().strip() == os.environ[address.ASKED]
    with answering() as api:
        put_card(home, api)
        for told in (None, api, api.replace("127.0.0.1", "localhost"), "http://lab:4200/api"):
            for key in (address.ASKED, address.GIVEN, "PREFECT_API_URL"):
                monkeypatch.delenv(key, raising=False)
            if told:
                monkeypatch.setenv("PREFECT_API_URL", told)
            address.configure()
            assert os.environ.get(address.GIVEN) == (None if told == "http://lab:4200/api" else secret)
        monkeypatch.delenv("PREFECT_API_URL")
        monkeypatch.setenv(address.GIVEN, "lab:said")
        address.configure()
        assert os.environ[address.GIVEN] == "lab:said"


@pytest.mark.parametrize("key", ["all_proxy", "ALL_PROXY", "http_proxy", "HTTPS_PROXY"])
def test_a_socks_proxy_is_forgotten_where_the_server_is_on_this_machine(monkeypatch, key):
    for value in ("socks5://proxy:1080", "SOCKS://proxy:1080"):
        monkeypatch.setenv(key, value)
        monkeypatch.setenv("PREFECT_API_URL", "http://lab.example:4200/api")
        address.configure()
        assert os.environ[key] == value
        monkeypatch.delenv("PREFECT_API_URL")
        address.configure()
        assert key not in os.environ
    monkeypatch.setenv(key, "http://proxy:3128")
    address.configure()
    assert os.environ[key] == "http://proxy:3128"


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
