"""Laws of a dataset in an object store: its values are those of a disk, whatever the network does meanwhile."""

import numpy as np
import pytest

from flows.plan import make_plan
from tests.conftest import QUICK
from tests.tasks.same import assert_same
from unet.elsewhere import opened
from unet.folder import Dataset
from unet.ledger import STAGES, image_of, labels_of, model_of, report_of, scores_of
from unet.record_file import read_record, set_values, write_record
from unet.records import Source
from unet.snapshot import CARD

STORED = Dataset("s3://lab/my data/one")
CHANGES = {"weigh.sigma": 3.0, "predict.dtype": "float32", "segment.threshold": 0.55}


def test_all_six_stages_give_what_they_give_on_a_disk(s3, walked, stage, level):
    write_record(STORED, [Source(images=str(walked / "files/image"), truth=str(walked / "files/truth"))])
    set_values(STORED, QUICK)
    assert {outcome.state for outcome in stage.all(STORED)} == {"done"}
    local = Dataset(str(walked / "dataset"))
    for name in "abc":
        for of in (image_of, lambda d, n: labels_of(d, n, "truth")):
            here, there = of(STORED, name), of(local, name)
            assert (here.stamp() is None) == (there.stamp() is None)
            if here.stamp():
                assert here.stamp().recipe == there.stamp().recipe
                np.testing.assert_array_equal(level(here), level(there))
    assert_same(STORED, local)
    for of in (model_of, report_of):
        here, there = of(STORED, "unet"), of(local, "unet")
        assert here.stamp().recipe == there.stamp().recipe
        assert here.attributes().keys() == there.attributes().keys()
    mine, expected = (report_of(place, "unet").attributes() for place in (STORED, local))
    assert [mine[of] for of in ("validation", "stacks")] == [expected[of] for of in ("validation", "stacks")]
    assert make_plan(STORED, read_record(STORED)).works() == []


@pytest.fixture
def stored(s3, dataset, tmp_path, small_shards):
    """A dataset there, and the same on a disk, of which stages are to be made again."""
    set_values(dataset, CHANGES)
    filesystem, path = opened(STORED.url)
    filesystem.put(dataset.url, path, recursive=True)
    source = {"images": str(tmp_path / "copy/files/image"), "truth": str(tmp_path / "copy/files/truth")}
    for place in (STORED, dataset):
        set_values(place, {"sources": [source]})
    return STORED, dataset


def test_a_plan_asks_for_names_once_and_for_each_card_once(stored, s3):
    place, local = stored
    record = read_record(place)
    cards = [name for name in place.files() if CARD.fullmatch(name)]
    s3.asked.clear()
    plan = make_plan(place, record)
    assert s3.asked == {"LIST": 1, "GET": len(cards)}
    assert plan.cells == make_plan(local, read_record(local)).cells


FAULTS = ("500", "503", "unheard", "unanswered", "cut", "slow")


@pytest.mark.parametrize(
    "verbs", [("predict", "segment"), pytest.param(("weigh", *STAGES[3:]), marks=pytest.mark.slow)]
)
def test_requests_that_fail_now_and_then_change_no_value(stored, s3, stage, verbs):
    place, local = stored
    random, kinds = np.random.default_rng(0), dict.fromkeys(FAULTS, 0)

    def fault(method, path):
        if random.random() > 0.06:
            return None
        kinds[kind := min(kinds, key=kinds.get)] += 1
        return kind

    s3.fault = fault
    for verb in verbs:
        assert {outcome.state for outcome in stage(place, verb)} == {"done"}
    s3.fault = lambda *_: None
    assert min(kinds.values()) > 0
    for verb in verbs:
        stage(local, verb)
    assert_same(place, local)


@pytest.mark.parametrize("fault", ["503", "unheard"])
def test_a_store_that_stays_away_is_told_nothing_is_called_fresh_and_the_next_run_goes_on(
    stored, s3, stage, monkeypatch, fault
):
    place, local = stored
    before, written = scores_of(place, "unet", "a").stamp(), []

    def away(method, path):
        if method == "PUT":
            written.append(path)
        return fault if len(written) > 4 else None

    s3.fault = away
    with pytest.raises(OSError, match=r"^s3://lab/my data/one/.* must be reachable, got: .*; see to it and run again$"):
        stage(place, "predict")
    s3.fault = lambda *_: None
    assert place.members("set-aside") == []
    assert scores_of(place, "unet", "a").stamp() == before
    for verb in ("weigh", *STAGES[3:]):
        for each in stored:
            stage(each, verb)
    assert_same(place, local)
