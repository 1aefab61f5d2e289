"""Laws of looking at the sources: the finished is taken once, the rest waits with a reason, what is gone is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from flows.planning.arrivals import is_news, look_at_sources, mark_taken
from flows.planning.plan import make_plan
from tests.unet.formats.files import write_set
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values, write_record
from unet.settings.ingest import Source

QUIET, PATIENCE = 60, 3600


@pytest.fixture
def folder(dataset):
    return Path(dataset.url).parent / "files/image"


@pytest.fixture
def at(dataset):
    """What a look finds at a time: `at(120)`."""
    return lambda seconds: look_at_sources(dataset, read_record(dataset), 1e9 + seconds)


@pytest.fixture
def settled(dataset, at):
    """A dataset that is watched already."""
    at(0)
    mark_taken(dataset, at(60))
    assert at(120) == at(1e6)
    return dataset


def write(path, planes=2, seed=9):
    pixels = np.random.default_rng(seed).integers(0, 900, (planes, 64, 64)).astype(np.uint16)
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "ZYX"})
    return path


def test_what_lay_there_before_is_taken_once(dataset, at):
    assert at(0).ready == ()
    found = at(60)
    assert found.ready == ("a", "b", "c")
    assert at(120).ready == found.ready  # as no run took it
    mark_taken(dataset, found)
    assert at(180) == type(found)()


def test_a_new_file_is_taken_when_it_is_quiet_and_whole(settled, folder, at):
    whole = write(folder.parent / "new.tif").read_bytes()
    file = folder / "new.tif"
    for step in range(1, 4):
        file.write_bytes(whole[: len(whole) * step // 4])
        found = at(120 + step * 30)
        assert found.ready == ()
        assert found.lines() == [f"{file}: waiting: was not seen unchanged for 60 s"]
    found = at(400)  # quiet, as a network stalled
    assert (found.ready, list(found.waiting)) == ((), ["new"])
    assert "new.tif" in found.waiting["new"]
    file.write_bytes(whole)
    assert at(430).ready == ()
    found = at(490)
    assert (found.ready, found.waiting, found.files) == (("new",), {}, (str(file),))
    mark_taken(settled, found)
    assert at(1000).ready == ()


def test_what_stays_broken_is_left_to_ingest(settled, folder, at, stage):
    write(folder / "new.tif")
    (folder / "new.tif").write_bytes((folder / "new.tif").read_bytes()[:-900])
    at(200)
    assert list(at(200 + PATIENCE - 1).waiting) == ["new"]
    found = at(200 + PATIENCE)
    assert (found.ready, found.waiting) == (("new",), {})
    (outcome,) = stage(settled, "ingest", only=["new"])
    assert outcome.state == "set aside"
    mark_taken(settled, found)
    assert at(1e5).ready == ()


def test_one_that_waits_holds_nobody_up_and_stays_out_of_the_run(settled, folder, at):
    write(folder / "good.tif")
    write(folder / "half.tif")
    (folder / "half.tif").write_bytes((folder / "half.tif").read_bytes()[:-900])
    at(200)
    found = at(260)
    assert (found.ready, list(found.waiting), found.files) == (("good",), ["half"], (str(folder / "good.tif"),))
    (change,) = found.changes
    assert change == 'exclude=["half"]'
    record = read_record(settled, {"exclude": ["half"]})
    assert "half" not in make_plan(settled, record).names()


def test_a_changed_source_makes_its_image_stale_and_is_taken(settled, folder, at):
    write(folder / "c.ome.tif", planes=3)
    assert at(200).ready == ()
    found = at(260)
    assert found.ready == ("c",)
    assert make_plan(settled, read_record(settled)).statuses["ingest", "c"].state == "stale"


def test_new_truth_is_taken_with_its_image(settled, folder, at):
    shutil.copy(folder.parent / "truth/b.ome.tif", folder.parent / "truth/c.ome.tif")
    at(200)
    assert at(260).ready == ("c",)


def test_a_file_that_is_gone_is_told_once_and_its_image_kept(settled, folder, at):
    (folder / "c.ome.tif").unlink()
    found = at(200)
    assert (found.ready, found.gone) == ((), (str(folder / "c.ome.tif"),))
    assert found.lines() == [f"{folder / 'c.ome.tif'} is gone; what was made from it is kept"]
    assert at(260).gone == ()
    plan = make_plan(settled, read_record(settled))
    assert plan.statuses["segment", "c"].state == "fresh"
    assert any("its source is gone; its image is kept" in note for note in plan.notes)


def test_all_slices_must_be_quiet(tmp_path, make):
    plane = np.zeros((40, 50), np.uint16)
    dataset = make({"s/z1": (plane, None), "s/z2": (plane, None)}, source={"slices": "z"})
    files = Path(dataset.url).parent / "files/image/s"
    record = read_record(dataset)
    look_at_sources(dataset, record, 0.0)
    shutil.copy(files / "z2.ome.tif", files / "z3.ome.tif")
    found = look_at_sources(dataset, record, 60.0)
    assert (found.ready, found.waiting) == ((), {"s": f"{files / 'z3.ome.tif'} was not seen unchanged for 60 s"})
    assert look_at_sources(dataset, record, 120.0).ready == ("s",)


def test_a_set_whose_other_files_lie_in_no_source_is_taken(tmp_path):
    place = Dataset(str(tmp_path / "dataset"))
    write_set(tmp_path)
    write_record(place, [Source(images=str(tmp_path / "z0.ome.tif"))])
    looks = [look_at_sources(place, read_record(place), 1e9 + seconds) for seconds in (0, 60)]
    assert [found.ready for found in looks] == [(), ("z0",)]


def test_of_thousands_of_files_twenty_are_told(settled, folder, at):
    for number in range(30):
        (folder / f"new{number}.png").touch()
    lines = at(200).lines()
    assert len(lines) == 21
    assert lines[-1] == "and 10 more waiting"


def test_how_long_is_a_setting(settled, folder, at):
    set_values(settled, {"watch.quiet_seconds": 5})
    write(folder / "new.tif")
    at(200)
    assert at(204).ready == ()
    assert at(205).ready == ("new",)


def test_a_lost_memory_costs_one_more_look(settled, at):
    (settled / "watch.json").write(b"{")
    assert at(200).ready == ()
    assert at(260).ready == ("a", "b", "c")


def test_a_fault_is_news_once(settled):
    assert [is_news(settled, fault) for fault in ("", "away", "away", "full", "", "")] == [
        False, True, False, True, True, False
    ]  # fmt: skip


def test_a_look_that_finds_nothing_imports_nothing_heavy(settled):
    code = f"""
