"""Laws of a dataset in an object store: its values are those of a disk, whatever the network does meanwhile."""

import re
import subprocess
import sys

import numpy as np
import pytest

from flows.planning.plan import make_plan
from tests.conftest import QUICK
from tests.integration.conftest import ROOT
from tests.integration.same import assert_same
from unet.dataset.filesystem import open_filesystem
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.dataset.record_file import read_record, set_values, write_record
from unet.dataset.snapshot import METADATA_FILE
from unet.ledger.outcome import STAGES
from unet.ledger.results import image_of, labels_of, model_of, report_of, scores_of
from unet.settings.ingest import Source

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
    record, files = read_record(STORED), [name for name in STORED.files() if METADATA_FILE.fullmatch(name)]
    s3.asked.clear()
    assert make_plan(STORED, record).pending() == []
    assert s3.asked == {"LIST": 1, "GET": len(files)}  # names are asked for at once, and each file once


@pytest.fixture
def stored(s3, dataset, tmp_path, small_shards):
    """A dataset there, and the same on a disk, of which stages are to be made again."""
    set_values(dataset, CHANGES)
    filesystem, path = open_filesystem(STORED.url)
    filesystem.put(dataset.url, path, recursive=True)
    source = {"images": str(tmp_path / "copy/files/image"), "truth": str(tmp_path / "copy/files/truth")}
    for place in (STORED, dataset):
        set_values(place, {"sources": [source]})
    return STORED, dataset


FAULTS = ("500", "503", "unheard", "unanswered", "cut", "slow")


@pytest.mark.parametrize(
    "verbs", [("predict", "segment"), pytest.param(("weigh", *STAGES[3:]), marks=pytest.mark.slow)]
)
def test_requests_that_fail_now_and_then_change_no_value(stored, s3, stage, verbs):
    place, local = stored
    random, kinds, failed = np.random.default_rng(0), dict.fromkeys(FAULTS, 0), set()

    def fault(method, path):
        if random.random() > 0.03 or (method, path) in failed:  # a 503 is tried twice in all: by chance, both
            return None
        failed.add((method, path))
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


@pytest.mark.parametrize("fault", ["503", pytest.param("unheard", marks=pytest.mark.slow)])
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
    for verb in STAGES[3:5]:
        for each in stored:
            stage(each, verb)
    assert_same(place, local)


KILLED = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
import torch
from conftest import run_stage, shrink_shards
from unet.dataset.folder import Dataset
from unet.dataset.lease import lease
from unet.store.arrays import Stored

torch.set_num_threads(1)
shrink_shards(16)
write, left = Stored.write, list(range(4))

def until_told(self, region, block):
    write(self, region, block)
    left and left.pop() or print("written", flush=True)
    left or sys.stdin.readline()

Stored.write = until_told
place = Dataset(sys.argv[1])
with lease(place, "predict"):
    run_stage(place, "predict", only=["a"])
"""


@pytest.mark.slow
def test_what_a_killed_run_began_is_finished_by_the_next(stored, s3, stage, small_shards):
    small_shards(16)
    place, local = stored
    before, code = scores_of(place, "unet", "a").stamp(), KILLED.format(tests=str(ROOT / "tests"), root=str(ROOT))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, place.url], **pipes) as child:
        assert child.stdout.readline() == b"written\n"
        child.kill()
    assert scores_of(place, "unet", "a").stamp() == before
    begun = {name: facts for name, facts in place.files().items() if name.startswith("scores/unet/a") and "/c/" in name}
    told = []
    with lease(place, "predict", say=told.append):
        for verb in STAGES[3:5]:
            for each in stored:
                stage(each, verb)
    assert re.match(r"took over from predict of process \d+ on .*, which is gone$", told[0])
    new = scores_of(place, "unet", "a").stamp().generation
    mine = {name: facts for name, facts in begun.items() if f"/{new}." in name}
    assert len(mine) == 4
    assert {name: place.files()[name] for name in mine} == mine  # none was written again
    assert_same(place, local)
