"""How long planning takes beside many small stacks that are fresh: seconds, of one process on one core.

All have truth: the longest way. The stacks are copies of one that went the whole road, with all of their files, each of
which a plan lists.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import tifffile

from flows.planning import plan as plan_module
from flows.planning.plan import Plan, make_plan
from flows.planning.session import Session
from unet.dataset.folder import Dataset, Folder
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger import fingerprint
from unet.ledger.generations import Result
from unet.ledger.metadata_file import KEY
from unet.ledger.results import image_of, labels_of, model_of, report_of, scores_of, weights_of

T = TypeVar("T")

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
        shutil.copytree(result(before, "unet").folder.url, result(after, "unet").folder.url)
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
        facts = {"files": vars(known), "source": [str(file)]}
        _put(of, to, inputs={source: known.content}, facts=facts)
    _put(weights_of(before, "a"), after.weights(name))
    _put(scores_of(before, "unet", "a"), after.scores("unet", name))
    _put(labels_of(before, "a", "unet"), after.labels(name, "unet"))
    for made, copy in zip(before.all_of("a"), after.all_of(name), strict=False):
        _link(made, copy)
    _link(before.table("unet", "a"), after.table("unet", name))


def _link(made: Folder, copy: Folder) -> None:
    """Every file that is there, but for those that were put."""
    for file in sorted(path for path in [Path(made.url), *Path(made.url).rglob("*")] if path.is_file()):
        link = Path(copy.url) / file.relative_to(made.url)
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, link)


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
    assert plan.pending() == []
    assert len(plan.statuses) == 4 * STACKS + 2
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


def test_reprocess_of_one_new_stack_beside_many_fresh_ones(
    many: Dataset, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the planning of a run that makes one stack without truth, beside one plan of those that are fresh."""
    from flows import reprocess, stage_run

    _trained_on_all(many)
    record, one, spent, calls = read_record(many), [], [], Counter[str]()
    _timed(lambda: make_plan(many, record), one)
    image, _ = draw_stack(planes=2, side=64, seed=9)
    source = Path(many.url).parent / "files/image/new.ome.tif"
    tifffile.imwrite(source, image, ome=True, metadata={"axes": "ZYX"})
    for owner, name in (
        (Session, "_plan_anew"),
        (Session, "plan_for"),
        (Session, "whole_plan"),
        (Plan, "is_due"),
        (Plan, "pending"),
        (reprocess, "estimate"),
        (stage_run, "estimate"),
        (stage_run, "stack_bytes"),
        (plan_module, "find_catalogue"),
    ):
        monkeypatch.setattr(owner, name, _watched(getattr(owner, name), name, spent, calls))
    outcomes = reprocess.reprocess(many.url)
    assert [(outcome.stage, outcome.name) for outcome in outcomes] == [
        (stage, "new") for stage in ("ingest", "predict", "segment")
    ]
    for made in (Folder(str(source)), *many.all_of("new")):
        made.remove()
    ratio = sum(spent) / one[0]
    print(f"\none new stack beside {STACKS:,} fresh ones: {sum(spent):.1f} s of planning in a reprocess", end=", ")
    print(f"{one[0]:.1f} s for one plan: {ratio:.2f} × (≤ 1.5); whole plans made: {calls['find_catalogue']}")


def _watched(call: Callable[..., T], name: str, spent: list[float], calls: Counter[str]) -> Callable[..., T]:
    """A call that is counted, and whose seconds are kept where it is not part of another one."""

    def watched(*asked: Any, **more: Any) -> T:
        calls[name] += 1
        if calls["within"]:
            return call(*asked, **more)
        calls["within"] = 1
        try:
            return _timed(lambda: call(*asked, **more), spent)
        finally:
            calls["within"] = 0

    return watched


def _timed(call: Callable[[], T], spent: list[float]) -> T:
    """What a call gives; its seconds of CPU, in this thread alone, are kept."""
    began = time.thread_time()
    try:
        return call()
    finally:
        spent.append(time.thread_time() - began)


def _trained_on_all(many: Dataset) -> None:
    """The model's split names all stacks, as training would have written it."""
    metadata = (many.model("unet") / "model.json").read_json() or {}
    metadata["split"] = [{"stack": name, "start": 0, "stop": 2, "use": "training"} for name in many.stacks()]
    (many.model("unet") / "model.json").write(json.dumps(metadata).encode())


def _part(spent: float) -> str:
    return f"{spent / (BOUND * STACKS / 10_000):.2f} × the bound of {BOUND:.0f} s for 10,000"
