"""Laws of datasets whose sources lie on a web server or in an object store: they are what the folders would be here."""

import shutil

import numpy as np
import pytest
import tifffile

from flows.commands.init import initialise
from flows.planning import fetch as fetch_module
from flows.planning.arrivals import look_at_sources, mark_taken
from flows.planning.plan import make_plan
from flows.planning.session import Session
from tasks.ingest import ingest_stacks
from tests.unet.formats.test_ome_zarr import noise, write
from tests.unet.sources.conftest import mirror  # noqa: F401  # a fixture
from tests.unet.sources.web_server import WebServer
from unet.dataset.filesystem import open_filesystem
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values, write_record
from unet.images.synthetic import draw_stack
from unet.labels.class_of_ids import read_classes
from unet.ledger.results import image_of, labels_of
from unet.settings.ingest import Source
from unet.sources.paths import mirror_place


@pytest.fixture
def there(tmp_path):
    """What a microscope wrote, and somebody drew."""
    for number, name in enumerate(["a", "day1/b c", "day1/d"], start=1):
        image, truth = draw_stack(planes=2, side=64, seed=number)
        for kind, pixels in (("raw", image), ("truth", truth)):
            path = tmp_path / f"there/{kind}/{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, pixels, photometric="minisblack")
    write(tmp_path / "there/raw/e.ome.zarr", noise(2, 3, 70, 50), "czyx", "0.4", chunks=(1, 2, 32, 16))
    return tmp_path / "there"


@pytest.fixture
def web(there, mirror):  # noqa: F811
    server = WebServer(there)
    yield server
    server.end()


def made(folder, images, truth=None, **more):
    dataset = Dataset(str(folder))
    write_record(dataset, [Source(str(images), truth and str(truth), **more)])
    return dataset


def ingested(dataset):
    """Outcomes of ingest as its flow would have them: fetched, planned, made."""
    session = Session(dataset.url, fetch=True)
    stacks = [session.plan.stacks[work.name] for work in session.plan.pending("ingest")]
    return session.plan, ingest_stacks.fn(dataset.url, stacks, session.record.ingest) if stacks else []


def states(dataset):
    """State of each image, as `status` has it."""
    plan = make_plan(dataset, read_record(dataset))
    return {name: of.state for (stage, name), of in plan.statuses.items() if stage == "ingest"}


def assert_same(one, other, level):
    """Two datasets hold the same pixels, names, truth, and digests of what they were made of."""
    assert one.stacks() == other.stacks() != []
    for name in one.stacks():
        for of in (image_of, lambda dataset, name: labels_of(dataset, name, "truth")):
            here, there = of(one, name), of(other, name)
            assert (here.stamp() is None) == (there.stamp() is None)
            if here.stamp():
                assert here.stamp().recipe == there.stamp().recipe
                assert here.stamp().facts["files"]["content"] == there.stamp().facts["files"]["content"]
                np.testing.assert_array_equal(level(here), level(there))


ALL = {"a", "day1__b_c", "day1__d", "e"}


def test_a_dataset_of_a_web_server_is_that_of_the_folder_itself_and_fetched_once(web, there, tmp_path, level):
    local = made(tmp_path / "local", there / "raw", there / "truth")
    remote = made(tmp_path / "remote", f"{web.address}/raw", f"{web.address}/truth/")
    for dataset in (local, remote):
        plan, outcomes = ingested(dataset)
        assert {(of.name, of.state) for of in outcomes} == {(name, "done") for name in ALL}
        assert plan.catalogue.notes == ()
    assert_same(remote, local, level)
    assert image_of(remote, "a").stamp().facts["source_folder"] == f"{web.address}/raw"
    web.fetched()
    plan, outcomes = ingested(remote)
    assert outcomes == []
    assert web.fetched() == []
    assert set(states(remote).values()) == {"fresh"}


def test_a_dataset_of_an_object_store_is_that_of_the_folder_itself_and_fetched_once(
    s3,
    there,
    tmp_path,
    level,
    mirror,  # noqa: F811
):
    filesystem, _ = open_filesystem("s3://lab")
    filesystem.put(str(there), "lab/my data", recursive=True)
    local = made(tmp_path / "local", there / "raw", there / "truth")
    remote = made(tmp_path / "remote", "s3://lab/my data/raw", "s3://lab/my data/truth")
    for dataset in (local, remote):
        assert {of.state for of in ingested(dataset)[1]} == {"done"}
    assert_same(remote, local, level)
    s3.asked.clear()
    assert ingested(remote)[1] == []
    assert set(s3.asked) == {"LIST"}
    filesystem.pipe("lab/my data/raw/day1/d.tif", (there / "raw/a.tif").read_bytes())
    filesystem.rm("lab/my data/raw/day1/b c.tif")
    assert states(remote)["day1__d"] == "stale"
    plan, outcomes = ingested(remote)
    assert [(of.name, of.state) for of in outcomes] == [("day1__d", "done")]
    assert any("day1__b_c" in note and "its source is gone" in note for note in plan.notes)
    s3.fault = lambda method, path: "503"
    plan, outcomes = ingested(remote)
    assert outcomes == []
    assert len([note for note in plan.notes if "cannot be fetched now" in note]) == 2
    assert set(states(remote).values()) == {"fresh"}


