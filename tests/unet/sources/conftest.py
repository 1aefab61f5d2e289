"""A web server of a small folder, and a mirror of its own for each test."""

import os

import pytest

from tests.unet.sources.web_server import WebServer
from unet.sources import http_server

FILES = {"raw/a.tif": b"a" * 300, "raw/day1/b c.tif": b"b" * 200, "raw/day1/notes.txt": b"n", "truth/a.tif": b"t" * 100}


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Where copies lie."""
    monkeypatch.setenv("UNET_FLOWS_SOURCES", str(tmp_path / "mirror"))
    monkeypatch.setattr(http_server, "PAUSE", 0.0)
    return tmp_path.resolve() / "mirror"


@pytest.fixture
def web(tmp_path, mirror):
    """A server of `FILES`, of which each has a second of its own."""
    for number, (name, content) in enumerate(FILES.items()):
        put(tmp_path / "there" / name, content, 1_700_000_000 + number)
    server = WebServer(tmp_path / "there")
    yield server
    server.end()


def put(path, content, seconds):
    """Write a file that was changed then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))
