"""Laws of asking a web server: each question ends, is asked again where chance failed it, and is led nowhere else."""

import threading
import time
from types import SimpleNamespace

import httpx
import pytest

from tests.unet.sources.conftest import FILES
from unet.sources import http_server
from unet.sources.http_server import AnswerError, HttpServer, UnreachableError


@pytest.fixture
def server(web):
    with HttpServer(web.address, threading.Event()) as opened:
        yield opened


def test_a_file_is_told_by_its_size_time_and_mark_and_what_is_not_there_is_none(web, server):
    web.etag = lambda _: '"one"'
    found = server.find(f"{web.address}/raw/a.tif").file
    assert (found.size, found.seconds) == (300, 1_700_000_000)
    assert found.mark.endswith('GMT "one"')
    assert server.find(f"{web.address}/raw/none.tif") is None
    assert server.page(f"{web.address}/raw/none/") is None
    assert server.page(f"{web.address}/raw/a.tif").content == FILES["raw/a.tif"]


@pytest.mark.parametrize("fault", ["500", "503", "cut"])
def test_what_fails_by_chance_is_asked_again(web, server, fault):
    faults = [fault, fault, None]
    web.fault = lambda *_: faults.pop(0)
    assert server.page(f"{web.address}/raw/a.tif").content == FILES["raw/a.tif"]
    assert web.asked["GET"] == 3


@pytest.mark.parametrize("status", ["405", "501"])
def test_a_server_that_tells_no_headers_alone_is_asked_for_the_file(web, server, status):
    web.fault = lambda method, path: status if method == "HEAD" else None
    assert server.find(f"{web.address}/raw/a.tif").file.size == 300


def test_what_fails_for_good_is_told_after_some_tries(web, server):
    web.fault = lambda *_: "500"
    with pytest.raises(AnswerError, match="the server answers 500"):
        server.page(f"{web.address}/raw/a.tif")
    assert web.asked["GET"] == http_server.TRIES
    web.fault = lambda *_: "403"
    with pytest.raises(AnswerError, match="the server answers 403"):
        server.find(f"{web.address}/raw/a.tif")
    assert web.asked["HEAD"] == 1


@pytest.mark.parametrize("status", ["202", "204", "206", "300", "304"])
def test_what_is_no_whole_file_is_refused(web, server, status):
    web.fault = lambda *_: status
    for ask in (server.find, server.page):
        with pytest.raises(AnswerError, match=f"the server answers {status}"):
            ask(f"{web.address}/raw/a.tif")


def test_a_server_that_hangs_is_asked_some_times_and_then_no_more(web, monkeypatch):
    monkeypatch.setattr(http_server, "READ", 0.1)
    web.fault = lambda *_: "hang"
    with HttpServer(web.address, threading.Event()) as server:
        for _ in range(http_server.MOST_SILENT):
            with pytest.raises(OSError, match="must be reachable, got: timed out"):
                server.find(f"{web.address}/raw/a.tif")
        with pytest.raises(UnreachableError, match="got no answer any more"):
            server.find(f"{web.address}/raw/a.tif")
    assert web.asked["HEAD"] == http_server.MOST_SILENT


def test_headers_that_never_end_are_waited_for_no_longer(web, monkeypatch):
    monkeypatch.setattr(http_server, "GRACE", 0.2)
    web.fault = lambda *_: "interim"
    with HttpServer(web.address, threading.Event()) as server:
        for ask in (server.find, server.page):
            with pytest.raises(OSError, match=r"must be reachable, got: its headers did not come in 0\.2 s"):
                ask(f"{web.address}/raw/a.tif")


def test_an_answer_that_trickles_ends(web, server, tmp_path, monkeypatch):
    later = iter(range(0, 10**6, 1000))
    clock = SimpleNamespace(monotonic=lambda: next(later))  # of that module alone: other threads ask the time too
    monkeypatch.setattr(http_server, "time", clock)
    file = server.find(f"{web.address}/raw/a.tif").file
    with pytest.raises(AnswerError, match="it trickles: 300 bytes came in 2000 s"):
        server.fetch(file, tmp_path / "a.tif", lambda _: None)


def test_a_page_of_any_length_is_read_as_far_as_it_may_be(web, server):
    with pytest.raises(AnswerError, match="more came than 299 bytes"):
        server.page(f"{web.address}/raw/a.tif", 299)


def test_nothing_leads_from_https_to_http():
    with HttpServer("https://lab.example", threading.Event()) as server:
        with pytest.raises(httpx.UnsupportedProtocol, match="it leads from https to http"):
            server._require_as_secure(httpx.Request("GET", "http://lab.example/raw"))
        server._require_as_secure(httpx.Request("GET", "https://store.example/raw"))


def test_who_asks_is_said_by_netrc(web, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hush\nmachine other login me password no\n")
    (tmp_path / ".netrc").chmod(0o644)
    with pytest.raises(OSError, match=r"must be reachable, got: ~/\.netrc access too permissive"):
        HttpServer(web.address, threading.Event()).__enter__()
    (tmp_path / ".netrc").chmod(0o600)
    with HttpServer("http://lab.example", threading.Event()) as server:
        assert server.client.auth is None
    with HttpServer(web.address, threading.Event()) as server:
        request = next(server.client.auth.auth_flow(httpx.Request("GET", web.address)))
        assert request.headers["Authorization"].startswith("Basic ")
        assert server.find(f"{web.address}/raw/a.tif").file.size == 300


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTP_PROXY"])
def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(web, monkeypatch, name):
    monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    with HttpServer(web.address, threading.Event()) as server:
        assert server.find(f"{web.address}/raw/a.tif").file.size == 300


def test_stopping_ends_the_wait_between_tries(web, server, monkeypatch):
    monkeypatch.setattr(http_server, "PAUSE", 600.0)
    server.stop.set()
    web.fault = lambda *_: "500"
    began = time.monotonic()
    with pytest.raises(AnswerError):
        server.find(f"{web.address}/raw/a.tif")
    assert time.monotonic() - began < 600