def test_an_ome_zarr_of_a_server_that_lists_nothing_is_the_folder_itself(web, there, tmp_path, level):
    web.lists = False
    local = made(tmp_path / "local", there / "raw/e.ome.zarr")
    remote = made(tmp_path / "remote", f"{web.address}/raw/e.ome.zarr")
    for dataset in (local, remote):
        assert [(of.name, of.state) for of in ingested(dataset)[1]] == [("e", "done")]
    np.testing.assert_array_equal(level(image_of(remote, "e")), level(image_of(local, "e")))
    assert states(remote) == {"e": "fresh"}
    (next(of for of in there.glob("raw/e.ome.zarr/0/**/*") if of.is_file() and of.name[0] not in ".z")).unlink()
    assert states(remote) == {"e": "fresh"}  # gone is what the next run finds
    assert [(of.name, of.state) for of in ingested(remote)[1]] == [("e", "done")]
    notes = make_plan(remote, read_record(remote)).notes
    assert any("are not there, and hold 0 by the format" in note for note in notes)


@pytest.fixture
def taken(web, tmp_path):
    """A dataset of which all was taken."""
    dataset = made(tmp_path / "dataset", f"{web.address}/raw", f"{web.address}/truth")
    ingested(dataset)
    web.fetched()
    return dataset


def test_what_changed_is_stale_alone_before_it_is_fetched_and_made_after(taken, web, there, level):
    shutil.copy(there / "raw/day1/d.tif", there / "raw/a.tif")
    assert states(taken) == dict.fromkeys(ALL, "fresh") | {"a": "stale"}
    plan = make_plan(taken, read_record(taken))
    why = "must be fetched as it is there now, and is not yet; `unet-flows ingest` fetches it"
    assert plan.statuses["ingest", "a"].why == f"{web.address}/raw/a.tif {why}"
    assert any(note.startswith("1 file (") and "not fetched yet" in note for note in plan.notes)
    assert web.fetched() == []
    assert [(of.name, of.state) for of in ingested(taken)[1]] == [("a", "done")]
    assert web.fetched() == ["/raw/a.tif"]
    np.testing.assert_array_equal(level(image_of(taken, "a")), tifffile.imread(there / "raw/day1/d.tif"))


def test_a_server_that_is_away_is_a_note_and_nothing_is_stale(taken, web):
    web.end()
    plan, outcomes = ingested(taken)
    assert outcomes == []
    assert states(taken) == dict.fromkeys(ALL, "fresh")
    assert [note.partition(" cannot ")[0] for note in plan.notes] == [
        f"images '{web.address}/raw'",
        f"truth '{web.address}/truth'",
    ]


def test_a_server_that_is_away_while_the_mirror_is_lost_is_a_note_too(taken, web, mirror):  # noqa: F811
    web.end()
    shutil.rmtree(mirror)
    plan, outcomes = ingested(taken)
    assert outcomes == []
    assert states(taken) == dict.fromkeys(ALL, "fresh")
    assert any("cannot be fetched now" in note for note in plan.notes)


def test_what_is_gone_is_gone_as_on_a_disk(taken, there, tmp_path):
    local = made(tmp_path / "local", there / "raw", there / "truth")
    ingested(local)
    (there / "raw/a.tif").unlink()
    (there / "truth/day1/d.tif").unlink()
    told = []
    for dataset in (taken, local):
        plan, outcomes = ingested(dataset)
        assert [(of.name, of.state) for of in outcomes] == [("day1__d", "done")]
        assert "withdrawn" in outcomes[0].why
        told.append((states(dataset), [note for note in plan.notes if "its source is gone" in note]))
    assert told[0] == told[1]


def test_a_new_dataset_is_refused_where_nothing_can_be_reached(web, tmp_path):
    web.end()
    new = Dataset(str(tmp_path / "new"))
    with pytest.raises(OSError, match=r"must be reachable, got: .*Connection refused"):
        list(initialise(new, {"images": f"{web.address}/raw"}))
    assert not new.record.exists()
    write_record(new, [Source(f"{web.address}/raw")])
    with pytest.raises(OSError, match=r"must be reachable, got: .*Connection refused"):
        make_plan(new, read_record(new))


