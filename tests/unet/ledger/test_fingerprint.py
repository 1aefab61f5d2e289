"""Whether files are what they were: a touch changes nothing, a byte does."""

import os
from hashlib import blake2b
from pathlib import Path

import pytest

from unet.dataset.folder import Folder
from unet.ledger import fingerprint


@pytest.fixture
def files(tmp_path):
    for name in ("a.tif", "b::c.tif"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    return [str(tmp_path / "a.tif"), str(tmp_path / "b::c.tif")]


def test_touched_files_have_the_same_content(files):
    before = fingerprint.of_files(files)
    os.utime(files[0], ns=(1, 1))
    after = fingerprint.of_files(files, [before])
    assert after.seen != before.seen
    assert after.content == before.content


def by_blake2(files):
    """What fingerprints were before: BLAKE2 of the names, and of BLAKE2 of what each file holds."""
    whole = blake2b(digest_size=6)
    for file in files:
        whole.update(os.path.basename(file).encode() + b"\0" + blake2b(Path(file).read_bytes()).digest())  # noqa: PTH119
    return whole.hexdigest()


@pytest.mark.parametrize("once", [False, True])
def test_what_is_known_by_an_older_digest_is_compared_with_one_of_its_kind(files, once):
    old = fingerprint.Fingerprint("another moment", by_blake2(files))
    assert fingerprint.of_files(files, [old], once).content == old.content
    assert fingerprint.of_files(files, once=once).content != old.content
    Path(files[0]).write_bytes(b"changed")
    assert fingerprint.of_files(files, [old], once).content == by_blake2(files)


@pytest.mark.parametrize("edit", [lambda b: b[:-1] + b"!", lambda b: b + b"!", lambda b: b""])
def test_a_changed_byte_changes_the_content(edit, files, tmp_path):
    before = fingerprint.of_files(files)
    content = (tmp_path / "b::c.tif").read_bytes()
    (tmp_path / "b::c.tif").write_bytes(edit(content))
    os.utime(files[1], ns=(1, 1))
    assert fingerprint.of_files(files, [before]).content != before.content


def test_the_order_of_slices_and_their_names_count(files, tmp_path):
    before = fingerprint.of_files(files).content
    assert fingerprint.of_files(files[::-1]).content != before
    (tmp_path / "a.tif").rename(tmp_path / "z.tif")
    assert fingerprint.of_files([str(tmp_path / "z.tif"), files[1]]).content != before


def test_a_folder_that_moved_is_the_same(files, tmp_path):
    before = fingerprint.of_files(files)
    (tmp_path / "new").mkdir()
    moved = []
    for file in files:
        target = tmp_path / "new" / os.path.basename(file)  # noqa: PTH119
        os.rename(file, target)  # noqa: PTH104
        moved.append(str(target))
    assert fingerprint.of_files(moved, [before]) == before


def counted(monkeypatch):
    """The files that are read from now on."""
    read, opening = [], Folder.open
    monkeypatch.setattr(Folder, "open", lambda folder: read.append(folder.url) or opening(folder))
    return read


def test_a_process_reads_files_once_until_a_write_leaves_its_mark(files, tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "MARK_SECONDS", 0)
    before, stat = fingerprint.of_files(files, once=True), os.stat(files[0])  # noqa: PTH116
    read = counted(monkeypatch)
    assert (fingerprint.of_files(files, once=True), read) == (before, [])
    assert (fingerprint.of_files(files), read) == (before, files)  # who must be sure reads them
    (tmp_path / "a.tif").write_bytes(b"!" * stat.st_size)
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint.of_files(files, once=True).content != before.content


def test_files_that_were_just_written_are_read_again(files, monkeypatch):
    fingerprint.of_files(files, once=True)
    read = counted(monkeypatch)
    fingerprint.of_files(files, once=True)
    assert read == files


def test_same_name_size_and_time_are_trusted_without_reading(files, tmp_path, monkeypatch):
    """The limitation that the module's docstring confesses."""
    before, stat = fingerprint.of_files(files), os.stat(files[0])  # noqa: PTH116
    (tmp_path / "a.tif").write_bytes(b"!" * stat.st_size)
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint.of_files(files).content != before.content
    monkeypatch.setattr(Folder, "open", lambda folder: pytest.fail(f"{folder.url} was read"))
    assert fingerprint.of_files(files, [before]) == before


def test_a_missing_file_is_an_error(files):
    with pytest.raises(FileNotFoundError):
        fingerprint.of_files([*files, "/no/such/file"])


@pytest.mark.parametrize("url", ["{tmp}/of", "memory://fingerprint"])
def test_of_a_folder(url, tmp_path):
    folder = Folder(url.format(tmp=tmp_path))
    for name in ("0/c/0/0", "0/c/0/1", "zarr.json"):
        (folder / name).write(name.encode())
    before = fingerprint.of_folder(folder)
    assert fingerprint.of_folder(folder, vars(before)) == before
    (folder / "0/c/0/1").write(b"0/c/0/2")
    after = fingerprint.of_folder(folder, vars(before))
    assert after.seen != before.seen
    assert after.content != before.content
    (folder / "0/c/0/1").write(b"0/c/0/1")
    assert fingerprint.of_folder(folder, vars(before)).content == before.content
    (folder / "0/c/0/1").remove()
    assert fingerprint.of_folder(folder, vars(before)).content != before.content


def test_of_a_file_with_large_holes_what_is_on_the_disk_is_read(tmp_path):
    """A terabyte of which nobody wrote more than two pages: reading all of it would take the night."""
    path, found = tmp_path / "a.tif", []
    for at, content in ((0, b"a"), (0, b"b"), (2**39, b"b"), (2**39 + 2**20, b"b")):
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.seek(at)
            file.write(content * 8192)
        os.truncate(path, 2**40)
        found.append(fingerprint.of_files([str(path)]).content)
    assert len(set(found)) == 4
    with path.open("r+b") as file:  # what was a hole becomes zeros that somebody wrote
        file.seek(2**35)
        file.write(bytes(3 * 2**20))
    os.utime(path, ns=(1, 1))
    assert fingerprint.of_files([str(path)]).content == found[-1]


def test_small_holes_change_nothing(tmp_path):
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense/a.tif").write_bytes(b"a" * 4096 + bytes(2**20))
    (tmp_path / "a.tif").write_bytes(b"a" * 4096)
    os.truncate(tmp_path / "a.tif", 4096 + 2**20)
    dense, sparse = (fingerprint.of_files([str(tmp_path / name)]).content for name in ("dense/a.tif", "a.tif"))
    assert dense == sparse


@pytest.mark.parametrize("name", [".DS_Store", "c/0/._0", "c/Thumbs.db", "desktop.ini"])
def test_what_desktops_leave_in_a_folder_is_no_edit(name, tmp_path):
    folder = Folder(str(tmp_path))
    (folder / "c/0/0").write(b"pixels")
    before = fingerprint.of_folder(folder)
    (folder / name).write(b"icons")
    assert fingerprint.of_folder(folder, vars(before)) == before


def zarr_folder(tmp_path):
    for name in ("zarr.json", "0/c/0/0", "0/c/0/1"):
        (tmp_path / "a.zarr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a.zarr" / name).write_bytes(name.encode())
    return tmp_path / "a.zarr"


def test_an_ome_zarr_stands_for_all_of_its_files_but_labels(tmp_path):
    top = zarr_folder(tmp_path)
    before, seen = fingerprint.of_files([str(top)]), fingerprint.sizes_and_times([str(top)])
    moments = fingerprint.moments([str(top)])
    (top / "labels").mkdir()
    (top / "labels/zarr.json").write_bytes(b"{}")
    (top / "around").symlink_to(top)  # a circle
    assert fingerprint.of_files([str(top)]) == before
    (top / "0/c/0/1").write_bytes(b"0/c/0/2")
    assert fingerprint.of_files([str(top)]).content != before.content
    assert fingerprint.sizes_and_times([str(top)]) != seen
    assert seen[str(top)][0] == 23
    assert fingerprint.moments([str(top)]) != moments


def test_what_is_linked_is_known_by_its_listing_and_never_read(tmp_path, monkeypatch):
    top = zarr_folder(tmp_path)
    monkeypatch.setattr(Folder, "open", lambda folder: pytest.fail(f"{folder.url} was read"))
    before = fingerprint.of_files([str(top)], is_linked=True)
    assert fingerprint.of_files([str(top)], is_linked=True) == before
    (top / "0/c/0/1").write_bytes(b"")
    emptied = fingerprint.of_files([str(top)], is_linked=True).content
    (top / "0/c/0/1").unlink()
    assert fingerprint.of_files([str(top)], is_linked=True).content != emptied != before.content
