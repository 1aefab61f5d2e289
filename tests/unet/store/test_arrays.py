"""Laws of stored arrays: a region is one shard, and a shard that exists, and is whole, is done."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.faults.limits import within
from unet.dataset.folder import Folder
from unet.store.arrays import Stored, create, open_array
from unet.store.pyramid import pyramid
from unet.store.shard_bytes import ShardPacker
from unet.store.shards import Layout, averaged, regions

ONES = np.ones((2, 10, 13), np.uint16)


@pytest.fixture(params=["{tmp}/array", "memory://store{tmp}"])
def stored(request, tmp_path):
    layout = Layout((2, 10, 13), (1, 8, 8), (1, 4, 4))
    return create(Folder(request.param.format(tmp=tmp_path)), layout, np.uint16, "zyx")


def drawn(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(shape) * 255).astype(dtype)


def fill(stored, values):
    for region in stored.missing():
        stored.write(region, values[region])
    return stored


def test_what_is_written_shard_by_shard_is_read_as_a_whole(stored):
    values = drawn((2, 10, 13), np.uint16)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda region: Stored(stored.folder).write(region, values[region]), regions(stored.layout)))
    assert stored.missing() == []
    np.testing.assert_array_equal(open_array(stored.folder)[...], values)
    assert open_array(stored.folder).array.metadata.dimension_names == ("z", "y", "x")


def test_a_shard_of_fill_value_is_written_and_seen_as_done_after_reopening_too(stored):
    assert stored.missing() == list(regions(stored.layout))
    for region in list(regions(stored.layout)):
        again = create(stored.folder, stored.layout, np.uint16, "zyx")
        assert not again.is_done(region)
        again.write(region, np.zeros([part.stop - part.start for part in region], np.uint16))
        assert stored.is_done(region)
    assert stored.missing() == []


@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 1), slice(0, 4), slice(0, 8)),
        (slice(0, 2), slice(0, 8), slice(0, 8)),
        (slice(0, 1), slice(4, 10), slice(0, 8)),
        (slice(0, 1), slice(8, 16), slice(8, 16)),
        (slice(0, 1), slice(-8, 0), slice(0, 8)),
    ],
)
def test_a_region_that_is_no_shard_is_refused_and_nothing_is_written(region, stored):
    for act in (lambda: stored.write(region, np.uint16(1)), lambda: stored.is_done(region)):
        with pytest.raises(ValueError, match="a region must be one whole shard"):
            act()
    assert stored.missing() == list(regions(stored.layout))


@pytest.mark.parametrize("layout", [(1, 8, 8), (2, 16, 16)])
def test_a_shard_that_was_spoilt_is_not_done(layout, tmp_path):
    stored = create(Folder(str(tmp_path / "array")), Layout((2, 10, 13), layout, (1, 4, 4)), np.uint16, "zyx")
    values, all_regions = drawn((2, 10, 13), np.uint16), list(regions(stored.layout))
    fill(stored, values)
    last = Path(stored._shard(all_regions[-1]).url)
    whole = last.read_bytes()
    turned = [bytes(byte ^ (at == place) for place, byte in enumerate(whole)) for at in range(0, len(whole), 7)]
    others = [
        ShardPacker.of(create(Folder(f"{tmp_path}/{kind}"), stored.layout, kind, "zyx").array, stored.layout)
        for kind in ("u1", "u4")
    ]
    packed = [packer.pack(values[all_regions[-1]]) for packer in others]
    nothing = ShardPacker.of(stored.array, stored.layout).pack(values[:0])
    cut = (whole[:-1], whole[: len(whole) // 2], whole[:3], b"", whole + b"\0", whole[1:])
    for content in (*turned, *cut, *packed, nothing):
        last.write_bytes(content)
        assert stored.missing() == [all_regions[-1]]
        assert not stored.is_done(all_regions[-1])
    fill(stored, values)
    assert stored.missing() == []
    assert last.read_bytes() == whole


def test_an_array_begun_before_is_gone_on_with(stored):
    first = next(regions(stored.layout))
    stored.write(first, np.ones((1, 8, 8), np.uint16))
    again = create(stored.folder, Layout((9, 9), (9, 9), (9, 9)), np.uint8, "yx")
    assert again.layout == stored.layout
    assert again.missing() == stored.missing()
    assert len(again.missing()) == 7


def test_an_array_goes_to_other_workers_after_it_was_used(tmp_path):
    stored = fill(create(Folder(str(tmp_path / "a")), Layout((5,), (5,), (5,)), np.uint8, "x"), np.arange(5))
    assert pickle.loads(pickle.dumps(stored)).read((slice(0, 5),)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("emptied", [False, True])
def test_a_shard_that_is_not_there_is_never_read_as_zeros(stored, emptied):
    values = drawn((2, 10, 13), np.uint16)
    regions_of = list(regions(fill(stored, values).layout))
    shard = stored.folder / "c/1/1/0"
    shard.remove()
    if emptied:
        shard.write(b"")
    again, left = open_array(stored.folder), [region for region in regions_of if stored.is_done(region)]
    assert len(left) == len(regions_of) - 1
    for read in (
        lambda: again[...],
        lambda: again[1, 9, 2],
        lambda: again.read((slice(1, 2), slice(0, 10), slice(0, 3))),
    ):
        with pytest.raises(LookupError, match=r"c/1/1/0 must be there, got nothing; run `unet-flows status") as told:
            read()
        assert told.value.file == shard.url
    np.testing.assert_array_equal(again[0], values[0])
    np.testing.assert_array_equal(again[1, :8], values[1, :8])


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.parametrize("name", ["c/1/1/0", "zarr.json"])
def test_a_pipe_or_a_device_where_a_file_must_be_is_nothing_and_is_not_waited_at(tmp_path, name, put):
    stored = fill(create(Folder(str(tmp_path / "array")), Layout((2, 10, 13), (1, 8, 8), (1, 4, 4)), "u2", "zyx"), ONES)
    (stored.folder / name).remove()
    put((stored.folder / name).url)
    with within(20), pytest.raises(LookupError, match=r"must (be there|hold an array), got nothing"):
        open_array(stored.folder)[...]


def test_an_array_that_is_not_there_is_no_error_of_the_world(tmp_path):
    zarr.create_group(str(tmp_path / "group"))
    for url in (f"{tmp_path}/none", "memory://none", f"{tmp_path}/group"):
        for act in (open_array, lambda folder: Stored(folder).array):
            with pytest.raises(LookupError, match=r"must hold an array, got nothing there; run `unet-flows reprocess`"):
                act(Folder(url))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"", b"[]", b'{"zarr_format": 3, "node_type": "array", "shape": "x"}', b"\xff"]
)
def test_metadata_that_are_damaged_are_told_with_their_file(tmp_path, content):
    folder = Folder(str(tmp_path / "array"))
    (folder / "zarr.json").write(content)
    with pytest.raises((ValueError, LookupError), match=r"array(/zarr\.json is damaged \(\w+: | must hold an array)"):
        open_array(folder)


def test_an_array_of_zarr_2_which_knows_codecs_that_run_pickles_is_none(tmp_path):
    (tmp_path / "array").mkdir()
    (tmp_path / "array/.zarray").write_text(
        '{"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "fill_value": null, "order": "C", '
        '"compressor": null, "filters": [{"id": "pickle"}]}'
    )
    with pytest.raises(LookupError, match="must hold an array, got nothing there"):
        open_array(Folder(str(tmp_path / "array")))


def test_an_array_that_is_removed_while_a_shard_is_packed_does_not_come_back(tmp_path, monkeypatch):
    opened = create(Folder(str(tmp_path / "array")), Layout((8, 8), (8, 8), (4, 4)), np.uint8, "yx")
    monkeypatch.setattr(ShardPacker, "pack", lambda *_: opened.folder.remove() or b"shard")
    with pytest.raises(OSError, match="another run removed it"):
        opened.write((slice(0, 8), slice(0, 8)), np.zeros((8, 8), np.uint8))
    assert not (tmp_path / "array").exists()


def test_what_is_in_the_making_and_gone_may_be_tried_again(tmp_path):
    folder = Folder(str(tmp_path / "array"))
    opened = create(folder, Layout((8, 8), (8, 8), (4, 4)), np.uint8, "yx")
    region = (slice(0, 8), slice(0, 8))
    assert not opened.is_done(region)
    folder.remove()
    for ask in (lambda: opened.is_done(region), lambda: opened.write(region, np.zeros((8, 8), np.uint8))):
        with pytest.raises(OSError, match="another run removed it"):
            ask()
    assert not (tmp_path / "array").exists()
    with pytest.raises(OSError, match="array must be there until it is committed, got nothing: another run removed it"):
        Stored(folder).write(region, np.zeros((8, 8), np.uint8))
    with pytest.raises(OSError, match="another run removed it"):
        pyramid(lambda level: folder, averaged, "yx")
    with pytest.raises(LookupError, match="must hold an array"):
        Stored(folder).read(region)
