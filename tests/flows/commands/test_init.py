"""What `init` says and writes: it looks first, and writes nothing where something is wrong."""

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from flows.commands.init import initialise
from flows.planning.plan import make_plan
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record


@pytest.fixture
def files(tmp_path):
    """Three images, two of them with a mask, one of which is broken."""
    image = np.arange(2 * 32 * 24, dtype=np.uint16).reshape(2, 32, 24)
    mask = np.zeros((2, 32, 24), np.uint8)
    mask[:, 8:16] = 255
    for name in "abc":
        (tmp_path / "image").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / f"image/{name}.tif", image, photometric="minisblack")
    (tmp_path / "truth").mkdir()
    for name in "bc":
        tifffile.imwrite(tmp_path / f"truth/{name}.tif", mask, photometric="minisblack")
    return tmp_path


def say(files, name="dataset", images="image", truth="truth", **settings):
    dataset = Dataset(str(files / name))
    given = {"images": str(files / images), "truth": truth and str(files / truth)}
    return dataset, list(initialise(dataset, given | settings))


def test_it_says_what_was_found_and_shows_how_truth_is_read(files):
    dataset, lines = say(files)
    assert lines[0] == f"3 stacks in {files}/image, 2 with truth"
    assert lines[1] == "  a: 2 × 32 × 24 (z y x) uint16, pixel size unknown"
    assert "truth is read with foreground ids: 25% of the first plane is object" in lines
    assert "  it holds two values only: if they are a mask and not ids, say --foreground 255 or --foreground 0" in lines
    assert lines[-1] == f"{dataset.url}/dataset.yaml is written; next: unet-flows reprocess {dataset.url}"
    picture = imagecodecs.png_decode((dataset / "truth.png").read())
    assert picture.shape == (32, 24, 3)
    assert read_record(dataset).sources[0].images == str(files / "image")
    assert [work.name for work in make_plan(dataset, read_record(dataset)).pending("ingest")] == ["a", "b", "c"]


@pytest.mark.parametrize("source", [{"images": "image/images"}, {"truth": "image/images/drawn"}])
def test_a_source_where_results_will_be_kept_is_refused_and_nothing_is_written(source, files):
    (files / "image/images/drawn").mkdir(parents=True)
    tifffile.imwrite(files / "image/images/drawn/a.tif", np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"must lie outside .*/image/images, where results will be kept"):
        say(files, "image", **{"truth": None} | source)
    assert not (files / "image/dataset.yaml").exists()


def test_the_other_polarity_is_told(files):
    _, lines = say(files, foreground=0)
    assert "truth is read with foreground 0: 75% of the first plane is object" in lines


def test_broken_files_are_named_and_the_first_readable_truth_is_shown(files):
    whole = (files / "truth/b.tif").read_bytes()
    (files / "truth/b.tif").write_bytes(whole[:300])
    dataset, lines = say(files)
    assert any(line.startswith("  b: ") and line.endswith("; it will be set aside") for line in lines)
    assert any(line.startswith("truth is read with foreground ids") for line in lines)
    assert dataset.record.exists()


def test_many_stacks_are_not_all_listed(files):
    for number in range(8):
        (files / f"image/x{number}.tif").write_bytes((files / "image/a.tif").read_bytes())
    _, lines = say(files)
    assert "  and 10 more .tif" in lines
    assert "truth is read with foreground ids: 25% of the first plane is object" in lines


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"images": "nowhere"}, "images must name an existing folder or file"),
        ({"truth": "nowhere"}, "truth must name an existing folder or file"),
        ({"images": "empty"}, "must hold image files, got none"),
        ({"truth": "image"}, "truth must be another folder or file than images"),
        ({"foreground": 12}, "foreground"),
        ({"slices": "x"}, "slices"),
    ],
)
def test_the_dataset_is_untouched_where_something_is_wrong(files, how, says):
    (files / "empty").mkdir()
    with pytest.raises((ValueError, LookupError), match=says):
        say(files, **how)
    assert not (files / "dataset").exists()


