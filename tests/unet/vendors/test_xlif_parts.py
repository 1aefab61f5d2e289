"""Laws of Leica's XLIF: its planes are read from the files it names, which lie near it; those are no stacks."""

import numpy as np
import pytest

from tests.unet.formats.files import cut, noise, read
from tests.unet.formats.vendor_files import lif, tiff, write_xlif
from unet.formats.readers import find_scenes

IMAGE = noise(2, 3, 16, 24)
"""c z y x."""


@pytest.fixture
def file(tmp_path):
    """An XLIF whose planes lie in the folder above."""
    (tmp_path / "project").mkdir()
    write_xlif(tmp_path / "project", IMAGE)
    return tmp_path / "project/Metadata/x.xlif"


def test_planes_are_those_of_the_files_that_it_names(file):
    opened, values = read(file)
    assert (opened.axes, opened.colours) == ("czyx", ("FF0000", "00FF00"))
    assert opened.spacing == pytest.approx({"z": 1, "y": 1, "x": 1})
    np.testing.assert_array_equal(values, IMAGE)
    planes = [str(file.parents[1] / f"x{n}.tif") for n in range(6)]
    assert find_scenes(str(file)) == (1, tuple(planes))
    assert {find_scenes(plane).number for plane in planes} == {0}


def test_other_files_near_it_are_stacks(file):
    (file.parents[1] / "y.tif").write_bytes(tiff(IMAGE[0, 0]))
    assert find_scenes(str(file.parents[1] / "y.tif")).number == 1


def test_a_plane_that_is_missing_broken_or_of_another_size_is_named(file):
    plane = file.parents[1] / "x4.tif"
    plane.write_bytes(tiff(IMAGE[0, 0, :8]))
    with pytest.raises(ValueError, match=r"x\.xlif is not a readable LIF"):
        read(file)
    cut(plane, 0.5)
    with pytest.raises(ValueError, match=r"x\.xlif is not a readable LIF \(Read error"):
        read(file)
    plane.unlink()
    with pytest.raises(ValueError, match=r"x\.xlif .*must come with \.\./x4\.tif, which is not there"):
        find_scenes(str(file))


@pytest.mark.parametrize(
    "named", ["../../x.tif", "/etc/passwd", "..%5C..%5Cx.tif", "a\\..\\..\\..\\x.tif", "C:\\x.tif", ".."]
)
def test_a_file_leads_to_no_other_folder(file, tmp_path, named):
    (tmp_path / "x.tif").write_bytes(tiff(IMAGE[0, 0]))
    file.write_text(file.read_text().replace("../x0.tif", named))
    with pytest.raises(ValueError, match="it may lead to files of its own folder and of the one above alone"):
        find_scenes(str(file))


def test_a_link_leads_to_no_other_folder(file, tmp_path):
    (tmp_path / "x.tif").write_bytes(tiff(IMAGE[0, 0]))
    (file.parents[1] / "x0.tif").unlink()
    (file.parents[1] / "x0.tif").symlink_to(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="it may lead to files of its own folder"):
        find_scenes(str(file))


def test_what_claims_to_be_a_lif_leads_nowhere_either(tmp_path, file):
    text = file.read_text()
    (tmp_path / "a.lif").write_text(text)
    with pytest.raises(ValueError, match=r"a\.lif is not a readable LIF"):
        find_scenes(str(tmp_path / "a.lif"))
    children = '<Children><Reference File="../../x.lif"/></Children></Element></LMS'
    file.write_text(text.replace("</Element></LMS", children))
    (tmp_path / "x.lif").write_bytes(lif(IMAGE))
    with pytest.raises(ValueError, match="it leads to other files of an experiment"):
        find_scenes(str(file))
