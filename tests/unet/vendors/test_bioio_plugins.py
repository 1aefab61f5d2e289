"""Law: what bioio makes of a file becomes a stack of the same planes; a bioio is drawn here."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tests.unet.formats.files import noise, read
from unet.formats.readers import MissingPackageError, find_scenes


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


@pytest.mark.parametrize(
    ("order", "shape", "why"),
    [("MTCZYX", (2, 1, 1, 1, 8, 9), "got M too"), ("TCZYXS", (1, 2, 1, 8, 9, 3), "several channels of a colour")],
)
def test_axes_that_no_network_knows_are_refused(fake, file, order, shape, why):
    fake.order, fake.values = order, noise(*shape)
    with pytest.raises(ValueError, match=rf"a\.vsi is not a readable \.vsi file \(.*{why}"):
        read(file)


def test_errors_of_plugins_are_told_in_a_sentence(fake, file):
    file.write_bytes(b"!")
    with pytest.raises(ValueError, match=r"a\.vsi is not a readable \.vsi file \(no such thing\)"):
        find_scenes(str(file))


def test_without_bioio_it_is_told_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", None)
    monkeypatch.delitem(sys.modules, "unet.vendors.bioio_plugins", raising=False)
    with pytest.raises(MissingPackageError, match=r"a\.vsi must wait, as reading \.vsi needs bioio.*export them as"):
        find_scenes(str(file))
