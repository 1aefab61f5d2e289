"""Laws of a run that is stopped, or whose server goes: it ends soon and says so, and the next one finishes the work.

Real processes all through: a server, the run, and what serves it. Writing is slowed down, so that there is a middle.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from flows.planning.plan import make_plan
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger.results import labels_of, scores_of

ROOT = Path(__file__).parents[2]
SLOW = """
import sys
if {"prefect.engine", "flows.commands.app"} & set(sys.orig_argv) or "flow-run" in sys.orig_argv:
    import time
    from unet.store.arrays import Stored
    write = Stored.write

    def slowly(self, region, block):
        write(self, region, block)
        time.sleep(0.25)

    Stored.write = slowly
"""
SERVE = """
import sys
from flows.server import address
address.configure(quiet=False)
from prefect import serve
from prefect.types.entrypoint import EntrypointType
from flows.reprocess import reprocess

module = EntrypointType.MODULE_PATH
serve(reprocess.to_deployment("test", parameters={"dataset": sys.argv[1]}, entrypoint_type=module), limit=1)
"""
QUICK = {
    "train__steps": 4,
    "train__batch_size": 1,
    "train__tile_size": 32,
    "train__validate_every": 2,
    "train__augmentation": {"elastic": 0.0, "rotation": 0.0, "scale": 1.0, "blur": 0.0},
    "train__architecture": {"base": 4, "depth": 1},
    "evaluate__bootstrap_resamples": 10,
}
RESULTS = {"predict": scores_of, "segment": lambda dataset, model, name: labels_of(dataset, name, model)}


@pytest.fixture
def tall(make):
    """A dataset of stacks of many planes, each of them a shard that is written slowly."""
    return make({name: draw_stack(planes=30, side=64, seed=seed) for seed, name in enumerate("ab", 1)}, **QUICK)


class Place:
    """A server of its own with a home of its own, and what runs there."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.api = f"http://127.0.0.1:{port}/api"
        (folder / "slow").mkdir(parents=True)
        (folder / "slow/sitecustomize.py").write_text(SLOW)
        given = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        self.environment = given | {
            "PREFECT_HOME": str(folder / "prefect"),
            "UNET_FLOWS_HOME": str(folder / "home"),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "DO_NOT_TRACK": "1",
            "OMP_NUM_THREADS": "1",
        }

    def start(self, log, *command, **more):
        with (self.folder / log).open("wb") as out:
            options = {"env": self.environment | more, "stdout": out, "stderr": out, "start_new_session": True}
            options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell may have it ignored
            self.started.append(subprocess.Popen([sys.executable, *command], cwd=ROOT, **options))
        return self.started[-1]

    def start_server(self):
        server = self.start("server.log", "-m", "prefect", "server", "start")
        until(self._answers, 240)
        self.environment["PREFECT_API_URL"] = self.api
        return server

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.api}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def slowly(self, log, *command):
        path = os.pathsep.join([str(self.folder / "slow"), str(ROOT)])
        return self.start(log, *command, PYTHONPATH=path)

    def post(self, path, **body):
        request = urllib.request.Request(
            f"{self.api}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self, flow):
        return self.post("flow_runs/filter", flows={"name": {"any_": [flow]}})

    def said(self, log):
        return (self.folder / log).read_text()

    def reprocess(self, dataset, **more):
        command = [sys.executable, "-m", "flows.commands.app", "reprocess", dataset.url]
        environment = {key: value for key, value in (self.environment | more).items() if value}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False
        )

    def end(self):
        for process in reversed(self.started):
            if process.poll() is None:
                for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                    each.kill()
                process.wait()


@pytest.fixture
def place(tmp_path):
    """A place with a server that runs."""
    place = Place(tmp_path / "place")
    try:
        place.server = place.start_server()
        yield place
    finally:
        place.end()


def until(found, seconds):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing within {seconds} s"
        time.sleep(0.2)
    return value


