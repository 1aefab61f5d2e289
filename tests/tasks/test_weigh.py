"""Law of weigh: computed shard by shard, classes and border weights are those of the whole image bit for bit."""

import numpy as np
import pytest
import tifffile

from tasks.execution.dask_workers import workers
from tasks.execution.workers import map_over_workers
from tasks.weigh import weigh_stack, weigh_stacks
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import write_record
from unet.images.synthetic import draw_stack
from unet.ledger.recipes import weigh_recipe
from unet.ledger.results import labels_of, weights_of
from unet.ledger.truth_findings import TruthCheck, words
from unet.settings.ingest import Source
from unet.settings.weigh import Weigh
from unet.store.arrays import Stored, open_array
from unet.store.shards import regions, weights_layout
from unet.weight_maps.border_weights import weigh_block
from unet.weight_maps.truth_check import check_truth

SPACING = (2.5, 1, 1)


@pytest.fixture
def client():
    with workers(None) as client:
        yield client


@pytest.fixture
def truth():
    """Touching cells, ids as drawn, in planes that are no multiple of a shard."""
    return draw_stack(planes=3, side=80, seed=1)[1][:, :, :70]


def arrays(dataset, name):
    result = weights_of(dataset, name)
    paths = result.attributes()["arrays"]
    return {key: np.asarray(open_array(result.folder / path)[...]) for key, path in paths.items()}


@pytest.mark.parametrize(
    ("ndim", "settings"),
    [
        (2, Weigh(gap_width=4, sigma=3.0)),
        (2, Weigh(dimensions=3)),
        (3, Weigh()),
        (3, Weigh(dimensions=3, gap_width=0)),
        (3, Weigh(w0=0.0)),
        (4, Weigh(dimensions=3, sigma=3.0)),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_shard_by_shard_equals_the_whole(make, stage, client, truth, ndim, settings):
    drawn = {2: truth[0], 3: truth, 4: np.stack([truth, truth[::-1]])}[ndim]
    dataset = make({"a": (drawn, drawn)})
    stage(dataset, "ingest")
    recipe = weigh_recipe(dataset, "a", settings)
    word = weigh_stack(dataset, "a", settings, recipe, map_over_workers(client))

    volumes = drawn[None] if ndim < 4 else drawn
    whole = [weigh_block(volume, settings, SPACING[-volume.ndim :]) for volume in volumes]
    classes, border = (np.stack(layer).reshape(drawn.shape) for layer in zip(*whole, strict=True))
    found = arrays(dataset, "a")
    np.testing.assert_array_equal(found["classes"], classes)
    np.testing.assert_array_equal(found["border"].view(np.uint32), border.view(np.uint32))
    assert found["classes"].dtype == np.uint8

    stamp = weights_of(dataset, "a").committed()
    planes = classes.reshape(-1, *drawn.shape[-2:])
    assert stamp.facts["counts"] == [[np.sum(plane == 0), np.sum(plane == 1)] for plane in planes]
    check = check_truth(drawn, min(settings.dimensions, drawn.ndim))
    assert TruthCheck.of(stamp.facts["truth"]) == check
    assert word == f"{classes.mean():.0%} object, {words(check)}"
    shards = [path for path in weights_of(dataset, "a").folder.files() if "border/c/" in path]
    layout = weights_layout(drawn.shape, min(settings.dimensions, drawn.ndim))
    assert len(shards) == len(list(regions(layout))) > 8


@pytest.mark.usefixtures("small_shards")
def test_what_was_written_before_a_stop_is_not_written_again(make, stage, client, truth, monkeypatch):
    dataset = make({"a": (truth, truth)})
    stage(dataset, "ingest")
    recipe = weigh_recipe(dataset, "a", Weigh())
    write, left = Stored.write, iter(range(20))

    def failing(self, region, block):
        if next(left, None) is None:
            raise OSError("the disk is gone")
        write(self, region, block)

    monkeypatch.setattr(Stored, "write", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        weigh_stack(dataset, "a", Weigh(), recipe, map_over_workers(client))
    assert weights_of(dataset, "a").stamp() is None

    written = []
    monkeypatch.setattr(Stored, "write", lambda self, r, b: (written.append((self.folder.name, r)), write(self, r, b)))
    weigh_stack(dataset, "a", Weigh(), recipe, map_over_workers(client))
    assert 0 < sum(name == "border" for name, _ in written) < 27
    classes, border = weigh_block(truth, Weigh(), SPACING)
    found, facts = arrays(dataset, "a"), weights_of(dataset, "a").committed().facts
    np.testing.assert_array_equal(found["classes"], classes)
    np.testing.assert_array_equal(found["border"], border)
    assert facts["counts"] == [[np.sum(plane == 0), np.sum(plane == 1)] for plane in classes]
    assert TruthCheck.of(facts["truth"]) == check_truth(truth)


def test_other_settings_leave_no_old_generation_behind(dataset, stage):
    from unet.dataset.record_file import set_values

    before = weights_of(dataset, "a").committed().generation
    set_values(dataset, {"weigh.sigma": 3.0})
    stage(dataset, "weigh", only=["a"])
    after = weights_of(dataset, "a").committed().generation
    assert before != after
    assert [name for name in Folder(dataset.weights("a").url).names() if name != "zarr.json"] == [after]
    assert labels_of(dataset, "a", "truth").stamp() is not None


def test_small_stacks_are_weighed_whole_and_a_bad_one_alone_is_set_aside(make, stage, truth):
    """Ten small stacks in batches, one of them with truth that cannot be read."""
    dataset = make({f"s{i}": (truth, truth) for i in range(10)})
    stage(dataset, "ingest")
    shard = next(path for path in labels_of(dataset, "s3", "truth").folder.files() if ".0/c/" in path)
    (labels_of(dataset, "s3", "truth").folder / shard).write(b"no shard")
    outcomes = weigh_stacks.fn(dataset.url, [f"s{i}" for i in range(10)], Weigh())
    assert {o.name: o.state for o in outcomes} == {f"s{i}": "set aside" if i == 3 else "done" for i in range(10)}
    assert arrays(dataset, "s9")["classes"].shape == truth.shape


def test_what_nobody_judged_goes_from_the_source_to_classes_and_counts(tmp_path, stage):
    truth = np.zeros((1, 40, 40), np.uint16)
    truth[0, 5:15, 5:15], truth[0, 30:, 30:] = 7, 99
    for kind in ("image", "truth"):
        (tmp_path / kind).mkdir()
        tifffile.imwrite(tmp_path / kind / "a.tif", truth[0])
    dataset = Dataset(str(tmp_path / "dataset"))
    write_record(dataset, [Source(str(tmp_path / "image"), str(tmp_path / "truth"), ignore=99)])
    for name in ("ingest", "weigh"):
        stage(dataset, name)
    found = arrays(dataset, "a")
    assert np.all((found["classes"] == 255) == (truth[0] == 99))
    facts = weights_of(dataset, "a").committed().facts
    assert (facts["counts"], facts["ignored"]) == ([[1400, 100]], [100])
