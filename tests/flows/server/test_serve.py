"""Laws of `serve`: nights come by themselves, other commands use its server, and when it ends nothing is left of it."""

import asyncio
import base64
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import tifffile

from flows.planning.plan import make_plan
from flows.server import address
from flows.server import serve as module
from tests.flows.lab import AUTH, forget_prefect
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger.results import image_of, labels_of


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, with nothing said about Prefect."""
    forget_prefect(monkeypatch)
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path / "home"))
    address.user_home().mkdir()
    return address.user_home()


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("zone", "name"), [("Asia/Tokyo", "Asia/Tokyo"), ("nonsense", "UTC"), (":/etc/localtime", "UTC")]
)
def test_a_night_is_that_of_this_machine(zone, name, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    assert module.timezone() == name


def test_a_server_of_someone_else_is_refused(home):
    with socket.create_server(("127.0.0.1", 0)) as other:
        service = module.Service(["/data/d"], other.getsockname()[1])
        words = f"port {service.port} of 127.0.0.1 must be free, got .*; choose one by --port"
        with pytest.raises(RuntimeError, match=words), module._running_server(service):
            pass
    assert not address.server_file().exists()


def test_a_server_of_ones_own_is_joined_left_running_and_its_end_is_told(home, monkeypatch):
    monkeypatch.setattr(address, "is_healthy", lambda api: True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as first:
        address.server_file().write_text(json.dumps({"api": "http://127.0.0.1:4300/api", "pid": first.pid}))
        with module._running_server(module.Service(["/data/d"])) as (api, how_it_ended):
            assert api == "http://127.0.0.1:4300/api"
            assert how_it_ended() is None
            first.kill()
            first.wait()
            assert how_it_ended() == "the end of the `serve` that started it"
    assert address.server_file().exists()


def test_a_server_that_does_not_start_says_where_to_look(home, port, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    address.configure()
    words = r"the server must start, got exit status 1; see .*server\.log; its database is .*prefect\.db"
    with pytest.raises(RuntimeError, match=words), module._running_server(module.Service(["/data/d"], port)):
        pass
    assert not address.server_file().exists()


class Runner:
    """What runs until it is stopped, and whether it was."""

    started, was_ended = True, False

    async def start(self):
        try:
            await asyncio.sleep(600)
        finally:
            self.was_ended = True


def test_who_serves_ends_in_a_sentence_when_the_server_does(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(logging, "disable", lambda *_: None)
    runner = Runner()
    words = "the server must run as long as this, got exit status -9; start it again"
    with pytest.raises(RuntimeError, match=words):
        asyncio.run(module._run_until_stopped(runner, lambda: "exit status -9"))
    assert runner.was_ended


def _told(monkeypatch, **how):
    """What `serve` says before it starts a server."""

    @contextmanager
    def interrupted(*_):
        raise KeyboardInterrupt
        yield

    said = []
    monkeypatch.setattr(module, "_running_server", interrupted)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    module.serve(module.Service(["/data/d"], **how), said.append)
    assert said.pop() == "ended"
    return said


def test_a_server_asks_for_this_users_secret_and_says_where_it_stands(home, monkeypatch):
    (told,) = _told(monkeypatch)
    assert told == f"the UI asks once for a password: what stands in {home}/secret"
    assert os.environ[address.ASKED] == os.environ[address.GIVEN] == (home / "secret").read_text().strip()
    monkeypatch.delenv(address.ASKED)
    monkeypatch.setenv(address.GIVEN, AUTH)
    (told,) = _told(monkeypatch, host="0.0.0.0")
    assert told.endswith(f"what stands in {address.ASKED} or {address.GIVEN}")
    assert os.environ[address.ASKED] == AUTH


def test_one_that_asks_nobody_says_what_that_means(home, monkeypatch):
    monkeypatch.setenv(address.ASKED, AUTH)
    monkeypatch.setenv(address.GIVEN, AUTH)
    (warning,) = _told(monkeypatch, auth=False)
    assert warning == "warning: every user of this machine can run and change everything, as --no-auth was said"
    (warning,) = _told(monkeypatch, auth=False, host="0.0.0.0")
    assert warning.startswith("warning: whoever reaches 0.0.0.0:4200 can run and change everything")
    assert not {address.ASKED, address.GIVEN} & set(os.environ)


@pytest.fixture
def serving(home, port, make):
    """Starts `unet-flows serve` on a dataset of one stack without truth, and ends what a failed test left over."""
    dataset, started = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)}), []

    def start(cron, *more):
        words = ["serve", dataset.url, "--port", str(port), "--cron", cron, *more]
        command = [sys.executable, "-m", "flows.commands.app", *words]
        log = (home / "serve.log").open("wb")
        started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        log.close()
        _until(lambda: address.server_file().exists(), 240)
        return started[0], dataset, f"http://127.0.0.1:{port}/api"

    yield start
    for process in started:
        if process.poll() is None:
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
            process.wait()


def _until(found, seconds):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing within {seconds} s"
        time.sleep(0.5)
    return value


def _ask(api, what, **body):
    string = os.environ[address.GIVEN] if address.GIVEN in os.environ else address.secret_file().read_text().strip()
    basic = f"Basic {base64.b64encode(string.encode()).decode()}"
    headers = {"content-type": "application/json", "authorization": basic}
    request = urllib.request.Request(f"{api}/{what}/filter", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _runs(api, flow, state="COMPLETED"):
    """Runs of a flow in a state."""
    chosen = {"state": {"type": {"any_": [state]}}}
    return _ask(api, "flow_runs", flows={"name": {"any_": [flow]}}, flow_runs=chosen, sort="START_TIME_ASC")


def _end(process, how):
    """Ends it; fails unless it ends well, with all processes it had."""
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(how)
    assert process.wait(90) == 0
    assert psutil.wait_procs(family, 10)[1] == []
    assert not address.server_file().exists()


@pytest.mark.prefect
@pytest.mark.slow
def test_the_schedule_fires_other_commands_join_and_sigterm_ends_all(serving, home):
    process, dataset, api = serving("* * * * *")
    assert address.served_address() == api
    (run,) = _until(lambda: _runs(api, "reprocess")[:1], 240)
    assert run["auto_scheduled"]
    assert run["name"] == "reprocess dataset"
    assert run["parameters"] == {"dataset": dataset.url}
    command = [sys.executable, "-m", "flows.commands.app", "ingest", dataset.url, "--force"]
    joined = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    assert joined.stderr == ""
    (run,) = _runs(api, "ingest")[:1]
    assert run["deployment_id"] is None
    _end(process, signal.SIGTERM)
    log = (home / "serve.log").read_text()
    assert "Traceback" not in log
    assert log.endswith("ended\n")


@pytest.mark.prefect
@pytest.mark.slow
def test_ctrl_c_ends_all(serving):
    process, _, _ = serving("0 2 * * *")
    _end(process, signal.SIGINT)


@pytest.mark.prefect
@pytest.mark.slow
def test_killing_it_ends_its_server_too(serving):
    process, _, _ = serving("0 2 * * *")
    server = psutil.Process(json.loads(address.server_file().read_text())["pid"])
    process.kill()
    assert psutil.wait_procs([server], 60)[1] == []
    assert address.served_address() is None  # though the file is left


@pytest.mark.prefect
@pytest.mark.slow
def test_it_ends_with_its_server_with_a_run_in_its_midst_and_without_traces(serving, home):
    process, _, api = serving("* * * * *")
    _until(lambda: _runs(api, "reprocess", "RUNNING"), 240)
    family = psutil.Process(process.pid).children(recursive=True)
    psutil.Process(json.loads(address.server_file().read_text())["pid"]).kill()
    assert process.wait(120) == 1
    assert psutil.wait_procs(family, 120)[1] == []
    *_, told = (home / "serve.log").read_text().splitlines()
    assert told.startswith("failed: the server must run as long as this, got exit status -9; see ")
    assert "Traceback" not in (home / "serve.log").read_text()
    assert not address.server_file().exists()


def _copy_slowly(whole, file, seconds):
    """Write a file in eight pieces over so many seconds, as a microscope or a slow network does."""
    data = whole.read_bytes()
    with file.open("wb") as stream:
        for piece in range(8):
            stream.write(data[len(data) * piece // 8 : len(data) * (piece + 1) // 8])
            stream.flush()
            yield
            time.sleep(seconds / 8)


@pytest.mark.prefect
@pytest.mark.slow
def test_a_file_copied_slowly_into_the_watched_folder_is_segmented_once_it_is_whole(
    serving, dataset, tmp_path, home, monkeypatch
):
    """With a server that asks for an auth string, which is written down nowhere."""
    monkeypatch.setenv(address.GIVEN, AUTH)
    set_values(dataset, {"watch.quiet_seconds": 10})
    process, other, api = serving("0 2 * * *", dataset.url, "--watch", "0.1")
    _until(lambda: _runs(api, "watch"), 120)
    parameters = {each["parameters"]["dataset"] for each in _ask(api, "deployments")}
    assert parameters == {dataset.url, other.url}  # both of one name
    whole, folder = tmp_path / "new.ome.tif", Path(dataset.url).parent / "files/image"
    tifffile.imwrite(whole, draw_stack(planes=2, side=64, seed=9)[0], ome=True, metadata={"axes": "ZYX"})
    for _ in _copy_slowly(whole, folder / "new.ome.tif", 40):
        assert not dataset.image("new").exists()
        assert not dataset.set_aside("ingest", "new").exists()
    _until(lambda: labels_of(dataset, "new", "unet").stamp(), 150)
    assert image_of(dataset, "new").committed().facts["shape"] == [2, 64, 64]
    assert make_plan(dataset, read_record(dataset)).statuses["segment", "new"].state == "fresh"
    assert _runs(api, "watch", "FAILED") == []
    assert all(run["auto_scheduled"] for run in _runs(api, "watch"))
    monkeypatch.setenv(address.GIVEN, "lab:guess")
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        _ask(api, "deployments")
    refused.value.close()
    assert [file for file in home.rglob("*") if file.is_file() and AUTH.encode() in file.read_bytes()] == []
    _end(process, signal.SIGTERM)
