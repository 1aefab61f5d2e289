"""Laws of the mirror: a look that fetches makes it what is there, whole and of its time; no other look changes it."""

import shutil
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unet.sources.conftest import FILES, put
from unet.settings.ingest import Source
from unet.sources import fetching, http_server
from unet.sources import mirror as mirror_module
from unet.sources.mirror import look_at_remotes
from unet.sources.paths import mirror_place
from unet.sources.remote_files import Listing, RemoteFile


def look(web, *below, fetch=True):
    """A look at places of a server, `raw` by default; of one that fetches all progress is told to nobody."""
    sources = [Source(f"{web.address}/{path}") for path in below or ["raw"]]
    return look_at_remotes(sources, (lambda *_: None) if fetch else None)


def copies(web, path="raw"):
    """What is in the mirror of a place, and the times of change."""
    top = mirror_place(f"{web.address}/{path}")
    files = [file for file in top.rglob("*") if file.is_file()] if top.is_dir() else [top]
    return {str(file.relative_to(top)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def contents(web, path="raw"):
    return {name: content for name, (content, _) in copies(web, path).items()}


RAW = {name.removeprefix("raw/"): content for name, content in FILES.items() if name.startswith("raw/")}


def test_copies_are_what_is_there_and_a_second_look_fetches_nothing(web):
    assert look(web) == mirror_module.NOTHING_REMOTE
    before = copies(web)
    assert contents(web) == RAW
    assert before["a.tif"][1] // 10**9 == 1_700_000_000
    web.fetched()
    assert look(web) == mirror_module.NOTHING_REMOTE
    assert web.fetched() == []
    assert copies(web) == before


def test_one_file_is_a_place_too_and_a_slash_behind_an_address_makes_no_other(web):
    look(web, "raw/a.tif")
    assert mirror_place(f"{web.address}/raw/a.tif").read_bytes() == FILES["raw/a.tif"]
    look(web, "truth", "truth/")
    assert mirror_place(f"{web.address}/truth/") == mirror_place(f"{web.address}/truth")
    assert web.fetched() == ["/raw/a.tif", "/truth/a.tif"]


def test_what_changed_is_fetched_alone_and_what_is_gone_is_removed_with_its_folder(web):
    look(web)
    web.fetched()
    put(web.folder / "raw/a.tif", b"x" * 300, 1_700_000_099)
    shutil.rmtree(web.folder / "raw/day1")
    look(web)
    assert web.fetched() == ["/raw/a.tif"]
    assert contents(web) == {"a.tif": b"x" * 300}
    assert not (mirror_place(f"{web.address}/raw") / "day1").exists()


def test_content_that_differs_in_its_mark_alone_is_fetched(web):
    web.etag = lambda file: f'"{hash(file.read_bytes())}"'
    look(web)
    put(web.folder / "raw/a.tif", b"x" * 300, 1_700_000_000)
    web.fetched()
    assert list(look(web, fetch=False).lacking) == [str(mirror_place(f"{web.address}/raw/a.tif"))]
    look(web)
    assert web.fetched() == ["/raw/a.tif"]
    assert contents(web)["a.tif"] == b"x" * 300


def test_files_of_a_server_that_tells_no_time_are_fetched_at_each_look_and_keep_theirs(web):
    web.tells_time = False
    look(web)
    before = copies(web)
    put(web.folder / "raw/a.tif", b"x" * 300, 1_700_000_000)
    web.fetched()
    look(web)
    assert len(web.fetched()) == 3
    after = copies(web)
    assert after.pop("a.tif")[0] == b"x" * 300
    assert before.pop("a.tif")[0] != b"x" * 300
    assert before == after


def test_a_look_that_may_not_fetch_says_what_lacks_and_changes_nothing(web, mirror):
    found = look(web, fetch=False)
    assert found.notes == (
        f"3 files (501 bytes) of {web.address}/raw not fetched yet; `unet-flows ingest` fetches them",
    )
    assert not mirror.exists()
    assert web.fetched() == []
    look(web)
    put(web.folder / "raw/a.tif", b"x", 1_700_000_099)
    (web.folder / "raw/day1/b c.tif").unlink()
    before = copies(web)
    found = look(web, fetch=False)
    assert [note[:17] for note in found.notes] == ["1 file (1 bytes) "]
    place = mirror_place(f"{web.address}/raw")
    assert list(found.lacking) == [str(place / "a.tif")]
    assert "must be fetched as it is there now" in found.why_not_current([str(place / "a.tif")], False)
    assert found.why_not_current([str(place / "other.tif")], False) == ""
    assert found.why_not_current([str(place / "other.tif")], True) != ""  # of slices all that lies there is one
    assert copies(web) == before


BOTH = ("GET", "HEAD")
FAULTS = {
    ("500", "GET"): "the server answers 500",
    ("500", "HEAD"): "the server answers 500",
    ("403", "GET"): "the server answers 403",
    ("404", "GET"): "it is gone since it was listed",
    ("404", "HEAD"): "the server has no such file",
    ("cut", "GET"): "peer closed connection",
    ("longer", *BOTH): "peer closed connection",
    ("longer", "GET"): "it changed since it was listed",
    ("to /raw/day1/notes.txt", "GET"): "it changed since it was listed",
    ("other size", "HEAD"): "it changed since it was listed",
    ("no size", *BOTH): "the server does not tell its size",
    ("no size", "GET"): "it changed since it was listed",
    ("packed", "GET"): "the server packs what it sends",
    ("huge", "HEAD"): "it claims 1000000.0 TB, and the disk of ",
    ("hang", "GET"): "must be reachable, got: timed out",
    ("hang", "HEAD"): "must be reachable, got: timed out",
    ("to file:///etc/passwd", *BOTH): "unsupported protocol",
    ("to ftp://127.0.0.1/a.tif", "GET"): "unsupported protocol",
    ("to /raw/a.tif", "GET"): "maximum allowed redirects",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_fails_is_told_alone_and_its_copy_of_before_is_not_taken_for_it(web, mirror, fault, monkeypatch):
    look(web)
    if fault[0] == "hang":
        monkeypatch.setattr(http_server, "READ", 2.0)
    before = contents(web)
    put(web.folder / "raw/a.tif", b"x" * 300, 1_700_000_099)
    put(web.folder / "raw/day1/b c.tif", b"y" * 300, 1_700_000_099)
    web.fault = lambda method, path: fault[0] if path == "/raw/a.tif" and method in fault[1:] else None
    found = look(web)
    assert contents(web) == before | {"day1/b c.tif": b"y" * 300}
    place = mirror_place(f"{web.address}/raw")
    assert list(found.lacking) == [str(place / "a.tif")]
    assert (found.away, found.failed) == ({}, frozenset())
    (note,) = found.notes
    assert note.startswith("could not be fetched: ")
    assert note.endswith("; the next run tries again")
    assert FAULTS[fault] in note
    assert list((mirror / ".drafts").iterdir()) == []
    web.fault = lambda *_: None
    assert look(web) == mirror_module.NOTHING_REMOTE
    assert contents(web)["a.tif"] == b"x" * 300


def test_a_new_file_that_fails_is_none(web):
    web.fault = lambda method, path: "cut" if path == "/raw/a.tif" and method == "GET" else None
    found = look(web)
    assert found.failed == {str(mirror_place(f"{web.address}/raw/a.tif"))}
    assert "a.tif" not in contents(web)


def test_a_server_that_is_away_leaves_all_as_it_is(web):
    look(web)
    before = copies(web)
    web.end()
    for fetch in (True, False):
        found = look(web, fetch=fetch)
        assert found.lacking == {}
        (note,) = found.notes
        assert note == (
            f"images '{web.address}/raw' cannot be fetched now: {web.address}/raw/ must be reachable, got: "
            "[Errno 111] Connection refused; what was taken from it before is kept"
        )
        assert copies(web) == before


@pytest.mark.parametrize("page", ["", "<a href='../'>up</a>"])
def test_a_place_that_lists_nothing_is_away(web, page):
    look(web)
    before = copies(web)
    web.pages["/raw/"] = page
    assert "must be a page that lists image files, got others or none" in look(web).away[f"{web.address}/raw"]
    assert copies(web) == before


@pytest.mark.parametrize("page", ["<a href='forgot'>login</a>", "<a href='day1/notes.txt'>terms</a>"])
def test_a_page_that_asks_who_is_there_takes_no_copy_away(web, page):
    look(web)
    before = copies(web)
    web.pages["/raw/"] = page
    assert "must be a page that lists image files" in look(web).away[f"{web.address}/raw"]
    assert copies(web) == before


def test_a_page_in_the_place_of_a_file_takes_no_copy_away(web):
    look(web)
    before = copies(web)
    web.pages["/raw/a.tif"] = "\n<!DOCTYPE html><title>Who are you?</title>"
    found = look(web)
    assert copies(web) == before
    assert list(found.lacking) == [str(mirror_place(f"{web.address}/raw/a.tif"))]
    assert "a.tif: the server gives a page in its place" in found.notes[0]


def test_what_lacked_before_the_server_went_away_is_remembered(web):
    web.fault = lambda method, path: "cut" if path == "/raw/a.tif" and method == "GET" else None
    look(web)
    web.end()
    found = look(web)
    assert list(found.lacking) == [str(mirror_place(f"{web.address}/raw/a.tif"))]
    assert list(found.away) == [f"{web.address}/raw"]


def test_what_has_no_mark_and_lacked_is_not_taken_for_current_by_its_size_alone(web):
    web.tells_time = False
    look(web)
    put(web.folder / "raw/a.tif", b"x" * 300, 1_700_000_099)
    web.fault = lambda method, path: "cut" if path == "/raw/a.tif" and method == "GET" else None
    look(web)
    web.end()
    assert list(look(web).lacking) == [str(mirror_place(f"{web.address}/raw/a.tif"))]


def test_a_page_that_fails_keeps_what_lies_below_it(web):
    look(web)
    before = copies(web)
    web.fault = lambda method, path: "403" if path == "/raw/day1/" else None
    (web.folder / "raw/a.tif").unlink()
    found = look(web)
    assert found.notes == (
        f"could not be fetched: {web.address}/raw/day1: the server answers 403; the next run tries again",
    )
    assert copies(web) == {name: of for name, of in before.items() if name != "a.tif"}


def test_a_place_within_another_that_does_not_list_it_is_kept(web):
    web.pages["/raw/"] = "<a href='a.tif'>a</a>"
    look(web, "raw", "raw/day1")
    web.fetched()
    look(web, "raw", "raw/day1")
    assert contents(web) == RAW
    assert web.fetched() == []


def test_a_file_that_becomes_a_folder_and_one_again_is_followed(web):
    for _ in range(2):
        look(web)
        (web.folder / "raw/a.tif").unlink()
        put(web.folder / "raw/a.tif/b.tif", b"b", 1_700_000_000)
        look(web)
        assert contents(web)["a.tif/b.tif"] == b"b"
        shutil.rmtree(web.folder / "raw/a.tif")
        put(web.folder / "raw/a.tif", b"a", 1_700_000_000)
        look(web)
        assert contents(web)["a.tif"] == b"a"
    look(web, "raw/a.tif")
    (web.folder / "raw/a.tif").unlink()
    put(web.folder / "raw/a.tif/b.tif", b"b", 1_700_000_000)
    look(web, "raw/a.tif/")
    look(web, "raw")
    assert contents(web)["a.tif/b.tif"] == b"b"


def test_files_that_fit_no_disk_together_are_not_fetched(web, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=fetching.ROOM + 400))
    (why,) = look(web).away.values()
    assert why.startswith(f"{web.address}/raw: the disk of ")
    assert "must have 501 bytes free for 3 files, got 400 bytes; free some, or set UNET_FLOWS_SOURCES" in why
    assert not mirror_place(f"{web.address}/raw").exists()


def test_nothing_is_written_through_a_link_in_the_mirror(web, mirror, tmp_path):
    place = mirror_place(f"{web.address}/raw")
    place.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (place / "day1").symlink_to(tmp_path / "outside")
    (note,) = look(web).notes
    assert "must be a folder of its own, got a link; remove it" in note
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("above", [False, True])
def test_nothing_is_removed_through_a_link_in_the_mirror(web, tmp_path, above):
    (tmp_path / "mine/raw").mkdir(parents=True)
    (tmp_path / "mine/raw/precious.tif").write_bytes(b"nobody's copy")
    place = mirror_place(f"{web.address}/raw")
    link = place.parent if above else place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / ("mine" if above else "mine/raw"))
    (said,) = look(web).away.values()
    assert said.endswith("must lie in the mirror, got a link to another place; remove the link")
    assert (tmp_path / "mine/raw/precious.tif").read_bytes() == b"nobody's copy"
    assert [path.name for path in (tmp_path / "mine/raw").iterdir()] == ["precious.tif"]


def test_a_disk_that_keeps_no_times_is_told(web, monkeypatch):
    monkeypatch.setattr(fetching.os, "utime", lambda *_, **__: None)
    assert "must lie on a disk that keeps times" in look(web).away[f"{web.address}/raw"]


def test_drafts_of_killed_runs_are_removed_when_they_are_old(web, mirror, monkeypatch):
    put(mirror / ".drafts/old", b"half", 1)
    look(web)
    assert (mirror / ".drafts/old").exists()
    monkeypatch.setattr(fetching, "DRAFT_DAYS", -1)
    put(web.folder / "raw/new.tif", b"new", 1_700_000_099)
    look(web)
    assert not (mirror / ".drafts/old").exists()


def test_ctrl_c_ends_it_and_leaves_no_draft(web, mirror):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_at_remotes([Source(f"{web.address}/raw")], interrupt)
    assert list((mirror / ".drafts").iterdir()) == []
    look(web)
    assert contents(web) == RAW


def test_progress_tells_bytes_of_how_many(web):
    told = []
    look_at_remotes([Source(f"{web.address}/raw")], lambda *now: told.append(now))
    assert told[-1][:2] == (501, 501)
    assert {name for _, _, name in told} == set(RAW)


class Fake:
    """Files of a server, by name: content and second; and those that fail."""

    def __init__(self, files, failing=(), unlisted=()):
        self.files, self.failing, self.unlisted = files, failing, unlisted

    def listing(self):
        files = {name: RemoteFile(name, len(of), at, str(at)) for name, (of, at) in self.files.items()}
        return Listing(
            {name: file for name, file in files.items() if name not in self.unlisted},
            {name: "it is not told" for name in self.files if name in self.unlisted},
        )

    def fetch(self, file, path, tick):
        content = self.files[file.address][0]
        path.write_bytes(content[:1] if file.address in self.failing else content)
        tick(len(content))


def serve(monkeypatch, fake):
    @contextmanager
    def open_fake(address, stop):
        assert isinstance(stop, threading.Event)
        yield fake

    monkeypatch.setattr(mirror_module, "open_remote", open_fake)


NAMES = st.sampled_from(["a.tif", "b.tif", "day1/a.tif", "day1/x/b.tif", "c.zarr/.zarray", "c.zarr/0/0", "c.zarr/0/1"])
STATES = st.tuples(
    st.dictionaries(NAMES, st.tuples(st.binary(min_size=2, max_size=4), st.integers(0, 3)), min_size=1),
    st.sets(NAMES),
    st.sets(NAMES),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(STATES, min_size=1, max_size=5))
def test_after_any_changes_the_mirror_is_what_is_there_or_says_what_is_not(states):
    """A slow oracle: what of each file arrived last, and what the look must say of it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNET_FLOWS_SOURCES", folder)
        place, expected = mirror_place("s3://lab/raw"), dict[str, tuple[bytes, int]]()
        for files, failing, unlisted, fetch in states:
            serve(patch, Fake(files, failing, unlisted))
            if fetch:
                changed = {name for name in files if expected.get(name) and _seen(files, name) != _seen(expected, name)}
                kept = {name: of for name, of in expected.items() if name in files}
                arrived = {
                    name: of
                    for name, of in files.items()
                    if name not in unlisted and name not in failing and (name in changed or name not in kept)
                }
                expected = kept | arrived
            found = look_at_remotes([Source("s3://lab/raw")], (lambda *_: None) if fetch else None)
            here = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if not path.is_dir()}
            assert here == {name: content for name, (content, _) in expected.items()}
            lacking = {str(Path(path).relative_to(place)) for path in found.lacking} if not found.away else set(files)
            current = {name for name in files if name in expected and _seen(files, name) == _seen(expected, name)}
            assert set(files) - lacking <= current
            assert all(not path.is_dir() or list(path.iterdir()) for path in place.rglob("*"))


def _seen(files, name):
    content, at = files[name]
    return len(content), at
