"""Law of planning again: a plan that looks again at what was touched equals a new plan of the whole dataset."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.planning.plan import make_plan
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values
from unet.ledger import recipes
from unet.ledger.outcome import STAGES, set_aside
from unet.ledger.results import KEY, labels_of, result_of, scores_of

CHANGES = (
    {},
    {"weigh.sigma": 3.0},
    {"segment.threshold": 0.6},
    {"predict.keep_scores": False},
    {"predict.model": "guest"},
    {"train.validation": {"last": 0.5}, "evaluate.bootstrap_resamples": 7},
)
STACKS = ("a", "b", "c")


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
        result.commit(result.begin(recipe, {}), attributes, before.facts if before else {"scenes": 1, "source": []})
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
            (truth.folder / stamp.generation / "0/c/9/9/9").write(b"by hand")

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


@pytest.fixture(scope="module")
def copies(walked, tmp_path_factory):
    """Makes a copy of the dataset that was walked, with its sources."""
    top = tmp_path_factory.mktemp("touched")

    def copy():
        shutil.rmtree(top / "copy", ignore_errors=True)
        shutil.copytree(walked, top / "copy")
        return Dataset(str(top / "copy/dataset"))

    return copy


@given(changes=st.sampled_from(CHANGES), first=asked, then=st.lists(steps, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
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
