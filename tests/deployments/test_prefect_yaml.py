"""Laws of the deployments: one a flow, on the pool that its work needs, and nothing that a dataset.yaml should say."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from pathlib import Path

import psutil
import pytest
import yaml

from unet.ledger.outcome import STAGES

FILE = Path(__file__).parents[2] / "deployments/prefect.yaml"


@pytest.fixture(scope="module")
def deployments():
    return {each["name"]: each for each in yaml.safe_load(FILE.read_text("utf-8"))["deployments"]}


def test_there_is_one_for_every_stage_and_one_for_all_of_them(deployments):
    assert tuple(deployments) == ("nightly", "watch", *STAGES)


def test_entrypoints_are_dotted_names_of_the_flows(deployments):
    from prefect import Flow

    for name, each in deployments.items():
        module, _, flow = each["entrypoint"].rpartition(".")
        assert isinstance(getattr(import_module(module), flow), Flow)
        assert each["entrypoint"] == ("flows.reprocess.reprocess" if name == "nightly" else f"flows.{name}.{name}")


def test_what_trains_or_predicts_runs_on_gpu(deployments):
    pools = {name: each["work_pool"]["name"] for name, each in deployments.items()}
    on_gpu = ("nightly", "train", "predict")
    assert pools == {name: "gpu" if name in on_gpu else "cpu" for name in deployments}


def test_only_the_night_and_the_looks_have_a_schedule(deployments):
    scheduled = {name: each["schedules"] for name, each in deployments.items() if "schedules" in each}
    assert scheduled == {
        "nightly": [{"cron": "0 2 * * *", "timezone": "UTC", "active": True}],
        "watch": [{"cron": "*/5 * * * *", "timezone": "UTC", "active": True}],
    }


def test_a_dataset_is_all_that_is_given(deployments):
    assert all(each["parameters"] == {"dataset": "{{ $UNET_FLOWS_DATASET }}"} for each in deployments.values())


def test_nothing_is_fetched_and_nothing_phones_home(deployments):
    assert yaml.safe_load(FILE.read_text("utf-8"))["pull"] == []
    assert all(each["work_pool"]["job_variables"]["env"]["DO_NOT_TRACK"] == "1" for each in deployments.values())


@pytest.fixture
def prefect(tmp_path):
    """Runs Prefect's own command line against a server of its own, which stands for one that is there already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
    }
    (tmp_path / "prefect").mkdir()
    started = []

    def start(*words):
        log = (tmp_path / f"{words[0]}.log").open("wb")
        command = [sys.executable, "-m", "prefect", *words]
        options = {"env": environment, "cwd": tmp_path, "stdout": log, "stderr": log, "start_new_session": True}
        started.append(subprocess.Popen(command, **options))
        log.close()

    def run(*words, **more):
        command = [sys.executable, "-m", "prefect", *words]
        return subprocess.run(
            command,
            env=environment | more,
            cwd=FILE.parents[1],
            check=True,
            capture_output=True,
            text=True,
            timeout=400,
        ).stdout

    run.start = start
    start("server", "start")
    _await(f"http://127.0.0.1:{port}/api/health")
    environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    yield run
    for process in reversed(started):
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        for left in psutil.wait_procs(family, 20)[1]:
            left.kill()


def _await(url, seconds=240):
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.5)


@pytest.mark.prefect
@pytest.mark.slow
def test_deployed_onto_a_server_a_worker_elsewhere_runs_it(prefect, make, tmp_path):
    from flows.planning.plan import make_plan
    from unet.dataset.record_file import read_record
    from unet.images.synthetic import draw_stack

    dataset = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)})
    for pool in ("cpu", "gpu"):
        prefect("work-pool", "create", pool, "--type", "process")
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(FILE), UNET_FLOWS_DATASET=dataset.url)
    listed = prefect("deployment", "ls")
    assert all(f"{stage}/{stage}" in listed for stage in STAGES)
    assert "reprocess/nightly" in listed
    prefect.start("worker", "start", "--pool", "cpu", "--limit", "1")
    assert "Completed" in prefect("deployment", "run", "ingest/ingest", "--watch")
    assert {cell.state for cell in make_plan(dataset, read_record(dataset)).statuses.values()} == {"fresh"}
