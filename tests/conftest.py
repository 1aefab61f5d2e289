"""What all tests share: tiny datasets, the road walked without a Prefect server, and a process left as it was found."""

import builtins
import gc
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tifffile

from tests.prefect_server import ask, prefect_server, run  # noqa: F401  # fixtures of all tests
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, set_values, write_record
from unet.ledger.outcome import STAGES
from unet.settings.ingest import Source

collect_ignore = ["bench/stardist_rival.py"]
"""What runs in an environment of its own."""

os.environ.setdefault("DO_NOT_TRACK", "1")  # before anything imports Prefect
if not any("bench_" in word for word in sys.argv):  # before anything imports torch: nets of tests are slower on more,
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # and benches take all cores
hypothesis.settings.register_profile(  # a machine that is busy is no failure
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def examples(count):
    """So many examples of a law that takes long to try, and four times as many in `make test-all`."""
    return hypothesis.settings(max_examples=count * int(os.environ.get("UNET_FLOWS_EXAMPLES", "1")))


SIZES = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.25}
SAID = {**SIZES, **{f"{size}Unit": "µm" for size in SIZES}}
QUICK = {
    "train.steps": 40,
    "train.batch_size": 2,
    "train.tile_size": 32,
    "train.learning_rate": 0.02,
    "train.validate_every": 20,
    "train.augmentation": {"elastic": 0.0, "rotation": 0.0, "scale": 1.0, "blur": 0.0},
    "train.architecture": {"base": 4, "depth": 2},
    "evaluate.bootstrap_resamples": 20,
}
"""A network that is trained within seconds."""


LONGEST = (
    "integration/test_readme.py",
    "integration/test_flows.py",
    "integration/test_reproduce.py",
    "tasks/test_train.py",
    "integration/test_remote_sources.py",
    "faults/test_crash_points.py",
    "integration/test_cluster.py",
    "integration/test_object_store.py",
    "network/test_exports.py",
    "network/test_bioimageio_package.py",
)
"""Files of tests that take longest, in order: begun last, one of two processes would wait for the other's."""


def pytest_configure():
    """Ctrl-C is heard here and by what is started, though a shell has it ignored by what it puts in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header():
    """The seed of a shuffled run."""
    return f"shuffled by SHUFFLE={os.environ['SHUFFLE']}" if os.environ.get("SHUFFLE") else None


def pytest_collection_modifyitems(items):
    """The longest files first; `SHUFFLE=SEED`: in random order, and the tests within each; a file's stay together."""
    seed = os.environ.get("SHUFFLE")
    order = {file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get("/".join(item.path.parts[-2:]), len(order)))
    if seed:
        chance = random.Random(seed)
        files = {item.path: chance.random() for item in items}
        items.sort(key=lambda item: (files[item.path], chance.random()))


