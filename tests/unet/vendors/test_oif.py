"""Laws of Olympus's files: planes are those that were saved; what is missing is named; no chain is endless."""

import numpy as np
import pytest

from tests.unet.formats.files import cut, noise, read
from tests.unet.formats.vendor_files import oib, olympus, write_oif
from unet.formats.readers import find_scenes

IMAGE = noise(2, 3, 2, 16, 24)
"""t z c y x."""


@pytest.fixture(params=["a.oif", "a.oib"])
def file(request, tmp_path):
    """A file of either form."""
    write(tmp_path / request.param)
    return tmp_path / request.param


def write(file, image=IMAGE, tables=None):
    if file.suffix == ".oif":
        write_oif(file, image, tables)
    else:
        file.write_bytes(oib(image, tables))


def test_what_was_saved_is_read(file):
    opened, values = read(file)
    assert (opened.axes, opened.channels, opened.notes) == ("tczyx", ("DAPI", "GFP"), ())
    np.testing.assert_array_equal(values, IMAGE.transpose(0, 2, 1, 3, 4))
    assert opened.spacing == pytest.approx({"t": 500, "z": 1, "y": 20 / 16, "x": 10 / 24})
    assert opened.units == {"t": "millisecond", **dict.fromkeys("zyx", "micrometer")}


def test_planes_of_an_oif_are_its_parts_and_no_stacks(tmp_path):
    write_oif(tmp_path / "a.oif", IMAGE)
    number, parts = find_scenes(str(tmp_path / "a.oif"))
    assert (number, len(parts)) == (1, 12)
    assert {find_scenes(part).number for part in parts} == {0}
    (tmp_path / "a.oif").unlink()
    assert find_scenes(parts[0]).number == 1


def test_a_plane_that_is_missing_is_named(tmp_path):
    write_oif(tmp_path / "a.oif", IMAGE)
    (tmp_path / "a.oif.files/s_C002Z003T002.tif").unlink()
    with pytest.raises(ValueError, match=r"a\.oif is not a readable OIF \(it must come with its plane s_C002Z003T002"):
        read(tmp_path / "a.oif")
    for each in (tmp_path / "a.oif.files").iterdir():
        each.unlink()
    with pytest.raises(ValueError, match=r"a\.oif\.files holds no plane"):
        read(tmp_path / "a.oif")
    (tmp_path / "a.oif.files").rmdir()
    with pytest.raises(ValueError, match=r"it must come with the folder a\.oif\.files, which is not there"):
        find_scenes(str(tmp_path / "a.oif"))


def test_planes_that_the_settings_claim_must_be_there(tmp_path):
    tables = olympus((3, *IMAGE.shape[1:]))
    write(tmp_path / "a.oib", IMAGE, tables)
    with pytest.raises(ValueError, match="must come with its plane s_C001Z001T003"):
        read(tmp_path / "a.oib")


@pytest.mark.parametrize(("order", "note"), [("XZCT", "x and z: its y is depth"), ("XTC", "x and t: its y is time")])
def test_scans_that_are_not_in_x_and_y_are_told(tmp_path, order, note):
    image = noise(1, 1, 2, 16, 24)
    tables = olympus(image.shape, order=order)
    tables[f"Axis {'XYCZT'.index(order[1])} Parameters Common"]["MaxSize"] = 16
    (tmp_path / "a.oib").write_bytes(oib(image, tables))
    opened, values = read(tmp_path / "a.oib")
    assert (opened.axes, opened.notes) == ("cyx", (f"scanned in {note}",))
    np.testing.assert_array_equal(values, image[0, 0])


@pytest.mark.parametrize("part", [0.0, 0.001, 0.03, 0.5, 0.9])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    write(tmp_path / "a.oib")
    cut(tmp_path / "a.oib", part)
    for way in (read, lambda file: find_scenes(str(file))):
        with pytest.raises(ValueError, match=r"a\.oib is not a readable OIB"):
            way(tmp_path / "a.oib")


def test_a_plane_that_was_cut_short_is_refused(tmp_path):
    write_oif(tmp_path / "a.oif", IMAGE)
    cut(tmp_path / "a.oif.files/s_C002Z003T002.tif", 0.9)
    with pytest.raises(ValueError, match=r"truncated: s_C002Z003T002\.tif is cut short"):
        read(tmp_path / "a.oif")


def test_axes_that_no_network_knows_are_named_by_a_person(tmp_path):
    write_oif(tmp_path / "a.oif", IMAGE[:, :1])
    for plane in (tmp_path / "a.oif.files").glob("s_C*"):
        plane.rename(plane.with_name(plane.name.replace("T", "A")))
    with pytest.raises(ValueError, match=r"a\.oif must be .*, got A c y x of lengths 2 × 2 × 16 × 24; .* --axes tcyx$"):
        read(tmp_path / "a.oif")
    opened, values = read(tmp_path / "a.oif", axes="zcyx")
    assert (opened.axes, opened.channels) == ("czyx", ("DAPI", "GFP"))
    np.testing.assert_array_equal(values, IMAGE[:, 0].swapaxes(0, 1))
