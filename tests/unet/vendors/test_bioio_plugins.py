"""Law: what bioio makes of a file becomes a stack of the same planes; a bioio is drawn here."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tests.unet.formats.files import noise, read
from unet.formats.readers import MissingPackageError, find_scenes
from unet.formats.stack import UnknownAxesError


class Lazy:
    """An array that is computed when asked."""

    def __init__(self, values):
        self.values = values

    def compute(self, scheduler):
        assert scheduler == "synchronous"
        return self.values


class FakeImage:
    """What bioio makes of a file: t c z y x of two scenes."""

    order, values, names = "TCZYX", noise(2, 2, 3, 8, 9), ["DAPI", "GFP"]
    scenes = ("one", "two")

    def __init__(self, file):
        if Path(file).read_bytes() == b"!":
            raise RuntimeError("no such thing")
        self.scene = 0

    def set_scene(self, number):
        self.scene = number

    dims = property(lambda self: SimpleNamespace(order=self.order))
    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    channel_names = property(lambda self: self.names)
    physical_pixel_sizes = SimpleNamespace(Z=2.0, Y=0.5, X=None)
    reader = SimpleNamespace()

    def get_image_dask_data(self, order, **at):
        index = tuple(slice(None) if axis in order else at.get(axis, 0) for axis in self.order)
        return Lazy(self.values[index] + self.scene)


@pytest.fixture
def fake(monkeypatch):
    """A bioio, of which nothing else is needed."""
    module = ModuleType("bioio")
    module.BioImage = type("BioImage", (FakeImage,), {})
    monkeypatch.setitem(sys.modules, "bioio", module)
    monkeypatch.delitem(sys.modules, "unet.vendors.bioio_plugins", raising=False)
    yield module.BioImage
    sys.modules.pop("unet.vendors.bioio_plugins", None)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.vsi").write_bytes(b"x")
    return tmp_path / "a.vsi"


def test_scenes_axes_channels_and_sizes(fake, file):
    assert find_scenes(str(file)).number == 2
    for scene in range(2):
        opened, values = read(file, scene=scene)
        assert (opened.axes, opened.channels, opened.spacing) == ("tczyx", ("DAPI", "GFP"), {"z": 2.0, "y": 0.5})
        assert opened.notes[-1].startswith("read by ")
        np.testing.assert_array_equal(values, fake.values + scene)


def test_colours_are_channels(fake, file):
    fake.order, fake.values = "TCZYXS", noise(2, 1, 1, 8, 9, 3)
    opened, values = read(file)
    assert (opened.axes, opened.channels) == ("tcyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(values, fake.values[:, 0, 0].transpose(0, 3, 1, 2))


def test_several_channels_of_a_colour_camera_are_named_by_a_person(fake, file):
    fake.order, fake.values = "TCZYXS", noise(1, 2, 1, 8, 9, 3)
    with pytest.raises(UnknownAxesError, match=r"got S c y x of lengths 3 × 2 × 8 × 9; .* --axes tcyx$"):
        read(file)
    opened, values = read(file, axes="zcyx")
    assert (opened.axes, opened.channels) == ("czyx", ("DAPI", "GFP"))
    np.testing.assert_array_equal(values, np.moveaxis(fake.values[0, :, 0], -1, 1))


def test_axes_that_no_network_knows_are_named_by_a_person(fake, file):
    fake.order, fake.values = "MTCZYX", noise(2, 1, 1, 3, 8, 9)
    says = (
        r"the axes of .*a\.vsi must be .*, got M z y x of lengths 2 × 3 × 8 × 9; say .* by `axes` .*, as --axes czyx$"
    )
    with pytest.raises(UnknownAxesError, match=says):
        read(file)
    opened, values = read(file, axes="czyx")
    assert (opened.axes, opened.channels, opened.spacing) == ("czyx", ("0", "1"), {"z": 2.0, "y": 0.5})
    np.testing.assert_array_equal(values, fake.values[:, 0, 0])


def test_errors_of_plugins_are_told_in_a_sentence(fake, file):
    file.write_bytes(b"!")
    with pytest.raises(ValueError, match=r"a\.vsi is not a readable \.vsi file \(no such thing\)"):
        find_scenes(str(file))


def test_without_bioio_it_is_told_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", None)
    monkeypatch.delitem(sys.modules, "unet.vendors.bioio_plugins", raising=False)
    with pytest.raises(MissingPackageError, match=r"a\.vsi must wait, as reading \.vsi needs bioio.*export them as"):
        find_scenes(str(file))
