"""Truth with classes as people have it, from `init` to its metadata: however it was saved, each pixel has its class."""

import json
import os
import zipfile

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v05.image_label import ImageLabel
from PIL import Image
from roifile import ImagejRoi

from flows.commands.init import initialise
from flows.planning.plan import make_plan
from tests.drawn_masks import BOXES, LAST, corners, drawn, save_png
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.labels.class_of_ids import read_classes
from unet.ledger import truth_state
from unet.ledger.results import labels_of

CLASSES = [1, 2, 1]
RGB = np.array([[0, 0, 0], [255, 136, 0], [0, 0, 255]], np.uint8)
NAMES = ("nucleus", "mitosis")
VALUES = {"foreground": "classes", "classes": {"1": "nucleus", "2": "mitosis"}}
COLOURS = {"foreground": "classes", "classes": {"#FF8800": "nucleus", "#0000ff": "mitosis"}}


def save_values(folder):
    save_png(folder / "truth/a.png", drawn(CLASSES))
    return {"truth": "truth", **VALUES}


def save_floats(folder):
    (folder / "truth").mkdir()
    tifffile.imwrite(folder / "truth/a.tif", drawn(CLASSES).astype(np.float32))
    return {"truth": "truth", **VALUES}


def save_colours(folder):
    save_png(folder / "truth/a.png", RGB[drawn(CLASSES)])
    return {"truth": "truth", **COLOURS}


def save_clear_colours(folder):
    """Of what was rubbed out the colour is still there, and not seen."""
    rubbed = np.where(drawn() > 0, drawn(CLASSES), 2)
    save_png(folder / "truth/a.png", np.dstack([RGB[rubbed], np.where(drawn() > 0, 200, 0).astype(np.uint8)]))
    return {"truth": "truth", **COLOURS}


def save_palette(folder, suffix="png"):
    (folder / "truth").mkdir()
    image = Image.frombytes("P", (40, 48), drawn(CLASSES).tobytes())
    image.putpalette(RGB.ravel().tolist())
    image.save(folder / f"truth/a.{suffix}")
    return {"truth": "truth", **COLOURS}


def save_folders(folder):
    for number, name in enumerate(NAMES, 1):
        save_png(folder / name / "a.png", drawn() * (drawn(CLASSES) == number))
    return {"truth": {name: name for name in NAMES}}


def save_masks(folder):
    for number, name in enumerate(NAMES, 1):
        save_png(folder / name / "a.png", np.uint8(255) * (drawn(CLASSES) == number))
    return {"truth": {name: name for name in NAMES}, "foreground": 255}


def save_ids_and_classes(folder):
    save_png(folder / "truth/a.png", drawn())
    save_png(folder / "types/a.png", drawn([7, 9, 7]))
    return {"truth": "truth", "class_of": "types", "classes": {"7": "nucleus", "9": "mitosis"}}


def save_ids_and_table(folder):
    save_png(folder / "truth/a.png", drawn([5, 9, 300 - 256]))
    (folder / "truth/a.csv").write_text("name,id,class\nx,5,1\ny,9,mitosis\n\n,44,1\n")
    return {"truth": "truth", "class_of": "truth", "classes": {"1": "nucleus", "2": "mitosis"}}


def save_rois(folder):
    (folder / "truth").mkdir()
    with zipfile.ZipFile(folder / "truth/a_RoiSet.zip", "w") as archive:
        for number, (box, group) in enumerate(zip(BOXES, CLASSES, strict=True)):
            roi = ImagejRoi.frompoints(corners(box))
            roi.group = group
            archive.writestr(f"{number}.roi", roi.tobytes())
    return {"truth": "truth", **VALUES}


