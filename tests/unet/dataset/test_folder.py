"""Laws of folders: names never leave them, and a file is there whole or not at all."""

import itertools
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.dataset.folder import Dataset, Folder

few = settings(deadline=None, max_examples=200)
parts = st.sampled_from(["..", ".", "", "a", "~", "*", "?", "[a-z]", "C:", "a b", "…", "\\", "\0", "::", "file:", ".a"])
nasty = st.builds("/".join, st.lists(parts, min_size=1, max_size=5)) | st.text("ab./\\:*[]~\0é", max_size=8)
numbers = itertools.count()


@few
@given(nasty)
def test_a_name_stays_within_its_folder(name):
    with tempfile.TemporaryDirectory() as top:
        inside = Path(top, "in")
        inside.mkdir()
        Path(top, "beside").write_bytes(b"beside")
        try:
            place = Folder(str(inside)) / name
        except ValueError:
            return
        place.write(b"mine")
        written = [path for path in Path(top).rglob("*") if path.is_file() and path.name != "beside"]
        assert [path.read_bytes() for path in written] == [b"mine"]
        assert inside in written[0].parents
        assert place.read() == b"mine"
        place.remove()
        assert not place.exists()
        assert inside.is_dir()
        assert Path(top, "beside").read_bytes() == b"beside"


@few
@given(nasty)
def test_a_name_stays_within_its_folder_in_an_object_store(name):
    top = f"memory://names-{next(numbers)}"
    others = [Folder(f"{top}/beside"), Folder(f"{top}/in/zz/b"), Folder(f"{top}/in/zz/ab")]
    for other in others:
        other.write(b"other")
    try:
        place = Folder(f"{top}/in") / name
    except ValueError:
        return
    place.write(b"mine")
    assert place.read() == b"mine"
    assert len(Folder(top).files()) == 1 + len(others)
    place.remove()
    assert not place.exists()
    assert [other.read() for other in others] == [b"other"] * len(others)


@pytest.mark.parametrize("url", ["{tmp}", "file://{tmp}", "memory://folder{tmp}"])
def test_reading_writing_listing_removing(url, tmp_path):
    folder = Folder(url.format(tmp=tmp_path)) / "data"
    assert not folder.exists()
    assert folder.names() == []
    assert (folder / "a.json").read() is None
    (folder / "a.json").write_json({"µ": [1, None, 0.1]})
    (folder / "deep/b").write(b"12")
    assert (folder / "a.json").read_json() == {"µ": [1, None, 0.1]}
    assert folder.names() == ["a.json", "deep"]
    assert (folder / "a.json").names() == []
    assert {name: size for name, (size, _) in folder.files().items()} == {"a.json": 34, "deep/b": 2}
    with (folder / "deep/b").open() as stream:
        assert stream.read() == b"12"
    (folder / "deep").remove()
    (folder / "deep").remove()
    assert folder.names() == ["a.json"]
    assert folder.read() is None


def test_the_time_of_change_is_seen(tmp_path):
    for folder in (Folder(str(tmp_path)), Folder("memory://time")):
        (folder / "a").write(b"1")
        before = folder.files()
        (folder / "a").write(b"2")
        assert folder.files() != before


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_damaged_card_is_named(content, tmp_path):
    (Folder(str(tmp_path)) / "a.json").write(content)
    with pytest.raises(ValueError, match=r"a\.json must hold (a )?JSON"):
        (Folder(str(tmp_path)) / "a.json").read_json()


@pytest.mark.parametrize("url", ["{tmp}", "file://{tmp}"])
def test_a_reader_never_sees_a_part(url, tmp_path):
    file, contents = Folder(url.format(tmp=tmp_path)) / "a", [b"1" * 300_000, b"2" * 200_000]
    file.write(contents[0])
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            seen.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        file.write(contents[turn % 2])
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= set(contents)


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(step, tmp_path, monkeypatch):
    file = Folder(str(tmp_path)) / "a"
    file.write(b"old")

    def fail(path, *_):
        with path.open("wb") as half:
            half.write(b"ne")
        raise OSError("disk full")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(OSError, match="disk full"):
        file.write(b"new")
    assert file.read() == b"old"
    assert Folder(str(tmp_path)).names() == ["a"]


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a\\b", "a\0", "s3://a", "a::b"])
def test_a_name_that_could_leave_is_refused(name):
    with pytest.raises(ValueError, match="a name must stay within its folder, got"):
        Folder("/data") / name


def test_where_things_lie():
    dataset = Dataset("/data/lab/")
    assert dataset.name == "lab"
    assert dataset.image("a").url == "/data/lab/images/a.ome.zarr"
    assert dataset.labels("a", "truth").url == "/data/lab/images/a.ome.zarr/labels/truth"
    assert dataset.weights("a").url == "/data/lab/weights/a.zarr"
    assert dataset.model("unet").url == "/data/lab/models/unet"
    assert dataset.scores("unet", "a").url == "/data/lab/scores/unet/a.ome.zarr"
    assert dataset.table("unet", "a").url == "/data/lab/tables/unet/a.parquet"
    assert dataset.report("unet").url == "/data/lab/reports/unet"
    assert dataset.set_aside("weigh", "a").url == "/data/lab/set-aside/weigh/a.json"
    for place in (dataset.image, dataset.weights, dataset.model, lambda name: dataset.scores("unet", name)):
        with pytest.raises(ValueError, match="must stay within its folder"):
            place("../../x")


def test_all_that_was_made_from_a_stack(tmp_path):
    dataset = Dataset(str(tmp_path))
    for name in ("a", "b"):
        for made in (dataset.image(name), dataset.weights(name), dataset.scores("m", name), dataset.labels(name, "m")):
            (made / "zarr.json").write(b"{}")
        dataset.table("m", name).write(b"")
        dataset.set_aside("weigh", name).write_json({})
    assert dataset.stacks() == ["a", "b"]
    for made in dataset.all_of("a"):
        made.remove()
    assert dataset.stacks() == ["b"]
    assert not [name for name in dataset.files() if Path(name).name.startswith("a") or "/a." in name]
    assert len([name for name in dataset.files() if "/b." in name]) == 6


def test_what_is_local_is_listed_as_fsspec_lists_it(tmp_path):
    for name in ("zarr.json", "c/0/0", "c/0/10", "c/1/0", ".hidden", "d.zarr/a"):
        (Folder(str(tmp_path)) / name).write(name.encode())
    (tmp_path / "empty").mkdir()
    by_fsspec = Folder(f"file://{tmp_path}").files()
    assert Folder(str(tmp_path)).files() == by_fsspec
    assert len(by_fsspec) == 6
    assert Folder(str(tmp_path / "nowhere")).files() == Folder(str(tmp_path / "zarr.json")).files() == {}


def test_a_link_is_the_file_it_leads_to_and_folders_and_pipes_are_none(tmp_path):
    (Folder(str(tmp_path)) / "a").write(b"123")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    files = Folder(str(tmp_path)).files()
    assert set(files) == {"a", "b"}
    assert files["b"] == files["a"]
