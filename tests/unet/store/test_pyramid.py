"""Laws of pyramids: each level is what slow loops say, and a half-written one is gone on with."""

import numpy as np
import pytest

from unet.dataset.folder import Folder
from unet.store.arrays import Stored, create, open_array
from unet.store.pyramid import average, nearest, pyramid
from unet.store.shards import regions, stack_layout

SHAPES = [(1, 1), (33, 65), (3, 41, 1), (2, 100, 61), (2, 2, 45, 83)]


def drawn(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(shape) * 255).astype(dtype)


def fill(stored, values):
    for region in stored.missing():
        stored.write(region, values[region])
    return stored


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
