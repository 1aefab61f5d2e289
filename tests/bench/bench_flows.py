"""What orchestration costs: many small stacks by `reprocess` on a Prefect server, beside plain functions in a loop.

Both take the same stacks through all stages but training, each way on a dataset of its own, in a process of its own
that has done the whole road once before on a dataset of two stacks. The loop calls a stage's function for a stack,
stack by stack: what a person would write who wants no Prefect. The model is of the defaults' architecture, untrained
but for some steps, as its quality costs no time.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.bench.measure import seconds
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record, set_values, write_record
from unet.images.synthetic import draw_stack
from unet.settings.ingest import Source

STACKS = int(os.environ.get("UNET_FLOWS_BENCH_STACKS", "500"))
SIDE = 256
TIMES = int(os.environ.get("UNET_FLOWS_BENCH_TIMES", "3"))
WARM = "warm"
SETTINGS = {"train.steps": 2, "train.batch_size": 1, "train.validate_every": 1, "train.device": "cpu"}


def by_flows(dataset: str) -> None:
    """Everything by the flow."""
    from flows.reprocess import reprocess

    reprocess(dataset)


def by_loop(dataset: str) -> None:
    """Everything by plain functions, stack by stack."""
    from flows.planning.plan import make_plan
    from tasks import evaluate, ingest, predict, segment, weigh
    from tasks.execution.dask_workers import workers
    from unet.ledger import recipes

    place = Dataset(dataset)
    record = read_record(place)
    plan, model = make_plan(place, record), record.model
    executor = predict.of_this_process("cpu")
    with workers(None) as crew:
        for stack in plan.stacks.values():
            ingest.ingest_stack(place, stack, record.ingest)
        for name in plan.stacks:
            weigh.weigh_stack(place, name, record.weigh, recipes.weigh_recipe(place, name, record.weigh))
        for name in plan.stacks:
            of_now = recipes.predict_recipe(place, model, name, record.predict)
            predict.predict_stack(place, name, model, record.predict, of_now, executor)
        for name in plan.stacks:
            of_now = recipes.segment_recipe(place, model, name, record.segment)
            segment.segment_stack(place, name, model, record.segment, of_now, crew)
    names = make_plan(place, record).evaluated_stacks()
    of_now = recipes.evaluate_recipe(place, model, names, record.evaluate)
    evaluate.evaluate_stacks(place, names, model, record, of_now)


WAYS: dict[str, Callable[[str], None]] = {"flows": by_flows, "loop": by_loop}


def _dataset(folder: Path, count: int) -> Dataset:
    """Sources of so many stacks, turned and mirrored drawings, and a record; nothing is made of them yet."""
    drawn = [draw_stack(planes=1, side=SIDE, seed=seed) for seed in range(1, -(-count // 8) + 1)]
    for number in range(count):
        pair = drawn[number // 8]
        for kind, pixels in zip(("image", "truth"), pair, strict=True):
            turned = np.rot90(pixels[0][:, ::-1] if number & 4 else pixels[0], number & 3)
            path = folder / f"files/{kind}/s{number:04}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.ascontiguousarray(turned))
    dataset = Dataset(str(folder / "dataset"))
    write_record(dataset, [Source("../files/image", "../files/truth")])
    set_values(dataset, SETTINGS)
    return dataset


def _with_model(dataset: Dataset, model: Folder) -> Dataset:
    from unet.network.model_files import bring_in

    bring_in(dataset, model, "brought")
    set_values(dataset, {"predict.model": "brought"})
    return dataset


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of datasets on which nothing was done yet but that they have a model: many stacks, and two to warm up."""
    from tests.conftest import run_all

    top = tmp_path_factory.mktemp("flows")
    few = _dataset(top / "few", 2)
    run_all(few, until="train")
    for name, count in (("many", STACKS), (WARM, 2)):
        _with_model(_dataset(top / name, count), few.model("unet"))
    return top


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server of its own, with SQLite; how long it took to start is printed."""
    from flows.server.address import SETTINGS as TOLD

    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | TOLD | {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_PORT": str(port)}
    url, began = f"http://127.0.0.1:{port}/api", time.perf_counter()
    with (home / "log").open("wb") as log:
        command = [sys.executable, "-m", "prefect", "server", "start"]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    while not _answers(url):
        assert server.poll() is None, (home / "log").read_text()
        time.sleep(0.1)
    print(f"\nstart of the server: {time.perf_counter() - began:.1f} s")
    yield url
    server.terminate()
    server.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_flows_beside_a_loop(top: Path, api: str) -> None:
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(TIMES):
        for way, taken in spent.items():
            taken.append(_measured(top, way, api))
    flows, loop = (statistics.median(spent[way]) for way in ("flows", "loop"))
    ratio = statistics.median(f / p for f, p in zip(spent["flows"], spent["loop"], strict=True))
    print(f"\n{STACKS} stacks of {SIDE}², all stages but training, median of {TIMES}: {flows:.1f} s by flows", end=", ")
    print(f"{loop:.1f} s by plain functions in a loop: {ratio:.2f} × (≤ 1.5)")


def _measured(top: Path, way: str, api: str) -> float:
    """Seconds of one way over a fresh copy, without those of a process's start and its first stacks."""
    from flows.server.address import SETTINGS as TOLD

    copy = top / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    for name in ("many", WARM):
        shutil.copytree(top / name, copy / name)
    command = [sys.executable, __file__, way, str(copy / WARM / "dataset"), str(copy / "many/dataset")]
    environment = os.environ | TOLD | {"PREFECT_API_URL": api, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-4000:]
    report = copy / "many/dataset/reports/brought/metrics.json"
    assert len(json.loads(report.read_text())["stacks"]) == STACKS
    return float(answer.stdout.splitlines()[-1])


if __name__ == "__main__":
    _, chosen, small, large = sys.argv
    WAYS[chosen](small)
    print(seconds(lambda: WAYS[chosen](large)))