def pytest_collection_finish():
    """What was imported stays: the garbage collector, which readers of models call again and again, passes over it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def left_as_found():
    """Nobody hears of another test: who leaves a signal or the folder changed fails; what commands set is put back.

    Those set the environment and the threads of torch, as each has a process of its own.
    """
    heard = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    environment, folder, torch = dict(os.environ), Path.cwd(), sys.modules.get("torch")
    threads = torch and torch.get_num_threads()
    yield
    if torch and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    left = {sign: signal.getsignal(sign) for sign in heard}
    for sign, handler in heard.items():
        signal.signal(sign, handler)
    assert left == heard, "the test left another handler of a signal"
    here = Path.cwd()
    os.chdir(folder)
    assert here == folder, "the test left another folder"


@pytest.fixture
def forbid(monkeypatch):
    """`forbid(path, …)`: the system refuses to open these files from now on, though who runs the tests may be root."""
    forbidden, opened, opened_low = set(), builtins.open, os.open

    def refuse(path):
        if isinstance(path, str | Path) and str(path) in forbidden:
            raise PermissionError(13, "Permission denied", str(path))

    def high(path, *more, **others):
        refuse(path)
        return opened(path, *more, **others)

    def low(path, *more, **others):
        refuse(path)
        return opened_low(path, *more, **others)

    monkeypatch.setattr(builtins, "open", high)
    monkeypatch.setattr(os, "open", low)
    return lambda *paths: forbidden.update(map(str, paths))


def make_dataset(folder, stacks, source=None, **settings) -> Dataset:
    """A dataset of stacks, name → (image, truth or None), whose files lie beside it and are named by relative paths."""
    for name, (image, truth) in stacks.items():
        for kind, pixels in (("image", image), ("truth", truth)):
            if pixels is not None:
                path = folder / f"files/{kind}/{name}.ome.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "TZYX"[-pixels.ndim :], **SAID})
    where = {"images": "../files/image", "truth": "../files/truth" if (folder / "files/truth").exists() else None}
    dataset = Dataset(str(folder / "dataset"))
    write_record(dataset, [Source(**where | (source or {}))])
    if settings:
        set_values(dataset, {key.replace("__", "."): value for key, value in settings.items()})
    return dataset


def run_stage(dataset, stage, force=None, only=None):
    """Outcomes of what is to be done at one stage, as its flow would have them done."""
    from flows.planning.plan import make_plan
    from flows.planning.training_set import training_stacks
    from tasks import evaluate, ingest, predict, segment, train, weigh

    record = read_record(dataset)
    plan = make_plan(dataset, record, force)
    names = [work.name for work in plan.pending(stage, only)]
    if not names:
        return []
    by_stage = {
        "ingest": lambda: ingest.ingest_stacks.fn(
            dataset.url, [plan.stacks[n] for n in names], record.ingest, force == stage
        ),
        "weigh": lambda: weigh.weigh_stacks.fn(dataset.url, names, record.weigh, record.cluster, record.classes),
        "train": lambda: train.train_model.fn(
            dataset.url, training_stacks(plan, dataset, record), record.train, record.classes
        ),
        "predict": lambda: predict.predict_stacks.fn(dataset.url, names, record.model, record.predict, record.cluster),
        "segment": lambda: segment.segment_stacks.fn(
            dataset.url, names, record.model, record.segment, record.predict.keep_scores, record.cluster
        ),
        "evaluate": lambda: evaluate.evaluate_model.fn(dataset.url, plan.reported_stacks(), record.model, record),
    }
    return by_stage[stage]()


def run_all(dataset, force=None, until="evaluate"):
    """Outcomes of everything that is stale, in order: what `reprocess` does, without Prefect."""
    stages = STAGES[: STAGES.index(until) + 1]
    return [outcome for stage in stages for outcome in run_stage(dataset, stage, force)]


@pytest.fixture
def make(tmp_path):
    """Makes a dataset: `make({"a": (image, truth)}, train__steps=3)`."""
    return lambda stacks, source=None, **settings: make_dataset(tmp_path, stacks, source, **settings)


@pytest.fixture
def make_classed(tmp_path):
    """Makes a dataset with classes, and ingests it: `make_classed({"a": (image, ids, {1: "dim"})}, ("dim", "lit"))`."""

    def made(stacks, names, **settings):
        for stack, (_, _, class_of) in stacks.items():
            path = tmp_path / f"files/class/{stack}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("id,class\n" + "".join(f"{each},{name}\n" for each, name in class_of.items()))
        source = {"class_of": "../files/class", "classes": dict(enumerate(names, start=1))}
        files = {name: pixels[:2] for name, pixels in stacks.items()}
        dataset = make_dataset(tmp_path, files, source, **settings)
        run_stage(dataset, "ingest")
        return dataset

    return made


@pytest.fixture(scope="session")
def stage():
    """Does one stage of a dataset, or all up to one: `stage(dataset, "weigh")`, `stage.all(dataset)`."""
    run_stage.all = run_all
    return run_stage


@pytest.fixture(scope="session")
def walked(tmp_path_factory) -> Path:
    """Folder of a dataset on which every stage was done: stacks a and b with truth, c without."""
    import torch

    from unet.images.synthetic import draw_stack

    torch.set_num_threads(1)  # nets so small are slower on more
    folder = tmp_path_factory.mktemp("walked")
    drawn = {name: draw_stack(planes=2, side=64, seed=seed) for seed, name in enumerate("abc", start=1)}
    stacks = {name: (image, truth if name != "c" else None) for name, (image, truth) in drawn.items()}
    outcomes = run_all(make_dataset(folder, stacks, **{k.replace(".", "__"): v for k, v in QUICK.items()}))
    assert {outcome.state for outcome in outcomes} == {"done"}
    return folder


@pytest.fixture
def dataset(walked, tmp_path) -> Dataset:
    """A copy of the dataset on which every stage was done, with copies of its sources in `../files`."""
    shutil.copytree(walked, tmp_path / "copy")
    return Dataset(str(tmp_path / "copy/dataset"))


def shrink_shards(side=32, put=setattr):
    """Shards of so many pixels a side in one plane, and pyramids of arrays of more than 40: small ones have several."""
    from unet.store import shards

    def chunk(shape, itemsize):
        return (*(1 for _ in shape[:-2]), *(min(side, size) for size in shape[-2:]))

    put(shards, "_plane_chunk", chunk)
    put(shards, "PLANE_SHARD", side)
    put(shards, "SOLID_SHARD", side // 2)
    put(shards, "SMALLEST", 40)


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of 32 × 32 pixels; `small_shards(16)` makes them smaller."""
    shrink_shards(32, monkeypatch.setattr)
    return lambda side: shrink_shards(side, monkeypatch.setattr)


@pytest.fixture
def level():
    """Pixels of a result's full level."""

    def read(result) -> np.ndarray:
        from unet.store import ome
        from unet.store.arrays import open_array

        return np.asarray(open_array(ome.full_level(result))[...])

    return read
