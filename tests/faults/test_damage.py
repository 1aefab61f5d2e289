"""Law of damage: `--verify` names any file that is lost or holds anything else, and a run mends it and nothing else."""

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from tests.faults.whole import NOT_OURS, files, finish, held, pending, verified
from unet.dataset.folder import Dataset

SEED = int(os.environ.get("UNET_FLOWS_FAULTS_SEED", "0"))
SAMPLED = 9
CARDS = (
    "images/a.ome.zarr/zarr.json",
    "images/a.ome.zarr/labels/zarr.json",
    "images/a.ome.zarr/labels/truth/zarr.json",
    "models/unet/model.json",
)
"""Metadata without which nobody knows what was made; truncated in the short form too."""
SEGMENTS = "images/b.ome.zarr/labels/unet/zarr.json"
OF_A_MODEL = re.compile(r"^models/")
EDITED = re.compile(r"/labels/truth/([0-9a-f]{12}\.0/|zarr\.json$)")
"""What people may edit: what can be read, though it is another, is an edit by hand."""
CONTENTS = re.compile(r"contents\.json$")


def other_of(path: Path, dataset):
    """Another file of the same kind that holds something else, of the same size where there is one."""
    own = path.read_bytes()
    alike = [each for each in files(dataset).values() if each.suffix == path.suffix and each.read_bytes() != own]
    named = [each for each in alike if each.name == path.name] or alike
    return min(named, key=lambda each: abs(each.stat().st_size - len(own)), default=None)


def flip(content, chance):
    where = chance.randrange(len(content))
    return content[:where] + bytes([content[where] ^ 1 << chance.randrange(8)]) + content[where + 1 :]


DAMAGES = {
    "lost": lambda content, chance, other: None,
    "emptied": lambda content, chance, other: b"",
    "truncated": lambda content, chance, other: content[: chance.randrange(1, len(content))],
    "flipped": lambda content, chance, other: flip(content, chance),
    "another's": lambda content, chance, other: other,
}


def damaged(dataset, name, how, chance):
    """Damage a file; whether there was anything to be done."""
    path = files(dataset)[name]
    other = other_of(path, dataset)
    is_edit = EDITED.search(name) and (how == "another's" or (how == "flipped" and path.suffix == ".json"))
    if is_edit or (how == "another's" and other is None):
        return False
    content = DAMAGES[how](path.read_bytes(), chance, other and other.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    return True


def every_case(dataset, hows=DAMAGES):
    """Pairs of a file and what is done to it."""
    names = [name for name in files(dataset) if not NOT_OURS.search(name) or CONTENTS.search(name)]
    return [(name, how) for name in names for how in hows]


def sample(dataset, chance, count):
    """A few of them, some of each kind of file."""
    every = every_case(dataset)
    light = [case for case in every if not OF_A_MODEL.search(case[0])]
    of_models = chance.sample([case for case in every if OF_A_MODEL.search(case[0])], 1)
    cards = [(card, "truncated") for card in CARDS] + [
        (SEGMENTS, "flipped"),
        (SEGMENTS, "another's"),
        (CARDS[1], "flipped"),
    ]
    return [*chance.sample(light, count), *of_models, *cards]


def region_of(path):
    """A region of a generation: its classes and its border weights are computed, and so mended, together."""
    return re.sub(r"/(classes|border)/c/", "/c/", path)


def fault(dataset, name, before):
    """What went wrong after a file was damaged; empty where it was named, mended, and nothing else was."""
    kept = {path: file.stat().st_ino for path, file in files(dataset).items()}
    if not any(f"{dataset.url}/{name}" in line for line in verified(dataset)):
        return "it is not named"
    if not pending(dataset):
        return "nothing is to be done"
    finish(dataset)
    if found := pending(dataset) or verified(dataset):
        return f"it is not mended: {found}"
    if held(dataset) != before:
        return "other values"
    shards = [path for path in kept if "/c/" in path and region_of(path) != region_of(name)]
    now = files(dataset)
    changed = [path for path in shards if now[path].stat().st_ino != kept[path]]
    return f"made again: {changed}" if changed else ""


def faults(finished, folder, cases):
    """Damage files, each in a copy of its own, and tell what went wrong."""
    chance, before = random.Random(SEED), held(Dataset(str(finished / "dataset")))
    for name, how in cases:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(finished, folder)
        dataset = Dataset(str(folder / "dataset"))
        if damaged(dataset, name, how, chance) and (wrong := fault(dataset, name, before)):
            yield f"{name} was {how}: {wrong} (UNET_FLOWS_FAULTS_SEED={SEED})"


def test_a_damaged_file_is_named_and_mended_and_nothing_else(finished, tmp_path):
    cases = sample(Dataset(str(finished / "dataset")), random.Random(SEED), SAMPLED)
    assert list(faults(finished, tmp_path / "copy", cases)) == []


@pytest.mark.faults
@pytest.mark.parametrize("how", DAMAGES)
def test_every_file_damaged_in_every_way_is_named_and_mended(finished, tmp_path, how):
    assert list(faults(finished, tmp_path / "copy", every_case(Dataset(str(finished / "dataset")), [how]))) == []
