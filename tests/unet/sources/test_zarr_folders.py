"""Law of OME-Zarr folders: each image in one is one stack, named by folder and place; labels and tables are none."""

import json
from pathlib import Path

import pytest

from unet.settings.ingest import Source
from unet.sources.search import find_stacks
from unet.sources.source_files import source_files
from unet.sources.stacks import Scenes, Well
from unet.sources.zarr_folders import ZarrImage, zarr_images
from unet.sources.zarr_nodes import read_node

IMAGE = {"multiscales": [{"datasets": [{"path": "0"}]}]}


def group(folder: Path, attributes=None, version=2):
    folder.mkdir(parents=True, exist_ok=True)
    if version == 3:
        whole = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": attributes or {}}}
        (folder / "zarr.json").write_text(json.dumps(whole))
        return
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text(json.dumps(attributes or {}))


def array(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".zarray").write_text(json.dumps({"zarr_format": 2, "shape": [4, 4]}))


def plate(folder: Path, version: int, wells=("A/1", "B/12")):
    group(folder, {"plate": {"wells": [{"path": well} for well in wells]}}, version)
    for well in wells:
        group(folder / well, {"well": {"images": [{"path": "0"}, {"path": "1"}]}}, version)
        for field in "01":
            group(folder / well / field, IMAGE, version)


def below(folder: Path) -> list[tuple[str, str]]:
    return [(Path(image.path).relative_to(folder).as_posix(), image.suffix) for image in zarr_images(folder)[0]]


def find(root: Path, *sources: Source):
    return find_stacks(sources, root, lambda file: Scenes(1))


@pytest.mark.parametrize("version", [2, 3])
def test_an_image_and_an_array_are_one_each(tmp_path, version):
    group(tmp_path / "a.zarr", IMAGE, version)
    group(tmp_path / "a.zarr/labels/cells", IMAGE, version)
    array(tmp_path / "b.zarr")
    assert below(tmp_path / "a.zarr") == below(tmp_path / "b.zarr") == [(".", "")]


@pytest.mark.parametrize("version", [2, 3])
def test_fields_of_a_plate_are_stacks_that_say_where_they_lie(tmp_path, version):
    plate(tmp_path / "raw/p.zarr", version)
    stacks = find(tmp_path, Source("raw", prefix="day1-")).stacks
    assert [stack.name for stack in stacks] == ["day1-p-A1-f0", "day1-p-A1-f1", "day1-p-B12-f0", "day1-p-B12-f1"]
    assert stacks[3].well == Well("day1-p", "B", "12", 1)
    assert [stack.files for stack in stacks][3] == (str(tmp_path / "raw/p.zarr/B/12/1"),)
    assert source_files([Source("raw")], tmp_path) == [stack.files[0] for stack in stacks]


def test_wells_that_are_not_there_are_told_and_stop_nothing(tmp_path):
    plate(tmp_path / "p.zarr", 2)
    group(tmp_path / "p.zarr", {"plate": {"wells": [{"path": w} for w in ("A/1", "C/3", "../..", "D")]}})
    catalogue = find(tmp_path, Source("p.zarr"))
    assert [stack.name for stack in catalogue.stacks] == ["p-A1-f0", "p-A1-f1"]
    assert catalogue.notes == (f"{tmp_path}/p.zarr is a plate that names wells of which no image is there: C/3, D",)


def test_a_well_without_metadata_has_the_fields_that_are_there(tmp_path):
    plate(tmp_path / "p.zarr", 2, ["A/1"])
    (tmp_path / "p.zarr/A/1/.zattrs").unlink()
    assert below(tmp_path / "p.zarr") == [("A/1/0", "-A1-f0"), ("A/1/1", "-A1-f1")]


@pytest.mark.parametrize("listed", [True, False])
def test_series_of_bioformats2raw_are_stacks(tmp_path, listed):
    group(tmp_path / "a.zarr", {"bioformats2raw.layout": 3})
    group(tmp_path / "a.zarr/0", IMAGE)
    if listed:
        group(tmp_path / "a.zarr/OME", {"series": ["0", "1", "../0"]})
    assert below(tmp_path / "a.zarr") == [("0", "")]
    group(tmp_path / "a.zarr/1", IMAGE)
    assert below(tmp_path / "a.zarr") == [("0", "-s0"), ("1", "-s1")]


