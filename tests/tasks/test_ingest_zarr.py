"""Laws of OME-Zarr sources in a dataset: copied or linked, the same pixels; a change makes stale, a loss is told."""

import shutil

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05.hcs import HCS

from flows.planning.arrivals import look_at_sources, mark_taken
from flows.planning.estimate import estimate
from flows.planning.plan import make_plan
from tasks.tools.verify import damage
from tests.unet.formats.test_ome_zarr import noise, write
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values, write_record
from unet.ledger.results import image_of
from unet.settings.ingest import Source
from unet.store import linked_array
from unet.store.linked_array import LinkError
from unet.store.plate_views import update_plate_views

QUICK = {
    "train.steps": 2,
    "train.batch_size": 1,
    "train.tile_size": 32,
    "train.architecture": {"base": 4, "depth": 1},
}


def made(folder, **source) -> Dataset:
    dataset = Dataset(str(folder / "dataset"))
    write_record(dataset, [Source("../raw", **source)])
    return dataset


def state(dataset, name="a"):
    status = make_plan(dataset, read_record(dataset)).statuses["ingest", name]
    return status.state, status.why


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("link", [False, True])
def test_pixels_sizes_and_channels_are_kept(tmp_path, stage, level, link):
    values = write(tmp_path / "raw/a.ome.zarr", noise(2, 3, 70, 50), "czyx", "0.4", chunks=(1, 2, 32, 16))
    dataset = made(tmp_path, link=link)
    assert [(outcome.state, outcome.why) for outcome in stage(dataset, "ingest")] == [("done", "image")]
    image = image_of(dataset, "a")
    np.testing.assert_array_equal(level(image), values)
    facts = image.committed().facts
    assert (facts["axes"], facts["channels"], facts["spacing"]) == (
        "czyx", ["DAPI", "GFP"], {"z": 0.5, "y": 0.25, "x": 0.125})  # fmt: skip
    assert state(dataset) == ("fresh", "")
    assert (f"{image.committed().generation}.0/c" in str(list(image.folder.files()))) is not link


def test_statistics_of_what_is_linked_are_those_of_what_is_copied(tmp_path, stage):
    write(tmp_path / "raw/a.ome.zarr", noise(2, 3, 70, 50), "czyx", chunks=(1, 2, 32, 16))
    dataset = made(tmp_path)
    stage(dataset, "ingest")
    before = image_of(dataset, "a").committed()
    set_values(dataset, {"sources": [{"images": "../raw", "link": True}]})
    assert state(dataset)[0] == "stale"
    stage(dataset, "ingest")
    after = image_of(dataset, "a").committed()
    assert after.facts["statistics"] == before.facts["statistics"]
    assert after.facts["link"] == str(tmp_path / "raw/a.ome.zarr/0")


def test_a_linked_image_takes_no_room_and_a_reading_of_all_finds_it_whole(tmp_path, stage):
    write(tmp_path / "raw/a.ome.zarr", noise(20, 30), "yx")
    dataset = made(tmp_path, link=True)
    record = read_record(dataset)
    plan = make_plan(dataset, record)
    assert estimate(record, plan, plan.pending()).costs["ingest", "a"].bytes == 0
    stage(dataset, "ingest")
    assert damage(dataset, "a") == []


def test_what_does_not_suit_is_copied_and_told(tmp_path, stage, level, monkeypatch):
    monkeypatch.setattr(linked_array, "LARGEST_CHUNK", 100)
    values = write(tmp_path / "raw/a.ome.zarr", noise(20, 30), "yx")
    dataset = made(tmp_path, link=True)
    stage(dataset, "ingest")
    np.testing.assert_array_equal(level(image_of(dataset, "a")), values)
    assert image_of(dataset, "a").committed().facts["notes"] == [
        "its pixels are copied, not linked: its chunks hold 1,200 bytes, more than 100"
    ]


def test_a_linked_source_that_changed_is_stale_and_one_that_is_gone_is_told(tmp_path, stage, level):
    folder = tmp_path / "raw/a.ome.zarr"
    write(folder, noise(20, 30), "yx", chunks=(10, 10))
    write(tmp_path / "raw/b.ome.zarr", noise(20, 30), "yx")
    dataset = made(tmp_path, link=True)
    stage(dataset, "ingest")
    zarr.open_group(folder)["0"][:10] = 7
    assert state(dataset) == ("stale", "source changed")
    stage(dataset, "ingest")
    assert state(dataset) == ("fresh", "")
    assert (level(image_of(dataset, "a"))[:10] == 7).all()
    folder.rename(tmp_path / "away.zarr")
    assert state(dataset) == (
        "set aside", f"{folder}/0 missing or damaged, and its source is gone: put it back")  # fmt: skip
    with pytest.raises(LinkError, match=r"must be there, as .* is linked to it"):
        level(image_of(dataset, "a"))
    (tmp_path / "away.zarr").rename(folder)
    assert state(dataset) == ("fresh", "")


