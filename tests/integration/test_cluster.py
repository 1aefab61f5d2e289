"""Laws of a cluster: its values are those of one machine, and whoever of it is lost, or strange, is told in a word."""

import os
import shutil
import subprocess
import sys

import dask
import numpy as np
import pytest
from distributed import Client, get_worker
from distributed.security import Security

from tasks import weigh
from tasks.execution import workers as workers_module
from tasks.execution.dask_workers import ClusterError, DaskWorkers, workers
from tasks.execution.workers import run_regions
from tasks.predict import GPU
from tests.integration.conftest import ROOT, CommandLine
from tests.integration.same import assert_same
from unet.dataset.folder import Dataset
from unet.dataset.record_file import set_values
from unet.settings.weigh import Weigh

CHANGES = {"weigh.sigma": 3.0, "predict.dtype": "float32", "segment.threshold": 0.55, "predict.max_tile": 32}
STAGES = ("weigh", "predict", "segment")


@pytest.fixture
def two(dataset, tmp_path, small_shards):
    """Two copies of a dataset, of which the same is to be made again, region by region."""
    set_values(dataset, CHANGES)
    shutil.copytree(tmp_path / "copy", tmp_path / "local")
    return dataset, Dataset(str(tmp_path / "local/dataset"))


@pytest.fixture
def after(monkeypatch):
    """`after(3, child)` kills a process once so many regions were answered; how many were is returned as a list."""

    def kill(count, *children):
        answer, answered = DaskWorkers.answer, []

        def killing(self, future):
            value = answer(self, future)
            answered.append(value)
            if len(answered) == count:
                for child in children:
                    child.kill()
                    child.wait()
            return value

        monkeypatch.setattr(DaskWorkers, "answer", killing)
        return answered

    return kill


@pytest.fixture
def impatient(monkeypatch):
    """No worker for a second, or no scheduler for ten, which on a busy machine is slow to answer, is long enough."""
    monkeypatch.setattr(workers_module, "ASK_AFTER", 0.2)
    settings = {"distributed.scheduler.no-workers-timeout": "1s", "distributed.comm.timeouts.connect": "10s"}
    with dask.config.set(settings):
        yield


@pytest.mark.parametrize("small", [pytest.param(2**22, marks=pytest.mark.slow), 0])
def test_a_cluster_gives_what_one_machine_gives(two, cluster, stage, after, monkeypatch, small):
    over, local = two
    monkeypatch.setattr(weigh, "SMALL_STACK", small)
    set_values(over, {"cluster": cluster})
    answered = after(0)
    for verb in STAGES:
        for place in two:
            assert {outcome.state for outcome in stage(place, verb)} == {"done"}
    assert_same(over, local)
    assert len(answered) > 20


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["weigh", "predict", "segment"])
def test_a_worker_that_is_killed_costs_its_regions_and_changes_no_value(
    two, dask_line, stage, after, monkeypatch, killed
):
    over, local = two
    monkeypatch.setattr(weigh, "SMALL_STACK", 0)
    _, address = dask_line.scheduler()
    first, _ = (dask_line.worker(address, "--no-nanny") for _ in range(2))
    for verb in STAGES:
        stage(local, verb)
        set_values(over, {"cluster": address if verb == killed else None})
        answered = after(3 if verb == killed else 0, first)
        assert {outcome.state for outcome in stage(over, verb)} == {"done"}
        assert verb != killed or len(answered) > 3
    assert first.poll() is not None
    assert_same(over, local)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("gone", ["its only worker", pytest.param("its scheduler", marks=pytest.mark.slow)])
def test_a_cluster_that_is_gone_is_told_sets_nothing_aside_and_the_next_run_goes_on(two, dask_line, stage, after, gone):
    over, local = two
    scheduler, address = dask_line.scheduler()
    worker = dask_line.worker(address, "--no-nanny")
    for place in two:  # or predict, which waits for train, were made again though it is fresh
        set_values(place, {"weigh.sigma": Weigh().sigma})
    set_values(over, {"cluster": address})
    after(3, worker if gone == "its only worker" else scheduler)
    says = r"must have workers, got none for 1 s; start" if gone == "its only worker" else "must stay reachable, got: "
    with pytest.raises(ClusterError, match=f"{address} {says}"):
        stage(over, "predict")
    assert over.members("set-aside") == []
    set_values(over, {"cluster": None})
    for verb in STAGES[1:]:
        stage(local, verb)
        stage(over, verb)
    assert_same(over, local)


def test_a_scheduler_that_cannot_be_reached_is_named():
    says = r"the dask scheduler tcp://127\.0\.0\.1:1 must be reachable, got: .*; start it, or mend `cluster:`"
    impatient = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with impatient, pytest.raises(ClusterError, match=says), workers("tcp://127.0.0.1:1"):
        pass


def test_a_thread_of_dask_that_did_not_start_in_its_ten_seconds_is_given_ten_more(cluster, monkeypatch):
    start, stood = Client.start, []

    def first_stands(client, **settings):
        if not stood:
            stood.append(client)
            raise AssertionError
        return start(client, **settings)

    monkeypatch.setattr(Client, "start", first_stands)
    with workers(cluster) as crew:
        assert dict(run_regions(crew, abs, [-1], lambda: None)) == {-1: 1}
    assert stood


