"""Segments and tables for people without zarr: a TIFF and a CSV for each stack."""

from pathlib import Path

import numpy as np
import pyarrow.csv
import tifffile

from tasks.segment import read_table
from unet.dataset.folder import Dataset
from unet.images.planes import planes
from unet.images.units import symbol
from unet.ledger.results import labels_of
from unet.store import ome
from unet.store.arrays import open_array


def export_labels(dataset: Dataset, name: str, model: str, target: Path) -> tuple[Path, Path]:
    """Write `NAME.tif` (ids, one page a plane, with axes and pixel sizes) and `NAME.csv` below `target`; says where."""
    labels = labels_of(dataset, name, model)
    labels.committed()
    array = open_array(ome.full_level(labels))
    axes = ome.axes_of(labels.attributes())
    target.mkdir(parents=True, exist_ok=True)
    picture, table = target / f"{name}.tif", target / f"{name}.csv"
    dtype = np.uint16 if labels.committed().facts["count"] < 2**16 else np.int32
    pages = (plane.read(plane.window)[0].astype(dtype) for plane in planes(array, axes))
    described = labels.attributes()["ome"]["multiscales"][0]
    tifffile.imwrite(
        picture,
        pages,
        shape=array.shape,
        dtype=dtype,
        metadata={"axes": axes.upper(), **_sizes(axes, described)},
        ome=True,
        compression="zlib",
    )
    pyarrow.csv.write_csv(read_table(dataset, model, name), table)
    return picture, table


def _sizes(axes: str, described: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """Pixel sizes as OME-TIFF names them."""
    scale = described["datasets"][0]["coordinateTransformations"][0]["scale"]  # type: ignore[index]
    units = {axis["name"]: axis.get("unit") for axis in described["axes"]}
    sizes: dict[str, object] = {}
    for axis, size in zip(axes, scale, strict=True):
        if axis in "zyx" and units[axis]:
            sizes |= {f"PhysicalSize{axis.upper()}": size, f"PhysicalSize{axis.upper()}Unit": symbol(str(units[axis]))}
    return sizes