def save_geojson(folder):
    (folder / "truth").mkdir()
    said = [{"name": "Cell"}, {"names": ["Cell", "Mitosis"]}, {"name": "Cell"}]
    areas = [{"type": "Polygon", "coordinates": [corners(box)]} for box in BOXES]
    features = [
        {"type": "Feature", "geometry": area, "properties": {"classification": of}}
        for area, of in zip(areas, said, strict=True)
    ]
    (folder / "truth/a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return {"truth": "truth", "foreground": "classes", "classes": {"Cell": "nucleus", "Cell: Mitosis": "mitosis"}}


SAVED = [
    *(save_values, save_floats, save_colours, save_clear_colours, save_palette, save_folders, save_masks),
    *(save_ids_and_classes, save_ids_and_table, save_rois, save_geojson, lambda folder: save_palette(folder, "tif")),
]


@pytest.fixture
def image(tmp_path):
    (tmp_path / "raw").mkdir()
    noise = np.random.default_rng(0).integers(0, 100, (48, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "raw/a.tif", noise)
    return tmp_path


def absolute(folder, value):
    return {name: str(folder / of) for name, of in value.items()} if isinstance(value, dict) else str(folder / value)


def started(folder, stage, **given):
    """A dataset after `init` and ingest, and what `init` said."""
    dataset = Dataset(str(folder / "dataset"))
    places = {key: absolute(folder, given[key]) for key in ("truth", "class_of") if key in given}
    said = list(initialise(dataset, {"images": str(folder / "raw"), **given, **places}))
    (outcome,) = stage(dataset, "ingest")
    return dataset, said, outcome


@pytest.mark.parametrize("save", SAVED)
def test_however_it_was_saved_each_pixel_has_its_class(image, stage, level, save):
    dataset, said, outcome = started(image, stage, **save(image))
    assert (outcome.state, outcome.why) == ("done", "image, truth")
    assert any("12% of the first plane is object" in line for line in said)
    assert "  of it 6.5% is nucleus, 5.7% is mitosis" in said
    truth = labels_of(dataset, "a", "truth")
    classes, labels = read_classes(truth), level(truth)
    assert classes.names == NAMES
    assert len(np.unique(labels)) == 4
    np.testing.assert_array_equal(classes.of(labels), drawn(CLASSES))
    record = read_record(dataset)
    assert record.classes == NAMES
    plan = make_plan(dataset, record)
    assert (plan.pending("ingest"), plan.notes, stage(dataset, "ingest")) == ([], (), [])


def test_viewers_know_the_classes(image, stage, level):
    dataset, _, _ = started(image, stage, **save_values(image))
    truth = labels_of(dataset, "a", "truth")
    described = ImageLabel.from_zarr(zarr.open_group(truth.folder.url, mode="r")).attributes.ome
    classes = {each.label_value: each.model_extra["class"] for each in described.image_label.properties}
    assert classes == {1: "nucleus", 2: "nucleus", 3: "mitosis"}
    assert [colour.rgba for colour in described.image_label.colors] == [
        (230, 159, 0, 255),
        (230, 159, 0, 255),
        (86, 180, 233, 255),
    ]


def test_a_table_that_changes_makes_truth_and_what_is_made_of_it_stale(image, stage):
    dataset, _, _ = started(image, stage, **save_values(image))
    before = truth_state.truth_classes_content(dataset, "a")
    (source,) = read_record(dataset).sources
    table = {1: "cell", 2: "mitosis"}
    set_values(dataset, {"sources": [{**{k: v for k, v in vars(source).items() if v is not None}, "classes": table}]})
    assert [work.name for work in make_plan(dataset, read_record(dataset)).pending("ingest")] == ["a"]
    stage(dataset, "ingest")
    assert read_classes(labels_of(dataset, "a", "truth")).names == ("cell", "mitosis")
    assert truth_state.truth_classes_content(dataset, "a") != before


def test_classes_that_are_mended_by_hand_are_kept(image, stage):
    dataset, _, _ = started(image, stage, **save_values(image))
    truth = labels_of(dataset, "a", "truth")
    file, before = truth.folder / truth.committed().generation / "classes.json", truth_state.truth_content(dataset, "a")
    classes = truth_state.truth_classes_content(dataset, "a")
    file.write(b'{"nucleus": [[1, 1]], "mitosis": [[2, 3]]}')
    assert truth_state.is_edited(dataset, "a")
    assert truth_state.truth_content(dataset, "a") == before
    assert truth_state.truth_classes_content(dataset, "a") != classes
    assert make_plan(dataset, read_record(dataset)).pending("ingest") == []
    assert stage(dataset, "ingest", force="ingest")[0].why == "image, truth kept as it was edited by hand"
    assert file.read() == b'{"nucleus": [[1, 1]], "mitosis": [[2, 3]]}'


def test_classes_that_are_lost_are_written_again(image, stage):
    dataset, _, _ = started(image, stage, **save_values(image))
    truth = labels_of(dataset, "a", "truth")
    file = truth.folder / truth.committed().generation / "classes.json"
    before = file.read()
    file.remove()
    assert stage(dataset, "ingest")[0].state == "done"
    assert file.read() == before


def test_truth_without_classes_says_nothing_of_them(image, stage):
    save_png(image / "truth/a.png", drawn())
    dataset, _, _ = started(image, stage, truth="truth")
    truth = labels_of(dataset, "a", "truth")
    assert not {"classes", "class_digest"} & set(truth.committed().facts)
    assert not {"classes", "class_of", "truth_by_class"} & set(truth.committed().recipe.settings)
    assert set(truth.attributes()["ome"]["image-label"]) == {"version", "source"}
    assert truth_state.truth_classes_content(dataset, "a") == ""
    assert read_classes(truth).of(drawn()).max() == 1


def test_a_stack_may_lack_a_class_and_what_nobody_judged_is_no_class(image, stage, level):
    values = drawn([1, 0, 1])
    values[40:] = 255
    save_png(image / "truth/a.png", values)
    table = {"1": "nucleus", "2": "mitosis", "255": "ignore"}
    dataset, _, _ = started(image, stage, truth="truth", foreground="classes", classes=table)
    truth = labels_of(dataset, "a", "truth")
    assert truth.committed().facts["ignore"] == LAST
    assert (level(truth)[40:] == LAST).all()
    assert read_classes(truth).plain() == {"nucleus": [[1, 2]], "mitosis": []}


def test_semantic_truth_that_nobody_called_so_is_asked_about(image, stage):
    values = np.zeros((48, 40), np.uint8)
    values[::8, ::8], values[4::8, ::8], values[::8, 4::8] = 1, 2, 3
    save_png(image / "truth/a.png", values)
    _, said, _ = started(image, stage, truth="truth")
    asked = "  it holds 1, 2, 3, on areas like those of classes: if they are no ids, say --foreground classes --classes"
    assert f"{asked} 1=A,2=B,3=C" in said


def test_classes_of_outlines_are_shown(image, stage):
    given = save_geojson(image)
    _, said, _ = started(image, stage, truth=given["truth"])
    told = "  its outlines are of Cell (2), Cell: Mitosis (1): to tell them apart, say --foreground classes --classes"
    assert f"{told} 'Cell=A,Cell: Mitosis=B'" in said


def overlap(folder):
    given = save_folders(folder)
    save_png(folder / "mitosis/a.png", drawn() * (drawn() < 3))
    return given


def with_table(text, classes=None):
    def save(folder):
        given = save_ids_and_table(folder)
        (folder / "truth/a.csv").write_text(text)
        return given | ({"classes": classes} if classes else {})

    return save


def with_types(ids):
    def save(folder):
        given = save_ids_and_classes(folder)
        save_png(folder / "types/a.png", drawn(ids))
        return given

    return save


def changed(save, **how):
    return lambda folder: save(folder) | how


@pytest.mark.parametrize(
    ("save", "says"),
    [
        (changed(save_values, classes={"1": "nucleus"}), "(1), got 2 on 110 pixels; name it there, as background or"),
        (changed(save_colours, classes={"#0000ff": "mitosis"}), "got #ff8800 on 124 pixels; name it there"),
        (changed(save_geojson, classes={"Cell": "nucleus"}), "got Cell: Mitosis on 1 outlines; name it there"),
        (changed(save_rois, classes={"1": "nucleus"}), "got 2 on 1 outlines"),
        (changed(save_values, classes={"Cell": "nucleus"}), "must be outlines where `classes` names words (Cell), got"),
        (overlap, "must be of one class, got nucleus and mitosis on 60 pixels of a plane, the first at y 3 x 2"),
        (with_table("id,class\n5,1\n9,2\n"), "must name the class of each id of truth, got none for 44; add it"),
        (with_table("id,class\n5,1\n9,2\n44,1\n45,1\n"), "must be of ids that truth has, got 45"),
        (with_table("id,class\n5,1\n9,2\n5,1\n44,1\n"), "must name each id once, got 5 on several lines"),
        (with_table("id,class\n5,1\n9,debris\n44,1\n"), "got debris on 1 lines; name it there"),
        (with_table("id;kind\n5;1\n"), "a CSV with the columns id and class: its first line is 'id, kind'"),
        (with_table("id,class\nx,1\n"), "line 2 has the id 'x', which is no whole number ≥ 0"),
        (with_table("id,class\n5\n"), "line 2 has no class"),
        (with_types([7, 0, 7]), "must have a class at the pixels of each id, got none for 2"),
        (with_types([7, 8, 7]), "got 8 on 110 pixels"),
    ],
)
def test_what_cannot_be_told_is_set_aside_in_one_sentence(image, stage, save, says):
    _, _, outcome = started(image, stage, **save(image))
    assert outcome.state == "set aside"
    assert says in outcome.why


def test_an_id_of_two_classes_is_named(image, stage):
    given = save_ids_and_classes(image)
    types = drawn([7, 9, 7])
    types[3, 2] = 9
    save_png(image / "types/a.png", types)
    _, _, outcome = started(image, stage, **given)
    assert "must have one class at all pixels of an id, got nucleus and mitosis for 1; draw" in outcome.why


def test_ids_without_a_file_of_classes_are_refused_and_a_lone_one_is_told(image, stage):
    given = save_ids_and_classes(image)
    (image / "types/a.png").rename(image / "types/b.png")
    dataset, said, outcome = started(image, stage, **given)
    assert f"note: {image / 'types/b.png'} belongs to no image" in said
    assert "its truth must have the class of each id in" in outcome.why
    (image / "types/b.png").rename(image / "types/a.png")
    assert stage(dataset, "ingest")[0].state == "done"


def test_a_class_whose_folder_is_away_withdraws_nothing(image, stage):
    dataset, _, _ = started(image, stage, **save_folders(image))
    (image / "mitosis").rename(image / "gone")
    plan = make_plan(dataset, read_record(dataset))
    assert plan.pending("ingest") == []
    assert any("mitosis" in note and "kept" in note for note in plan.notes)
    (image / "gone").rename(image / "mitosis")
    (image / "mitosis/a.png").rename(image / "mitosis/b.png")  # nobody drew any on this stack
    stage(dataset, "ingest")
    assert read_classes(labels_of(dataset, "a", "truth")).plain() == {"nucleus": [[1, 1], [3, 3]], "mitosis": []}


def test_folders_that_change_places_make_truth_stale_though_all_files_look_alike(image, stage, level):
    given = save_folders(image)
    for number, name in enumerate(NAMES):
        (image / name / "a.png").unlink()
        tifffile.imwrite(image / name / "a.tif", np.roll(drawn([1, 0, 0]), 30 * number, axis=0))
        os.utime(image / name / "a.tif", ns=(10**18, 10**18))
    dataset, _, _ = started(image, stage, **given)
    (source,) = read_record(dataset).sources
    swapped = dict(zip(NAMES, reversed(source.truth.values()), strict=True))
    before = read_classes(labels_of(dataset, "a", "truth")).of(level(labels_of(dataset, "a", "truth")))
    set_values(dataset, {"sources": [{"images": source.images, "truth": swapped}]})
    assert stage(dataset, "ingest")[0].state == "done"
    after = read_classes(labels_of(dataset, "a", "truth")).of(level(labels_of(dataset, "a", "truth")))
    np.testing.assert_array_equal(after, np.array([0, 2, 1])[before])


def test_names_that_change_places_make_truth_stale_though_all_folders_stay(image, stage):
    dataset, _, _ = started(image, stage, **save_folders(image))
    (source,) = read_record(dataset).sources
    before = read_classes(labels_of(dataset, "a", "truth")).plain()
    swapped = dict(zip(reversed(NAMES), source.truth.values(), strict=True))
    set_values(dataset, {"sources": [{"images": source.images, "truth": swapped}]})
    assert stage(dataset, "ingest")[0].state == "done"
    after = read_classes(labels_of(dataset, "a", "truth")).plain()
    assert [after[name] for name in NAMES] == [before[name] for name in reversed(NAMES)]
    assert not stage(dataset, "ingest")


def test_folders_among_the_images_are_no_images(image, stage):
    given = save_folders(image)
    for each in NAMES:
        (image / each).rename(image / "raw" / each)
    _, said, outcome = started(image, stage, truth={each: f"raw/{each}" for each in given["truth"]})
    assert said[0].startswith("1 stack in")
    assert outcome.state == "done"