def test_images_in_a_group_of_no_known_kind_are_found(tmp_path):
    group(tmp_path / "a.zarr")
    group(tmp_path / "a.zarr/day1")
    group(tmp_path / "a.zarr/day1/cells", IMAGE)
    array(tmp_path / "a.zarr/raw")
    array(tmp_path / "a.zarr/tables")
    (tmp_path / "a.zarr/around").symlink_to(tmp_path / "a.zarr")
    assert below(tmp_path / "a.zarr") == [("day1/cells", "-day1-cells"), ("raw", "-raw")]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "null", '{"plate": {"wells": 3}}', '{"plate": {}}'])
def test_what_is_broken_is_the_folder_itself(tmp_path, text):
    group(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/.zattrs").write_text(text)
    assert zarr_images(tmp_path / "a.zarr") == ([ZarrImage(str(tmp_path / "a.zarr"))], [])


def test_a_folder_without_metadata_is_told(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ValueError, match=r"a.zarr must hold zarr.json, or .zattrs and .zarray, got none"):
        read_node(tmp_path / "a.zarr")
    assert [stack.name for stack in find(tmp_path, Source(".")).stacks] == ["a"]


def test_a_link_that_bears_the_name_is_followed_once(tmp_path):
    group(tmp_path / "disk/a.zarr", IMAGE)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/b.zarr").symlink_to(tmp_path / "disk/a.zarr")
    (tmp_path / "raw/c.zarr").symlink_to(tmp_path / "disk/a.zarr")
    catalogue = find(tmp_path, Source("raw"))
    assert [stack.name for stack in catalogue.stacks] == ["b"]
    assert "which is taken already" in catalogue.notes[0]


def test_results_of_a_dataset_are_no_sources_but_what_lies_beside_them_is(tmp_path):
    group(tmp_path / "images/a.ome.zarr", IMAGE)
    group(tmp_path / "raw/b.ome.zarr", IMAGE)
    (tmp_path / "dataset.yaml").touch()
    assert [stack.name for stack in find(tmp_path, Source("raw")).stacks] == ["b"]
    for inside in ("images", "images/a.ome.zarr"):
        with pytest.raises(LookupError, match="a folder of a dataset"):
            find(tmp_path, Source(inside))


def test_labels_in_each_image_are_truth_where_their_name_is_given(tmp_path):
    for name in "ab":
        group(tmp_path / f"raw/{name}.zarr", IMAGE)
    group(tmp_path / "raw/a.zarr/labels/cells", IMAGE)
    source = Source("raw", "labels/cells")
    stacks = find(tmp_path, source).stacks
    labels = str(tmp_path / "raw/a.zarr/labels/cells")
    assert [stack.truth for stack in stacks] == [(labels,), ()]
    assert source_files([source], tmp_path) == [stacks[0].files[0], labels, stacks[1].files[0]]
    with pytest.raises(
        LookupError, match="truth 'labels/nuclei' must be a folder, or labels in OME-Zarr images, got none"
    ):
        find(tmp_path, Source("raw", "labels/nuclei"))


def test_a_link_is_told_where_none_can_be_made(tmp_path):
    group(tmp_path / "raw/a.zarr", IMAGE)
    (tmp_path / "raw/b.tif").touch()
    catalogue = find(tmp_path, Source("raw", link=True))
    assert [stack.is_linked for stack in catalogue.stacks] == [True, False]
    assert catalogue.notes == (f"`link` is for OME-Zarr: {tmp_path}/raw/b.tif of raw will be copied",)


def test_truth_of_a_plate_is_a_plate_of_labels(tmp_path):
    plate(tmp_path / "raw/p.zarr", 2)
    plate(tmp_path / "truth/p.zarr", 3, ["B/12"])
    stacks = find(tmp_path, Source("raw", "truth")).stacks
    assert [len(stack.truth) for stack in stacks] == [0, 0, 1, 1]
    assert stacks[2].truth == (str(tmp_path / "truth/p.zarr/B/12/0"),)