def test_a_linked_source_that_is_gone_leaves_the_model_as_it_was_and_stops_no_other(tmp_path, stage):
    for name in "abc":
        write(tmp_path / f"raw/{name}.ome.zarr", noise(64, 64), "yx", chunks=(64, 64))
        write(tmp_path / f"truth/{name}.zarr", np.repeat(np.arange(4, dtype=np.uint16), 1024).reshape(64, 64), "yx")
    dataset = made(tmp_path, link=True, truth="../truth")
    set_values(dataset, QUICK)
    for verb in ("ingest", "weigh", "train", "predict"):
        stage(dataset, verb)
    (tmp_path / "raw/c.ome.zarr").rename(tmp_path / "away.zarr")
    zarr.open_group(tmp_path / "raw/a.ome.zarr")["0"][:10] = 7
    stage(dataset, "ingest")
    plan = make_plan(dataset, read_record(dataset))
    assert plan.state("train", "unet") == "fresh"
    assert "unet stays as it is, as it is made of what cannot be read now: c" in plan.notes
    assert [work.name for work in plan.pending("predict")] == ["a"]
    (tmp_path / "away.zarr").rename(tmp_path / "raw/c.ome.zarr")
    assert make_plan(dataset, read_record(dataset)).state("train", "unet") == "stale"


def test_labels_beside_a_source_change_nothing_and_a_plate_is_stacks(tmp_path, stage):
    write(tmp_path / "raw/p.zarr/A/1/0", noise(20, 30), "yx", "0.4")
    write(tmp_path / "raw/p.zarr/A/1/0/labels/cells", noise(20, 30), "yx", "0.4")
    zarr.open_group(tmp_path / "raw/p.zarr").attrs["plate"] = {"wells": [{"path": "A/1"}]}
    dataset = made(tmp_path)
    assert [outcome.name for outcome in stage(dataset, "ingest")] == ["p-A1-f0"]
    shutil.rmtree(tmp_path / "raw/p.zarr/A/1/0/labels")
    assert state(dataset, "p-A1-f0") == ("fresh", "")
    zarr.open_group(tmp_path / "raw/p.zarr/A/1/0")["0"][0, 0] = 500
    assert state(dataset, "p-A1-f0")[0] == "stale"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_shows_linked_images_where_they_lie_if_they_are_of_its_version(tmp_path, stage, version):
    how = {"dimension_names": list("tcyx")} if version == "0.5" else {}
    folder = tmp_path / "raw/p.zarr"
    values = {field: write(folder / f"A/1/{field}", noise(1, 1, 20, 30), "tcyx", version, **how) for field in "01"}
    plate = {"plate": {"wells": [{"path": "A/1"}]}}
    zarr.open_group(folder).attrs.update(plate if version == "0.4" else {"ome": plate})
    dataset = made(tmp_path, link=True)
    stage(dataset, "ingest")
    assert image_of(dataset, "p-A1-f0").committed().facts["link"]
    update_plate_views(dataset)
    top = tmp_path / "dataset/plates/p.ome.zarr"
    assert top.exists() is (version == "0.5")
    if version == "0.5":
        (well,) = HCS.from_zarr(zarr.open_group(top, mode="r")).well_groups
        assert [image.path for image in well.attributes.ome.well.images] == ["0", "1"]
        for field, pixels in values.items():
            np.testing.assert_array_equal(zarr.open_group(top, mode="r")[f"A/1/{field}/0"][:], pixels)
        shutil.move(tmp_path / "raw", tmp_path / "away")
        update_plate_views(dataset)
        assert not top.exists()


def test_truth_is_an_ome_zarr_too_and_a_broken_one_stops_no_other(tmp_path, stage, level):
    for name in "ab":
        write(tmp_path / f"raw/{name}.zarr", noise(20, 30), "yx")
    labels = write(tmp_path / "truth/a.zarr", np.arange(600, dtype=np.uint16).reshape(20, 30) // 100, "yx")
    (tmp_path / "raw/b.zarr/0/c/0/0").write_bytes(b"!")
    dataset = made(tmp_path, truth="../truth")
    outcomes = {outcome.name: outcome for outcome in stage(dataset, "ingest")}
    assert outcomes["a"].state == "done"
    assert outcomes["b"].state == "set aside"
    assert "b.zarr is not a readable OME-Zarr" in outcomes["b"].why
    from unet.ledger.results import labels_of

    np.testing.assert_array_equal(level(labels_of(dataset, "a", "truth")), labels)


def test_an_ome_zarr_that_is_being_written_is_waited_for(tmp_path, stage):
    write(tmp_path / "raw/a.ome.zarr", noise(20, 30), "yx", chunks=(10, 10))
    dataset = made(tmp_path)
    record = read_record(dataset)
    assert list(look_at_sources(dataset, record, now=0).waiting) == [str(tmp_path / "raw/a.ome.zarr")]
    (tmp_path / "raw/a.ome.zarr/0/c/1/2").write_bytes(b"half of a chunk")
    assert not look_at_sources(dataset, record, now=100).ready
    write(tmp_path / "other/a.ome.zarr", noise(20, 30), "yx", chunks=(10, 10))
    (tmp_path / "other/a.ome.zarr/0/c/1/2").rename(tmp_path / "raw/a.ome.zarr/0/c/1/2")
    assert not look_at_sources(dataset, record, now=200).ready
    taken = look_at_sources(dataset, record, now=300)
    assert (taken.ready, taken.files) == (("a",), (str(tmp_path / "raw/a.ome.zarr"),))
    stage(dataset, "ingest")
    mark_taken(dataset, taken)
    assert look_at_sources(dataset, record, now=400).ready == ()
