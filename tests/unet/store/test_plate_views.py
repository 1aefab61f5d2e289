"""Plates are shown as other readers of plates want them, without a copied pixel, and follow the images there are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05.hcs import HCS

from tests.unet.store.test_ome import GREY, RECIPE, SPACING, UNITS
from unet.dataset.folder import Dataset
from unet.ledger.results import image_of
from unet.store import ome, plate_views
from unet.store.arrays import create
from unet.store.plate_views import update_plate_views
from unet.store.pyramid import pyramid
from unet.store.shards import averaged, stack_layout


def write(dataset, name, well, value=7, digest="1"):
    """An image on a plate."""
    result, pixels = image_of(dataset, name), np.full((20, 30), value, np.uint16)
    generation = result.begin(replace(RECIPE, inputs={"source": digest}), {})
    stored = create(generation.level(0), stack_layout(pixels.shape, 2), pixels.dtype, "yx")
    for region in stored.missing():
        stored.write(region, pixels[region])
    levels = pyramid(generation.level, averaged, "yx")
    scales = ome.multiscales(generation, name, "yx", levels, SPACING, UNITS)
    shown = ome.image_attributes(scales, ["DAPI"], [GREY], ["0000FF"])
    result.commit(generation, shown, {"well": well} if well else {})


def shown(dataset, plate):
    return HCS.from_zarr(zarr.open_group(f"{dataset.url}/plates/{plate}.ome.zarr", mode="r"))


def below(dataset):
    top = Path(dataset.url)
    return sorted(path.relative_to(top).as_posix() for path in (top / "plates").rglob("*") if not path.is_dir())


@pytest.fixture
def dataset(tmp_path):
    dataset = Dataset(str(tmp_path / "dataset"))
    write(dataset, "P-E07-f1", ["P", "E", "07", 1], 1)
    write(dataset, "P-E07-f2", ["P", "E", "07", 2], 2)
    write(dataset, "P-AA10-f1", ["P", "AA", "10", 1], 3)
    write(dataset, "Q-B02-f1", ["Q 2", "B", "02", 1], 4)
    write(dataset, "other", None)
    update_plate_views(dataset)
    return dataset


def test_a_plate_is_valid_and_its_images_are_those_there_are(dataset):
    plate = shown(dataset, "P").attributes.ome.plate
    assert [row.name for row in plate.rows] == ["E", "AA"]
    assert [(well.path, well.rowIndex, well.columnIndex) for well in plate.wells] == [("E/07", 0, 0), ("AA/10", 1, 1)]
    assert plate.field_count == 2
    group = zarr.open_group(f"{dataset.url}/plates/P.ome.zarr", mode="r")
    for well, image, value in (("E/07", "1", 1), ("E/07", "2", 2), ("AA/10", "1", 3)):
        assert image in [of["path"] for of in group[well].attrs["ome"]["well"]["images"]]
        levels = [of["path"] for of in group[f"{well}/{image}"].attrs["ome"]["multiscales"][0]["datasets"]]
        assert levels == list(map(str, range(len(levels))))
        assert (group[f"{well}/{image}/0"][:] == value).all()
    assert shown(dataset, "Q_2").attributes.ome.plate.name == "Q_2"


def test_images_are_links_within_the_dataset(dataset):
    link = Path(dataset.url) / "plates/P.ome.zarr/E/07/2/0"
    assert str(link.readlink()).startswith("../../../../../images/P-E07-f2.ome.zarr/")
    Path(dataset.url).rename(Path(dataset.url).with_name("moved"))
    assert (Path(dataset.url).with_name("moved") / "plates/P.ome.zarr/E/07/2/0/zarr.json").exists()


def test_plates_follow_an_image_that_is_made_anew(dataset):
    write(dataset, "P-E07-f1", ["P", "E", "07", 1], 9, digest="2")
    update_plate_views(dataset)
    group = zarr.open_group(f"{dataset.url}/plates/P.ome.zarr", mode="r")
    assert (group["E/07/1/0"][:] == 9).all()


def test_plates_follow_what_is_removed_and_pixels_stay(dataset):
    dataset.image("P-E07-f1").remove()
    dataset.image("Q-B02-f1").remove()
    (Path(dataset.url) / "plates/P.ome.zarr/.zarr.json.12345678").touch()
    update_plate_views(dataset)
    assert below(dataset)
    assert not any("Q_2" in name for name in below(dataset))
    assert not [name for name in below(dataset) if "12345678" in name]
    assert not (Path(dataset.url) / "plates/P.ome.zarr/E/07/1").exists()
    assert [of.path for of in shown(dataset, "P").attributes.ome.plate.wells] == ["E/07", "AA/10"]
    for name in ("P-E07-f2", "P-AA10-f1"):
        dataset.image(name).remove()
    update_plate_views(dataset)
    assert not (Path(dataset.url) / "plates").exists()
    assert dataset.stacks() == ["other"]


def test_nothing_is_written_where_all_is_so(dataset, monkeypatch):
    monkeypatch.setattr(plate_views.Folder, "write", None)
    monkeypatch.setattr(Path, "symlink_to", None)
    update_plate_views(dataset)


def test_a_dataset_without_plates_has_no_folder_of_them(tmp_path):
    dataset = Dataset(str(tmp_path))
    write(dataset, "other", None)
    update_plate_views(dataset)
    assert not (tmp_path / "plates").exists()


def test_a_disk_without_links_is_told(dataset, monkeypatch, caplog):
    def refused(*_, **__):
        raise OSError("Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    write(dataset, "P-E09-f1", ["P", "E", "09", 1])
    update_plate_views(dataset)
    assert "plates are not shown in" in caplog.text


def test_a_field_that_was_taken_twice_has_two_images(dataset):
    write(dataset, "P-E07-f2-again", ["P", "E", "07", 2])
    update_plate_views(dataset)
    paths = [of.path for well in shown(dataset, "P").well_groups for of in well.attributes.ome.well.images]
    assert sorted(paths) == ["1", "1", "2", "2x2"]
