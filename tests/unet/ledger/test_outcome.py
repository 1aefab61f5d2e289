"""Law of what is set aside: it stays so until what it was made of changes."""

from unet.dataset.folder import Dataset
from unet.ledger.outcome import set_aside, why_set_aside
from unet.ledger.stamp import Recipe

OLD = Recipe("segment", 1, {"threshold": 0.5}, {"scores": "3f2a"})


NEW = Recipe("segment", 2, {"threshold": 0.6}, {"scores": "9c1b"})


def test_put_aside_until_what_it_was_made_of_changes(tmp_path):
    dataset = Dataset(str(tmp_path))
    assert why_set_aside(dataset, OLD, "a") is None
    outcome = set_aside(dataset, OLD, "a", ValueError("truth must fit"))
    assert (outcome.stage, outcome.name, outcome.state, outcome.why) == ("segment", "a", "set aside", "truth must fit")
    assert why_set_aside(dataset, OLD, "a") == "truth must fit"
    assert why_set_aside(dataset, OLD, "b") is None
    assert why_set_aside(dataset, NEW, "a") is None
    assert set_aside(dataset, NEW, "a", MemoryError()).why == "MemoryError"
    assert why_set_aside(dataset, OLD, "a") is None
