"""Law: what only tests a model is no part of it; what trains it or chooses is."""

import pytest
import zarr

from flows.planning.plan import make_plan
from tests.conftest import QUICK
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger.earlier_split import only_testing
from unet.ledger.results import labels_of, model_of
from unet.settings.train import Train
from unet.store import ome

FEW = {key.replace(".", "__"): value for key, value in QUICK.items()} | {"train__steps": 2, "train__validate_every": 1}
SPLIT = {"test": ("d",), "validation": ("c",)}


@pytest.fixture
def tested(make, stage):
    """A dataset whose stack d tests the model, and c validates it."""
    stacks = {name: draw_stack(planes=1, side=64, seed=seed) for seed, name in enumerate("abcd", start=1)}
    made = make(stacks, **FEW, train__test=["d"], train__validation=["c"])
    assert {outcome.state for outcome in stage.all(made)} == {"done"}
    return made


def edit(dataset, name):
    truth = zarr.open_array(ome.full_level(labels_of(dataset, name, "truth")).url)
    truth[..., :8, :8] = 7 if (truth[..., :8, :8] != 7).any() else 8


def pending(dataset):
    return {(work.stage, work.name) for work in make_plan(dataset, read_record(dataset)).pending()}


def test_edited_truth_of_a_test_makes_the_report_stale_and_not_the_model(tested, stage):
    model = model_of(tested, "unet").committed()
    edit(tested, "d")
    assert pending(tested) == {("weigh", "d"), ("evaluate", "unet")}
    assert {(of.stage, of.name) for of in stage.all(tested)} == {("weigh", "d"), ("evaluate", "unet")}
    assert pending(tested) == set()
    assert model_of(tested, "unet").committed() == model


@pytest.mark.parametrize("name", ["a", "c"])
def test_edited_truth_of_what_trains_or_validates_makes_the_model_stale(tested, name):
    edit(tested, name)
    assert {("weigh", name), ("train", "unet")} <= pending(tested)


def test_it_is_a_part_of_the_model_where_another_split_lets_it_train(tested, stage):
    edit(tested, "d")
    stage.all(tested)
    set_values(tested, {"train.test": ["b"]})
    assert {("train", "unet"), ("predict", "d")} <= pending(tested)
    stage.all(tested)
    assert pending(tested) == set()
    edit(tested, "d")
    assert ("train", "unet") in pending(tested)


def test_a_model_that_is_trained_again_after_the_edit_is_fresh(tested, stage):
    edit(tested, "d")
    set_values(tested, {"train.steps": 1})
    assert {outcome.state for outcome in stage.all(tested)} == {"done"}
    assert pending(tested) == set()


def test_a_stack_tests_by_the_split_that_the_model_goes_on_with(tested):
    assert only_testing(tested, Train(**SPLIT), "abcd") == {"d"}
    assert only_testing(tested, Train(**SPLIT), "cd") == set()  # none that trained is left: the split is made anew
    assert only_testing(tested, Train(**SPLIT | {"test": None}), "abcd") == set()
    assert only_testing(tested, Train(name="another", **SPLIT), "abcd") == set()
