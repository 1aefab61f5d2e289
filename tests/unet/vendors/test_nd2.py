"""Laws of Nikon's files: what the vendor's numbers are, ours are; frames that are not there are told, not zeros."""

import os
from pathlib import Path

import nd2
import numpy as np
import pytest

from tests.unet.formats.files import cut, read
from unet.formats.readers import find_scenes

DATA = os.environ.get("UNET_FLOWS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="real ND2 files lie where UNET_FLOWS_DATA says, which is not set")

REAL = {
    "cluster.nd2": (
        ("tczyx", (3, 2, 10, 31, 38), ("5-FAM/pH 9.0", "FM 4-64/2% CHAPS"), ("78E90F", "FE0100")),
        {"z": 0.5, "y": 0.167809, "x": 0.167809},
    ),
    "example-zstack.nd2": (
        ("zyx", (11, 128, 128), ("FITC BP",), ("07FF00",)),
        {"z": 6.0, "y": 0.32339, "x": 0.32339},
    ),
}


@pytest.fixture
def sample(tmp_path):
    """A copy of a small file: 3 time points of 10 planes, frames 0 … 29."""
    copy = tmp_path / "a.nd2"
    copy.write_bytes(Path(DATA, "vendor_formats/cluster.nd2").read_bytes())
    return copy


def without(file, *frames):
    """The file, whose table of chunks does not list some frames, as where an experiment was stopped."""
    content = file.read_bytes()
    for frame in frames:
        name = f"ImageDataSeq|{frame}!".encode()
        head, _, tail = content.rpartition(name)
        content = head + b"X" + name[1:] + tail
    file.write_bytes(content)


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_what_the_vendors_library_reads(name):
    file, (expected, sizes) = str(Path(DATA, "vendor_formats", name)), REAL[name]
    opened, values = read(file)
    assert (opened.axes, opened.shape, opened.channels, opened.colours) == expected
    assert opened.spacing == pytest.approx(sizes, rel=1e-5)
    assert opened.units == dict.fromkeys(sizes, "micrometer")
    assert find_scenes(file).number == 1
    with nd2.ND2File(file) as said:
        order = [list(said.sizes).index(axis.upper()) for axis in opened.axes]
        np.testing.assert_array_equal(values, said.asarray().transpose(order))


@pytest.mark.parametrize(("gone", "times"), [((29,), 2), (range(10, 30), 1), ((12, 25), 1)])
def test_of_an_experiment_that_was_stopped_whole_time_points_are_taken(sample, gone, times):
    whole = read(sample)[1]
    without(sample, *gone)
    opened, values = read(sample)
    assert opened.notes == (f"it was stopped early: {times} of 3 time points are whole, and are taken",)
    np.testing.assert_array_equal(values, whole[:times].squeeze(0) if times == 1 else whole[:times])


def test_a_first_time_point_that_is_not_whole_is_refused(sample):
    without(sample, 9)
    with pytest.raises(ValueError, match=r"a\.nd2 is not a readable ND2 \(it holds 9 of 30 planes\)"):
        read(sample)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(sample, part):
    cut(sample, part)
    for way in (read, lambda file: find_scenes(str(file))):
        with pytest.raises(ValueError, match=r"a\.nd2 is not a readable ND2"):
            way(sample)