import sys
from flows.planning.arrivals import look_at_sources
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record
place = Dataset({settled.url!r})
assert look_at_sources(place, read_record(place)).ready == ()
print([name for name in ("numpy", "torch", "zarr", "dask", "prefect", "tifffile") if name in sys.modules])
"""
    environment = os.environ | {"PYTHONPATH": os.getcwd()}  # noqa: PTH109
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout == "[]\n"


@pytest.fixture
def two(dataset, at):
    """The watched dataset with a second source beside, and the folder of that."""
    second = Path(dataset.url).parent / "files/second"
    for name in ("x", "y", "z"):
        second.mkdir(exist_ok=True)
        write(second / f"{name}.tif")
    record = read_record(dataset)
    write_record(dataset, [*record.sources, Source("../files/second")])
    at(0)
    mark_taken(dataset, at(60))
    assert at(120).lines() == []
    return second


def test_a_source_that_is_away_is_told_once_and_the_other_goes_on(two, dataset, folder, at):
    two.rename(two.with_name("away"))
    found = at(200)
    assert (found.ready, found.gone) == ((), ())
    (line,) = found.lines()
    assert "'../files/second', which would be" in line
    assert line.endswith("; what was taken from it before is kept")
    write(folder / "new.tif")
    assert at(260).lines() == [f"{folder / 'new.tif'}: waiting: was not seen unchanged for 60 s"]
    found = at(330)
    assert (found.ready, found.lines()) == (("new",), ["new: taken"])
    mark_taken(dataset, found)
    two.with_name("away").rename(two)
    assert at(400).lines() == []  # what is back came not newly
    two.rename(two.with_name("away"))
    assert len(at(460).lines()) == 1


def test_a_mount_that_is_empty_is_away_and_a_file_that_was_taken_away_is_gone(two, at):
    (two / "x.tif").unlink()
    assert at(200).gone == (str(two / "x.tif"),)
    for file in two.iterdir():
        file.unlink()
    found = at(260)
    assert found.gone == ()
    assert found.lines() == ["images '../files/second' holds no image files now; what was taken from it before is kept"]


def test_a_file_that_the_disk_does_not_give_waits_and_holds_nobody_up(settled, folder, at, forbid):
    write(folder / "good.tif")
    write(folder / "bad.tif")
    at(200)
    forbid(folder / "bad.tif")
    found = at(260)
    assert (found.ready, list(found.waiting)) == (("good",), ["bad"])
    assert "Permission denied" in found.waiting["bad"]


def test_classes_that_are_not_whole_yet_make_a_stack_wait(tmp_path):
    for kind in ("raw", "truth"):
        (tmp_path / kind).mkdir()
        tifffile.imwrite(tmp_path / kind / "a.tif", np.ones((8, 9), np.uint8))
    (tmp_path / "truth/a.csv").write_text('id,class\n1,"nuc')
    dataset = Dataset(str(tmp_path / "dataset"))
    source = Source(
        str(tmp_path / "raw"), str(tmp_path / "truth"), class_of=str(tmp_path / "truth"), classes={1: "nucleus"}
    )
    write_record(dataset, [source])
    look_at_sources(dataset, read_record(dataset), 1e9)
    found = look_at_sources(dataset, read_record(dataset), 1e9 + QUIET)
    assert found.ready == ()
    assert "a.csv must be a CSV with the columns id and class" in found.waiting["a"]
    (tmp_path / "truth/a.csv").write_text("id,class\n1,nucleus\n")
    look_at_sources(dataset, read_record(dataset), 1e9 + 2 * QUIET)
    assert look_at_sources(dataset, read_record(dataset), 1e9 + 3 * QUIET).ready == ("a",)
