"""Laws of copying: all levels are those of the slow way, planes are read once, and a half-made copy is gone on with."""

import threading
from itertools import islice

import numpy as np
import pytest

from unet.dataset.folder import Folder
from unet.store import plane_copy
from unet.store.arrays import Stored, create, open_array
from unet.store.plane_copy import copied
from unet.store.pyramid import create_levels, pyramid
from unet.store.shards import averaged, plane_layout, regions, stack_layout

SHAPES = [(1, 1), (33, 65), (3, 41, 1), (2, 100, 62), (2, 2, 45, 84), (320, 321), (7, 65, 130), (2, 9, 70, 20)]


class Planes:
    """The planes of an array, and which of them were asked for."""

    def __init__(self, values):
        self.values, self.asked = values, []

    def __call__(self, index):
        self.asked.append(index)
        return self.values[index].copy()


def drawn(shape, dtype=np.uint16):
    return (np.random.default_rng(0).random(shape) * 255).astype(dtype)


def begun(folder, values):
    """The arrays of all levels, made or begun before."""
    axes = "tzyx"[-values.ndim :]
    create(folder / "g.0", stack_layout(values.shape, values.itemsize), values.dtype, axes)
    return create_levels(lambda number: folder / f"g.{number}", averaged, axes)[1]


def slowly(folder, values):
    """Folder of each level: the full one written shard by shard, and the others made of what was written."""
    axes = "tzyx"[-values.ndim :]
    full = create(folder / "g.0", stack_layout(values.shape, values.itemsize), values.dtype, axes)
    for region in regions(full.layout):
        full.write(region, values[region])
    return [folder / f"g.{n}" for n in range(len(pyramid(lambda n: folder / f"g.{n}", averaged, axes)))]


def assert_same_files(arrays, others):
    for stored, other in zip(arrays, others, strict=True):
        files = (stored.folder / "c").files()
        assert files.keys() == (other / "c").files().keys()
        assert all((stored.folder / "c" / name).read() == (other / "c" / name).read() for name in files)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("held", "readers"), [(1, 1), (2**13, 3)])
def test_files_are_those_of_the_slow_way_bit_for_bit(shape, held, readers, tmp_path, small_shards, monkeypatch):
    monkeypatch.setattr(plane_copy, "HELD", held)
    monkeypatch.setattr("unet.store.shards.SHARD_BYTES", 2**13)  # slabs of several planes, not as many at each level
    values = drawn(shape)
    planes, arrays = Planes(values), begun(Folder(str(tmp_path / "a")), values)
    given = list(copied(planes, arrays, 2, readers))
    assert [region for region, _ in given] == list(regions(arrays[0].layout))
    assert all((block == values[region]).all() for region, block in given)
    assert sorted(planes.asked) == list(np.ndindex(*shape[:-2]))
    assert_same_files(arrays, slowly(Folder(str(tmp_path / "b")), values))


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_a_copy_that_was_left_is_gone_on_with(stop, tmp_path, small_shards):
    values, folder = drawn((7, 65, 130)), Folder(str(tmp_path / "a"))
    left = copied(Planes(values), begun(folder, values), 2, 1)
    given = list(islice(left, stop))
    left.close()
    assert len(given) == stop
    arrays, planes = begun(folder, values), Planes(values)
    again = list(copied(planes, arrays, 2, 1))
    assert all((block == values[region]).all() for region, block in again)
    assert_same_files(arrays, slowly(Folder(str(tmp_path / "b")), values))


def test_planes_that_were_written_are_read_from_there(tmp_path, small_shards):
    values = drawn((3, 65, 130))
    arrays = begun(Folder(str(tmp_path)), values)
    list(copied(Planes(values), arrays, 2, 1))
    arrays[1].folder.remove()
    planes, arrays = Planes(values), begun(Folder(str(tmp_path)), values)
    list(copied(planes, arrays, 2, 1))
    assert (planes.asked, arrays[1].missing()) == ([], [])


@pytest.mark.parametrize("where", ["plane", "write"])
def test_an_error_of_any_thread_is_raised_and_no_thread_stays(where, tmp_path, small_shards, monkeypatch):
    values, before = drawn((9, 65, 130)), threading.active_count()
    arrays = begun(Folder(str(tmp_path)), values)

    def fail(*_):
        raise OSError("the disk is full")

    if where == "write":
        monkeypatch.setattr(Stored, "write", fail)
    with pytest.raises(OSError, match="the disk is full"):
        list(copied(fail if where == "plane" else Planes(values), arrays, 2, 2))
    assert threading.active_count() == before


def test_what_is_read_ahead_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(plane_copy, "HELD", 3 * 32 * 32 * 2)
    planes, full = Planes(drawn((30, 32, 32))), Folder(str(tmp_path))
    create(full, plane_layout((30, 32, 32), 2), np.uint16, "zyx")
    for given, _ in enumerate(copied(planes, [open_array(full)], 2, 1)):
        assert len(planes.asked) <= given + 5
