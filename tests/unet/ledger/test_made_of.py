"""What models are made of, and in what two differ, in words."""

from unet.dataset.record_file import set_values
from unet.ledger.made_of import DATA, NAMED, changes, made_of
from unet.ledger.results import model_of


def test_it_is_the_settings_versions_and_stacks_that_were_used(dataset):
    of = made_of(dataset, "unet")
    assert of["train.steps"] == 40
    assert of["train.architecture.base"] == 4
    assert of["training stacks"] == ["a"]
    assert of["validation stacks"] == ["b"]
    assert {"version of train", "version of evaluate", "device", "package torch", "segment.threshold"} <= {*of}
    assert "predict.device" not in of
    assert made_of(dataset, "nobody") == {}


def test_the_record_of_now_is_no_part_of_it(dataset):
    before = made_of(dataset, "unet")
    set_values(dataset, {"train.steps": 7, "segment.threshold": 0.9})
    assert made_of(dataset, "unet") == before


def test_a_model_brought_in_says_from_where(dataset):
    model = model_of(dataset, "unet")
    model.amend({}, more={"came_from": "/elsewhere/unet"})
    assert made_of(dataset, "unet")["came from"] == "/elsewhere/unet"


def test_stacks_that_came_and_went_are_named():
    before, now = ({"training stacks": of, DATA: str(of)} for of in (["a", "b"], ["b", "c", "d"]))
    assert changes(before, now) == ["training stacks 2 → 3 (with c, d, without a)"]
    assert changes({DATA: "1"}, {DATA: "2"}) == [f"{DATA} changed"]
    many = ({"n": NAMED + 1, "digest": digest} for digest in "xy")
    before, now = ({"training stacks": of} for of in many)
    assert changes(before, now) == ["training stacks 21 → 21 (others)"]


def test_nothing_is_said_where_one_is_not_known():
    assert changes({}, {"train.steps": 1}) == changes({"train.steps": 1}, {}) == []
