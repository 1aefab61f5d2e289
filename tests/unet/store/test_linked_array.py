"""Laws of linked images: the same pixels as copied ones, by any index; what is gone is an error, never a fill value."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.dataset.folder import Folder
from unet.store import linked_array
from unet.store.arrays import open_array
from unet.store.linked_array import LinkedArray, LinkError, is_small, link_to, sampled_planes, why_unfit
from unet.store.source_array import open_source_array


def noise(*shape):
    return np.random.default_rng(0).integers(0, 1000, shape).astype(">u2")


def linked(folder, values, axes, chunks, **how):
    """A level that is linked to a new array."""
    zarr.create_array(folder / "a.zarr", data=values, chunks=chunks, zarr_format=2, **how)
    source = open_source_array(str(folder / "a.zarr"))
    assert not why_unfit(source, Folder(str(folder)))
    link_to(source, axes, Folder(str(folder / "level.0")))
    return open_array(Folder(str(folder / "level.0")))


def indices(shape):
    one = st.tuples(*(st.one_of(st.integers(0, n - 1), st.slices(n).filter(lambda s: s.step == 1)) for n in shape))
    return st.one_of(one, one.map(lambda index: (..., *index[1:])), st.just(...), st.integers(0, shape[0] - 1))


@settings(max_examples=50)
@given(index=indices((2, 5, 9, 7)))
def test_any_index_gives_what_numpy_gives(tmp_path_factory, index):
    values = noise(7, 1, 5, 9, 2)
    stored = linked(tmp_path_factory.mktemp("any"), values, "x-zyc", (3, 1, 2, 4, 1))
    ours = values[:, 0].transpose(3, 1, 2, 0)
    assert (stored.shape, stored.dtype, stored.layout.chunk) == ((2, 5, 9, 7), np.uint16, (1, 2, 4, 3))
    np.testing.assert_array_equal(stored[index], ours[index])
    assert stored[index].dtype == np.uint16


def test_a_chunk_that_is_gone_and_one_that_was_cut_are_errors(tmp_path):
    stored = linked(tmp_path, noise(8, 8) + 1, "yx", (4, 4))
    (tmp_path / "a.zarr/0.1").unlink()
    np.testing.assert_array_equal(stored[4:], noise(8, 8)[4:] + 1)
    with pytest.raises(
        LinkError, match=r"a.zarr must be read in place, got: .*0.1 is not there any more; put it back, or"
    ):
        stored[...]
    (tmp_path / "a.zarr/1.1").write_bytes(b"!")
    with pytest.raises(LinkError, match=r"must be read in place"):
        stored[4:]
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(LinkError, match=r"a.zarr must be there, as .*level.0 is linked to it"):
        open_array(Folder(str(tmp_path / "level.0")))


def test_what_does_not_suit_says_why(tmp_path, monkeypatch):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 8), dtype="u1", chunks=(4, 4))
    array[:4] = 1
    assert why_unfit(open_source_array(str(tmp_path / "a.zarr")), Folder("/d")) == "2 of its chunks are not there"
    array[4:] = 1
    assert not why_unfit(open_source_array(str(tmp_path / "a.zarr")), Folder("/d"))
    assert (
        why_unfit(open_source_array(str(tmp_path / "a.zarr")), Folder("s3://b")) == "the dataset is on another machine"
    )
    monkeypatch.setattr(linked_array, "LARGEST_CHUNK", 15)
    assert "its chunks hold 16 bytes, more than 15" in why_unfit(
        open_source_array(str(tmp_path / "a.zarr")), Folder("/d")
    )


@pytest.mark.parametrize("chunk", [4, 16])
def test_a_sample_is_of_chunks_all_over_each_channel(tmp_path, monkeypatch, chunk):
    """Statistics of a background that rises along y and x are those of all pixels, nearly."""
    y, x = np.mgrid[:160, :160]
    values = np.stack([y + x, 1000 + y - x + 160]).astype("u2")
    zarr.create_array(Path(tmp_path, "a.zarr"), data=values, chunks=(1, chunk, chunk))
    array = LinkedArray(open_source_array(str(tmp_path / "a.zarr")), "cyx")
    assert is_small(array)
    monkeypatch.setattr(linked_array, "SAMPLED", 160 * 160 // 4)
    assert not is_small(array)
    for channel in (0, 1):
        sample = np.concatenate([plane.ravel() for plane in sampled_planes(array, channel)])
        assert sample.size <= 160 * 160 // 4
        assert np.percentile(sample, [1, 50, 99.8]) == pytest.approx(
            np.percentile(values[channel], [1, 50, 99.8]), abs=16
        )
