"""Laws of read shards: the values are zarr's, bit for bit; what is not as it must be is left to zarr."""

import math

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, Crc32cCodec

from unet.dataset.folder import Folder
from unet.store.arrays import CODECS, UNSHUFFLED, DamagedError, MissingError, create, open_array
from unet.store.shard_reader import ShardReader
from unet.store.shards import Layout, regions

CHUNK = (1, 8, 16)


def stored_array(place, shape, counts, dtype, codecs=CODECS):
    layout = Layout(shape, tuple(side * count for side, count in zip(CHUNK, counts, strict=True)), CHUNK)
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    array = create(Folder(str(place)), layout, dtype, "zyx", codecs)
    for region in regions(layout):
        array.write(region, values[region])
    return open_array(array.folder), values


def part_of(draw, size):
    whole = st.integers(-size, size - 1)
    return draw(whole | st.builds(slice, *[st.none() | st.integers(-size - 2, size + 2)] * 2))


@given(
    data=st.data(),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
    counts=st.tuples(*[st.integers(1, 3)] * 3),
    dtype=st.sampled_from(["u1", "u2", "i4", "i8", "f2", "f4", "f8"]),
    codecs=st.sampled_from([CODECS, UNSHUFFLED]),
)
@settings(max_examples=25, deadline=None)
def test_values_are_those_of_zarr_bit_for_bit(data, shape, counts, dtype, codecs, tmp_path_factory):
    stored, values = stored_array(tmp_path_factory.mktemp("array"), shape, counts, dtype, codecs)
    reader = ShardReader.of(stored.array, stored.folder.url)
    index = tuple(part_of(data.draw, size) for size in shape)
    for one in (index, index[0], index[:2], (index[0], ...), (..., index[2]), ...):
        theirs = np.asarray(stored.array[one])
        np.testing.assert_array_equal(theirs, values[one])
        ours = [stored[one], reader[one]] if math.prod(theirs.shape) else [stored[one]]
        for mine in ours:
            assert (mine.dtype, mine.shape, mine.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
            assert mine.flags.writeable == theirs.flags.writeable


def test_what_is_read_of_ours_is_not_asked_of_zarr(tmp_path):
    stored, values = stored_array(tmp_path / "a", (2, 20, 40), (1, 2, 2), "u2")
    assert stored._reader is not None
    vars(stored)["array"] = None
    np.testing.assert_array_equal(stored[1, 3:19, 5:], values[1, 3:19, 5:])


@pytest.mark.parametrize("index", [np.s_[::2], np.s_[:, ::-1], np.s_[0, 0, 0, 0], np.s_[5], True, [0, 1], None])
def test_other_indices_are_left_to_zarr(tmp_path, index):
    stored, _ = stored_array(tmp_path / "a", (2, 20, 40), (1, 2, 2), "u2")
    with pytest.raises(IndexError):
        ShardReader.of(stored.array, stored.folder.url)[index]
    try:
        theirs = stored.array[index]
    except Exception as error:
        with pytest.raises(type(error)):
            stored[index]
    else:
        np.testing.assert_array_equal(stored[index], theirs)


@pytest.mark.parametrize(
    "how",
    [
        {"chunks": (4, 4)},
        {"chunks": (4, 4), "shards": (8, 8), "compressors": None},
        {"chunks": (4, 4), "shards": (8, 8), "compressors": BloscCodec()},
        {"chunks": (4, 4), "shards": (8, 8), "compressors": (BloscCodec(), Crc32cCodec()), "dtype": ">u2"},
    ],
)
def test_arrays_of_other_codecs_are_left_to_zarr(tmp_path, how):
    values = np.arange(100).reshape(10, 10)
    array = zarr.create_array(str(tmp_path), shape=values.shape, **({"dtype": "u2"} | how))
    array[:] = values
    stored = open_array(Folder(str(tmp_path)))
    is_big = array.metadata.codecs and how.get("dtype") == ">u2"
    assert is_big or ShardReader.of(stored.array, stored.folder.url) is None
    np.testing.assert_array_equal(stored[2:9, 3], values[2:9, 3])


@pytest.mark.parametrize("at", [0, 20, -1, -20])
def test_a_bit_that_turned_is_damage(tmp_path, at):
    stored, _ = stored_array(tmp_path / "a", (1, 20, 40), (1, 2, 2), "u2")
    shard = stored.folder / "c/0/0/0"
    content = bytearray(shard.read())
    content[at] ^= 1
    shard.write(bytes(content))
    with pytest.raises(ValueError, match="must have its checksum"):
        ShardReader.of(stored.array, stored.folder.url)[0, :16, :32]
    with pytest.raises(DamagedError, match="c/0/0/0 is damaged"):
        stored[...]


@pytest.mark.parametrize("length", [1, 40, 200])
def test_a_shard_that_is_cut_short_is_damage(tmp_path, length):
    stored, _ = stored_array(tmp_path / "a", (1, 20, 40), (1, 2, 2), "u2")
    shard = stored.folder / "c/0/0/0"
    shard.write(shard.read()[:length])
    with pytest.raises(DamagedError, match="c/0/0/0 is damaged"):
        stored[...]


def test_a_chunk_of_another_size_is_damage_and_never_half_filled(tmp_path):
    from unet.store.shard_bytes import ShardPacker

    stored, _ = stored_array(tmp_path / "a", (1, 16, 32), (1, 2, 2), "u2")
    layout = Layout((1, 8, 16), (1, 8, 16), (1, 4, 8))
    small = ShardPacker(layout, np.dtype("u2"), CODECS[0]).pack(np.ones((1, 8, 16), "u2"))
    (stored.folder / "c/0/0/0").write(small)
    with pytest.raises(ValueError, match="a chunk must have 256 bytes, got 64"):
        ShardReader.of(stored.array, stored.folder.url)[...]
    with pytest.raises(Exception, match=r".") as told:
        stored[...]
    assert isinstance(told.value, DamagedError)


def test_a_shard_that_is_not_there_is_missing(tmp_path):
    stored, values = stored_array(tmp_path / "a", (1, 20, 40), (1, 2, 2), "u2")
    (stored.folder / "c/0/1/0").remove()
    with pytest.raises(MissingError, match="c/0/1/0 must be there"):
        stored[0, :, 3]
    np.testing.assert_array_equal(stored[0, :16], values[0, :16])


def test_a_chunk_that_zarr_left_out_is_its_fill_value(tmp_path):
    """Ours write all chunks; where another program wrote one shard, a chunk of nothing may be left out."""
    array = zarr.create_array(
        str(tmp_path), shape=(16, 16), shards=(16, 16), chunks=(8, 8), dtype="u1", compressors=CODECS, fill_value=7
    )
    array[:8] = 1
    np.testing.assert_array_equal(open_array(Folder(str(tmp_path)))[...], array[...])
