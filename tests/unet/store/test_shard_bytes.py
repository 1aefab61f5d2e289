"""Law of packed shards: they are what zarr writes, bit for bit, wherever the array ends."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from unet.store.arrays import CODECS, UNSHUFFLED, WRITE_ALL
from unet.store.shard_bytes import ShardPacker
from unet.store.shards import Layout, regions, shard_index

SIDES = st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))


def made(layout, dtype, codecs):
    store = MemoryStore()
    array = zarr.create_array(
        store,
        shape=layout.shape,
        shards=layout.shard,
        chunks=layout.chunk,
        dtype=dtype,
        compressors=codecs,
        fill_value=0,
        config=WRITE_ALL,
    )
    return store, array


@given(
    shape=SIDES,
    counts=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    dtype=st.sampled_from(["u1", "u2", "i4", "f2", "f4", "f8"]),
    codecs=st.sampled_from([CODECS, UNSHUFFLED]),
    values=st.sampled_from([0, 1, 255]),
)
@settings(max_examples=40, deadline=None)
def test_a_shard_is_what_zarr_writes_bit_for_bit(shape, counts, dtype, codecs, values):
    chunk = (1, 8, 16)
    layout = Layout(shape, tuple(side * count for side, count in zip(chunk, counts, strict=True)), chunk)
    pixels = np.random.default_rng(0).integers(0, values, shape, endpoint=True).astype(dtype)
    store, array = made(layout, dtype, codecs)
    for region in regions(layout):
        array[region] = pixels[region]
        key = "/".join(["c", *map(str, shard_index(region, layout))])
        assert ShardPacker.of(array, layout).pack(pixels[region]) == store._store_dict[key].to_bytes()


def test_an_array_of_other_codecs_is_not_written(tmp_path):
    array = zarr.create_array(MemoryStore(), shape=(8,), chunks=(4,), dtype="u1")
    with pytest.raises(ValueError, match="must have been made here"):
        ShardPacker.of(array, Layout((8,), (4,), (4,)))
