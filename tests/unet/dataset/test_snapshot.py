"""Law of a snapshot: what was asked once is not asked again; a dataset asks every time."""

import itertools

from unet.dataset.folder import Dataset
from unet.dataset.snapshot import Snapshot


def test_a_snapshot_asks_once_and_a_dataset_every_time():
    answers = itertools.count()
    snapshot, dataset = Snapshot("memory://seen"), Dataset("memory://seen")
    assert [snapshot.once(key, lambda: next(answers)) for key in ("a", "b", "a")] == [0, 1, 0]
    assert Snapshot("memory://seen").once("a", lambda: next(answers)) == 2
    assert [dataset.once("a", lambda: next(answers)) for _ in range(2)] == [3, 4]
