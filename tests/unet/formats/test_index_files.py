import pytest

from tests.unet.formats.files import noise
from tests.unet.formats.vendor_files import tiff, write_nd, write_oif, write_xlif
from unet.formats.index_files import is_named_by_index


@pytest.mark.parametrize("part", ["x_w1DAPI_s1_t1.stk", "x.oif.files/s_C001Z001T001.tif", "x0.tif"])
def test_planes_that_an_index_names_are_told_as_long_as_it_is_there(tmp_path, part):
    write_nd(tmp_path, noise(1, 1, 2, 2, 8, 9))
    write_oif(tmp_path / "x.oif", noise(1, 1, 1, 8, 9))
    write_xlif(tmp_path, noise(1, 1, 8, 9))
    (tmp_path / "other.tif").write_bytes(tiff(noise(8, 9)))
    assert is_named_by_index(str(tmp_path / part))
    assert not is_named_by_index(str(tmp_path / "other.tif"))
    for index in ("x.nd", "x.oif", "Metadata/x.xlif"):
        assert not is_named_by_index(str(tmp_path / index))
        (tmp_path / index).unlink()
    assert not is_named_by_index(str(tmp_path / part))