def test_one_more_source_is_added(files):
    dataset, _ = say(files)
    (files / "more").mkdir()
    (files / "more/d.tif").write_bytes((files / "image/a.tif").read_bytes())
    say(files, images="more", truth=None)
    assert make_plan(dataset, read_record(dataset)).names() == ["a", "b", "c", "d"]
    assert dataset.record.read().startswith(b"# The run record of this dataset")


def test_links_that_are_not_followed_are_told(files):
    (files / "image/up").symlink_to("..")
    (files / "image/z.tif").symlink_to("/nowhere/at/all.tif")
    _, lines = say(files)
    assert lines[0] == f"3 stacks in {files}/image, 2 with truth"
    assert [
        line.removeprefix(f"note: {files}/image/").split(",")[0] for line in lines if line.startswith("note: ")
    ] == [
        f"up is a link to {files}",
        "z.tif is a link to what is not there; mend or remove it",
    ]


def test_init_again_changes_that_source_and_says_what(files):
    dataset, _ = say(files, truth=None)
    dataset.record.write(dataset.record.read().replace(b"sources:\n", b"sources:  # of Tuesday\n"))
    _, lines = say(files, foreground=255)
    root = files.resolve()
    assert f"{root}/image was a source already; changed: truth: None → {root}/truth, foreground: ids → 255" in lines
    (source,) = read_record(dataset).sources
    assert (source.images, source.truth, source.foreground) == (f"{root}/image", f"{root}/truth", 255)
    _, lines = say(files, truth=None, pixel_size={"x": 0.5, "y": 0.5})
    (source,) = read_record(dataset).sources
    assert (source.truth, source.foreground, source.pixel_size) == (f"{root}/truth", 255, {"x": 0.5, "y": 0.5})
    assert b"sources:  # of Tuesday\n" in dataset.record.read()


def test_one_stack_of_each_kind_is_shown_and_kinds_that_are_not_read_are_counted(files):
    for number in range(3):
        (files / f"image/p{number}.png").write_bytes(imagecodecs.png_encode(np.zeros((32, 24), np.uint8)))
    for name in ("notes.txt", "more.txt", "README"):
        (files / "image" / name).touch()
    _, lines = say(files)
    assert "  p0: 32 × 24 (y x) uint8, pixel size unknown" in lines
    assert "  and 2 more .png" in lines
    assert "  and 2 more .tif" in lines
    assert "note: 2 .txt, 1 without a suffix files left out: of kinds that are not read as images" in lines


def test_what_a_source_may_say_besides_stands_in_the_record_as_comments(files):
    dataset, _ = say(files, foreground=255)
    text = dataset.record.read().decode()
    for line in (
        "#     pixel_size: null  # Micrometers",
        "#     slices: null",
        "#     prefix: ''",
        "#     ignore: null",
    ):
        assert line in text
    assert "#     foreground" not in text


def write_zarr(path, *labels):
    """An OME-Zarr image with labels of some names."""
    drawn = np.zeros((32, 24), np.uint8)
    drawn[8:16] = 1
    zarr.create_array(path / "0", data=np.arange(32 * 24, dtype=np.uint16).reshape(32, 24))
    for name in labels:
        zarr.create_array(path / name / "0", data=drawn)
    for folder in (path, *(path / name for name in labels)):
        said = {"axes": [{"name": a, "type": "space"} for a in "yx"], "datasets": [{"path": "0"}]}
        zarr.open_group(folder).attrs["ome"] = {"version": "0.5", "multiscales": [said]}


def test_labels_that_lie_in_each_ome_zarr_stay_named_as_they_were_given(files):
    write_zarr(files / "raw/a.zarr", "labels/cells")
    dataset = Dataset(str(files / "dataset"))
    lines = list(initialise(dataset, {"images": str(files / "raw"), "truth": "labels/cells", "foreground": 0}))
    assert lines[0] == f"1 stack in {files}/raw, 1 with truth"
    assert "truth is read with foreground 0: 75% of the first plane is object" in lines
    assert read_record(dataset).sources[0].truth == "labels/cells"


