"""Law of what is set aside: it stays so until what it was made of changes."""

from dataclasses import replace

from unet.dataset.folder import Dataset
from unet.ledger.fingerprint import Fingerprint
from unet.ledger.outcome import fingerprints_set_aside, set_aside, why_set_aside
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


def test_what_sources_held_is_kept_with_the_reason(tmp_path):
    dataset, recipe, sources = Dataset(str(tmp_path)), replace(OLD, stage="ingest"), [Fingerprint("1a", "2b")]
    assert list(fingerprints_set_aside(dataset, "a")) == []
    set_aside(dataset, recipe, "a", ValueError("broken"), sources)
    assert list(fingerprints_set_aside(dataset, "a")) == sources
    for odd in (b"no JSON", b'{"sources": 3}', b'{"sources": [{"seen": 3, "content": "2b"}, "x"]}'):
        dataset.set_aside("ingest", "a").write(odd)
        assert list(fingerprints_set_aside(dataset, "a")) == []
