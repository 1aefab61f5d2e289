"""Laws of segment: over several shards its ids are scikit-image's, its table too, and dropped scores come back."""

from pathlib import Path

import numpy as np
import pytest
import skimage.measure
from ome_zarr_models._cli import validate
from scipy.ndimage import gaussian_filter

from flows.planning.plan import make_plan
from tasks.execution.dask_workers import workers
from tasks.segment import segment_stack
from tests.classes import put_model, put_scores
from unet.dataset.record_file import read_record, set_values
from unet.labels.connected import connected_segments
from unet.labels.declumping import Declumping, part_clump
from unet.labels.segmentation import segments_of_classes, segments_of_scores
from unet.ledger.class_settings import segmented_classes
from unet.ledger.outcome import STAGES
from unet.ledger.recipes import segment_recipe
from unet.ledger.results import image_of, labels_of, scores_of
from unet.settings.segment import Segment
from unet.store.arrays import Stored, open_array
from unet.store.kept import Kept
from unet.store.tables import read_table

TWO = ["label", "area", "centroid", "bbox", "intensity_mean", "intensity_min", "intensity_max"]


def blobs(*shape):
    """Scores of blobs that go on over shards and planes."""
    noise = gaussian_filter(np.random.default_rng(1).normal(size=shape), (*[0.8] * (len(shape) - 2), 3, 3))
    return np.clip(128 + 90 * noise / noise.std(), 0, 255).astype(np.uint8)


def slow_segments(mask, dimensions, connectivity, minimum):
    """Each plane or volume by scikit-image; small ones dropped and the rest renamed one after the other."""
    segments, found = np.zeros(mask.shape, np.int64), 0
    for plane in np.ndindex(mask.shape[: mask.ndim - dimensions]):
        local = skimage.measure.label(mask[plane], connectivity=1 if connectivity == "faces" else dimensions)
        sizes = np.bincount(local.ravel())
        for one in range(1, local.max() + 1):
            if sizes[one] >= minimum:
                found += 1
                segments[plane][local == one] = found
    return segments


