"""Laws of `watch`: what is finished is segmented, what another run works on is left for the next look."""

from dataclasses import replace
from pathlib import Path

import pytest
import tifffile

from unet.dataset.lease import Holder
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger.results import labels_of


@pytest.fixture
def quick(dataset):
    """A dataset of which every file is quiet at once."""
    set_values(dataset, {"watch.quiet_seconds": 0})
    return dataset


@pytest.fixture
def folder(dataset):
    return Path(dataset.url).parent / "files/image"


def add(folder, name):
    tifffile.imwrite(folder / f"{name}.ome.tif", draw_stack(planes=2, side=64, seed=9)[0], ome=True)


def hold(dataset):
    """Another run, elsewhere, works on the dataset."""
    (dataset / "lease.json").write_json(vars(replace(Holder.now("train"), machine="elsewhere/1")))


def test_a_look_that_finds_nothing_new_says_nothing_and_starts_no_server(quick, run, monkeypatch):
    monkeypatch.setattr("flows.server.address.configure", lambda: pytest.fail("a server is started"))
    status, out, err = run("watch", quick.url, "--once")
    assert (status, err.splitlines()) == (0, [f"{name}: taken" for name in "abc"])
    assert "all fresh" in out
    assert run("watch", quick.url, "--once") == (0, "", "")


def test_what_waits_and_what_is_gone_is_said(quick, folder, run):
    run("watch", quick.url, "--once")
    (folder / "half.tif").write_bytes((folder / "a.ome.tif").read_bytes()[:-2000])
    (folder / "c.ome.tif").unlink()
    status, _, err = run("watch", quick.url, "--once")
    half, gone = err.splitlines()
    assert (status, half[:14]) == (0, "half: waiting:")
    assert gone == f"{folder / 'c.ome.tif'} is gone; what was made from it is kept"


def test_a_dataset_that_another_run_works_on_is_looked_at_again(quick, folder, run):
    run("watch", quick.url, "--once")
    add(folder, "new")
    hold(quick)
    for _ in range(2):
        status, _, err = run("watch", quick.url, "--once")
        assert status == 1
        assert "new: taken" in err
        assert "is worked on by train of process" in err


def test_edits_of_the_record_and_models_from_elsewhere_wait_for_the_lease(dataset, run):
    before = dataset.record.read()
    hold(dataset)
    for command in (
        ["reprocess", dataset.url, "--set", "segment.threshold=0.6"],
        ["import", dataset.url, dataset.model("unet").url, "--as", "guest"],
    ):
        status, out, err = run(*command)
        assert (status, out) == (1, "")
        assert "is worked on by train of process" in err
    assert dataset.record.read() == before
    assert not dataset.model("guest").exists()
    assert run("reprocess", dataset.url, "--dry-run", "--set", "segment.threshold=0.6")[0] == 0


@pytest.mark.prefect
def test_the_flow_takes_a_finished_stack_and_its_fault_is_raised_once(quick, folder, ask, stage):
    from flows.watch import watch

    assert watch(quick.url) == []
    add(folder, "new")
    hold(quick)
    assert watch(quick.url) == []
    (quick / "lease.json").remove()
    outcomes = watch(quick.url)
    assert [(o.stage, o.name, o.state) for o in outcomes] == [
        (stage, "new", "done") for stage in ("ingest", "predict", "segment")
    ]
    assert labels_of(quick, "new", "unet").stamp() is not None
    assert watch(quick.url) == []
    folder.rename(folder.with_name("away"))
    with pytest.raises(LookupError, match="must name an existing folder"):
        watch(quick.url)
    assert watch(quick.url) == []
    folder.with_name("away").rename(folder)
    assert watch(quick.url) == []
    names = {found["name"] for found in ask("flow_runs", flows={"name": {"any_": ["watch"]}})}
    assert names == {"watch dataset"}


@pytest.mark.prefect
def test_a_stack_that_is_set_aside_fails_the_look_that_took_it_and_no_other(quick, folder, prefect_server):
    from flows.watch import watch
    from tasks.execution.outcomes import SetAside

    watch(quick.url)
    set_values(quick, {"watch.give_up_after_seconds": 0})
    (folder / "bad.tif").write_bytes(b"II*\0not a picture")
    with pytest.raises(SetAside, match="bad at ingest"):
        watch(quick.url)
    assert watch(quick.url) == []
    add(folder, "new")
    assert {outcome.name for outcome in watch(quick.url)} == {"new"}
    assert read_record(quick).exclude == ()
