"""The law of the ledger: kill a stage and run it again; what was done is not done again, and nothing is torn."""

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.integration.children import child, stage_until, stage_when_told
from unet.dataset.folder import Dataset
from unet.dataset.record_file import set_values
from unet.ledger.results import image_of, labels_of, scores_of, weights_of
from unet.store import ome
from unet.store.arrays import Stored, open_array

CHANGE = {
    "ingest": {"ingest.percentile_low": 2.0},
    "weigh": {"weigh.sigma": 3.0},
    "predict": {"predict.dtype": "float32"},
    "segment": {"segment.threshold": 0.55},
}


def result_of(dataset, stage):
    results = {
        "ingest": lambda: image_of(dataset, "a"),
        "weigh": lambda: weights_of(dataset, "a"),
        "predict": lambda: scores_of(dataset, "unet", "a"),
        "segment": lambda: labels_of(dataset, "a", "unet"),
    }
    return results[stage]()


def values(result):
    """Every array of a committed result, as any reader finds it."""
    attributes = result.attributes()
    paths = attributes.get("arrays", {}).values() or [ome.first_level(attributes)]
    return [np.asarray(open_array(result.folder / path)[...]) for path in paths]


def shards(result, but):
    """Shards that say that a region is done, of generations other than `but`, with the times they were written at."""
    top = Path(result.folder.url)
    found = [path for path in top.glob("**/c/**/*") if path.is_file() and path.name.isdigit()]
    parts = {path: {part.split(".")[0] for part in path.relative_to(top).parts} for path in found}
    return {path: path.stat().st_mtime_ns for path in found if not {but, "classes", "labels"} & parts[path]}


def start_and_kill(dataset, stage):
    """Run the stage in another process, and kill it once a few shards are there."""
    with child(stage_until, 4, dataset.url, stage) as (_, pipe):
        assert pipe.recv() == "there"


def turn_a_bit(path):
    """Turn one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("killed", ["ingest", "predict", "weigh"])
def test_a_killed_stage_goes_on_where_it_was(dataset, tmp_path, stage, small_shards, killed):
    small_shards(16)
    set_values(dataset, CHANGE[killed])
    shutil.copytree(tmp_path / "copy", tmp_path / "undisturbed")
    result = result_of(dataset, killed)
    old, before = result.committed(), values(result)

    start_and_kill(dataset, killed)
    assert result.committed() == old  # readers see the old result, whole
    for array, expected in zip(values(result), before, strict=True):
        np.testing.assert_array_equal(array, expected)
    spoilt = turn_a_bit(min(shards(result, old.generation)))
    done = shards(result, old.generation)
    assert 2 <= len(done) < 32

    (outcome,) = stage(dataset, killed, only=["a"])
    assert outcome.state == "done"
    after = shards(result, old.generation)
    assert [path for path in done if after[path] != done[path]] == [spoilt]  # no other was written again
    new = result.committed().generation
    assert {name.split(".")[0] for name in result.folder.names()} - {"zarr", "labels"} == {new}

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
    spoilt = turn_a_bit(min(shards(result, old.generation)))
    done = shards(result, old.generation)
    stage(dataset, "segment", only=["a"])
    after = shards(result, old.generation)
    assert len(done) == 7
    assert [path for path in done if after[path] != done[path]] == [spoilt]
    written = values(result)[0]
    shutil.rmtree(result.folder.url)
    stage(dataset, "segment", only=["a"])
    np.testing.assert_array_equal(values(result)[0], written)


KILLS = 20


def run_for(dataset, stage, seconds):
    """Run the stage in another process and kill it so long after it began; how long it ran."""
    with child(stage_when_told, dataset.url, stage) as (process, pipe):
        assert pipe.recv() == "ready"
        pipe.send("go")
        began = time.monotonic()
        process.join(seconds)
        return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["predict", "segment"])
def test_killed_at_twenty_random_moments_its_values_are_the_same(dataset, tmp_path, stage, small_shards, killed):
    small_shards(16)
    set_values(dataset, CHANGE[killed])
    shutil.copytree(tmp_path / "copy", tmp_path / "pristine")
    shutil.copytree(tmp_path / "copy", tmp_path / "undisturbed")
    other = Dataset(str(tmp_path / "undisturbed/dataset"))
    needed = run_for(other, killed, 600)
    result, expected = result_of(dataset, killed), values(result_of(other, killed))
    old, random, kills = result.committed(), np.random.default_rng(0), 0
    while kills < KILLS:
        run_for(dataset, killed, random.uniform(0, needed))
        kills += result.committed() == old
        if result.committed() != old:  # it had ended
            np.testing.assert_array_equal(values(result)[0], expected[0])
            shutil.rmtree(tmp_path / "copy")
            shutil.copytree(tmp_path / "pristine", tmp_path / "copy")
    stage(dataset, killed, only=["a"])
    for array, whole in zip(values(result), expected, strict=True):
        np.testing.assert_array_equal(array, whole)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB, and what gives it more room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("stopped", ["predict", "segment"])
def test_a_full_disk_is_told_and_nothing_is_called_fresh(walked, small_disk, stage, level, stopped):
    folder, enlarge = small_disk
    shutil.copytree(walked / "dataset", folder / "dataset", ignore=shutil.ignore_patterns("models", "reports"))
    shutil.copytree(walked / "files", folder / "files")
    shutil.copytree(walked / "dataset/models", folder / "dataset/models", ignore=shutil.ignore_patterns("*.png"))
    dataset = Dataset(str(folder / "dataset"))
    set_values(dataset, CHANGE[stopped])
    result = result_of(dataset, stopped)
    old, before = result.committed(), values(result)
    filler = folder / "filler"
    filler.write_bytes(bytes(free_bytes(folder) - 8192))
    with pytest.raises(OSError, match=r"the disk of .*/dataset must have room for what is written, got none; make"):
        stage(dataset, stopped, only=["a"])
    assert result.committed() == old
    np.testing.assert_array_equal(values(result)[0], before[0])
    enlarge()
    (outcome,) = stage(dataset, stopped, only=["a"])
    assert outcome.state == "done"
    other = Dataset(str(folder / "other"))
    shutil.copytree(dataset.url, other.url)
    result_of(other, stopped).folder.remove()
    stage(other, stopped, only=["a"])
    for array, whole in zip(values(result), values(result_of(other, stopped)), strict=True):
        np.testing.assert_array_equal(array, whole)


def free_bytes(folder):
    """Room for files."""
    return shutil.disk_usage(folder).free
