"""Laws of the store: a region is one shard, a shard that exists is done, and pyramids are what slow loops say."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

from unet.dataset.folder import Folder
from unet.store.arrays import Stored, create, open_array
from unet.store.pyramid import average, nearest, pyramid
from unet.store.shards import Layout, regions, stack_layout

SHAPES = [(1, 1), (33, 65), (3, 41, 1), (2, 100, 61), (2, 2, 45, 83)]


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


def test_an_array_that_is_not_there_is_no_error_of_the_world(tmp_path):
    zarr.create_group(str(tmp_path / "group"))
    for url in (f"{tmp_path}/none", "memory://none", f"{tmp_path}/group"):
        for act in (open_array, lambda folder: Stored(folder).array):
            with pytest.raises(LookupError, match=r"must hold an array, got nothing there; run `unet-flows reprocess`"):
                act(Folder(url))


def coarser(values, reduce):
    """The next level, pixel by pixel."""
    height, width = values.shape[-2:]
    level = np.zeros((*values.shape[:-2], -(-height // 2), -(-width // 2)), values.dtype)
    for index in np.ndindex(*level.shape):
        *leading, y, x = index
        pixels = values[(*leading, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))]
        level[index] = pixels.flat[0] if reduce is nearest else mean(pixels)
    return level


def mean(pixels):
    exact = pixels.astype(np.float64).mean()
    return np.rint(exact) if pixels.dtype.kind in "iu" else exact


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("reduce", "dtype"), [(average, np.uint8), (average, np.float32), (nearest, np.uint32)])
def test_a_pyramid_is_what_slow_loops_say(shape, reduce, dtype, tmp_path, small_shards):
    folder, values = Folder(str(tmp_path)), drawn(shape, dtype)
    axes = "tzyx"[-len(shape) :]
    fill(create(folder / "0", stack_layout(shape, values.itemsize), dtype, axes), values)
    shapes = pyramid(folder, reduce, axes)
    assert shapes[0] == shape
    assert max(shapes[-1][-2:]) <= 40
    assert folder.names() == [str(level) for level in range(len(shapes))]
    for level in range(1, len(shapes)):
        values = coarser(values, reduce)
        stored = Stored(folder / str(level))
        assert stored.missing() == []
        np.testing.assert_array_equal(stored.array[...], values)


def test_a_half_written_pyramid_is_gone_on_with(tmp_path, small_shards):
    folder, values = Folder(str(tmp_path)), drawn((3, 200, 190), np.uint8)
    fill(create(folder / "0", stack_layout(values.shape, 1), np.uint8, "zyx"), values)
    calls = []

    def counted(block, stop=None):
        if len(calls) == stop:
            raise OSError("killed")
        calls.append(block.shape)
        return average(block)

    with pytest.raises(OSError, match="killed"):
        pyramid(folder, lambda block: counted(block, 17), "zyx")
    assert Stored(folder / "1").missing()
    shapes = pyramid(folder, counted, "zyx")
    assert len(calls) == sum(len(list(regions(Stored(folder / str(level)).layout))) for level in range(1, len(shapes)))
    for level in range(1, len(shapes)):
        values = coarser(values, average)
        np.testing.assert_array_equal(open_array(folder / str(level))[...], values)


def test_an_average_of_large_integers_does_not_overflow():
    assert average(np.full((2, 2), 65535, np.uint16)).tolist() == [[65535]]
    assert average(np.array([[-3, -4], [-3, -4]], np.int16)).tolist() == [[-4]]
