import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import cut, noise, read
from unet.dataset.folder import Dataset
from unet.formats.readers import PACKAGES, MissingPackageError, Reader, find_scenes, open_stack
from unet.ledger.outcome import set_aside, why_set_aside
from unet.ledger.stamp import Recipe
from unet.settings.ingest import Source
from unet.sources.image_kinds import FORMATS, VENDORS
from unet.sources.search import find_stacks

DATA = os.environ.get("UNET_FLOWS_DATA")
real = pytest.mark.skipif(not DATA, reason="UNET_FLOWS_DATA does not name the folder of real microscopy")


def test_transparency_is_left_out_and_said(tmp_path):
    image = noise(8, 9, 4, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    for name in ("a.tif", "a.png"):
        opened, values = read(tmp_path / name)
        np.testing.assert_array_equal(values, np.moveaxis(image[..., :3], -1, 0))
        assert opened.notes == ("its alpha channel, which says how opaque pixels are, is left out",)


def test_a_missing_file_is_the_worlds_fault(tmp_path):
    for name in ("a.tif", "a.png"):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / name)


def test_an_error_of_the_caller_stays_its_own(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 9))
    with pytest.raises(KeyError, match="mine"), open_stack([str(tmp_path / "a.tif")]):
        raise KeyError("mine")


@pytest.mark.parametrize(("axis", "axes"), [("z", "czyx"), ("t", "tcyx")])
def test_slices_with_channels(tmp_path, axis, axes):
    image = noise(3, 8, 9, 3, dtype=np.uint8)
    files = [tmp_path / f"{z}.png" for z in range(3)]
    for file, plane in zip(files, image, strict=True):
        file.write_bytes(imagecodecs.png_encode(plane))
    opened, values = read(*files, axis=axis)
    assert opened.axes == axes
    np.testing.assert_array_equal(values, image.transpose([3, 0, 1, 2] if axis == "z" else [0, 3, 1, 2]))


@pytest.mark.parametrize("odd", [noise(8, 10), noise(8, 9, dtype=np.uint8), noise(2, 8, 9)])
def test_slices_that_differ_are_refused_by_name(tmp_path, odd):
    files = [tmp_path / f"{z}.tif" for z in range(3)]
    for file in files:
        tifffile.imwrite(file, noise(8, 9))
    tifffile.imwrite(files[1], odd)
    with pytest.raises(ValueError, match=r"all slices must be alike, got .* in .*1\.tif"):
        read(*files, axis="z")


def test_stacks_are_no_slices(tmp_path):
    files = [tmp_path / f"{z}.tif" for z in range(2)]
    for file in files:
        tifffile.imwrite(file, noise(5, 8, 9))
    with pytest.raises(ValueError, match="each of the files must be a plane of 2 along z, got 2 files with axes zyx"):
        read(*files, axis="z")
    opened, pixels = read(*files, axis="t")
    assert (opened.axes, pixels.shape) == ("tzyx", (2, 5, 8, 9))


def test_a_broken_slice_is_named(tmp_path):
    files = [tmp_path / f"{z}.tif" for z in range(3)]
    for file in files:
        tifffile.imwrite(file, noise(8, 9))
    cut(files[2], 0.8)
    with pytest.raises(ValueError, match=r"2\.tif is not a readable TIFF"):
        read(*files, axis="z")


def test_kinds_that_are_found_are_kinds_that_are_read():
    for suffix, module in FORMATS.items():
        if module not in PACKAGES or find_spec(PACKAGES[module]):
            room = "vendors" if module in VENDORS else "formats"
            assert isinstance(import_module(f"unet.{room}.{module}").READER, Reader)
        assert FORMATS[f".{suffix.rsplit('.', 1)[-1]}"] == module  # it is the last suffix that a reader is found by
    assert sorted(FORMATS, key=len, reverse=True) == list(FORMATS)
    with pytest.raises(LookupError, match=r"got '\.bmp'; known are \.ome\.tiff"):
        find_scenes("a.bmp")


@pytest.mark.parametrize(("suffix", "package"), [("czi", "pylibCZIrw"), ("ims", "h5py")])
def test_without_the_extra_it_is_told_what_to_install(tmp_path, monkeypatch, suffix, package):
    (tmp_path / f"a.{suffix}").write_bytes(b"anything")
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "packages"))
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"unet.vendors.{suffix}", raising=False)
    said = rf"a\.{suffix} must wait, as reading \.{suffix} needs {package}.*: pip install unet-flows\[vendor\]"
    with pytest.raises(MissingPackageError, match=said) as told:
        find_scenes(str(tmp_path / f"a.{suffix}"))
    dataset, recipe = Dataset(str(tmp_path / "dataset")), Recipe("ingest", 1, {}, {})
    set_aside(dataset, recipe, "a", told.value)
    assert "needs" in (why_set_aside(dataset, recipe, "a") or "")
    (tmp_path / "packages" / package).mkdir(parents=True)
    (tmp_path / "packages" / package / "__init__.py").write_text("")
    assert why_set_aside(dataset, recipe, "a") is None  # what is installed is tried again