def is_midway(dataset, stage, name="a"):
    """Whether some of the shards that a stage writes of a stack are there, and it is not committed."""
    result = RESULTS[stage](dataset, "unet", name)
    written = [path for path in Path(result.folder.url).glob("*.0/c/**/*") if path.is_file()]
    return len(written) >= 3 and result.stamp() is None


def require_consistent(dataset):
    """Nothing is held or set aside, and what is called fresh is."""
    assert not (dataset / "lease.json").exists()
    plan = make_plan(dataset, read_record(dataset))
    assert plan.set_aside() == []
    assert plan.statuses["ingest", "a"].state == "fresh"
    return plan


def require_finished(place, dataset, **more):
    """The next run finishes the work, and takes on what was done."""
    ended = place.reprocess(dataset, **more)
    assert ended.returncode == 0, ended.stderr
    assert {cell.state for cell in require_consistent(dataset).statuses.values()} == {"fresh"}


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["predict", "segment"])
def test_a_run_that_is_cancelled_on_the_server_ends_soon_and_the_next_one_finishes_it(tall, place, stage):
    place.slowly("serve.log", "-c", SERVE, tall.url)
    (deployment,) = until(lambda: place.post("deployments/filter"), 120)
    run = place.post(f"deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})
    until(lambda: is_midway(tall, stage), 240)
    (trained,) = place.runs("train")
    of_training = {"flow_run_id": {"any_": [trained["id"]]}}
    until(lambda: "unet.training.loop" in {log["name"] for log in place.post("logs/filter", logs=of_training)}, 30)
    before = psutil.Process(place.started[-1].pid).children(recursive=True)
    assert before
    command = [sys.executable, "-m", "prefect", "flow-run", "cancel", run["id"]]
    subprocess.run(command, env=place.environment, check=True, capture_output=True, timeout=120)
    until(lambda: place.runs("reprocess")[0]["state_name"] == "Cancelled", 60)
    assert psutil.wait_procs(before, 30)[1] == []
    assert {run["state_type"] for run in place.runs(stage)} <= {"CANCELLED", "CRASHED"}
    assert require_consistent(tall).statuses[stage, "a"].state == "missing"
    assert "Traceback" not in place.said("serve.log")
    require_finished(place, tall)


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "has_server", "how", "word"),
    [
        ("predict", False, signal.SIGTERM, "SIGTERM"),
        ("segment", True, signal.SIGTERM, "SIGTERM"),
        ("predict", False, signal.SIGINT, "Ctrl-C"),
    ],
)
def test_a_command_that_is_stopped_says_so_and_the_next_one_finishes_it(tall, place, stage, has_server, how, word):
    if not has_server:  # it starts one for itself, on the same database
        del place.environment["PREFECT_API_URL"]
    process = place.slowly("run.log", "-m", "flows.commands.app", "reprocess", tall.url)
    until(lambda: is_midway(tall, stage), 240)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    assert process.wait(60) == 128 + how
    assert psutil.wait_procs(below, 30)[1] == []
    *_, said = place.said("run.log").splitlines()
    assert said == f"note: stopped by {word}; what is done is kept, and the next run goes on from there"
    assert "Traceback" not in place.said("run.log")
    assert {run["state_name"] for run in (*place.runs("reprocess"), *place.runs(stage))} == {"Crashed"}
    assert require_consistent(tall).statuses[stage, "a"].state == "missing"
    require_finished(place, tall)


@pytest.mark.prefect
@pytest.mark.slow
def test_a_server_that_is_gone_ends_the_run_after_its_stage_in_a_sentence_and_the_next_one_finishes_it(tall, place):
    process = place.slowly("run.log", "-m", "flows.commands.app", "reprocess", tall.url)
    until(lambda: is_midway(tall, "predict"), 240)
    os.killpg(place.server.pid, signal.SIGKILL)
    assert process.wait(400) == 1
    (said,) = [line for line in place.said("run.log").splitlines() if "/" not in line]
    assert said.startswith("failed: the Prefect server must answer, got ")
    assert require_consistent(tall).statuses["predict", "b"].state == "fresh"
    require_finished(place, tall, PREFECT_API_URL="")
