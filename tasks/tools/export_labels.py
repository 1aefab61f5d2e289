"""Segments and tables for people without zarr: a TIFF and a CSV for each stack."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.csv
import tifffile

from unet.dataset.folder import Dataset
from unet.images.planes import planes
from unet.images.units import symbol
from unet.ledger.results import labels_of
from unet.settings.ingest import Source
from unet.sources.paths import resolved
from unet.sources.source_files import source_folders
from unet.store import ome
from unet.store.arrays import open_array
from unet.store.tables import read_table


class Exported(NamedTuple):
    """Files of one stack below the folder that was named."""

    written: list[Path]
    kept: list[Path]
    """Those that were there already."""


def require_own_folder(dataset: Dataset, sources: Sequence[Source], target: Path) -> None:
    """Refuse a folder in, or around, the dataset or a source: images would be overwritten, or segments taken in."""
    root = Path(dataset.url).resolve() if dataset.is_local else Path.cwd()
    real = resolved(str(target), Path.cwd())
    for place in [*([root] if dataset.is_local else []), *source_folders(sources, root)]:
        if real.is_relative_to(place) or place.is_relative_to(real):
            raise ValueError(f"--to must be neither in {place} nor around it, got {target}; name another folder")


def export_labels(dataset: Dataset, name: str, model: str, target: Path, overwrite: bool = False) -> Exported:
    """Write `NAME.tif` (ids, one page a plane, with axes and pixel sizes) and `NAME.csv` below `target`; says where.

    Files that are there are kept, unless they are to be overwritten; a link is replaced, not what it leads to.
    """
    labels_of(dataset, name, model).committed()
    target.mkdir(parents=True, exist_ok=True)
    exported = Exported([], [])
    for suffix, write in ((".tif", _write_picture), (".csv", _write_table)):
        file, draft = target / f"{name}{suffix}", target / f".{name}{suffix}.partial"
        if os.path.lexists(file) and not overwrite:
            exported.kept.append(file)
            continue
        draft.unlink(missing_ok=True)
        write(dataset, name, model, draft)
        draft.replace(file)
        exported.written.append(file)
    return exported


def _write_table(dataset: Dataset, name: str, model: str, file: Path) -> None:
    pyarrow.csv.write_csv(read_table(dataset, model, name), file)


def _write_picture(dataset: Dataset, name: str, model: str, file: Path) -> None:
    labels = labels_of(dataset, name, model)
    array = open_array(ome.full_level(labels))
    axes = ome.axes_of(labels.attributes())
    dtype = np.uint16 if labels.committed().facts["count"] < 2**16 else np.int32
    pages = (plane.read(plane.window)[0].astype(dtype) for plane in planes(array, axes))
    described = labels.attributes()["ome"]["multiscales"][0]
    tifffile.imwrite(
        file,
        pages,
        shape=array.shape,
        dtype=dtype,
        metadata={"axes": axes.upper(), **_sizes(axes, described)},
        ome=True,
        compression="zlib",
    )


def _sizes(axes: str, described: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """Pixel sizes as OME-TIFF names them."""
    scale = described["datasets"][0]["coordinateTransformations"][0]["scale"]  # type: ignore[index]
    units = {axis["name"]: axis.get("unit") for axis in described["axes"]}
    sizes: dict[str, object] = {}
    for axis, size in zip(axes, scale, strict=True):
        if axis in "zyx" and units[axis]:
            sizes |= {f"PhysicalSize{axis.upper()}": size, f"PhysicalSize{axis.upper()}Unit": symbol(str(units[axis]))}
    return sizes