def test_labels_that_lie_in_ome_zarrs_are_offered_and_not_taken_by_themselves(files):
    dataset, images = Dataset(str(files / "dataset")), str(files / "raw")
    write_zarr(files / "raw/a.zarr", "labels/cells", "labels/nuclei")
    write_zarr(files / "raw/b.zarr", "labels/nuclei")
    write_zarr(files / "raw/c.zarr")
    offer = "note: labels/nuclei found in 2 of 3 images, labels/cells in 1; say `--truth labels/nuclei`"
    assert list(initialise(dataset, {"images": images}))[:2] == [f"3 stacks in {images}, 0 with truth", offer]
    assert read_record(dataset).sources[0].truth is None
    assert not any("found in" in line for line in initialise(dataset, {"images": images, "truth": "labels/nuclei"}))
    assert sum(bool(stack.truth) for stack in make_plan(dataset, read_record(dataset)).stacks.values()) == 2


def planes(tmp_path):
    (tmp_path / "image").mkdir()
    for z in (1, 2):
        for c in (1, 2):
            tifffile.imwrite(tmp_path / f"image/a_z{z}_c{c}.tif", np.zeros((8, 9), np.uint16))
    return tmp_path


def test_a_pattern_is_offered_and_not_taken_by_itself(tmp_path):
    dataset, lines = say(planes(tmp_path), truth=None)
    assert lines[0].startswith("note: these look like planes: pattern {name}_z{z}_c{c}.tif, 4 files → 1 stack")
    assert lines[1] == f"4 stacks in {tmp_path}/image, 0 with truth"
    assert read_record(dataset).sources[0].pattern is None


def test_a_pattern_is_taken_with_a_yes(tmp_path):
    planes(tmp_path)
    dataset = Dataset(str(tmp_path / "dataset"))
    asked = []
    lines = list(initialise(dataset, {"images": str(tmp_path / "image")}, lambda question: not asked.append(question)))
    assert asked == ["Take them as such?"]
    assert lines[1:3] == [
        f"1 stack in {tmp_path}/image, 0 with truth",
        "  a: 2 × 2 × 8 × 9 (c z y x) uint16, channels 1, 2, pixel size unknown",
    ]
    assert read_record(dataset).sources[0].pattern == "{name}_z{z}_c{c}.tif"


def test_a_pattern_that_is_given_is_taken_and_a_plane_that_is_missing_is_told(tmp_path):
    (planes(tmp_path) / "image/a_z2_c1.tif").unlink()
    _, lines = say(tmp_path, truth=None, pattern="{name}_z{z}_c{c}.tif")
    assert any("got none for c 1, z 2 (a_z2_c1.tif would be it)" in line for line in lines)


def test_another_way_to_read_truth_takes_the_table_of_classes_with_it(files):
    dataset, _ = say(files, foreground="classes", classes={"255": "cell"})
    assert read_record(dataset).sources[0].table == {255: "cell"}
    say(files, foreground=255)
    (source,) = read_record(dataset).sources
    assert (source.foreground, source.classes) == (255, None)
    say(files, foreground="classes", classes={"255": "cell"})
    list(initialise(dataset, {"images": str(files / "image"), "truth": {"cell": str(files / "truth")}}))
    (source,) = read_record(dataset).sources
    assert (source.foreground, source.truth) == ("ids", {"cell": str((files / "truth").resolve())})


def test_one_file_of_truth_named_for_one_image_needs_no_suffix(tmp_path):
    for name in ("a", "a_labels"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.ones((32, 24), np.uint16))
    given = {"images": str(tmp_path / "a.tif"), "truth": str(tmp_path / "a_labels.tif")}
    said = list(initialise(Dataset(str(tmp_path / "d")), given))
    assert said[0].endswith(", 1 with truth")
    assert not [line for line in said if "suffix" in line]
