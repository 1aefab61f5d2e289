"""Laws of what is given to Slurm: its jobs compute what this machine computes, scripts call what they say they call.

`sbatch` here runs a job at once, as a process of its own on this machine; that it is queued first is all it leaves out.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import yaml

from unet.dataset.record_file import read_record, set_values
from unet.dataset.user_place import StartedCluster, trusted_cluster

SLURM = Path(__file__).parents[2] / "deployments/slurm"
SBATCH = """#!/bin/sh
cp "$1" "{jobs}/script"
setsid bash "{jobs}/script" >> "{jobs}/log" 2>&1 &
echo $! >> "{jobs}/begun"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> "{jobs}/cancelled"
kill -TERM -- "-$1"
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Folder of what was submitted and cancelled; what a failed test left running is ended."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        tool = folder / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(script.format(jobs=folder))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin{os.pathsep}{os.environ['PATH']}")
    yield folder
    for job in ids(folder / "begun"):
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(int(job), signal.SIGKILL)


def ids(file):
    return file.read_text().split() if file.exists() else []


def given():
    """The cluster that the example names."""
    name = yaml.safe_load((SLURM / "dataset.yaml").read_text("utf-8"))["cluster"]
    return yaml.safe_load((SLURM / "clusters.yaml").read_text("utf-8"))[name]


def here(jobs, **options):
    """The same, where this machine is all the network there is."""
    said = given()
    small = {"interface": "lo", "memory": "4GB", "cores": 2, "n_workers": 2, "log_directory": str(jobs / "logs")}
    return said | {"options": said["options"] | small | options}


def test_a_job_asks_for_what_the_example_says(tmp_path):
    from tasks.execution.cluster_class import cluster_class

    heard = signal.getsignal(signal.SIGINT)
    slurm_cluster = cluster_class(given()["cls"])
    assert slurm_cluster.__name__ == "SLURMCluster"
    assert signal.getsignal(signal.SIGINT) is heard  # Ctrl-C does what it did before
    options = given()["options"] | {"interface": "lo", "n_workers": 0, "log_directory": str(tmp_path / "logs")}
    with slurm_cluster(**options) as cluster:
        lines = cluster.job_script().splitlines()
    asked = {"#SBATCH -p compute", "#SBATCH --cpus-per-task=16", "#SBATCH --mem=30G", "#SBATCH -t 04:00:00"}
    assert asked <= set(lines)
    assert "export OMP_NUM_THREADS=1" in lines
    command = shlex.split(lines[-1])
    assert command[1:3] == ["-m", "distributed.cli.dask_worker"]
    assert command[command.index("--nworkers") + 1] == "2"
    assert command[command.index("--nthreads") + 1] == "8"


def test_a_record_takes_the_example_by_its_name_and_without_programs_in_itself(make, monkeypatch, tmp_path):
    from unet.images.synthetic import draw_stack

    dataset = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)}, cluster="slurm")
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path))
    shutil.copy(SLURM / "clusters.yaml", tmp_path)
    assert trusted_cluster(read_record(dataset).cluster) == StartedCluster(**given())
    programs = ("job_script_prologue", "log_directory")
    plain = {name: value for name, value in given()["options"].items() if name not in programs}
    assert set_values(dataset, {"cluster": {"cls": given()["cls"], "options": plain}})
    assert read_record(dataset).cluster.options == plain


def test_jobs_compute_what_this_machine_computes_and_end_with_the_run(dataset, jobs, monkeypatch):
    from tasks.weigh import weigh_stacks
    from unet.ledger.results import weights_of
    from unet.store.arrays import open_array

    def weights():
        results = {name: weights_of(dataset, name) for name in "ab"}
        return {
            (name, kind): np.asarray(open_array(result.folder / path)[...])
            for name, result in results.items()
            for kind, path in result.attributes()["arrays"].items()
        }

    monkeypatch.setenv("UNET_FLOWS_HOME", str(jobs))
    (jobs / "clusters.yaml").write_text(yaml.safe_dump({"slurm": here(jobs)}))
    before = weights()
    shutil.rmtree(Path(dataset.url) / "weights")
    outcomes = weigh_stacks.fn(dataset.url, ["a", "b"], read_record(dataset).weigh, "slurm")
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    after = weights()
    assert len(before) == 4
    for key, pixels in before.items():
        np.testing.assert_array_equal(after[key], pixels)
    assert len(ids(jobs / "begun")) == 1  # of two workers
    assert ids(jobs / "cancelled") == ids(jobs / "begun")
    assert "Start worker at" in (jobs / "log").read_text()


STUB = """#!/bin/sh
echo "$(basename "$0")" "$@" >> "{said}"
echo "$OMP_NUM_THREADS $DO_NOT_TRACK" >> "{said}"
"""


@pytest.fixture
def script(tmp_path):
    """Runs a script as Slurm would, with stubs for what it calls; what was called, and how: `script("worker.sh")`."""
    said = tmp_path / "said"
    for name in ("prefect", "unet-flows"):
        tool = tmp_path / "venv/bin" / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(STUB.format(said=said))
        tool.chmod(0o755)

    def run(name, *words, **more):
        environment = {
            "PATH": os.environ["PATH"],
            "UNET_FLOWS_VENV": str(tmp_path / "venv"),
            "SLURM_CPUS_PER_TASK": "6",
        }
        command = ["bash", SLURM / name, *words]
        ended = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=False, timeout=60)
        return ended, said.read_text().splitlines() if said.exists() else []

    return run


def test_scripts_call_what_they_say_with_the_cores_of_the_job(script):
    _, said = script("reprocess.sh", "/data/my dataset")
    assert said == ["unet-flows reprocess /data/my dataset", "6 1"]
    _, said = script("worker.sh", "cpu", PREFECT_API_URL="http://server:4200/api")
    assert said[2:] == ["prefect worker start --pool cpu --type process --limit 1", "6 1"]


def test_a_worker_without_a_server_is_refused(script):
    ended, said = script("worker.sh")
    assert ended.returncode != 0
    assert "PREFECT_API_URL: must be the address of a server" in ended.stderr
    assert said == []


@pytest.mark.parametrize("name", ["worker.sh", "reprocess.sh"])
def test_scripts_hold_no_slip(name):
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    subprocess.run([shellcheck, SLURM / name], check=True, timeout=60)
    lines = (SLURM / name).read_text("utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]  # Slurm would not read them there
    assert os.access(SLURM / name, os.X_OK)