def test_init_fetches_and_says_what_it_found(web, tmp_path):
    new = Dataset(str(tmp_path / "new"))
    lines = list(initialise(new, {"images": f"{web.address}/raw/", "truth": f"{web.address}/truth/"}))
    assert lines[0] == f"4 stacks in {web.address}/raw/, 3 with truth"
    assert lines[1] == "  a: 2 × 64 × 64 (z y x) uint16, pixel size unknown"
    (source,) = read_record(new).sources
    assert (source.images, source.truth) == (f"{web.address}/raw", f"{web.address}/truth")
    lines = list(initialise(new, {"images": f"{web.address}/raw", "prefix": "day-"}))
    assert f"{web.address}/raw was a source already; changed: prefix:  → day-" in lines


def test_a_record_by_hand_says_before_the_first_run_what_is_to_be_fetched(web, tmp_path, mirror):  # noqa: F811
    new = made(tmp_path / "new", f"{web.address}/raw")
    plan = make_plan(new, read_record(new))
    assert plan.statuses == {}
    assert any("not fetched yet; `unet-flows ingest` fetches them" in note for note in plan.notes)
    assert not mirror.exists()


def test_a_file_that_never_arrives_is_set_aside_alone(web, there, tmp_path):
    web.fault = lambda method, path: "cut" if path.endswith("a.tif") and method == "GET" else None
    new = made(tmp_path / "new", f"{web.address}/raw")
    plan, outcomes = ingested(new)
    assert {(of.name, of.state) for of in outcomes} == {(n, "set aside" if n == "a" else "done") for n in ALL}
    assert any("could not be fetched: " in note and "peer closed connection" in note for note in plan.notes)
    assert "must be fetched as it is there now" in last_failure_of(new, "a")
    assert ingested(new)[1] == []  # an old failure
    web.fault = lambda *_: None
    assert [(of.name, of.state) for of in ingested(new)[1]] == [("a", "done")]
    assert states(new) == dict.fromkeys(ALL, "fresh")


def last_failure_of(dataset, name):
    return dataset.set_aside("ingest", name).read_json()["why"]


def test_slices_of_which_one_does_not_arrive_are_no_shorter_stack(web, there, tmp_path):
    for z in range(6):
        path = there / f"planes/{'st'[z // 3]}/z{z}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.full((64, 64), z, np.uint16))
    web.fault = lambda method, path: "cut" if path.endswith("z2.tif") and method == "GET" else None
    new = made(tmp_path / "new", f"{web.address}/planes", slices="z")
    assert {(of.name, of.state) for of in ingested(new)[1]} == {("s", "set aside"), ("t", "done")}
    web.end()
    assert ingested(new)[1] == []  # what lacked is remembered
    assert states(new) == {"s": "set aside", "t": "fresh"}


def test_planes_of_which_one_does_not_arrive_are_no_shorter_stack(web, there, tmp_path):
    for z in range(3):
        path = there / f"planes/z{z}/s.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.full((64, 64), z, np.uint16))
    web.fault = lambda method, path: "cut" if path.endswith("z2/s.tif") and method == "GET" else None
    new = made(tmp_path / "new", f"{web.address}/planes", pattern="z{z}/{name}.tif")
    assert [(of.name, of.state) for of in ingested(new)[1]] == [("s", "set aside")]
    web.fault = lambda *_: None
    assert [(of.name, of.state) for of in ingested(new)[1]] == [("s", "done")]
    assert image_of(new, "s").stamp().facts["shape"] == [3, 64, 64]


def test_masks_within_the_folder_of_images_are_no_images(web, there, tmp_path):
    shutil.copytree(there / "truth", there / "raw/masks")
    new = made(tmp_path / "new", f"{web.address}/raw", f"{web.address}/raw/masks")
    ingested(new)
    assert set(states(new)) == ALL
    assert labels_of(new, "a", "truth").stamp() is not None


def test_truth_that_is_to_be_fetched_yet_or_away_stops_nothing(web, there, tmp_path):
    dataset = made(tmp_path / "dataset", there / "raw")
    ingested(dataset)
    set_values(dataset, {"sources": [{"images": str(there / "raw"), "truth": f"{web.address}/truth"}]})
    assert states(dataset) == dict.fromkeys(ALL, "fresh")
    web.fault = lambda *_: "403"
    plan, outcomes = ingested(dataset)
    assert outcomes == []
    assert any(note.startswith("truth 'http://") for note in plan.notes)
    web.fault = lambda *_: None
    assert {(of.name, of.state) for of in ingested(dataset)[1]} == {(name, "done") for name in ALL - {"e"}}


