"""Law of crash points: killed before, within or after any operation on a file, what is called fresh is what was made.

All files of a dataset are written and removed by `Folder`, so its operations are numbered, and a stage dies at one of
them: by an exception that nothing catches, after which nothing is written any more, or, for a sample, as a process that
ends there. Then it is looked at with the settings set back, as a reader would; then the stage is run undisturbed, and
must give what a run gives that was never disturbed, with no file left behind.
"""

import os
import random
import shutil
from pathlib import Path
from threading import Lock
from uuid import uuid4

import pytest

from flows.planning.plan import make_plan
from flows.planning.session import Session
from tests.conftest import run_stage, shrink_shards
from tests.faults.whole import NOT_OURS, content, files
from tests.integration.children import child
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record, set_values
from unet.ledger.results import result_of

SEED = int(os.environ.get("UNET_FLOWS_FAULTS_SEED", "0"))
HOW = ("before", "within", "after")
CHANGE = {
    "ingest": {"ingest.percentile_low": 2.0},
    "weigh": {"weigh.sigma": 3.0},
    "train": {"train.steps": 6, "train.validate_every": 6},
    "predict": {"predict.dtype": "float32"},
    "segment": {"segment.threshold": 0.3},
    "evaluate": {"evaluate.bootstrap_resamples": 7},
}
SAMPLED = {"ingest": 5, "weigh": 3, "train": 1, "predict": 4, "segment": 6, "evaluate": 3}
"""Crash points of the short form."""


class KilledError(BaseException):
    """The process ends here."""


