"""Law of planning again: a plan that looks again at what was touched equals a new plan of the whole dataset."""

import shutil

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.planning.plan import make_plan
from tests.conftest import examples
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.ledger import fingerprint, recipes
from unet.ledger.metadata_file import KEY
from unet.ledger.outcome import STAGES, set_aside
from unet.ledger.results import labels_of, result_of, scores_of

CHANGES = (
    {},
    {"weigh.sigma": 3.0},
    {"segment.threshold": 0.37},
    {"predict.keep_scores": False},
    {"predict.model": "guest"},
    {"train.validation": {"last": 0.5}, "evaluate.bootstrap_resamples": 7},
)
STACKS = ("a", "b", "c")
LABELS = [f"images/{name}.ome.zarr/labels/unet" for name in STACKS]


def recipe_of(dataset, record, stacks, stage, name):
    of_stage = {
        "ingest": lambda: recipes.ingest_recipe(dataset, stacks[name], record.ingest),
        "weigh": lambda: recipes.weigh_recipe(dataset, name, record.weigh),
        "train": lambda: recipes.train_recipe(dataset, record.train, ["a", "b"]),
        "predict": lambda: recipes.predict_recipe(dataset, "unet", name, record.predict),
        "segment": lambda: recipes.segment_recipe(dataset, "unet", name, record.segment),
        "evaluate": lambda: recipes.evaluate_recipe(dataset, "unet", ["a", "b"], record.evaluate),
    }
    return of_stage[stage]()


class Touching:
    """What runs do to a dataset, by the ledger alone: nothing is computed."""

    def __init__(self, dataset, record):
        self.dataset, self.record = dataset, record
        self.stacks = make_plan(dataset, record).stacks

    def made(self, stage, name):
        result, recipe = result_of(self.dataset, stage, name, "unet"), recipe_of(*self.asked, stage, name)
        if stage == "ingest":
            recipe = recipes.image_recipe(self.dataset, self.stacks[name], self.record.ingest)
        before, attributes = result.stamp(), result.attributes()
        attributes.pop(KEY, None)
        files = self.stacks[name].files if stage == "ingest" else ()
        facts = {"scenes": 1, "source": [*files], "files": vars(fingerprint.of_files(files))}
        result.commit(result.begin(recipe, {}), attributes, before.facts if before else facts)
        self.dataset.set_aside(stage, name).remove()
        if stage == "segment":
            self.dataset.table("unet", name).write(b"")

    def removed(self, stage, name):
        result_of(self.dataset, stage, name, "unet").folder.remove()

    def set_aside(self, stage, name):
        set_aside(self.dataset, recipe_of(*self.asked, stage, name), name, ValueError("broken"))

    def dropped(self, stage, name):
        scores = scores_of(self.dataset, "unet", name)
        if scores.stamp():
            scores.amend({"dropped": True})

    def edited(self, stage, name):
        truth = labels_of(self.dataset, name, "truth")
        if stamp := truth.stamp():
            (truth.folder / f"{stamp.generation}.0/c/9/9/9").write(b"by hand")

    @property
    def asked(self):
        return self.dataset, self.record, self.stacks


stack_touches = st.tuples(
    st.sampled_from(["made", "removed", "set_aside", "dropped", "edited"]),
    st.sampled_from([stage for stage in STAGES if stage not in ("train", "evaluate")]),
    st.sampled_from(STACKS),
)
model_touches = st.tuples(
    st.sampled_from(["made", "removed", "set_aside"]), st.sampled_from(["train", "evaluate"]), st.just("unet")
)
asked = st.tuples(
    st.one_of(st.none(), st.sampled_from(STAGES)), st.integers(0, len(STAGES)).map(lambda count: STAGES[:count])
)
steps = st.tuples(st.lists(st.one_of(stack_touches, stack_touches, model_touches), max_size=3), asked)


@pytest.fixture(scope="module", params=["disk", "memory"])
def copies(request, walked, tmp_path_factory):
    """Makes a copy of the dataset that was walked, on a disk or in an object store."""
    place = Dataset(str(tmp_path_factory.mktemp("touched") / "dataset") if request.param == "disk" else "memory://copy")
    sources = [{kind: str(walked / f"files/{kind.rstrip('s')}") for kind in ("images", "truth")}]

    def copy():
        place.remove()
        filesystem, path = fsspec.core.url_to_fs(place.url)
        filesystem.put(str(walked / "dataset"), path, recursive=True)
        set_values(place, {"sources": sources})
        return place

    yield copy
    place.remove()


@given(changes=st.sampled_from(CHANGES), first=asked, then=st.lists(steps, min_size=1, max_size=4))
@examples(7)
def test_a_plan_that_looks_again_equals_a_new_one(copies, changes, first, then):
    dataset = copies()
    set_values(dataset, changes)
    record = read_record(dataset)
    touching, plan = Touching(dataset, record), make_plan(dataset, record, *first)
    for touches, (force, trust) in then:
        for how, stage, name in touches:
            getattr(touching, how)(stage, name)
        plan = plan.replanned(record, {(stage, name) for _, stage, name in touches}, force, trust)
        whole = make_plan(dataset, record, force, trust)
        assert plan == whole
        assert list(plan.statuses) == list(whole.statuses)
        assert plan.notes == whole.notes


def test_what_was_not_touched_and_is_settled_is_not_asked_again(dataset, monkeypatch):
    record, looked = read_record(dataset), []
    plan = make_plan(dataset, record)
    for of in ("image_recipe", "weigh_recipe", "train_recipe", "predict_recipe", "segment_recipe", "evaluate_recipe"):
        ask = getattr(recipes, of)
        monkeypatch.setattr(recipes, of, lambda *asked, of=of, ask=ask: looked.append(of) or ask(*asked))
    assert plan.replanned(record, {("segment", "c")}) == plan
    assert sorted(looked) == ["image_recipe", "image_recipe", "predict_recipe", "segment_recipe"]
    looked.clear()
    assert plan.replanned(record, {("train", "unet")}) == plan
    assert {of: looked.count(of) for of in looked} == {
        "train_recipe": 1,
        "predict_recipe": 3,
        "segment_recipe": 3,
        "evaluate_recipe": 1,
    }


def test_a_plan_of_another_models_results_looks_at_training_no_more_than_a_new_one(dataset):
    """The model that predicts is not the one that is trained, and all of both is fresh."""
    for parts in ("models/unet", "scores/unet", "tables/unet", "reports/unet", *LABELS):
        shutil.copytree(f"{dataset.url}/{parts}", f"{dataset.url}/{parts.removesuffix('unet')}guest")
    record = read_record(dataset, {"predict.model": "guest"})
    alone, whole = make_plan(dataset, record, None, STAGES), make_plan(dataset, record)
    assert ("train", "unet") in alone.statuses
    assert ("train", "unet") not in whole.statuses
    assert alone.replanned(record) == whole
    assert make_plan(dataset, record, "evaluate").replanned(record, {("segment", "a")}) == whole
