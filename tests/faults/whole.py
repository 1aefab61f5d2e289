"""What a dataset holds, as it is compared after faults: every file, but for times and seconds that differ by nature."""

import hashlib
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.planning.plan import make_plan
from tasks.tools.verify import damage, damage_of_model
from tests.conftest import run_all
from unet.dataset.record_file import read_record

BY_NATURE = {
    "made",
    "seconds",
    "minutes",
    "waited",
    "packages",
    "attempt",
    "digest",
    "contents",
    "check",
    "seen",
    "source",
}
"""What differs between two runs that made the same: when, how long, and digests of files that say so."""
BY_NATURE_OF_PAGES = re.compile(r"\d{4}-\d\d-\d\d[^<]*|<code>[^<]*</code>|/[^\s<>\"]*/dataset\b")
"""The same in a page: when it was made, and where the dataset lies."""
NOT_OURS = re.compile(r"(^|/)(dataset\.yaml|watch\.json|lease\.json)$|^history/|/checkpoints/|contents\.json$")


def settled(values):
    """A JSON value without what differs by nature."""
    if isinstance(values, dict):
        return {key: settled(value) for key, value in sorted(values.items()) if key not in BY_NATURE}
    return [settled(value) for value in values] if isinstance(values, list) else values


def content(path: Path):
    """What a file of a dataset holds, wherever that lies."""
    if path.suffix == ".json":
        return settled(json.loads(path.read_bytes()))
    if path.suffix == ".html":
        return BY_NATURE_OF_PAGES.sub("", path.read_text("utf-8"))
    if path.suffix == ".parquet":
        return pq.read_table(pa.BufferReader(path.read_bytes())).to_pydict()
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def files(dataset):
    """Every file, by its path below the dataset."""
    top = Path(dataset.url)
    return {path.relative_to(top).as_posix(): path for path in sorted(top.rglob("*")) if path.is_file()}


def held(dataset):
    """What every file holds that is of a result."""
    return {name: content(path) for name, path in files(dataset).items() if not NOT_OURS.search(name)}


def verified(dataset):
    """What a reading of everything finds."""
    lines = [line for name in dataset.stacks() for line in damage(dataset, name)]
    return lines + [line for model in dataset.members("models") for line in damage_of_model(dataset, model)]


def pending(dataset):
    """What a plan says is to be made, or was set aside."""
    plan = make_plan(dataset, read_record(dataset))
    return [*plan.pending(), *plan.set_aside()]


def finish(dataset):
    """Run until nothing is to be made, as nights would: what one stage mends, the next may need."""
    for _ in range(2):
        if pending(dataset):
            run_all(dataset)
