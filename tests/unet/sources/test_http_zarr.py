"""Laws of an OME-Zarr on a server that lists nothing: what is fetched reads as the folder itself, whoever wrote it."""

import json
import threading
import warnings

import numpy as np
import pytest
import zarr

from tests.unet.sources.conftest import put
from tests.unet.sources.web_server import WebServer
from unet.settings.ingest import Source
from unet.sources import http_zarr
from unet.sources.http_server import HttpServer
from unet.sources.http_zarr import zarr_addresses
from unet.sources.mirror import NOTHING_REMOTE, look_at_remotes
from unet.sources.paths import mirror_place

PIXELS = np.arange(3 * 10 * 14, dtype=np.uint16).reshape(3, 10, 14)
FORMS = [
    {"zarr_format": 2, "chunks": (1, 4, 5)},
    {"zarr_format": 2, "chunks": (2, 4, 5), "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    {"zarr_format": 3, "chunks": (1, 4, 5)},
    {"zarr_format": 3, "chunks": (1, 4, 5), "chunk_key_encoding": {"name": "default", "separator": "."}},
    {"zarr_format": 3, "chunks": (1, 4, 5), "chunk_key_encoding": {"name": "v2", "separator": "."}},
    {"zarr_format": 3, "chunks": (1, 4, 5), "shards": (2, 8, 10)},
]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "there").mkdir(exist_ok=True)
    return tmp_path / "there"


@pytest.fixture
def mute(place, mirror):
    """A server that lists nothing."""
    server = WebServer(place, lists=False)
    yield server
    server.end()


