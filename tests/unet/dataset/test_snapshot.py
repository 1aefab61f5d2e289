"""Laws of a snapshot: what was asked once is not asked again; one that looks again sees what changed where it looks."""

import itertools

import pytest

from unet.dataset.folder import Dataset, Folder
from unet.dataset.snapshot import ASKED_ALONE, Snapshot
from unet.ledger.results import image_of, labels_of, scores_of
from unet.ledger.stamp import Recipe


def test_a_snapshot_asks_once_and_a_dataset_every_time():
    answers = itertools.count()
    seen, asked = (place / "images/a" for place in (Snapshot("memory://seen"), Dataset("memory://seen")))
    assert [seen.once(key, lambda: next(answers)) for key in ("a", "b", "a")] == [0, 1, 0]
    assert (Snapshot("memory://seen") / "images/a").once("a", lambda: next(answers)) == 2
    assert [asked.once("a", lambda: next(answers)) for _ in range(2)] == [3, 4]


@pytest.fixture(params=["disk", "memory"])
def place(request, tmp_path):
    place = Dataset(str(tmp_path) if request.param == "disk" else "memory://seen-again")
    yield place
    place.remove()


def commit(result, source):
    """Commits a result that is made of a source; its generation."""
    return result.commit(result.begin(Recipe("ingest", 1, {}, {"source": source}), {}), {}).generation


def generations(dataset, *names):
    stamps = {name: image_of(dataset, name).stamp() for name in names}
    return {name: stamp and stamp.generation for name, stamp in stamps.items()}


def test_one_that_looks_again_sees_what_was_written_and_removed_in_those_folders_alone(place):
    before = {name: commit(image_of(place, name), "1") for name in "abc"}
    place.table("unet", "a").write(b"rows")
    seen = Snapshot(place.url)
    assert generations(seen, *"abcd") == before | {"d": None}
    assert seen.table("unet", "a").exists()
    after = {name: commit(image_of(place, name), "2") for name in "abcd"}
    place.image("c").remove()
    place.table("unet", "a").remove()
    assert generations(seen, *"abcd") == before | {"d": None}
    again = seen.looking_again([place.image("a"), place.image("d"), place.image("c"), place.table("unet", "a")])
    assert generations(again, *"abcd") == {"a": after["a"], "b": before["b"], "c": None, "d": after["d"]}
    assert not again.table("unet", "a").exists()
    assert generations(seen, *"abcd") == before | {"d": None}
    place.table("unet", "a").write(b"rows")
    assert again.looking_again([place.table("unet", "a")]).table("unet", "a").size() == 4


def test_what_lies_below_a_folder_is_looked_at_by_its_own_name(place):
    for of in (image_of(place, "a"), labels_of(place, "a", "truth"), scores_of(place, "unet", "a")):
        commit(of, "1")
    seen = Snapshot(place.url)
    before = labels_of(seen, "a", "truth").stamp()
    after = commit(labels_of(place, "a", "truth"), "2")
    assert labels_of(seen, "a", "truth").stamp() == before
    again = seen.looking_again([place.image("a"), place.labels("a", "truth")])
    assert labels_of(again, "a", "truth").stamp().generation == after


def test_many_folders_are_listed_at_once_and_what_is_known_of_others_is_not_read_again(monkeypatch):
    place = Dataset("memory://seen-many")
    names = [f"s{n}" for n in range(ASKED_ALONE + 1)]
    for name in (*names, "other"):
        commit(image_of(place, name), "1")
    seen = Snapshot(place.url)
    assert None not in generations(seen, *names, "other").values()
    after = {name: commit(image_of(place, name), "2") for name in names}
    listed, files = [], Folder.files
    monkeypatch.setattr(Folder, "files", lambda folder: listed.append(folder.url) or files(folder))
    again = seen.looking_again([place.image(name) for name in names])
    assert generations(again, *names) == after
    assert listed == [place.url]
    place.remove()
