"""Law of the user's place: what only its owner writes may name programs; a record names it, and nothing else."""

import os

import pytest

from tests.faults.limits import within
from unet.dataset.user_place import StartedCluster, trusted_cluster, user_home
from unet.settings.cluster import Cluster

TEXT = """
lab: {cls: my.Cluster, options: {preload: setup.py}}
away: tcp://scheduler:8786
odd: 3
more: {cls: my.Cluster, options: {}, else: 1}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path / "home"))
    assert user_home() == tmp_path / "home"
    user_home().mkdir()
    (user_home() / "clusters.yaml").write_text(TEXT)
    return user_home() / "clusters.yaml"


def test_a_name_is_what_the_file_says_whatever_that_is(file):
    assert trusted_cluster("lab") == StartedCluster("my.Cluster", {"preload": "setup.py"})
    assert trusted_cluster("away") == "tcp://scheduler:8786"


def test_a_record_alone_names_known_classes_and_this_machine(file):
    options = {"n_workers": 2}
    assert trusted_cluster(Cluster(cls="distributed.LocalCluster", options=options)).options == options
    for address in ("tcp://127.0.0.1:8786", "localhost:8786", "tls://[::1]:1"):
        assert trusted_cluster(address) == address


@pytest.mark.parametrize(
    "address", ["tcp://scheduler:8786", "10.0.0.1:1", "tcp://127.0.0.1.example.org:1", "inproc://x:1"]
)
def test_a_scheduler_of_another_machine_must_have_a_name(file, address):
    with pytest.raises(ValueError, match=r"who answers there can run code here: write `NAME: .*clusters\.yaml"):
        trusted_cluster(address)


def test_what_is_not_there_or_wrong_is_told(file):
    with pytest.raises(
        ValueError, match=r"must be a name in .*clusters\.yaml, got 'lap'; known are lab, away, odd, more"
    ):
        trusted_cluster("lap")
    for name in ("odd", "more"):
        with pytest.raises(ValueError, match=f"{name} in .*clusters.yaml must be a scheduler's address or"):
            trusted_cluster(name)
    for text, why in (("[1]", "must hold clusters by name"), ("{", "must be YAML"), ("[" * 99, "32 deep")):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"clusters\.yaml {why}|clusters\.yaml must be YAML, got .*{why}"):
            trusted_cluster("lab")
    file.unlink()
    with pytest.raises(ValueError, match="known are none"):
        trusted_cluster("lab")


def test_a_file_that_others_may_write_or_that_is_none_is_refused(file):
    file.chmod(0o666)
    with pytest.raises(ValueError, match="must be written by its owner alone, as it may name programs"):
        trusted_cluster("lab")
    file.unlink()
    os.mkfifo(file)
    with within(10), pytest.raises(ValueError, match=r"clusters\.yaml must be a file, got a pipe"):
        trusted_cluster("lab")
