"""What people without zarr are given: ids, pixel sizes and rows are those of the dataset."""

import csv

import numpy as np
import pytest
import tifffile

from tasks.segment import read_table
from tasks.tools.export_labels import export_labels
from unet.ledger.results import labels_of


def test_ids_pixel_sizes_and_rows_are_kept(tmp_path, dataset, level):
    picture, table = export_labels(dataset, "a", "unet", tmp_path / "out")
    with tifffile.TiffFile(picture) as tif:
        (series,) = tif.series
        assert series.axes == "ZYX"
        np.testing.assert_array_equal(series.asarray(), level(labels_of(dataset, "a", "unet")))
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [pixels[f"PhysicalSize{axis}"] for axis in "XYZ"] == [0.5, 0.5, 1.25]
    assert pixels["PhysicalSizeXUnit"] == "µm"
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    expected = read_table(dataset, "unet", "a")
    assert list(rows[0]) == expected.column_names
    assert [int(row["id"]) for row in rows] == expected["id"].to_pylist()


def test_what_was_not_segmented_is_refused(tmp_path, dataset):
    with pytest.raises(LookupError, match="holds no finished result"):
        export_labels(dataset, "a", "other", tmp_path)
