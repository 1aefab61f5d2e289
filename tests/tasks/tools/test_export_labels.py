"""What people without zarr are given: ids, pixel sizes and rows are those of the dataset."""

import csv

import numpy as np
import pytest
import tifffile

from tasks.tools.export_labels import export_labels, require_own_folder
from unet.dataset.record_file import read_record
from unet.ledger.results import labels_of
from unet.store.tables import read_table


def test_ids_pixel_sizes_and_rows_are_kept(tmp_path, dataset, level):
    (picture, table), kept = export_labels(dataset, "a", "unet", tmp_path / "out")
    assert kept == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "a.tif"]
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


def test_what_is_there_is_kept_unless_it_is_to_be_overwritten_and_what_a_link_leads_to_always_is(tmp_path, dataset):
    raw, out = tmp_path / "copy/files/image/a.ome.tif", tmp_path / "out"
    out.mkdir()
    (out / "a.tif").symlink_to(raw)
    (out / "a.csv").write_text("mine")
    before = raw.read_bytes()
    assert export_labels(dataset, "a", "unet", out) == ([], [out / "a.tif", out / "a.csv"])
    assert (out / "a.csv").read_text() == "mine"
    assert export_labels(dataset, "a", "unet", out, overwrite=True) == ([out / "a.tif", out / "a.csv"], [])
    assert raw.read_bytes() == before
    assert not (out / "a.tif").is_symlink()


@pytest.mark.parametrize(
    "to", ["dataset", "dataset/out", "files/image", "files/truth/new", "files", ".", "link", "disk"]
)
def test_nothing_is_written_into_or_around_the_dataset_or_a_source(tmp_path, dataset, to):
    top = tmp_path / "copy"
    (top / "link").symlink_to("files/image")
    (top / "disk").mkdir()
    (top / "files/image/c.ome.tif").rename(top / "disk/c.ome.tif")
    (top / "files/image/c.ome.tif").symlink_to("../../disk/c.ome.tif")
    with pytest.raises(ValueError, match=r"--to must be neither in .* nor around it, got"):
        require_own_folder(dataset, read_record(dataset).sources, top / to)
    require_own_folder(dataset, read_record(dataset).sources, top / "out")