class Operations:
    """The operations on files, counted; at one of them the process dies, and nothing is written any more."""

    def __init__(self, at=0, how="before", end=None):
        self.at, self.how, self.count, self.is_dead, self.lock = at, how, 0, False, Lock()
        self.end = end or self.raise_killed
        self.write, self.remove = Folder.write, Folder.remove

    def raise_killed(self):
        raise KilledError

    def put_on(self, put=setattr):
        put(Folder, "write", lambda folder, content: self.do(folder, self.write, self.tear_write, content))
        put(Folder, "remove", lambda folder: self.do(folder, self.remove, self.tear_remove))

    def do(self, folder, act, tear, *given):
        with self.lock:
            self.count += not self.is_dead
            is_last = self.count == self.at and not self.is_dead
            was_dead, self.is_dead = self.is_dead, self.is_dead or is_last
            if is_last and self.how != "before":
                (tear if self.how == "within" else act)(folder, *given)
        if is_last or was_dead:
            self.end()
        act(folder, *given)

    @staticmethod
    def tear_write(folder, content):
        """Half of a file, under the name that a file has while it is written."""
        target = Path(folder.url)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f".{target.name}.{uuid4().hex[:8]}").write_bytes(content[: len(content) // 2])

    @staticmethod
    def tear_remove(folder):
        """Half of the files that are to be removed."""
        names = sorted(folder.files())
        for name in names[: len(names) // 2]:
            Path(folder.url, name).unlink()


def results(dataset, stage):
    """What is called fresh at a stage: the files of each result, by their paths without the generation."""
    plan = make_plan(dataset, read_record(dataset))
    fresh = [name for (of, name), status in plan.statuses.items() if of == stage and status.state == "fresh"]
    return {name: of_result(result_of(dataset, stage, name, "unet")) for name in fresh}


def of_result(result):
    stamp, top = result.committed(), Path(result.folder.url)
    parts = [top / part for part in result.folder.names() if part.startswith(stamp.generation)]
    paths = [path for part in parts for path in part.rglob("*") if path.is_file() and path.name != "zarr.json"]
    found = {path.relative_to(top).as_posix().replace(stamp.generation, ""): path for path in paths}
    found |= {f"published {name}": Path(place.url) for name, place in result.published}
    named = {name: content(path) for name, path in found.items() if not NOT_OURS.search(str(path))}
    return {name: of for name, of in named.items() if path_is_compared(name)}


def path_is_compared(name):
    """All but pages and cards, which say when they were made."""
    return not name.endswith((".json", ".html"))


def undisturbed(folder, finished, stage):
    """A copy on which the changed stage was run, its results, and how many operations that took."""
    shutil.copytree(finished, folder)
    dataset, counted = Dataset(str(folder / "dataset")), Operations()
    set_values(dataset, CHANGE[stage])
    with pytest.MonkeyPatch.context() as patch:
        counted.put_on(patch.setattr)
        run_stage(dataset, stage)
    return dataset, results(dataset, stage), counted.count


def back(dataset, finished):
    """Put the settings as they were before."""
    dataset.record.write((finished / "dataset/dataset.yaml").read_bytes())


def killed_here(dataset, stage, at, how):
    with pytest.MonkeyPatch.context() as patch:
        Operations(at, how).put_on(patch.setattr)
        try:
            run_stage(dataset, stage)
        except KilledError:
            return True
    return False


def stage_killed(url, stage, at, how, pipe):
    """A stage in a process that ends at an operation."""
    shrink_shards(32)
    Operations(at, how, lambda: os._exit(9)).put_on()
    run_stage(Dataset(url), stage)
    pipe.send("ended")


def killed_there(dataset, stage, at, how):
    with child(stage_killed, dataset.url, stage, at, how) as (process, _):
        process.join(120)
        return process.exitcode == 9


def try_point(finished, folder, stage, points, expected, kill=killed_here):
    """Die at these points, one run after the other; look in between; finish, and compare."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished, folder)
    dataset, told = Dataset(str(folder / "dataset")), f"{stage} at {points} (UNET_FLOWS_FAULTS_SEED={SEED})"
    before = results(dataset, stage)
    for at, how in points:
        set_values(dataset, CHANGE[stage])
        assert kill(dataset, stage, at, how) or len(points) > 1, told
        back(dataset, finished)
        between = results(dataset, stage)
        assert {name: before[name] for name in between} == between, told
    set_values(dataset, CHANGE[stage])
    whole, made, _ = expected
    run_stage(dataset, stage)
    Session(dataset.url).tidy()
    assert results(dataset, stage) == made, told
    assert paths(dataset) == paths(whole), told


def paths(dataset):
    """Every file, but for the last checkpoints."""
    return {name for name in files(dataset) if "/checkpoints/" not in name}


@pytest.fixture(scope="module")
def point(finished, tmp_path_factory):
    """Tries one crash point: `point(stage, [(at, how)])`, `at` as a part of all operations of the stage."""
    known, folder = {}, tmp_path_factory.mktemp("crashed")

    def try_one(stage, points, kill=killed_here):
        if stage not in known:
            known[stage] = undisturbed(folder / stage, finished, stage)
        count = known[stage][2]
        numbered = [(1 + int(part * count), how) for part, how in points]
        try_point(finished, folder / "copy", stage, numbered, known[stage], kill)
        return count

    return try_one


@pytest.mark.parametrize("stage", CHANGE)
def test_killed_at_a_crash_point_it_ends_as_if_it_never_was(point, stage):
    chance = random.Random(f"{SEED} {stage}")
    for number in range(SAMPLED[stage]):
        point(stage, [(chance.random(), HOW[number % 3])])


@pytest.mark.parametrize(("stage", "how"), [("segment", "after"), ("ingest", "within")])
def test_a_process_that_ends_at_a_crash_point_too(point, stage, how):
    point(stage, [(random.Random(f"{SEED} {stage} {how}").random(), how)], killed_there)


def test_segments_are_those_of_the_table_where_a_run_dies_between_them(finished, tmp_path):
    """Dies right before the metadata of segments, and right after, with the settings set back."""
    expected = undisturbed(tmp_path / "whole", finished, "segment")
    for at in range(max(expected[2] - 8, 1), expected[2] + 1, 2):
        try_point(finished, tmp_path / "copy", "segment", [(at, "before")], expected)


@pytest.mark.faults
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("stage", CHANGE)
def test_every_crash_point(point, stage, how):
    count = point(stage, [(0.0, how)])
    for at in range(count):
        point(stage, [((at + 0.5) / count, how)])
    chance = random.Random(f"{SEED} {stage} {how} twice")
    for _ in range(count // 4):
        point(stage, [(chance.random(), chance.choice(HOW)) for _ in range(3)])


@pytest.mark.faults
@pytest.mark.parametrize("stage", CHANGE)
def test_processes_that_end_at_many_crash_points(point, stage):
    chance = random.Random(f"{SEED} {stage} processes")
    for number in range(20):
        point(stage, [(chance.random(), HOW[number % 3])], killed_there)
