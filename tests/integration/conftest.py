"""Schedulers and workers of dask as people start them: by the command line, in processes of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class CommandLine:
    """Processes of `dask scheduler` and `dask worker`; all are gone when the test has ended."""

    def __init__(self, folder):
        self.folder, self.children = folder, []

    def start(self, *command, **environment):
        """A process of dask's command line."""
        file = self.folder / f"{len(self.children)}.log"
        paths = [str(environment.pop("first", ROOT)), str(ROOT)]
        told = {  # what it logs is waited for
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(paths),
            "DASK_LOGGING__DISTRIBUTED": "info",
        }
        with file.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **told, **environment},
            )  # fmt: skip
        self.children.append(child)
        return child

    def scheduler(self, *options, **environment):
        """A scheduler's process and its address."""
        file = self.folder / f"scheduler-{len(self.children)}.json"
        listen = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        child = self.start("scheduler", *listen, *options, **environment)
        return child, json.loads(self.awaited(lambda: file.exists() and file.read_text()))["address"]

    def worker(self, address, *options, **environment):
        """A worker of one thread, once the scheduler knows it."""
        child = self.start("worker", address, "--nthreads", "1", "--no-dashboard", *options, **environment)
        log = self.folder / f"{len(self.children) - 1}.log"
        self.awaited(lambda: "Registered to" in log.read_text())
        return child

    def awaited(self, look):
        """What `look` gives, once it gives something."""
        for _ in range(1200):
            found = look()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError("\n".join(log.read_text() for log in self.folder.glob("*.log")))

    def end(self):
        """Kill all that are left."""
        for child in self.children:
            child.kill()
            child.wait()


@pytest.fixture
def dask_line(tmp_path):
    """Starts dask's scheduler and workers by the command line."""
    (tmp_path / "dask").mkdir()
    line = CommandLine(tmp_path / "dask")
    yield line
    line.end()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Address of a scheduler with two workers; nobody is killed here."""
    line = CommandLine(tmp_path_factory.mktemp("dask"))
    _, address = line.scheduler()
    first = line.start("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    line.worker(address, "--no-nanny")
    line.awaited(lambda: "Registered to" in (line.folder / "1.log").read_text())
    assert first.poll() is None
    yield address
    line.end()


@pytest.fixture(scope="session")
def s3_server():
    """A server of the S3 API."""
    from tests.integration.s3_server import Server

    server = Server()
    yield server
    server.end()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The same with an empty bucket `lab`, named as users name it: by the environment."""
    from unet.dataset.filesystem import open_filesystem

    for name, value in s3_server.settings.items():
        monkeypatch.setenv(name, value)
    filesystem, _ = open_filesystem("s3://lab")
    if filesystem.exists("lab"):
        filesystem.rm("lab", recursive=True)
    filesystem.mkdir("lab")
    s3_server.asked.clear()
    yield s3_server
    s3_server.fault = lambda method, path: None