def run(dataset, settings):
    with workers(None) as client:
        return segment_stack(dataset, "a", "net", settings, segment_recipe(dataset, "net", "a", settings), client)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((70, 50), Segment(min_size=0)),
        ((3, 70, 50), Segment(threshold=0.6, connectivity="full")),
        ((3, 70, 50), Segment(dimensions=3, threshold=0.6)),
        ((20, 40, 50), Segment(dimensions=3, min_size=0, connectivity="full", threshold=0.7)),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_segments_over_several_shards_equal_scikit_image_ids_too(make, stage, level, shape, settings, dtype):
    scores = blobs(*shape)
    dataset = make({"a": (scores.astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, (scores if dtype == np.uint8 else (scores / np.float32(255)))[None].astype(dtype))
    word = run(dataset, settings)
    dimensions, settings = min(settings.dimensions, len(shape)), settings.numbers()
    expected = slow_segments(scores / 255 >= settings.threshold, dimensions, settings.connectivity, settings.min_size)
    found = level(labels_of(dataset, "a", "net"))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
    assert expected.max() > 3
    assert word.partition(";")[0] == f"{expected.max():,} segments"
    assert labels_of(dataset, "a", "net").committed().facts["count"] == expected.max()


@pytest.mark.usefixtures("small_shards")
def test_scores_of_several_classes_are_added(make, stage, level):
    scores = np.stack([blobs(40, 50), blobs(50, 40).T])
    dataset = make({"a": (scores[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores)
    run(dataset, Segment(min_size=0, threshold=0.9))
    mask = scores.sum(axis=0, dtype=int) >= np.ceil(255 * 0.9)
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "net")), slow_segments(mask, 2, "faces", 0))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.usefixtures("small_shards")
def test_the_table_is_that_of_scikit_image(make, stage, level, dimensions):
    scores, image = blobs(3, 70, 50), np.random.default_rng(0).integers(0, 4000, (3, 70, 50)).astype(np.uint16)
    dataset = make({"a": (image, None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores[None])
    run(dataset, Segment(dimensions=dimensions))
    segments, rows = level(labels_of(dataset, "a", "net")), read_table(dataset, "net", "a").to_pydict()
    found = skimage.measure.regionprops_table(segments, image, TWO)  # ids are distinct over planes: 3-D serves both
    assert rows["id"] == found["label"].tolist()
    size = "area_px" if dimensions == 2 else "volume_px"
    physical, voxel = ("area_um2", 0.25) if dimensions == 2 else ("volume_um3", 0.3125)
    np.testing.assert_array_equal(rows[size], found["area"])
    np.testing.assert_allclose(rows[physical], found["area"] * voxel)
    (channel,) = image_of(dataset, "a").committed().facts["channels"]
    for axis, k in (("y", 1), ("x", 2)):
        np.testing.assert_allclose(rows[f"centroid_{axis}"], found[f"centroid-{k}"])
    for name in ("mean", "min", "max"):
        (column,) = [c for c in rows if c.startswith(name) or c.endswith(f"{name}_{channel}")]
        np.testing.assert_allclose(rows[column], found[f"intensity_{name}"])
    in_segments = [scores[segments == k].mean() / 255 for k in rows["id"]]
    (column,) = [c for c in rows if "score" in c]
    np.testing.assert_allclose(rows[column], in_segments)


def plan_of(dataset):
    return make_plan(dataset, read_record(dataset))


def test_dropped_scores_are_fresh_until_segments_need_them_again(dataset, stage, level):
    set_values(dataset, {"predict.keep_scores": False, "segment.threshold": 0.37})
    assert {(work.stage, work.name) for work in plan_of(dataset).pending()} == {
        ("segment", "a"), ("segment", "b"), ("segment", "c"), ("evaluate", "unet")
    }  # fmt: skip
    before = level(scores_of(dataset, "unet", "a"))
    stage.all(dataset)
    assert plan_of(dataset).pending() == []
    scores = scores_of(dataset, "unet", "a")
    assert scores.folder.names() == ["zarr.json"]
    assert plan_of(dataset).statuses["predict", "a"].state == "fresh"

    set_values(dataset, {"segment.threshold": 0.55})
    cells = plan_of(dataset).statuses
    assert cells["predict", "a"].why == "its scores were dropped"
    assert cells["segment", "a"].why == "threshold 0.37 → 0.55"
    alone = make_plan(dataset, read_record(dataset), trust=STAGES)  # `unet-flows segment` has nothing to make it from
    assert alone.pending("segment") == []
    assert any(
        note.endswith("its scores were dropped; `unet-flows reprocess` makes them again") for note in alone.notes
    )

    set_values(dataset, {"predict.keep_scores": True})
    outcomes = stage.all(dataset)
    assert {(outcome.stage, outcome.state) for outcome in outcomes} == {
        ("predict", "done"), ("segment", "done"), ("evaluate", "done")
    }  # fmt: skip
    np.testing.assert_array_equal(level(scores), before)
    assert plan_of(dataset).pending() == []


@pytest.mark.parametrize("name", ["a", "c"])  # c has no truth
def test_what_viewers_open_is_valid_for_others_and_says_what_it_is(name, dataset, capsys):
    labels = [labels_of(dataset, name, each) for each in (["truth", "unet"] if name == "a" else ["unet"])]
    results = [image_of(dataset, name), *labels, scores_of(dataset, "unet", name)]
    for result in results:
        validate(result.folder.url)
        assert "Valid OME-Zarr" in capsys.readouterr().out
    names = [result.attributes()["ome"]["multiscales"][0]["name"] for result in results]
    assert names == [name, *(result.folder.name for result in labels), name]


def test_a_table_that_was_lost_is_made_again(dataset, stage):
    dataset.table("unet", "b").remove()
    works = plan_of(dataset).pending()
    assert [(work.stage, work.name, work.state) for work in works] == [
        ("segment", "b", "stale"), ("evaluate", "unet", "stale")
    ]  # fmt: skip
    assert works[0].why == f"{dataset.table('unet', 'b').url} missing or damaged"
    (outcome,) = stage(dataset, "segment")
    assert outcome.why == "table written"
    assert plan_of(dataset).pending() == []
    assert dataset.table("unet", "b").size() > 0
    assert read_table(dataset, "unet", "b").num_rows == labels_of(dataset, "b", "unet").committed().facts["count"]


def test_a_table_that_a_reading_found_damaged_is_whole_after_one_run(dataset, stage):
    file, result = dataset.table("unet", "b"), labels_of(dataset, "b", "unet")
    file.write(bytes([*file.read()[:-1], 0]))
    result.contents(result.committed().generation).mark(["published"])
    assert [work.name for work in plan_of(dataset).pending("segment")] == ["b"]
    (outcome,) = stage(dataset, "segment")
    assert outcome.why == "table written"
    assert plan_of(dataset).pending("segment") == []


def test_scores_that_a_kill_left_behind_are_dropped_without_segmenting_again(dataset, stage):
    made = labels_of(dataset, "a", "unet").committed()
    set_values(dataset, {"predict.keep_scores": False})
    assert plan_of(dataset).statuses["segment", "a"].why == "its scores are to be dropped"
    stage.all(dataset)
    assert scores_of(dataset, "unet", "a").committed().facts["dropped"]
    assert labels_of(dataset, "a", "unet").committed() == made
    assert plan_of(dataset).pending() == []


def parted(scores, settings, dimensions, spacing=None):
    """The whole array's objects, each parted by itself, by what the stage's docstrings say."""
    mask = scores >= np.ceil(255 * settings.threshold)
    labels = connected_segments(mask, dimensions, settings.connectivity, settings.min_size, settings.max_hole_size)
    found = []
    for number in range(1, labels.max() + 1):
        planes = np.unique(np.nonzero(labels == number)[0]) if dimensions < mask.ndim else [...]
        (plane,) = planes
        parts = np.zeros(mask.shape, int)
        parts[plane] = part_clump(labels[plane] == number, Declumping.of(settings, spacing), scores[plane])
        found += [parts == k for k in range(1, parts.max() + 1) if (parts == k).sum() >= settings.min_size]
    segments = np.zeros(mask.shape, int)
    for number, part in enumerate(sorted(found, key=lambda part: part.ravel().argmax()), start=1):
        segments[part] = number
    return segments


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((90, 80), Segment(declump_depth=1.0, min_size=0)),
        ((2, 70, 60), Segment(declump_depth=1.0, min_size=12, connectivity="full", threshold=0.4)),
        ((2, 70, 60), Segment(declump_depth=0.5, min_size=30, max_hole_size=40, threshold=0.45)),
        ((20, 40, 50), Segment(declump_depth=1.0, min_size=5, dimensions=3, threshold=0.55)),
        ((90, 80), Segment(declump_depth=0.3, declump_by="both", min_size=0)),
        ((20, 40, 50), Segment(declump_depth=0.01, declump_by="scores", min_size=5, dimensions=3, threshold=0.55)),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_clumps_over_several_shards_are_parted_as_in_the_whole(make, stage, level, shape, settings):
    scores = blobs(*shape)
    dataset = make({"a": (scores.astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores[None])
    settings = settings.numbers()
    word = run(dataset, settings)
    dimensions, mask = min(settings.dimensions, len(shape)), scores >= np.ceil(255 * settings.threshold)
    spacing = (2.5, 1, 1) if dimensions == 3 else None
    expected = parted(scores, settings, dimensions, spacing)
    whole = connected_segments(mask, dimensions, settings.connectivity, settings.min_size, settings.max_hole_size)
    assert expected.max() > whole.max()
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "net")), expected)
    np.testing.assert_array_equal(segments_of_scores(scores, settings, spacing), expected)
    assert word.partition(";")[0] == f"{expected.max():,} segments"
    assert read_table(dataset, "net", "a")["id"].to_pylist() == list(range(1, expected.max() + 1))


@pytest.mark.parametrize(
    "settings",
    [
        Segment(declump_depth=0),
        Segment(declump_depth=0, max_hole_size=30, dimensions=3, high_threshold=0.7),
        Segment(declump_depth=1, declump_by="both", dimensions=3),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_what_is_kept_between_the_passes_changes_nothing_and_is_gone_in_the_end(
    make, stage, level, monkeypatch, settings
):
    dataset = make({"a": (blobs(5, 50, 70).astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, blobs(5, 50, 70)[None])
    found = []
    for room in (0, 20_000, 2**30):  # nothing, some, all
        kept = Kept(room)
        monkeypatch.setattr("unet.labels.instances.KEPT", kept)
        monkeypatch.setattr("unet.store.pyramid.KEPT", kept)
        labels_of(dataset, "a", "net").folder.remove()
        run(dataset, settings)
        result = labels_of(dataset, "a", "net")
        generation = result.committed().generation
        levels = [open_array(result.folder / f"{generation}.{number}")[...] for number in range(2)]
        found.append((*levels, read_table(dataset, "net", "a")))
        assert not kept.values
    for labels, smaller, table in found[1:]:
        np.testing.assert_array_equal(labels, found[0][0])
        np.testing.assert_array_equal(smaller, found[0][1])
        assert table.equals(found[0][2])


@pytest.mark.usefixtures("small_shards")
def test_a_clump_larger_than_allowed_is_left_whole_and_named(make, stage, level, caplog):
    scores = np.zeros((50, 90), np.uint8)
    for cy, cx in ((10, 10), (10, 22), (35, 30), (35, 42), (35, 54), (35, 66)):
        y, x = np.indices(scores.shape)
        scores[(y - cy) ** 2 + (x - cx) ** 2 <= 49] = 255
    dataset = make({"a": (scores.astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores[None])
    run(dataset, Segment(declump_depth=2, declump_by="distance", max_declump_box=15 * 30))
    found = level(labels_of(dataset, "a", "net"))
    assert (found[10, 10], found[10, 22], *found[35, [30, 42, 54, 66]]) == (1, 2, 3, 3, 3, 3)
    assert labels_of(dataset, "a", "net").committed().facts["whole"] == [[[28, 43], [23, 74]]]
    assert "a: 1 objects are left whole" in caplog.text
    assert "at [28…43, 23…74]" in caplog.text


@pytest.mark.usefixtures("small_shards")
def test_holes_are_filled_and_weak_objects_dropped_over_several_shards(make, stage, level):
    scores = blobs(70, 90)
    dataset = make({"a": (scores.astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores[None])
    run(dataset, Segment(threshold=0.4, high_threshold=0.8, max_hole_size=100, min_size=0))
    mask = scores >= np.ceil(255 * 0.4)
    filled = connected_segments(mask, max_hole_size=100)
    strong = np.unique(filled[scores >= np.ceil(255 * 0.8)])
    kept = np.isin(filled, strong[strong > 0])
    assert kept.sum() > (kept & mask).sum()
    assert strong.size - 1 < filled.max()
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "net")), skimage.measure.label(kept, connectivity=1))


@pytest.mark.usefixtures("small_shards")
def test_chosen_classes_are_the_objects_and_the_table_says_which(make, stage, level):
    scores = np.zeros((3, 40, 50), np.uint8)
    scores[0, 5:15, 5:15], scores[1, 5:15, 20:45], scores[2, 25:35, 20:40], scores[1, 25:35, 20:24] = 200, 210, 220, 250
    dataset = make({"a": (scores[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores)
    run(dataset, Segment(classes=(3, 2)))
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "net")) > 0, scores[1:].max(axis=0) > 0)
    rows = read_table(dataset, "net", "a")
    assert rows.column_names[:2] == ["id", "class"]
    assert rows["class"].to_pylist() == [2, 3]
    with pytest.raises(ValueError, match=r"segment\.classes must be among 1…3 of net, got 4"):
        run(dataset, Segment(classes=(4,)))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda shard: shard.write_bytes(b"no shard"), "is damaged \\("),
        (lambda shard: shard.write_bytes(b""), "must be there, got nothing"),
        (lambda shard: shard.unlink(), "must be there, got nothing"),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_a_spoilt_shard_of_the_scores_is_named_and_nothing_committed(make, stage, spoil, says):
    scores = blobs(70, 90)
    dataset = make({"a": (scores.astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_scores(dataset, scores[None])
    (shard,) = Path(dataset.scores("net", "a").url).glob("*.0/c/0/1/2")
    spoil(shard)
    with pytest.raises((ValueError, LookupError), match=rf"\.0/c/0/1/2 {says}.*--verify"):
        run(dataset, Segment())
    assert labels_of(dataset, "a", "net").stamp() is None
    assert dataset.table("net", "a").read() is None


@pytest.mark.usefixtures("small_shards")
def test_a_shard_of_labels_that_was_spoilt_before_a_run_goes_on_is_made_again(make, stage, level, monkeypatch):
    dataset, written = make({"a": (blobs(70, 90).astype(np.uint16), None)}), []
    stage(dataset, "ingest")
    put_scores(dataset, blobs(70, 90)[None])
    write = Stored.write

    def written_until_killed(self, region, block):
        if len(written) >= 4:
            raise OSError("killed")
        write(self, region, block)
        written.append(self.folder / "c" / f"{region[0].start // 32}" / f"{region[1].start // 32}")

    with monkeypatch.context() as patched:
        patched.setattr(Stored, "write", written_until_killed)
        with pytest.raises(OSError, match="killed"):
            run(dataset, Segment())
    written[1].write(b"no shard")
    run(dataset, Segment())
    resumed, result = level(labels_of(dataset, "a", "net")), labels_of(dataset, "a", "net")
    result.folder.remove()
    run(dataset, Segment())
    np.testing.assert_array_equal(level(result), resumed)


@pytest.mark.usefixtures("small_shards")
def test_scores_as_halves_make_what_they_make_as_floats(make, stage, level):
    """Numba, which measures and parts, knows no halves."""
    halves = (blobs(70, 50) / 255).astype(np.float16)
    dataset = make({"a": (blobs(70, 50).astype(np.uint16), None)})
    stage(dataset, "ingest")
    made = []
    for scores in (halves, halves.astype(np.float32)):
        put_scores(dataset, scores[None])
        run(dataset, Segment(threshold=0.6, declump_depth=1))
        made.append((level(labels_of(dataset, "a", "net")), read_table(dataset, "net", "a").to_pydict()))
        scores_of(dataset, "net", "a").folder.remove()
        labels_of(dataset, "a", "net").folder.remove()
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert made[0][1] == made[1][1]


def several(*shape):
    """Scores of three classes of blobs that lie side by side and in each other."""
    noise = np.stack([blobs(*shape), blobs(*shape)[..., ::-1, :], blobs(*shape)[..., ::-1]])
    return (noise * np.array([1, 1, 0.8])[(slice(None), *[None] * len(shape))]).astype(np.uint8)


NAMES = ("nucleus", "mitosis", "debris")
BY_CLASS = {"nucleus": 0.45, "mitosis": 0.6, "debris": 0.3}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((70, 90), Segment(threshold=BY_CLASS, min_size={"nucleus": 0, "mitosis": 9, "debris": 20})),
        ((2, 70, 60), Segment(threshold=BY_CLASS, declump_depth={"nucleus": 0, "mitosis": 0.5, "debris": 0.3})),
        ((2, 70, 60), Segment(threshold=0.4, high_threshold=0.55, max_hole_size=60, connectivity="full")),
        ((20, 40, 50), Segment(threshold=BY_CLASS, dimensions=3, declump_depth=0.3)),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_each_class_over_several_shards_is_as_in_the_whole(make, stage, level, capsys, shape, settings, dtype):
    scores = several(*shape)
    dataset = make({"a": (scores[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_model(dataset, NAMES)
    scores = scores if dtype == np.uint8 else (scores / np.float32(255)).astype(dtype)
    put_scores(dataset, scores)
    word = run(dataset, settings)
    numbers = segmented_classes(dataset, "net", settings).numbers
    expected = segments_of_classes(scores, numbers, (2.5, 1, 1) if settings.dimensions == 3 else None)
    result, table = labels_of(dataset, "a", "net"), read_table(dataset, "net", "a").to_pydict()
    np.testing.assert_array_equal(level(result), expected)
    assert table["id"] == list(range(1, expected.max() + 1))
    facts = result.committed().facts
    counts = {name: table["class_name"].count(name) for name in NAMES}
    assert min(counts.values()) > 2
    assert (facts["count"], facts["count_by_class"]) == (sum(counts.values()), counts)
    assert word.startswith(f"{expected.max():,} segments: nucleus {counts['nucleus']}, mitosis {counts['mitosis']}")
    assert table["class"] == sorted(table["class"]) == [1 + NAMES.index(name) for name in table["class_name"]]
    p = scores / (255 if dtype == np.uint8 else 1)
    for row, name in enumerate(NAMES):
        means = [p[row][expected == each].mean() for each in table["id"]]
        np.testing.assert_allclose(table[f"score_{name}"], means, rtol=1e-5)
    validate(result.folder.url)
    assert "Valid OME-Zarr" in capsys.readouterr().out
    shown = result.attributes()["ome"]["image-label"]
    assert [each["class"] for each in shown["properties"]] == table["class_name"]
    assert shown["colors"][0] == {"label-value": 1, "rgba": [230, 159, 0, 255]}


@pytest.mark.usefixtures("small_shards")
def test_mixed_classes_are_one_mask_and_of_two_chosen_each_is_the_larger_of_them(make, stage, level):
    scores = several(60, 70)
    dataset = make({"a": (scores[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_model(dataset, NAMES)
    put_scores(dataset, scores)
    run(dataset, Segment(min_size=0, threshold=0.9, mix_classes=True))
    mask = scores.sum(axis=0, dtype=int) >= np.ceil(255 * 0.9)
    found, table = level(labels_of(dataset, "a", "net")), read_table(dataset, "net", "a").to_pydict()
    np.testing.assert_array_equal(found, slow_segments(mask, 2, "faces", 0))
    sums = [[row[found == each].sum() for row in scores.astype(int)] for each in table["id"]]
    assert table["class_name"] == [NAMES[int(np.argmax(of_one))] for of_one in sums]

    run(dataset, Segment(min_size=0, classes=("debris", 1)))
    numbers = Segment(min_size=0).numbers()
    np.testing.assert_array_equal(
        level(labels_of(dataset, "a", "net")), segments_of_classes(scores[[0, 2]], [numbers, numbers])
    )
    assert set(read_table(dataset, "net", "a")["class_name"].to_pylist()) <= {"nucleus", "debris"}

    run(dataset, Segment(min_size=0, classes=("mitosis",)))
    np.testing.assert_array_equal(level(labels_of(dataset, "a", "net")), slow_segments(scores[1] >= 128, 2, "faces", 0))
    assert set(read_table(dataset, "net", "a")["class"].to_pylist()) == {2}


def test_of_too_many_segments_viewers_are_told_no_class(make, stage, monkeypatch):
    monkeypatch.setattr("unet.store.ome.MOST_DESCRIBED", 2)
    dataset = make({"a": (several(60, 70)[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_model(dataset, NAMES)
    put_scores(dataset, several(60, 70))
    run(dataset, Segment())
    assert "colors" not in labels_of(dataset, "a", "net").attributes()["ome"]["image-label"]


def test_no_segment_of_a_class_is_no_error(make, stage):
    scores = np.zeros((2, 40, 50), np.uint8)
    scores[1, 5:15, 5:15] = 200
    dataset = make({"a": (scores[0].astype(np.uint16), None)})
    stage(dataset, "ingest")
    put_model(dataset, ("nucleus", "mitosis"))
    put_scores(dataset, scores)
    assert run(dataset, Segment()).startswith("1 segments: nucleus 0, mitosis 1")
    assert read_table(dataset, "net", "a")["class_name"].to_pylist() == ["mitosis"]
    put_scores(dataset, scores * 0)
    assert run(dataset, Segment(min_size=0)).startswith("0 segments: nucleus 0, mitosis 0")
