"""How long a plan of many small stacks takes when all of them are fresh: seconds, of one process on one core.

A stack here is what the plan reads of it: its source files, its metadata files, and the files of its truth. All
have truth: the longest way. The stacks are copies of one that went the whole road.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flows.planning.plan import make_plan
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record
from unet.ledger import fingerprint
from unet.ledger.results import KEY, Result, image_of, labels_of, model_of, report_of, scores_of, weights_of

STACKS = int(os.environ.get("UNET_FLOWS_BENCH_STACKS", "10000"))
BOUND = 30.0
"""Seconds that a plan of 10,000 stacks may take."""


@pytest.fixture(scope="module")
def many(walked: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of many fresh stacks: copies of stack `a`, each with a name and source files of its own."""
    top = tmp_path_factory.mktemp("many")
    before, after = Dataset(str(walked / "dataset")), Dataset(str(top / "dataset"))
    names = [f"s{number:05}" for number in range(STACKS)]
    after.record.write(before.record.read() or b"")
    for name in names:
        _copy(walked, top, before, after, name)
    for result in (model_of, report_of):
        _put(result(before, "unet"), result(after, "unet").folder, inputs=_for_all(result(before, "unet"), names))
    return after


def _copy(walked: Path, top: Path, before: Dataset, after: Dataset, name: str) -> None:
    for kind, of in (("image", image_of(before, "a")), ("truth", labels_of(before, "a", "truth"))):
        file = top / f"files/{kind}/{name}.ome.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        os.link(walked / f"files/{kind}/a.ome.tif", file)
        known = fingerprint.of_files([str(file)])
        to = after.image(name) if kind == "image" else after.labels(name, "truth")
        source = "source" if kind == "image" else "truth source"
        facts = {"files": vars(known)} | ({"source": [str(file)]} if kind == "image" else {})
        _put(of, to, inputs={source: known.content}, facts=facts)
    truth = labels_of(before, "a", "truth")
    level = f"{truth.committed().generation}/0"
    for file_of_array in (truth.folder / level).files():
        link = Path((after.labels(name, "truth") / level / file_of_array).url)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link((truth.folder / level / file_of_array).url, link)
    _put(weights_of(before, "a"), after.weights(name))
    _put(scores_of(before, "unet", "a"), after.scores("unet", name))
    _put(labels_of(before, "a", "unet"), after.labels(name, "unet"))
    after.table("unet", name).write(b"")


def _put(result: Result, to: Folder, inputs: dict[str, str] | None = None, facts: dict[str, Any] | None = None) -> None:
    """The metadata of a result, with other inputs and facts, at another place."""
    metadata = (result.folder / result.metadata_file).read_json() or {}
    entry = (metadata["attributes"] if result.metadata_file == "zarr.json" else metadata)[KEY]
    entry["recipe"]["inputs"] = inputs or entry["recipe"]["inputs"]
    entry["facts"] |= facts or {}
    (to / result.metadata_file).write_json(metadata)


def _for_all(result: Result, names: list[str]) -> dict[str, str]:
    """Inputs of a model or report that is made of all these stacks as it was of `a`."""
    inputs = result.committed().recipe.inputs
    of_a = {key[2:]: value for key, value in inputs.items() if key.startswith("a ")}
    of_none = {key: value for key, value in inputs.items() if key[:2] not in ("a ", "b ")}
    return of_none | {f"{name} {key}": value for name in names for key, value in of_a.items()}


def test_a_plan_of_many_fresh_stacks(many: Dataset) -> None:
    _trained_on_all(many)
    record, began = read_record(many), time.process_time()
    plan = make_plan(many, record)
    spent = time.process_time() - began
    assert plan.works() == []
    assert len(plan.cells) == 4 * STACKS + 2
    print(f"\nplan of {STACKS:,} fresh stacks: {spent:.1f} s of CPU, {_part(spent)}")


def test_reprocess_of_many_fresh_stacks(many: Dataset, tmp_path: Path) -> None:
    _trained_on_all(many)
    command = [sys.executable, "-m", "flows.commands.app", "reprocess", many.url]
    began, home = time.perf_counter(), tmp_path / "home"
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"UNET_FLOWS_HOME": str(home)}
    )
    spent = time.perf_counter() - began
    assert f"all fresh: {4 * STACKS + 2} results" in answer.stdout
    assert not home.exists()  # no server was begun
    print(f"\nunet-flows reprocess of {STACKS:,} fresh stacks: {spent:.1f} s, {_part(spent)}")


def _trained_on_all(many: Dataset) -> None:
    """The model's split names all stacks, as training would have written it."""
    metadata = (many.model("unet") / "model.json").read_json() or {}
    metadata["split"] = [{"stack": name, "start": 0, "stop": 2, "use": "training"} for name in many.stacks()]
    (many.model("unet") / "model.json").write(json.dumps(metadata).encode())


def _part(spent: float) -> str:
    return f"{spent / (BOUND * STACKS / 10_000):.2f} × the bound of {BOUND:.0f} s for 10,000"
