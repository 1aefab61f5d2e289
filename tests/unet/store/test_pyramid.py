"""Laws of pyramids: each level is what slow loops say, and a half-written one is gone on with."""

import numpy as np
import pytest

from unet.dataset.folder import Folder
from unet.store import pyramid as module
from unet.store.arrays import DamagedError, Stored, create, open_array
from unet.store.kept import Kept
from unet.store.pyramid import average, keep_sampled, pyramid
from unet.store.shards import Layout, averaged, pyramid_shapes, regions, sampled, stack_layout

SHAPES = [(1, 1), (33, 65), (3, 41, 1), (2, 100, 62), (2, 2, 45, 84), (320, 321)]


def drawn(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(shape) * 255).astype(dtype)


def fill(stored, values):
    for region in stored.missing():
        stored.write(region, values[region])
    return stored


def means(values):
    """The next level of averages, pixel by pixel."""
    height, width = values.shape[-2:]
    level = np.zeros((*values.shape[:-2], -(-height // 2), -(-width // 2)), values.dtype)
    for index in np.ndindex(*level.shape):
        *leading, y, x = index
        level[index] = mean(values[(*leading, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))])
    return level


def mean(pixels):
    exact = pixels.astype(np.float64).mean()
    return np.rint(exact) if pixels.dtype.kind in "iu" else exact


def written(folder, values, plan):
    """Folder of each level, and where the levels lie, of a pyramid on disk."""

    def folder_of(number):
        return folder / f"g.{number}"

    axes = "tzyx"[-values.ndim :]
    fill(create(folder_of(0), stack_layout(values.shape, values.itemsize), values.dtype, axes), values)
    return folder_of, pyramid(folder_of, plan, axes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_averaged_pyramid_is_what_slow_loops_say(shape, dtype, tmp_path, small_shards):
    folder, values = Folder(str(tmp_path)), drawn(shape, dtype)
    folder_of, levels = written(folder, values, averaged)
    assert [level.shape for level in levels] == pyramid_shapes(shape)
    assert max(levels[-1].shape[-2:]) <= 40
    assert folder.names() == [folder_of(number).name for number in range(len(levels))]
    for number in range(1, len(levels)):
        values = means(values)
        stored = Stored(folder_of(number))
        assert stored.missing() == []
        np.testing.assert_array_equal(stored.array[...], values)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sampled_pyramid_holds_the_pixels_of_the_places_that_its_levels_say(shape, tmp_path, small_shards):
    values = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)  # no two alike: each tells its place
    folder_of, levels = written(Folder(str(tmp_path)), values, sampled)
    for number, level in enumerate(levels):
        y, x = (start + 2**number * np.arange(size) for start, size in zip(level.first, level.shape[-2:], strict=True))
        np.testing.assert_array_equal(open_array(folder_of(number))[...], values[..., y[:, None], x])


@pytest.mark.parametrize("plan", [averaged, sampled])
def test_a_half_written_pyramid_is_gone_on_with(plan, tmp_path, small_shards, monkeypatch):
    coarsen = module._coarsen
    folder, values, calls, stop = Folder(str(tmp_path)), drawn((3, 200, 190), np.uint8), [], [17]

    def counted(*given):
        if len(calls) == stop[0]:
            raise OSError("killed")
        calls.append(given)
        coarsen(*given)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_coarsen", counted)
        with pytest.raises(OSError, match="killed"):
            written(folder, values, plan)
        assert Stored(folder / "g.1").missing()
        stop[0] = None
        folder_of, levels = written(folder, values, plan)
    arrays = [open_array(folder_of(number)) for number in range(len(levels))]
    assert len(calls) == sum(len(list(regions(array.layout))) for array in arrays[1:])
    other, _ = written(folder / "other", values, plan)
    for number, array in enumerate(arrays):
        np.testing.assert_array_equal(array[...], open_array(other(number))[...])


@pytest.mark.parametrize("side", [2, 3, 4])
def test_pixels_of_several_shards_are_halved_together(side, tmp_path):
    finer = create(Folder(str(tmp_path / "0")), Layout((9, 7), (side, side), (side, side)), np.uint8, "yx")
    coarser = create(Folder(str(tmp_path / "1")), Layout((5, 4), (3, 4), (3, 4)), np.uint8, "yx")
    values = drawn((9, 7), np.uint8)
    for region in regions(finer.layout):
        finer.write(region, values[region])
    for region in regions(coarser.layout):
        module._coarsen(finer, coarser, (0.5, 0.5), None, region)
    np.testing.assert_array_equal(coarser[...], average(values))


def test_an_average_of_large_integers_does_not_overflow():
    assert average(np.full((2, 2), 65535, np.uint16)).tolist() == [[65535]]
    assert average(np.array([[-3, -4], [-3, -4]], np.int16)).tolist() == [[-4]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_integers_are_rounded_as_numbers_of_64_bits_are(dtype):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(limits.min, limits.max, (40, 60), dtype, endpoint=True)
    values[:8, :8] = np.arange(-32, 32).reshape(8, 8).astype(dtype)
    np.testing.assert_array_equal(average(values), means(values))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("room", [0, 3000, 2**30])
def test_what_is_kept_of_the_full_level_changes_nothing(shape, room, tmp_path, small_shards, monkeypatch):
    kept, values = Kept(room), drawn(shape, np.int32)
    monkeypatch.setattr(module, "KEPT", kept)

    def levels(name, keep):
        def folder_of(number):
            return Folder(str(tmp_path / name)) / f"g.{number}"

        full = fill(create(folder_of(0), stack_layout(shape, 4), np.int32, "tzyx"[-len(shape) :]), values)
        for region in regions(full.layout) if keep else ():
            keep_sampled(full, region, values[region])
        found = pyramid(folder_of, sampled, "tzyx"[-len(shape) :])
        return [open_array(folder_of(number))[...] for number in range(len(found))]

    for mine, theirs in zip(levels("kept", keep=True), levels("read", keep=False), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not kept.values


def test_what_is_kept_is_not_read_again(tmp_path, small_shards, monkeypatch):
    kept = Kept(2**30)
    monkeypatch.setattr(module, "KEPT", kept)
    folder, values = Folder(str(tmp_path)), drawn((200, 200), np.int32)
    full = fill(create(folder / "g.0", stack_layout((200, 200), 4), np.int32, "yx"), values)
    for region in regions(full.layout):
        keep_sampled(full, region, values[region])
    monkeypatch.setattr(Stored, "read", None)
    assert len(pyramid(lambda number: folder / f"g.{number}", sampled, "yx")) == 4
    np.testing.assert_array_equal(open_array(folder / "g.1")[...], values[::2, ::2])
    np.testing.assert_array_equal(open_array(folder / "g.3")[...], values[2::8, 2::8])
    assert not kept.values


def test_a_shard_that_was_spoilt_before_the_next_level_is_read(tmp_path, small_shards, monkeypatch):
    folder, values, coarsen, kept = Folder(str(tmp_path)), drawn((200, 200), np.int32), module._coarsen, Kept(2**30)
    monkeypatch.setattr(module, "KEPT", kept)
    fill(create(folder / "g.0", stack_layout((200, 200), 4), np.int32, "yx"), values)

    def spoilt(source, target, taken, then, region):
        coarsen(source, target, taken, then, region)
        if target.folder.name == "g.1" and not target.missing():
            (tmp_path / "g.1/c/0/0").write_bytes(b"spoilt")

    monkeypatch.setattr(module, "_coarsen", spoilt)
    with pytest.raises(DamagedError, match=r"g\.1/c/0/0 is damaged"):
        pyramid(lambda number: folder / f"g.{number}", sampled, "yx")
    assert not kept.values


@pytest.mark.parametrize("plan", [averaged, sampled])
def test_nothing_stays_of_a_pyramid_that_is_gone_on_with(plan, tmp_path, small_shards, monkeypatch):
    kept = Kept(2**30)
    monkeypatch.setattr(module, "KEPT", kept)
    folder, values = Folder(str(tmp_path)), drawn((200, 200), np.uint8)
    folder_of, levels = written(folder, values, plan)
    before = [open_array(folder_of(number))[...] for number in range(len(levels))]
    (tmp_path / "g.1/c/0/1").write_bytes(b"spoilt")
    pyramid(folder_of, plan, "yx")
    assert not kept.values
    for number, expected in enumerate(before):
        np.testing.assert_array_equal(open_array(folder_of(number))[...], expected)
