"""Laws of dask's workers: whoever started them computes, and what is named must be a cluster."""

from functools import partial

import numpy as np
import pytest
from distributed import LocalCluster
from distributed.comm import CommClosedError

from tasks.execution.dask_workers import LOOPBACK, workers
from tasks.execution.workers import run_regions
from unet.dataset.folder import Folder
from unet.settings.cluster import Cluster
from unet.store.arrays import Stored, create, open_array
from unet.store.shards import Layout


def test_processes_of_another_scheduler_by_its_address(tmp_path):
    folder = Folder(str(tmp_path / "array"))
    stored = create(folder, Layout((6, 8), (2, 8), (2, 4)), np.uint8, "yx")
    values = np.arange(48, dtype=np.uint8).reshape(6, 8)

    def write(folder, values, region):  # within the test, as other processes cannot import it
        import os

        Stored(folder).write(region, values[region])
        return os.getpid()

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, **LOOPBACK) as cluster,
        workers(cluster.scheduler_address) as client,
    ):
        answers = run_regions(client, partial(write, folder, values), stored.missing(), lambda: None)
        assert len({process for _, process in answers}) == 1
    assert stored.missing() == []
    np.testing.assert_array_equal(open_array(folder)[...], values)


def test_a_worker_that_is_lost_while_it_is_asked_what_it_runs_refuses_nothing(monkeypatch):
    monkeypatch.setattr("distributed.Client.run", lambda *_, **__: {"tcp://127.0.0.1:1": CommClosedError("gone")})
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, **LOOPBACK}
    with workers(Cluster(cls="distributed.LocalCluster", options=options)) as crew:
        assert dict(run_regions(crew, abs, [-1], lambda: None)) == {-1: 1}


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """Writes `clusters.yaml` of who runs this."""
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path))
    return (tmp_path / "clusters.yaml").write_text


def test_who_runs_this_may_say_more_of_a_cluster_than_a_record_may(owned):
    owned("lab: {cls: distributed.LocalCluster, options: {n_workers: 1, processes: false, silence_logs: 50}}")
    with workers("lab") as crew:
        assert dict(run_regions(crew, abs, [-1], lambda: None)) == {-1: 1}


def test_options_that_a_class_does_not_take_are_told(owned):
    owned("lab: {cls: distributed.SpecCluster, options: {no_such: 3}}")
    with pytest.raises(ValueError, match=r"options must be what distributed\.SpecCluster takes, got"), workers("lab"):
        pass


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        ("os.system", "must name a dask cluster class, got 'os.system'"),
        ("subprocess.Popen", "must name a dask cluster class, got 'subprocess.Popen'"),
        ("LocalCluster", "must name an installed class, got 'LocalCluster'"),
        ("distributed.NoCluster", "must name an installed class, got 'distributed.NoCluster'"),
        ("no_such_module.Cluster", "must name an installed class, got 'no_such_module.Cluster': No module named"),
    ],
)
def test_a_class_that_is_no_cluster_is_not_called(cls, says, owned):
    owned(f"lab: {{cls: {cls}, options: {{args: 'true'}}}}")
    with pytest.raises(ValueError, match=f"cluster.cls {says}"), workers("lab"):
        pass
