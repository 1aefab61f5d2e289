"""Laws of Imaris files: what is written is read, other files only of the same folder, what is missing is told."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.unet.formats.files import cut, noise, read
from unet.formats.readers import find_scenes

h5py = pytest.importorskip("h5py", reason="h5py, of the extra vendor, is not installed")

DATA = os.environ.get("UNET_FLOWS_DATA", "")
SAID = {
    "DataSetInfo/Image": {"Unit": "um", "ExtMin0": "0", "ExtMax0": "4.5", "ExtMin1": "1", "ExtMax1": "5",
                          "ExtMin2": "0", "ExtMax2": "6"},
    "DataSetInfo/Channel 0": {"Name": "DAPI", "Color": "0.000 0.000 1.000"},
    "DataSetInfo/Channel 1": {"Name": "GFP", "Color": "0.000 1.000 0.000"},
    "DataSetInfo/TimeInfo": {"TimePoint1": "2020-01-01 00:00:00", "TimePoint2": "2020-01-01 00:00:30"},
}  # fmt: skip


def letters(text):
    """Text as Imaris writes it."""
    return np.array([letter.encode() for letter in text], "S1")


def write_channel(group, values):
    """Values z y x, padded to whole chunks as Imaris does."""
    size = [-(-length // 4) * 4 for length in values.shape]
    group.create_dataset("Data", data=np.pad(values, [(0, s - v) for s, v in zip(size, values.shape, strict=True)]),
                         chunks=(4, 4, 4), compression="gzip")  # fmt: skip
    for axis, length in zip("ZYX", values.shape, strict=True):
        group.attrs[f"ImageSize{axis}"] = letters(str(length))


def write(file, values):
    """Values t c z y x."""
    with h5py.File(file, "w") as whole:
        for name, attributes in SAID.items():
            group = whole.create_group(name)
            for key, text in attributes.items():
                group.attrs[key] = letters(text)
        for t, c in np.ndindex(values.shape[:2]):
            write_channel(whole.create_group(f"DataSet/ResolutionLevel 0/TimePoint {t}/Channel {c}"), values[t, c])
    return values


def linked(file, target, path="X"):
    """The file, of which one channel is a link to another file."""
    with h5py.File(file, "a") as whole:
        of_time = whole["DataSet/ResolutionLevel 0/TimePoint 1"]
        del of_time["Channel 1"]
        of_time["Channel 1"] = h5py.ExternalLink(target, path)


def test_what_is_written_is_read_without_what_it_was_padded_with(tmp_path):
    values = write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    opened, found = read(tmp_path / "a.ims")
    assert (opened.axes, opened.channels, opened.colours) == ("tczyx", ("DAPI", "GFP"), ("0000FF", "00FF00"))
    assert opened.spacing == pytest.approx({"t": 30, "z": 2, "y": 1, "x": 0.5})
    assert opened.units == {"t": "second", **dict.fromkeys("zyx", "micrometer")}
    np.testing.assert_array_equal(found, values)
    assert find_scenes(str(tmp_path / "a.ims")) == (1, ())


def test_channels_in_files_beside_it_are_its_parts(tmp_path):
    values = write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    with h5py.File(tmp_path / "b.h5", "w") as beside:
        write_channel(beside.create_group("X"), values[1, 1])
    linked(tmp_path / "a.ims", "./b.h5")
    np.testing.assert_array_equal(read(tmp_path / "a.ims")[1], values)
    assert find_scenes(str(tmp_path / "a.ims")) == (1, (str(tmp_path / "b.h5"),))
    (tmp_path / "b.h5").unlink()
    with pytest.raises(ValueError, match=r"a\.ims is not a readable .* must come with b\.h5, which is not there"):
        read(tmp_path / "a.ims")


@pytest.mark.parametrize("target", ["../b.h5", "/etc/passwd", "sub/b.h5", ".."])
def test_a_file_leads_to_no_other_folder(tmp_path, target):
    write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    linked(tmp_path / "a.ims", target)
    with pytest.raises(ValueError, match="it may lead to files of its own folder alone"):
        find_scenes(str(tmp_path / "a.ims"))


def test_values_that_lie_elsewhere_are_not_read(tmp_path):
    write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    (tmp_path / "secret").write_bytes(bytes(3 * 4 * 9))
    with h5py.File(tmp_path / "a.ims", "a") as whole:
        channel = whole["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"]
        del channel["Data"]
        channel.create_dataset("Data", (3, 4, 9), "u1", external=[(str(tmp_path / "secret"), 0, 108)])
    with pytest.raises(ValueError, match="must hold values z y x of its own"):
        read(tmp_path / "a.ims")


def test_chunks_that_were_never_written_are_told(tmp_path):
    write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    with h5py.File(tmp_path / "a.ims", "a") as whole:
        channel = whole["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"]
        del channel["Data"]
        channel.create_dataset("Data", (4, 4, 12), "u2", chunks=(4, 4, 4))[:, :, :8] = 1
    with pytest.raises(ValueError, match="must have all of its 3 chunks, got 2: it is not whole"):
        read(tmp_path / "a.ims")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    write(tmp_path / "a.ims", noise(2, 2, 3, 4, 9))
    cut(tmp_path / "a.ims", part)
    for way in (read, lambda file: find_scenes(str(file))):
        with pytest.raises(ValueError, match=r"a\.ims is not a readable Imaris file"):
            way(tmp_path / "a.ims")


@pytest.mark.skipif(not DATA, reason="a real Imaris file lies where UNET_FLOWS_DATA says, which is not set")
def test_a_real_file_with_its_parts():
    file = Path(DATA, "vendor_formats/imaris_nc1_nt3/image.ims")
    opened, values = read(file)
    assert (opened.axes, opened.shape, opened.dtype.name) == ("tzyx", (3, 27, 226, 186), "uint8")
    assert opened.spacing == {"t": 1, "z": 10, "y": 1, "x": 1}
    for time in range(3):
        with h5py.File(file.with_name(f"image--C00--T{time:05}.h5")) as part:
            np.testing.assert_array_equal(values[time], part["ResolutionLevel 0/Data"][:])
    assert len(find_scenes(str(file)).parts) == 3
