"""The law of the ledger: kill a stage and run it again; what was done is not done again, and nothing is torn."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from unet import ome
from unet.folder import Dataset
from unet.ledger import labels_of, scores_of, weights_of
from unet.record_file import set_values
from unet.store import Stored, open_array

TESTS = Path(__file__).parents[1]
CHILD = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
import torch
from conftest import run_stage, shrink_shards
from unet.folder import Dataset
from unet.store import Stored

torch.set_num_threads(1)
shrink_shards(16)
write = Stored.write

def slowly(self, region, block):
    write(self, region, block)
    time.sleep(0.4)

Stored.write = slowly
run_stage(Dataset(sys.argv[1]), sys.argv[2], only=["a"])
"""
CHANGE = {
    "weigh": {"weigh.sigma": 3.0},
    "predict": {"predict.dtype": "float32"},
    "segment": {"segment.threshold": 0.55},
}


def result_of(dataset, stage):
    if stage == "weigh":
        return weights_of(dataset, "a")
    return scores_of(dataset, "unet", "a") if stage == "predict" else labels_of(dataset, "a", "unet")


def values(result):
    """Every array of a committed result, as any reader finds it."""
    attributes = result.attributes()
    paths = attributes.get("arrays", {}).values() or [ome.first_level(attributes)]
    return [np.asarray(open_array(result.folder / path)[...]) for path in paths]


def shards(result, but):
    """Shards that say that a region is done, of generations other than `but`, with the times they were written at."""
    found = [path for path in Path(result.folder.url).glob("*/*/c/**/*") if path.is_file() and path.name.isdigit()]
    return {path: path.stat().st_mtime_ns for path in found if not {but, "classes"} & set(path.parts)}


def start_and_kill(dataset, stage, result, old):
    """Run the stage in another process, and kill it once a few shards are there."""
    code = CHILD.format(tests=str(TESTS), root=str(TESTS.parent))
    child = subprocess.Popen([sys.executable, "-c", code, dataset.url, stage], stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if len(shards(result, old)) >= 4 or child.poll() is not None:
                break
            time.sleep(0.05)
        assert child.poll() is None, "it ended before it was killed"
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("killed", ["predict", "weigh"])
def test_a_killed_stage_goes_on_where_it_was(dataset, tmp_path, stage, small_shards, killed):
    small_shards(16)
    set_values(dataset, CHANGE[killed])
    shutil.copytree(tmp_path / "copy", tmp_path / "undisturbed")
    result = result_of(dataset, killed)
    old, before = result.committed(), values(result)

    start_and_kill(dataset, killed, result, old.generation)
    assert result.committed() == old  # readers see the old result, whole
    for array, expected in zip(values(result), before, strict=True):
        np.testing.assert_array_equal(array, expected)
    done = shards(result, old.generation)
    assert 2 <= len(done) < 32

    (outcome,) = stage(dataset, killed, only=["a"])
    assert outcome.state == "done"
    after = shards(result, old.generation)
    assert {path: after[path] for path in done} == done  # none was written again
    new = result.committed().generation
    assert [name for name in result.folder.names() if name not in ("zarr.json", "labels")] == [new]

    other = Dataset(str(tmp_path / "undisturbed/dataset"))
    stage(other, killed, only=["a"])
    assert result_of(other, killed).committed().generation == new
    for array, expected in zip(values(result), values(result_of(other, killed)), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_a_stopped_segmentation_goes_on_with_the_shards_that_are_there(dataset, stage, small_shards, monkeypatch):
    small_shards(16)
    set_values(dataset, CHANGE["segment"])
    result, write, left = labels_of(dataset, "a", "unet"), Stored.write, iter(range(7))
    old, before = result.committed(), values(result)

    def failing(self, region, block):
        if next(left, None) is None:
            raise OSError("the disk is gone")
        write(self, region, block)

    monkeypatch.setattr(Stored, "write", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        stage(dataset, "segment", only=["a"])
    assert result.committed() == old
    np.testing.assert_array_equal(values(result)[0], before[0])
    monkeypatch.setattr(Stored, "write", write)
    done = shards(result, old.generation)
    stage(dataset, "segment", only=["a"])
    after = shards(result, old.generation)
    assert len(done) == 7
    assert {path: after[path] for path in done} == done