def multiscales(*paths):
    axes = [{"name": axis, "type": "space"} for axis in "zyx"]
    datasets = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0**level, 2.0**level]}]}
        for level, path in enumerate(paths)
    ]
    return {"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]}


def write_image(folder, form, levels=("0", "1"), pixels=PIXELS):
    """An image as OME-Zarr of a version of zarr."""
    version = form["zarr_format"]
    said = multiscales(*levels)
    group = zarr.create_group(str(folder), zarr_format=version, attributes=said if version == 2 else {"ome": said})
    for level, name in enumerate(levels):
        part = pixels[:, :: 2**level, :: 2**level]
        array = group.create_array(name, shape=part.shape, dtype=part.dtype, **_plain(form))
        array[...] = part
    return folder


def _plain(form):
    return {key: value for key, value in form.items() if key != "zarr_format"}


def fetched(web, name):
    address = f"{web.address}/{name}"
    assert look_at_remotes([Source(address)], lambda *_: None) == NOTHING_REMOTE
    return mirror_place(address)


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_in_all_forms_arrive_whole_and_of_lower_levels_nothing(mute, place, form):
    write_image(place / "a.zarr", form)
    copy = fetched(mute, "a.zarr")
    np.testing.assert_array_equal(zarr.open_array(str(copy / "0"))[...], PIXELS)
    assert files(copy) == {file for file in files(place / "a.zarr") if not file.startswith("1/")}
    mute.fetched()
    fetched(mute, "a.zarr")
    assert not any(path.endswith(("0.0.0", "0/0/0")) for path in mute.fetched())


def test_chunks_that_are_not_there_are_none_here(mute, place):
    pixels = np.where(PIXELS < 100, 0, PIXELS)
    write_image(place / "a.zarr", {"zarr_format": 2, "chunks": (1, 4, 5)}, pixels=pixels)
    copy = fetched(mute, "a.zarr")
    assert len(files(copy)) < 4 + 3 * 3 * 3  # metadata, and all chunks
    np.testing.assert_array_equal(zarr.open_array(str(copy / "0"))[...], pixels)


@pytest.mark.parametrize("form", [FORMS[1], FORMS[2]])
def test_plates_series_and_labels_arrive_by_what_their_metadata_names(mute, place, form):
    version = form["zarr_format"]

    def group(path, said):
        zarr.create_group(str(place / path), zarr_format=version, attributes=said if version == 2 else {"ome": said})

    group("plate.zarr", {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}, {"path": "C/3"}, {"path": "../up"}]}})
    group("plate.zarr/A/1", {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    group("plate.zarr/B/2", {})  # a well that does not say its fields
    for path in ("A/1/0", "A/1/1", "B/2/0"):
        write_image(place / "plate.zarr" / path, form)
    group("plate.zarr/A/1/0/labels", {"labels": ["cells", "../../up"]})
    write_image(place / "plate.zarr/A/1/0/labels/cells", form)
    plate = fetched(mute, "plate.zarr")
    for path in ("A/1/0", "A/1/1", "B/2/0", "A/1/0/labels/cells"):
        np.testing.assert_array_equal(zarr.open_array(str(plate / path / "0"))[...], PIXELS)
    assert not any("/up" in path for _, path in mute.paths)

    group("series.zarr", {"bioformats2raw.layout": 3})
    group("numbered.zarr", {"bioformats2raw.layout": 3})
    group("series.zarr/OME", {"series": ["first", "0"]})
    for path in ("series.zarr/first", "series.zarr/0", "numbered.zarr/0", "numbered.zarr/1"):
        write_image(place / path, form)
    series, numbered = fetched(mute, "series.zarr"), fetched(mute, "numbered.zarr")
    for image in (series / "first", series / "0", numbered / "0", numbered / "1"):
        np.testing.assert_array_equal(zarr.open_array(str(image / "0"))[...], PIXELS)


@pytest.mark.parametrize("version", [2, 3])
def test_a_group_of_no_kind_is_known_by_its_list_or_by_numbers(mute, place, version):
    form = {"zarr_format": version, "chunks": (1, 4, 5)}
    top = zarr.create_group(str(place / "many.zarr"), zarr_format=version)
    for name in ("one", "two"):
        top.create_array(name, shape=PIXELS.shape, dtype=PIXELS.dtype, **_plain(form))[...] = PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of consolidated metadata in version 3
        zarr.consolidate_metadata(str(place / "many.zarr"))
    copy = fetched(mute, "many.zarr")
    np.testing.assert_array_equal(zarr.open_array(str(copy / "two"))[...], PIXELS)
    numbered = zarr.create_group(str(place / "levels.zarr"), zarr_format=version)
    numbered.create_array("0", shape=PIXELS.shape, dtype=PIXELS.dtype, **_plain(form))[...] = PIXELS
    np.testing.assert_array_equal(zarr.open_array(str(fetched(mute, "levels.zarr") / "0"))[...], PIXELS)
    plain = zarr.create_array(str(place / "plain.zarr"), shape=PIXELS.shape, dtype=PIXELS.dtype, **form)
    plain[...] = PIXELS
    np.testing.assert_array_equal(zarr.open_array(str(fetched(mute, "plain.zarr")))[...], PIXELS)


def addresses(web, name="a.zarr"):
    with HttpServer(web.address, threading.Event()) as server:
        return zarr_addresses(server, f"{web.address}/{name}")


BROKEN = {
    "shape of words": {"shape": ["many"], "chunks": [1]},
    "no chunks": {"shape": [3]},
    "chunks of nothing": {"shape": [3], "chunks": [0]},
    "other axes": {"shape": [3, 4], "chunks": [1]},
    "odd separator": {"shape": [3], "chunks": [1], "dimension_separator": "/../"},
    "far too many": {"shape": [10**9, 10**9], "chunks": [1, 1]},
    "less than nothing": {"shape": [-(10**9)], "chunks": [1]},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_arrays_are_a_sentence_and_no_endless_list(mute, place, fault):
    put(place / "a.zarr/.zarray", json.dumps(BROKEN[fault]).encode(), 1_700_000_000)
    with pytest.raises(ValueError, match=r"must be an array of chunks, got a b|must have at most 200,000 chunks"):
        addresses(mute)


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff"])
def test_metadata_that_is_none_is_a_sentence(mute, place, content):
    put(place / "a.zarr/.zattrs", content, 1_700_000_000)
    with pytest.raises(ValueError, match=r"a\.zarr/\.zattrs"):
        addresses(mute)


def test_too_many_groups_are_refused(mute, place, monkeypatch):
    monkeypatch.setattr(http_zarr, "MOST_GROUPS", 3)
    wells = {"plate": {"wells": [{"path": f"A/{number}"} for number in range(9)]}}
    put(place / "a.zarr/.zattrs", json.dumps(wells).encode(), 1_700_000_000)
    with pytest.raises(ValueError, match="must hold at most 3 groups, got more"):
        addresses(mute)


def test_metadata_that_a_store_does_not_show_to_strangers_is_not_there(mute, place):
    write_image(place / "a.zarr", FORMS[0])
    mute.fault = lambda method, path: "403" if path.endswith("zarr.json") else None
    np.testing.assert_array_equal(zarr.open_array(str(fetched(mute, "a.zarr") / "0"))[...], PIXELS)
    mute.fault = lambda method, path: "403" if path.endswith("/0.0.0") else None
    (note,) = look_at_remotes([Source(f"{mute.address}/a.zarr")], lambda *_: None).notes
    assert note.endswith("/a.zarr/0/0.0.0: the server answers 403; the next run tries again")
