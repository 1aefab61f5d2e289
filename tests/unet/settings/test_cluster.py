"""Law of clusters in a record: known classes with plain values alone; what could be a program never gets there."""

import pytest

from unet.settings.cluster import KNOWN, Cluster

LOCAL, SLURM = "distributed.LocalCluster", "dask_jobqueue.SLURMCluster"
PLAIN = {
    LOCAL: {"n_workers": 4, "threads_per_worker": 2, "memory_limit": "4GB", "processes": False},
    SLURM: {
        "n_workers": 8,
        "cores": 16,
        "memory": "32 GiB",
        "walltime": "1-04:00:00",
        "queue": "compute",
        "interface": "ib0",
        "job_extra_directives": ["--gres=gpu:a100:2", "--constraint=fast"],
        "worker_extra_args": ["--resources", "GPU=1"],
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
    },
}
PROGRAMS = [
    (LOCAL, {"preload": "http://example.org/a.py"}),
    (LOCAL, {"preload_nanny": ["a.py"]}),
    (LOCAL, {"env": {"LD_PRELOAD": "/tmp/a.so"}}),
    (LOCAL, {"worker_class": "os.system"}),
    (LOCAL, {"host": "0.0.0.0"}),
    (LOCAL, {"dashboard_address": "0.0.0.0:8787"}),
    (LOCAL, {"n_workers": 10**9}),
    (LOCAL, {"memory_limit": "4GB; rm -rf ~"}),
    (LOCAL, {"scheduler_kwargs": {"preload": "a"}}),
    (SLURM, {"job_script_prologue": ["rm -rf ~"]}),
    (SLURM, {"env_extra": ["rm -rf ~"]}),
    (SLURM, {"python": "/tmp/python"}),
    (SLURM, {"shebang": "#!/tmp/sh"}),
    (SLURM, {"local_directory": "$(rm -rf ~)"}),
    (SLURM, {"log_directory": "/etc"}),
    (SLURM, {"worker_command": "a"}),
    (SLURM, {"queue": "compute\nrm -rf ~"}),
    (SLURM, {"queue": "$(rm)"}),
    (SLURM, {"queue": "--wrap=rm"}),
    (SLURM, {"walltime": "04:00:00\n"}),
    (SLURM, {"job_extra_directives": ["--output=/etc/passwd"]}),
    (SLURM, {"job_extra_directives": ["--gres=gpu:1\nrm"]}),
    (SLURM, {"worker_extra_args": ["--preload", "a.py"]}),
    (SLURM, {"worker_extra_args": ["GPU=1; rm"]}),
    (SLURM, {"scheduler_options": {"preload": "a.py"}}),
    (SLURM, {"scheduler_options": {"dashboard_address": ":8787"}}),
]


@pytest.mark.parametrize("cls", PLAIN)
def test_numbers_sizes_and_plain_words_are_taken(cls):
    assert Cluster(cls=cls, options=PLAIN[cls]).options == PLAIN[cls]


@pytest.mark.parametrize(("cls", "options"), PROGRAMS)
def test_what_could_be_a_program_is_refused_and_named(cls, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"got another for {name}.*must stand in clusters.yaml of who runs this"):
        Cluster(cls=cls, options=options)


@pytest.mark.parametrize("cls", ["os.system", "subprocess.Popen", "dask_kubernetes.KubeCluster", "LocalCluster", ""])
def test_other_classes_are_refused_and_nothing_is_imported(cls):
    with pytest.raises(ValueError, match=r"cls must be one of distributed\.LocalCluster"):
        Cluster(cls=cls)


def test_the_known_classes_that_are_installed_are_cluster_classes():
    from tasks.execution.cluster_class import cluster_class

    for cls in KNOWN:
        if not cls.startswith("dask_cuda"):
            assert cluster_class(cls).__name__ == cls.rpartition(".")[2]
