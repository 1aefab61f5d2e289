"""Laws of files at an address: what differs has another time, and a listing holds no name that no file can have."""

import threading
from datetime import UTC, datetime

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.sources import remote_files
from unet.sources.remote_files import Listing, RemoteFile, file_of, legal_listing, open_remote


@given(st.integers(-(10**12), 10**12), st.text(min_size=1), st.text(min_size=1))
def test_the_time_of_a_copy_is_its_files_and_tells_marks_apart(seconds, one, other):
    first, second = (RemoteFile("a", 1, seconds, mark).time_ns for mark in (one, other))
    assert first // 10**9 == min(max(seconds, 0), 2**33)
    assert first % 1000 == 0  # what disks keep
    assert one != other or first == second
    assert RemoteFile("a", 1, seconds, "").time_ns is None


def test_marks_that_differ_in_a_letter_differ_in_time():
    assert len({RemoteFile("a", 1, 5.0, f'"{number}"').time_ns for number in range(1000)}) > 998


@pytest.mark.parametrize(
    ("info", "seconds", "mark"),
    [
        ({"LastModified": datetime(2026, 1, 1, tzinfo=UTC), "ETag": "x"}, 1767225600, "2026-01-01 00:00:00+00:00 x"),
        ({"mtime": 12.5}, 12.5, "12.5"),
        ({"updated": "2026-01-01T00:00:00Z", "md5Hash": "m"}, 1767225600, "2026-01-01T00:00:00Z m"),
        ({"last_modified": "yesterday", "etag": None}, None, "yesterday"),
        ({"created": datetime(2026, 1, 1)}, 1767225600, "2026-01-01 00:00:00"),
        ({}, None, ""),
    ],
)
def test_what_file_systems_tell_becomes_time_and_mark(info, seconds, mark):
    assert file_of("a", {"size": 3, **info}) == RemoteFile("a", 3, seconds, mark)


def test_names_that_no_file_can_have_are_left_out_and_told():
    file = RemoteFile("a", 1, 1, "m")
    names = ["a.tif", "../b.tif", "/c.tif", "d\0.tif", "e\x1b.tif", "f", "f/g.tif", "h//i.tif", ".hidden", "j/.k/l.tif"]
    found = legal_listing(Listing(dict.fromkeys(names, file)))
    assert list(found.files) == ["a.tif", "f/g.tif"]
    assert found.left_out == (
        "names that no file can have here are left out: ../b.tif, /c.tif, d\\x00.tif, e\\x1b.tif, f and 1 more",
    )
    assert legal_listing(Listing({"": file})).files == {"": file}


@pytest.fixture
def store(monkeypatch):
    filesystem = fsspec.filesystem("memory", skip_instance_cache=True)
    filesystem.store.clear()
    monkeypatch.setattr(remote_files, "open_filesystem", lambda address: (filesystem, f"/{address[5:]}"))
    yield filesystem
    filesystem.store.clear()


def test_a_store_lists_its_files_and_hands_them_out(store, tmp_path):
    store.pipe({"/lab/raw/a.tif": b"aaa", "/lab/raw/day1/b.tif": b"bb", "/lab/rawer/c.tif": b"c"})
    with open_remote("s3://lab/raw/", threading.Event()) as remote:
        files, ticks = remote.listing().files, []
        assert {name: file.size for name, file in files.items()} == {"a.tif": 3, "day1/b.tif": 2}
        remote.fetch(files["a.tif"], tmp_path / "a", ticks.append)
        assert ((tmp_path / "a").read_bytes(), sum(ticks)) == (b"aaa", 3)
        store.pipe("/lab/raw/a.tif", b"a" * 100)
        with pytest.raises(OSError, match="more came than its size says"):
            remote.fetch(files["a.tif"], tmp_path / "a", ticks.append)
    with open_remote("s3://lab/raw/a.tif", threading.Event()) as remote:
        assert list(remote.listing().files) == [""]
