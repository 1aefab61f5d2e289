"""Promise: real files of every maker become OME-Zarr that another reader finds as the maker's library reads the file.

Axes, sizes, channels and every pixel; the other reader is ngff-zarr, which has no code of ours.
"""

import os
from pathlib import Path

import h5py
import liffile
import mrc
import nd2
import ngff_zarr
import numpy as np
import pytest
import tifffile
import zarr
from pylibCZIrw import czi

from tests.conftest import run_stage
from unet.dataset.folder import Dataset
from unet.dataset.record_file import write_record
from unet.settings.ingest import Source

DATA = os.environ.get("UNET_FLOWS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="real files lie where UNET_FLOWS_DATA says, which is not set")
SOURCES = ("vendor_formats", "ome_tiff")
BRUKER = "TSeries-camp-005_Cycle0000{}_Ch{}_00000{}.ome.tif"
POLARISATIONS = ["Bright", *(f"Pol_{angle}" for angle in range(0, 90, 15))]
COLOURS = ("red", "green", "blue")


def of_nd2(file, scene):
    """All values, and their axes."""
    with nd2.ND2File(file) as opened:
        return opened.asarray(), "".join(opened.sizes)


def of_czi(file, scene):
    with czi.open_czi(str(file)) as opened:
        sizes = [opened.total_bounding_box.get(axis, (0, 1))[1] for axis in "TCZ"]
        planes = [opened.read(plane=dict(zip("TCZ", at, strict=True))) for at in np.ndindex(*sizes)]
    values = np.stack(planes).reshape(*sizes, *planes[0].shape)[..., ::-1]
    values = np.moveaxis(values, -1, 2)
    return values.reshape(sizes[0], -1, *values.shape[3:]), "TCZYX"


def of_lif(file, scene):
    with liffile.LifFile(file) as opened:
        image = opened.images[scene]
        axes = "".join(image.dims)
        is_sideways = "Y" not in axes
        return image.asarray(), axes.replace("Z", "Y") if is_sideways else axes


def of_tiff(file, scene):
    with tifffile.TiffFile(file) as opened:
        return opened.series[0].asarray(), opened.series[0].axes.replace("S", "C").replace("I", "Z")


def of_dv(file, scene):
    with mrc.DVFile(str(file)) as opened:
        return np.array(opened.data), "".join(opened.sizes)  # a copy, as the file is mapped


def of_spe(file, scene):
    return np.fromfile(file, "<u2", offset=4100)[: 5 * 128 * 128].reshape(5, 128, 128), "ZYX"


def of_ims(file, scene):
    def one(part):
        with h5py.File(part) as opened:
            return opened["ResolutionLevel 0/Data"][:]

    return np.stack([one(part) for part in sorted(file.parent.glob("image--C00--T*.h5"))]), "TZYX"


def of_bruker(file, scene):
    def page(name):
        with tifffile.TiffFile(file.with_name(name)) as opened:
            return opened.pages[0].asarray()

    names = [[BRUKER.format(scene + 1, channel, t) for channel in (1, 2)] for t in range(1, 5)]
    return np.array([[page(name) for name in row] for row in names]), "TCYX"


REAL = {
    "cluster.nd2": (of_nd2, "tczyx", {"z": 0.5, "y": 0.167809, "x": 0.167809}, ["5-FAM/pH 9.0", "FM 4-64/2% CHAPS"]),
    "example-zstack.nd2": (of_nd2, "zyx", {"z": 6, "y": 0.32339, "x": 0.32339}, ["FITC BP"]),
    "CD_s_1_t_3_c_2_z_5.czi": (
        of_czi, "tczyx", {"t": 60.075, "z": 0.32, "y": 0.0905767, "x": 0.0905767}, ["LED555", "LED470"]),
    "RGB-multichannel.czi": (
        of_czi, "cyx", {"y": 2.95849, "x": 2.95849}, [f"{name} {each}" for name in POLARISATIONS for each in COLOURS]),
    "mosaic_test.czi": (of_czi, "yx", {"y": 1.083333, "x": 1.083333}, ["EGFP"]),
    "newCZI_compressed.czi": (of_czi, "yx", {}, ["0"]),
    "nuc_small_new_red.czi": (of_czi, "yx", {"y": 0.1, "x": 0.1}, ["nuclei"]),
    "Multiposition.lif": [(of_lif, "cyx", {"y": 0.758317, "x": 0.758317}, ["0", "1", "2"])] * 3,
    "xz-example.lif": [
        (of_lif, "tcyx", {"t": 0.53, "y": 0.140279, "x": 0.14028}, ["0", "1"]),
        (of_lif, "czyx", {"z": 0.140279, "y": 0.229062, "x": 0.14028}, ["0", "1"]),
        (of_lif, "cyx", {"y": 0.102697, "x": 0.102697}, ["0", "1"]),
    ],
    "scifio_test.stk": (of_tiff, "zyx", {"z": 10, "y": 3.626062, "x": 3.626062}, ["0"]),
    "toxo.dv": (of_dv, "czyx", {"z": 0.3, "y": 0.13262, "x": 0.13262}, ["525 nm", "632 nm"]),
    "spestack_test.spe": (of_spe, "zyx", {}, ["0"]),
    "imaris_nc1_nt3/image.ims": (of_ims, "tzyx", {"t": 1, "z": 10, "y": 1, "x": 1}, ["channel_0"]),
    "CMU-1-Small-Region.svs": (of_tiff, "cyx", {"y": 0.499, "x": 0.499}, [*COLOURS]),
    "170918_tn_neutrophil_migration_wave.ome.tif": (of_tiff, "yx", {"y": 1, "x": 1}, ["488 TIRF left"]),
    "derived_cluster_nd2_TCZYX.ome.tif": (
        of_tiff, "tczyx", {"z": 0.5, "y": 0.167809, "x": 0.167809}, ["5-FAM/pH 9.0", "FM 4-64/2% CHAPS"]),
    "multi-channel-time-series.ome.tif": (of_tiff, "tcyx", {}, ["0", "1", "2"]),
    "multi-channel-z-series.ome.tif": (of_tiff, "czyx", {}, ["0", "1", "2"]),
    f"bruker_multifile/{BRUKER.format(1, 1, 1)}": [
        (of_bruker, "tcyx", {"y": 4.05296, "x": 4.05296}, ["Ch1", "Ch2"])] * 3,
}  # fmt: skip
"""By file: for each of its scenes who reads it, its axes, the sizes of its pixels in µm and s, and its channels."""
SCENES = [
    (name, number, scene)
    for name, scenes in REAL.items()
    for number, scene in enumerate(scenes if isinstance(scenes, list) else [scenes])
]


def stack_of(name, number):
    """Name of a stack in the dataset."""
    bare = name.split(".ome.tif")[0] if name.endswith(".ome.tif") else name.rpartition(".")[0]
    return bare.replace("/", "__") + (f"-s{number}" if isinstance(REAL[name], list) else "")


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A dataset of all files, and what became of each."""
    dataset = Dataset(str(tmp_path_factory.mktemp("vendors") / "dataset"))
    write_record(dataset, [Source(str(Path(DATA, each))) for each in SOURCES])
    return dataset, {outcome.name: outcome for outcome in run_stage(dataset, "ingest")}


def test_each_file_is_a_stack_and_nothing_else_is(ingested):
    _, outcomes = ingested
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert sorted(outcomes) == sorted(stack_of(name, number) for name, number, _ in SCENES)


@pytest.mark.parametrize(("name", "number", "scene"), SCENES, ids=[stack_of(*each[:2]) for each in SCENES])
def test_another_reader_finds_what_the_makers_library_reads(ingested, name, number, scene):
    oracle, axes, sizes, channels = scene
    file = next(Path(DATA, each, name) for each in SOURCES if Path(DATA, each, name).exists())
    folder = ingested[0].image(stack_of(name, number))
    level = ngff_zarr.from_ome_zarr(folder.url, validate=True).images[0]
    assert "".join(level.dims) == axes
    assert {axis: level.scale[axis] for axis in sizes} == pytest.approx(sizes, rel=1e-4)
    units = {axis: unit for axis, unit in level.axes_units.items() if unit}
    assert units == {axis: "second" if axis == "t" else "micrometer" for axis in sizes}
    labels = [each["label"] for each in zarr.open_group(folder.url, mode="r").attrs["ome"]["omero"]["channels"]]
    assert labels == channels
    values, stored = oracle(file, number)
    kept = [axis for axis, size in zip(stored, values.shape, strict=True) if size > 1 or axis in "YX"]
    np.testing.assert_array_equal(
        np.asarray(level.data),
        values.reshape([size for axis, size in zip(stored, values.shape, strict=True) if size > 1 or axis in "YX"])
        .transpose([kept.index(axis.upper()) for axis in axes]),
    )  # fmt: skip
