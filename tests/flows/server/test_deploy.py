"""Laws of a server there is: one definition, put there again and again; people hear of what went wrong; it stays shut.

Its API asks for an auth string throughout.
"""

import json
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from flows.server import automations
from flows.server.deploy import Deploy
from tests.flows.lab import AUTH, Lab, receiver, until
from unet.dataset.record_file import set_values

KEY = "AKhush9Zq7"
HEARTBEAT = 30
"""Seconds between signs of life here: Prefect's smallest."""


@pytest.fixture(scope="module")
def posted():
    with receiver() as (bodies, address):
        yield bodies, address


@pytest.fixture(scope="module")
def lab(tmp_path_factory, posted):
    """A server that asks for an auth string, and the environment of who works with it."""
    lab = Lab(
        tmp_path_factory.mktemp("lab"),
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY=str(HEARTBEAT),
        PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS="2",
        UNET_FLOWS_NOTIFY=posted[1],
        AWS_SECRET_ACCESS_KEY=KEY,
    )
    try:
        lab.begin()
        yield lab
    finally:
        lab.end()


@pytest.fixture(scope="module")
def cells(lab, walked):
    """A dataset on which every stage was done, but for a source that is broken."""
    folder = lab.folder / "lab"
    shutil.copytree(walked, folder)
    (folder / "files/image/broken.tif").write_bytes(b"II*\0not a picture")
    return folder / "dataset"


@pytest.fixture(scope="module")
def deployed(lab, cells):
    """What `deploy` said."""
    return lab.run("deploy", cells).stdout


def test_what_to_start_next_is_said(monkeypatch):
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    words = "\n".join(Deploy(["/d/a"], "http://lab:4200/api").next())
    assert "PREFECT_API_AUTH_STRING" not in words
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "lab:hush")
    words = "\n".join(Deploy(["/d/a"], "http://lab:4200/api").next())
    assert "export PREFECT_API_AUTH_STRING=… " in words
    assert "hush" not in words
    assert "prefect worker start --pool gpu --limit 1 " in words
    assert "PREFECT_API_URL=http://lab:4200/api" in words


def deployments(lab):
    return {f"{each['flow_id']}/{each['name']}": each for each in lab.ask("deployments/filter")}


@pytest.mark.prefect
@pytest.mark.slow
def test_deploying_twice_is_deploying_once(lab, cells, deployed):
    before = deployments(lab)
    assert lab.run("deploy", cells).stdout == deployed
    after = deployments(lab)
    assert after.keys() == before.keys()
    assert [after[key]["id"] for key in after] == [before[key]["id"] for key in after]
    assert all(each["name"] == "dataset" for each in after.values())
    assert all(each["parameters"] == {"dataset": str(cells)} for each in after.values())
    schedules = [schedule["schedule"]["cron"] for each in after.values() for schedule in each["schedules"]]
    assert sorted(schedules) == ["*/5 * * * *", "0 2 * * *"]
    assert {pool["name"] for pool in lab.ask("work_pools/filter")} >= {"cpu", "gpu"}
    names = [each["name"] for each in lab.ask("automations/filter")]
    assert sorted(names) == sorted(
        line.removeprefix("automation ") for line in deployed.splitlines() if "automation" in line
    )
    assert len(names) == 4
    dry = lab.run("deploy", cells, "--dry-run").stdout.splitlines()
    assert dry == [line for line in deployed.splitlines() if line.startswith(("work pool", "deployment"))]


@pytest.mark.prefect
@pytest.mark.slow
def test_another_dataset_of_the_same_name_is_refused(lab, cells, deployed, tmp_path):
    answer = lab.run("deploy", tmp_path / "dataset", check=False)
    assert answer.returncode == 2
    assert f"the name 'dataset' must be free on the server, got deployments of {cells}" in " ".join(
        answer.stderr.split()
    )


@pytest.mark.prefect
@pytest.mark.slow
def test_a_server_that_asks_for_an_auth_string_takes_who_has_it(lab, cells, deployed):
    assert lab.run("unstick").stdout.endswith("called crashed\n")
    for string, got in (("", "none"), ("lab:guess", "another one")):
        for command in (["unstick"], ["deploy", cells], ["ingest", cells, "--force"]):
            answer = lab.run(*command, check=False, PREFECT_API_AUTH_STRING=string)
            assert answer.returncode == 1
            said = f"the server at {lab.api} asks for an auth string, got {got}; set PREFECT_API_AUTH_STRING"
            assert said in " ".join(answer.stderr.split())
            assert "Traceback" not in answer.stderr
            assert AUTH not in answer.stderr + answer.stdout