@pytest.fixture
def classed(there):
    """Folders of truth of two classes, and the class of each id of the whole, of the stack `a`."""
    truth = tifffile.imread(there / "truth/a.tif")
    lines = ["id,class"]
    for number, name in enumerate(["odd", "even"], start=1):
        (there / name).mkdir()
        tifffile.imwrite(there / name / "a.tif", np.where(truth % 2 == number % 2, truth, 0))
        lines += [f"{id},{name}" for id in np.unique(truth).tolist() if id and id % 2 == number % 2]
    (there / "tables").mkdir()
    (there / "tables/a.csv").write_text("\n".join(lines))
    return there


@pytest.mark.parametrize("is_table", [False, True])
def test_classes_of_a_server_are_those_of_the_folders_themselves(web, classed, tmp_path, is_table):
    shutil.rmtree(classed / "truth/day1")
    found = []
    for number, top in enumerate((str(classed), web.address)):
        folders = {name: f"{top}/{name}" for name in ("odd", "even")}
        table = {"truth": f"{top}/truth", "class_of": f"{top}/tables", "classes": {"odd": "odd", "even": "even"}}
        source = Source(f"{top}/raw", **(table if is_table else {"truth": folders}))
        write_record(dataset := Dataset(str(tmp_path / f"{number}")), [source])
        assert {of.state for of in ingested(dataset)[1]} == {"done"}
        found.append(read_classes(labels_of(dataset, "a", "truth")).plain())
    assert found[0] == found[1]
    assert set(found[0]) == {"odd", "even"}


def test_truth_of_a_class_that_did_not_arrive_is_not_read_without_it(web, classed, tmp_path):
    shutil.copytree(classed / "truth/day1", classed / "even/day1")
    write_record(
        dataset := Dataset(str(tmp_path / "dataset")),
        [Source(f"{web.address}/raw", {name: f"{web.address}/{name}" for name in ("odd", "even")})],
    )
    web.fault = lambda method, path: "cut" if path.endswith("even/a.tif") and method == "GET" else None
    ingested(dataset)
    assert labels_of(dataset, "a", "truth").stamp() is None
    web.fault = lambda *_: None
    assert ("a", "done") in [(of.name, of.state) for of in ingested(dataset)[1]]
    assert set(read_classes(labels_of(dataset, "a", "truth")).plain()) == {"odd", "even"}


def test_a_watch_takes_what_arrives_once_and_tells_once_of_a_server_that_is_away(taken, web, there):
    record = read_record(taken)
    place = mirror_place(f"{web.address}/raw")

    def at(seconds):
        return look_at_sources(taken, record, 1e9 + seconds)

    at(0)
    mark_taken(taken, at(60))
    shutil.copy(there / "raw/a.tif", there / "raw/new.tif")
    assert at(120).waiting
    found = at(180)
    assert (found.ready, found.files) == (("new",), (str(place / "new.tif"),))
    mark_taken(taken, found)
    (there / "raw/new.tif").unlink()
    assert at(240).gone == (str(place / "new.tif"),)
    web.end()
    found = at(300)
    assert (found.ready, found.gone, len(found.away)) == ((), (), 2)
    assert at(360) == type(found)()


def test_commands_that_only_look_fetch_nothing(run, web, tmp_path):
    address, new = f"{web.address}/raw", tmp_path / "new"
    assert run("init", new, "--images", address)[0] == 0
    web.fetched()
    (web.folder / "raw/day1/new.tif").write_bytes((web.folder / "raw/a.tif").read_bytes())
    for words in (["status", new], ["reprocess", new, "--dry-run"], ["ingest", new, "--dry-run"]):
        status, _, err = run(*words)
        assert (status, web.fetched()) == (0, [])
        (note,) = err.strip().splitlines()
        assert note.startswith("note: 1 file (")
        assert note.endswith(f"of {address} not fetched yet; `unet-flows ingest` fetches them")
    status, said, _ = run("inspect", f"{address}/day1/new.tif")
    assert (status, web.fetched()) == (0, ["/raw/day1/new.tif"])
    assert said.splitlines()[1] == "  2 × 64 × 64 (z y x) uint16"
    web.end()
    status, _, err = run("inspect", f"{address}/day1/new.tif")
    assert status == 1
    assert "failed: " in err
    assert "must be reachable" in err


def test_fetching_shows_progress_in_megabytes_and_nothing_where_nothing_comes(web, monkeypatch):
    shown = []
    monkeypatch.setattr(fetch_module, "MEGABYTE", 1000)
    monkeypatch.setattr("tasks.reporting.progress.Sink.__call__", lambda *now: shown.append(now[1:]))
    sources = [Source(f"{web.address}/truth")]
    fetch_module.fetched(sources)
    assert shown[-1][:2] == (shown[-1][1], shown[-1][1])
    shown.clear()
    fetch_module.fetched(sources)
    assert shown == []
