"""Law of weigh: computed shard by shard, classes and border weights are those of the whole image bit for bit."""

import numpy as np
import pytest
import tifffile

from flows.planning.plan import make_plan
from tasks.execution.dask_workers import workers
from tasks.execution.workers import map_over_workers
from tasks.weigh import ClassesOfTruth, weigh_stack, weigh_stacks
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record, write_record
from unet.images.synthetic import draw_stack
from unet.labels.class_of_ids import ClassOfIds, read_classes
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


# Classes


NAMES = ("dim", "lit", "odd")


def classes_of(truth, names=NAMES, shift=0):
    """A class for each id, going round."""
    return {int(each): names[(each + shift) % len(names)] for each in np.unique(truth[truth > 0])}


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("part", ["all", "same", "none"])
def test_classes_shard_by_shard_are_those_of_the_whole_in_the_datasets_order(make_classed, client, truth, part):
    settings, told = Weigh(part=part, sigma=3.0), classes_of(truth)
    dataset = make_classed({"a": (truth, truth, told)}, NAMES)
    recipe = weigh_recipe(dataset, "a", settings, NAMES)
    word = weigh_stack(dataset, "a", settings, recipe, map_over_workers(client), NAMES)

    known = read_classes(labels_of(dataset, "a", "truth")).in_order(NAMES)
    classes, border = weigh_block(truth, settings, SPACING, known=known)
    found, facts = arrays(dataset, "a"), weights_of(dataset, "a").committed().facts
    np.testing.assert_array_equal(found["classes"], classes)
    np.testing.assert_array_equal(found["border"].view(np.uint32), border.view(np.uint32))
    assert set(np.unique(classes)) == {0, 1, 2, 3}
    assert facts["counts"] == [[int(np.sum(plane == k)) for k in range(4)] for plane in classes]
    assert TruthCheck.of(facts["truth"]) == check_truth(truth)
    shares = [f"{np.mean(classes == k):.0%} {name}" for k, name in enumerate(NAMES, 1)]
    assert word.startswith(", ".join(shares))


def test_class_names_in_another_order_permute_the_classes_and_nothing_else(make_classed, stage, truth):
    dataset, found = make_classed({"a": (truth, truth, classes_of(truth))}, NAMES), {}
    for names in (NAMES, NAMES[::-1]):
        recipe = weigh_recipe(dataset, "a", Weigh(), names)
        weigh_stack(dataset, "a", Weigh(), recipe, classes=names)
        found[names] = arrays(dataset, "a")
    one, other = found.values()
    np.testing.assert_array_equal(np.array([0, 3, 2, 1])[one["classes"]], other["classes"])
    np.testing.assert_array_equal(one["border"], other["border"])


def test_a_class_that_is_told_otherwise_makes_stale(make_classed, stage, truth):
    told = classes_of(truth)
    dataset = make_classed({"a": (truth, truth, told)}, NAMES)
    (outcome,) = stage(dataset, "weigh")
    assert outcome.state == "done"
    assert make_plan(dataset, read_record(dataset)).statuses["weigh", "a"].state == "fresh"
    result = labels_of(dataset, "a", "truth")
    file = result.folder / result.committed().generation / "classes.json"
    known = ClassOfIds.of_plain(file.read_json())
    file.write_json(ClassOfIds(known.names, known.ids, known.classes % 3 + 1).plain())
    status = make_plan(dataset, read_record(dataset)).statuses["weigh", "a"]
    assert (status.state, status.why) == ("stale", "classes changed")


def test_an_id_without_a_class_sets_its_stack_alone_aside(make_classed, stage, truth):
    stacks = {name: (truth, truth, classes_of(truth)) for name in "ab"}
    dataset = make_classed(stacks, NAMES)
    result = labels_of(dataset, "b", "truth")
    file = result.folder / result.committed().generation / "classes.json"
    known = ClassOfIds.of_plain(file.read_json())
    file.write_json(ClassOfIds(known.names, known.ids[1:], known.classes[1:]).plain())
    outcomes = {outcome.name: outcome for outcome in stage(dataset, "weigh")}
    assert (outcomes["a"].state, outcomes["b"].state) == ("done", "set aside")
    assert f"each id of truth must have a class, got none for {known.ids[0]};" in outcomes["b"].why


def test_truth_without_classes_beside_one_with_them_is_of_the_class_object(make_classed, truth):
    """The names of a source that names none end the list: `object`."""
    dataset = make_classed({"a": (truth, truth, classes_of(truth))}, NAMES)
    names, known = (*NAMES, "object"), ClassesOfTruth(labels_of(dataset, "a", "truth"), (*NAMES, "object"), "x")
    assert known.read().names == names
    assert set(ClassOfIds.of_one().in_order(names).of(truth).ravel()) == {0, 4}


def test_truth_without_classes_has_the_recipe_that_it_had(dataset):
    """Made before there were classes and `part`, all is fresh."""
    recipe = weigh_recipe(dataset, "a", Weigh())
    assert weights_of(dataset, "a").committed().recipe == recipe
    assert set(recipe.inputs) == {"truth"}
    assert set(recipe.settings) == {
        *("w0", "sigma", "edge_weight", "edge_sigma", "tolerance"),
        *("applies_to", "gap_width", "class_weights", "dimensions"),
    }
