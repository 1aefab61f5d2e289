"""Law of two runs without a lease: of one plan they write the same, and neither spoils what the other made."""

import json
import re
import shutil

from tests.conftest import run_stage, shrink_shards
from tests.faults.whole import held, pending, verified
from tests.integration.children import child
from unet.dataset.folder import Dataset
from unet.dataset.record_file import set_values

STAGES = ("weigh", "predict", "segment")
CHANGE = {"weigh.sigma": 3.0, "predict.dtype": "float32", "segment.threshold": 0.3}
NAMED = re.compile(r"(?<![0-9a-f.])[0-9a-f]{12}(?![0-9a-f])")
"""Names of generations, and no part of a number or of another digest."""
TRIES = 4
"""As often as Prefect tries a task whose world failed."""


def unnamed(values):
    """The same without names of generations: what was made once more has another, and so has what is made of it."""
    return json.loads(NAMED.sub("generation", json.dumps(values)))


def all_stages(url, pipe):
    """Every stage but training, tried again where the world failed, once it is said."""
    shrink_shards(32)
    pipe.send("ready")
    pipe.recv()
    failed = []
    for stage in STAGES:
        for _ in range(TRIES):
            try:
                failed += [outcome for outcome in run_stage(Dataset(url), stage) if outcome.state == "set aside"]
            except OSError:
                continue
            break
    pipe.send(failed)


def test_two_runs_of_one_plan_at_once_end_as_one_does(finished, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(finished, tmp_path / name)
    alone, both = (Dataset(str(tmp_path / name / "dataset")) for name in ("one", "two"))
    for dataset in (alone, both):
        set_values(dataset, CHANGE)
    for stage in STAGES:
        run_stage(alone, stage)
    with child(all_stages, both.url) as (_, first), child(all_stages, both.url) as (_, second):
        for pipe in (first, second):
            assert pipe.recv() == "ready"
        for pipe in (first, second):
            pipe.send("go")
        assert first.recv() + second.recv() == []
    assert {work.stage for work in pending(both)} <= {"train", "predict", "segment", "evaluate"}
    assert verified(both) == []
    assert unnamed(held(both)) == unnamed(held(alone))