def texts(posted, *words, seconds=150):
    """The messages that hold all these words, once there is one; a busy server may send the same one again."""
    bodies, _ = posted
    return until(lambda: {b["text"] for b in bodies if all(word in b["text"] for word in words)}, seconds, str(words))


@pytest.mark.prefect
@pytest.mark.slow
def test_a_run_that_fails_is_told_of_once_with_dataset_reason_and_link(lab, cells, deployed, posted):
    lab.start("prefect", "worker", "start", "--pool", "gpu", "--limit", "1")
    lab.run("deployment", "run", "reprocess/dataset", "--watch", module="prefect", check=False)
    (run,) = lab.runs("reprocess", "Failed")
    (text,) = texts(posted, "failed runs")
    assert "reprocess dataset (reprocess dataset) is Failed" in text
    assert f"dataset: {cells}" in text
    assert "broken at ingest:" in text
    assert f"{lab.api.removesuffix('/api')}/runs/flow-run/{run['id']}" in text
    time.sleep(5)
    assert len(texts(posted, "failed runs")) == 1  # the stage's run within it failed too


@pytest.mark.prefect
@pytest.mark.slow
def test_a_run_that_nobody_takes_is_told_of(lab, cells, deployed, posted):
    lab.run("deploy", cells, "--late", "0.2", UNET_FLOWS_NOTIFY="")  # the address is known from before
    lab.run("deployment", "run", "segment/dataset", module="prefect")  # there is no worker of that pool
    (text,) = texts(posted, "late runs")
    assert "segment dataset" in text
    assert "is Late" in text
    assert "nobody took it for 0.2 minutes" in text


@pytest.mark.prefect
@pytest.mark.slow
def test_looks_that_nobody_took_in_time_are_made_by_one_of_them(lab, deployed):
    """Some forty of them, as after hours without a worker."""
    (watch,) = [each for each in lab.ask("deployments/filter") if each["entrypoint"] == "flows.watch.watch"]
    now = datetime.now(UTC)
    hours = {"start_time": (now - timedelta(hours=3, minutes=20)).isoformat(), "end_time": now.isoformat()}
    lab.ask(f"deployments/{watch['id']}/schedule", **hours, min_runs=40, max_runs=100)
    assert len(lab.runs("watch")) >= 40
    lab.start("prefect", "worker", "start", "--pool", "cpu", "--limit", "1")

    def due():
        waiting = [*lab.runs("watch", "Scheduled", "Late", "Pending", "Running")]
        return [run for run in waiting if datetime.fromisoformat(run["expected_start_time"]) < now]

    until(lambda: not due(), 150, "an end of what is due")
    done, called_off = lab.runs("watch", "Completed"), lab.runs("watch", "Cancelled")
    assert len(called_off) >= 37
    assert len(done) <= 3
    assert "it was late, and watch dataset does its work" in called_off[0]["state"]["message"]


@pytest.mark.prefect
@pytest.mark.slow
def test_a_run_that_was_killed_is_called_crashed_and_told_of(lab, deployed, posted, walked, tmp_path):
    shutil.copytree(walked, tmp_path / "copy")
    from unet.dataset.folder import Dataset

    place = Dataset(str(tmp_path / "copy/dataset"))
    set_values(place, {"train.steps": 10**6})
    process = lab.start("flows.commands.app", "train", place.url)
    until(lambda: lab.runs("train", "Running"), 120, "a run")
    process.send_signal(signal.SIGKILL)
    (run,) = until(lambda: lab.runs("train", "Crashed"), HEARTBEAT * 10, "a crashed run")
    assert run["state"]["message"].startswith(automations.UNHEARD)
    (text,) = texts(posted, "crashed runs")
    assert "(train dataset) is Crashed" in text
    assert f"dataset: {place.url}" in text
    assert automations.UNHEARD in text
    assert not [body for body in posted[0] if "failed runs" in body["text"] and place.url in body["text"]]


@pytest.mark.prefect
@pytest.mark.slow
def test_secrets_lie_nowhere_but_in_the_block(lab, cells, deployed, posted):
    address = posted[1]
    secrets = [AUTH.encode(), KEY.encode(), address.rpartition("/")[2].encode()]
    files = [path for path in lab.folder.rglob("*") if path.is_file()]
    assert {"prefect.db", "server.log", "dataset.yaml", "report.html"} <= {file.name for file in files}
    for file in files:
        found = file.read_bytes()
        assert not [secret for secret in secrets if secret in found], file
    (block,) = lab.ask("block_documents/filter", block_documents={"name": {"any_": [automations.BLOCK]}})
    assert address not in json.dumps(block)
    assert not [secret for secret in secrets if secret.decode() in deployed]