def test_a_module_that_is_missing_otherwise_is_our_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    monkeypatch.delitem(sys.modules, "unet.formats.png", raising=False)
    with pytest.raises(ModuleNotFoundError, match="imagecodecs"):
        find_scenes("a.png")


def test_readers_are_loaded_with_their_first_file():
    heavy = sorted({"imageio", "liffile", "mrc", "nd2", "oiffile", "pylibCZIrw", "h5py", "bioio", "tifffile"})
    script = f"import sys, unet.formats.readers; sys.exit(str([name for name in {heavy} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def micrometres(**sizes):
    return pytest.approx(sizes), dict.fromkeys(sizes, "micrometer")


REAL = {
    "ome_tiff/170918_tn_neutrophil_migration_wave.ome.tif": (
        ("yx", (1024, 1024), "uint16", ("488 TIRF left",)), {"y": 1, "x": 1}),
    "ome_tiff/derived_cluster_nd2_TCZYX.ome.tif": (
        ("tczyx", (3, 2, 10, 31, 38), "uint16", ("5-FAM/pH 9.0", "FM 4-64/2% CHAPS")),
        {"z": 0.5, "y": 0.167809, "x": 0.167809}),
    "ome_tiff/multi-channel-time-series.ome.tif": (("tcyx", (7, 3, 167, 439), "int8", ("0", "1", "2")), {}),
    "ome_tiff/multi-channel-z-series.ome.tif": (("czyx", (3, 5, 167, 439), "int8", ("0", "1", "2")), {}),
    "idr0062_3d_nuclei/6001240_level2.ome.tif": (
        ("czyx", (2, 236, 68, 67), "uint16", ("LaminB1", "Dapi")), {"z": 0.500203, "y": 1.441593, "x": 1.441593}),
    "stardist_samples/img3d.tif": (("zyx", (31, 61, 57), "uint16", ("0",)), {}),
    "dsb2018_fluorescence/image/001.tif": (("yx", (256, 256), "uint8", ("0",)), {}),
    "isbi2012_em/image/00.tif": (("yx", (512, 512), "uint8", ("0",)), {"y": 0.004, "x": 0.004}),
}  # fmt: skip


@real
@pytest.mark.parametrize("name", REAL)
def test_real_files(capfd, name):
    file, (expected, sizes) = str(Path(DATA, name)), REAL[name]
    opened, values = read(file)
    assert (opened.axes, opened.shape, opened.dtype.name, opened.channels) == expected
    assert (opened.spacing, opened.units) == micrometres(**sizes)
    assert find_scenes(file).number == 1
    with tifffile.TiffFile(file) as tif:
        stored = tif.series[0]
        order = [stored.axes.index(a.upper()) for a in opened.axes]
        np.testing.assert_array_equal(values, stored.asarray().transpose(order))
    assert capfd.readouterr() == ("", "")


@real
def test_a_real_set_of_24_files(capfd):
    stacks = find_stacks([Source("ome_tiff/bruker_multifile")], Path(DATA), find_scenes).stacks
    assert [stack.name for stack in stacks] == [f"TSeries-camp-005_Cycle00001_Ch1_000001-s{s}" for s in range(3)]
    for cycle, stack in enumerate(stacks, start=1):
        opened, values = read(*stack.files, scene=stack.scene)
        assert (opened.axes, opened.shape, opened.channels) == ("tcyx", (4, 2, 128, 128), ("Ch1", "Ch2"))
        assert (opened.spacing, opened.units) == micrometres(y=4.05296, x=4.05296)
        last = Path(DATA, f"ome_tiff/bruker_multifile/TSeries-camp-005_Cycle{cycle:05}_Ch2_000004.ome.tif")
        with tifffile.TiffFile(last) as tif:
            np.testing.assert_array_equal(values[3, 1], tif.pages[0].asarray())
    assert capfd.readouterr() == ("", "")


@real
def test_real_slices_with_truth():
    source = Source("isbi2012_em/image", "isbi2012_em/label", slices="z", foreground=255)
    (stack,) = find_stacks([source], Path(DATA), find_scenes).stacks
    opened, values = read(*stack.files, axis=stack.axis)
    truth, _ = read(*stack.truth, axis=stack.axis)
    assert (stack.name, opened.axes, opened.shape, truth.shape) == ("image", "zyx", (24, 512, 512), (24, 512, 512))
    assert (opened.spacing, opened.units) == micrometres(y=0.004, x=0.004)
    np.testing.assert_array_equal(values[7], tifffile.imread(stack.files[7]))


@real
def test_real_folder_of_images_with_truth():
    source = Source("dsb2018_fluorescence/image", "dsb2018_fluorescence/label")
    catalogue = find_stacks([source], Path(DATA), find_scenes)
    assert len(catalogue.stacks) == 102
    assert all(len(stack.truth) == 1 for stack in catalogue.stacks)
    assert catalogue.unmatched == ()