@pytest.fixture(scope="module")
def lone(tmp_path_factory):
    """Address of a scheduler that has no workers of its own."""
    line = CommandLine(tmp_path_factory.mktemp("lone"))
    yield line.scheduler()[1]
    line.end()


@pytest.mark.parametrize(
    ("shim", "says"),
    [
        ("versions['zarr'] = '3.0.8'", r"runs zarr 3\.0\.8, this process 3\.\S+; install the same versions on both"),
        ("versions['unet-flows'] = None", r"runs no unet-flows, this process 0\.\S+; install the same versions"),
        ("sys.meta_path.insert(0, Hidden())", r"must run unet-flows, got .*No module named 'unet'.*; install it there"),
        ("another checkout", r"runs source \w+, this process \w+; install the same versions on both"),
    ],
)
def test_a_worker_that_runs_something_else_is_refused_before_work_starts(dask_line, lone, tmp_path, shim, says):
    address = lone
    strange(tmp_path, shim)
    dask_line.worker(address, "--no-nanny", first=tmp_path / "strange")
    with pytest.raises(ValueError, match=rf"worker tcp://127\.0\.0\.1:\d+ {says}"), workers(address):
        pass


SHIM = """
import importlib.metadata, sys

versions, real = {{}}, importlib.metadata.version

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "unet":
            raise ModuleNotFoundError("No module named 'unet'")

def version(package):
    found = versions.get(package, real(package))
    if found is None:
        raise importlib.metadata.PackageNotFoundError(package)
    return found

importlib.metadata.version = version
{shim}
"""


def strange(tmp_path, shim):
    """A folder whose `sitecustomize` makes a process another one than this."""
    folder = tmp_path / "strange"
    folder.mkdir()
    if shim == "another checkout":
        shutil.copytree(ROOT / "unet", folder / "unet", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "unet/added.py").touch()
        shim = ""
    (folder / "sitecustomize.py").write_text(SHIM.format(shim=shim))


@pytest.mark.slow
def test_a_worker_that_comes_late_and_runs_something_else_is_refused_its_first_region(dask_line, lone, tmp_path):
    good = dask_line.worker(lone, "--no-nanny")
    strange(tmp_path, "versions['zarr'] = '3.0.8'")
    with workers(lone) as crew:
        assert dict(run_regions(crew, abs, [-1], lambda: None)) == {-1: 1}
        dask_line.worker(lone, "--no-nanny", first=tmp_path / "strange")
        good.kill()
        with pytest.raises(ClusterError, match=r"worker tcp://\S+ runs zarr 3\.0\.8, this process 3\.\S+; install the"):
            list(run_regions(crew, abs, [-1], lambda: None))


@pytest.mark.slow
def test_only_workers_that_have_a_gpu_are_given_what_wants_one(dask_line, lone):
    dask_line.worker(lone, "--no-nanny", "--resources", "GPU=1")
    dask_line.worker(lone, "--no-nanny")

    def where(_):
        return get_worker().address

    with workers(lone) as crew:
        assert (crew.count(), crew.count(GPU)) == (2, 1)
        has = [a for a, worker in crew.client.scheduler_info(n_workers=-1)["workers"].items() if worker["resources"]]
        assert {found for _, found in run_regions(crew, where, range(20), lambda: None, GPU)} == set(has)
        assert len({found for _, found in run_regions(crew, where, range(20), lambda: None)}) == 2


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Address of a scheduler and a worker that talk by TLS alone, and what a client of theirs sets."""
    folder = tmp_path_factory.mktemp("tls")
    line, made = CommandLine(folder), Security.temporary()
    files = {"ca-file": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
    for name, content in files.items():
        (folder / f"{name}.pem").write_text(content)
    flags = [part for name in files for part in (f"--tls-{name}", str(folder / f"{name}.pem"))]
    _, address = line.scheduler("--protocol", "tls", *flags)
    line.worker(address, "--no-nanny", *flags)
    yield (
        address,
        {
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "ca-file.pem"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(folder / "cert.pem"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": str(folder / "key.pem"),
        },
    )
    line.end()


CLIENT = """
import sys
from tasks.execution.workers import run_regions
from tasks.execution.dask_workers import workers

with workers(sys.argv[1]) as crew:
    print(sorted(run_regions(crew, abs, [-1, -2], lambda: None)))
"""


def test_certificates_are_those_of_dasks_own_settings(secured):
    address, settings = secured
    assert address.startswith("tls://")
    command = [sys.executable, "-c", CLIENT, address]
    environment = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "[(-2, 2), (-1, 1)]\n", done.stderr


def test_without_certificates_it_is_told_which_settings_name_them(secured):
    says = r"tls://\S+ must be given certificates, got none; set DASK_DISTRIBUTED__COMM__TLS__CA_FILE and DASK_DISTRI"
    with pytest.raises(ValueError, match=says), workers(secured[0]):
        pass


def test_a_worker_of_the_command_line_keeps_its_memory(dask_line, lone):
    dask_line.worker(lone)  # a nanny gives it dask's own 64 kB of MALLOC_TRIM_THRESHOLD_

    def faults(_):
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(200):
            np.ones(2**20, np.uint8)  # of larger ones the system may give large pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with workers(lone) as crew:
        before = crew.client.submit(faults, 0).result()
        assert dict(run_regions(crew, faults, [0], lambda: None))[0] < before / 5
