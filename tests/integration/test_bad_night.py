"""A night over fifty good stacks among ten kinds of bad files: all good ones are done, each bad one says why, once."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from flows.planning.plan import make_plan
from tests.conftest import QUICK, make_dataset
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack

pytestmark = [pytest.mark.prefect, pytest.mark.slow]
GOOD = [f"good{number:02}" for number in range(50)]


def write_bad(folder):
    """Ten kinds of bad files, and what is said of each: of those that are stacks, and of those that are none."""
    whole = (folder / "good00.ome.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.tif").touch()
    (folder / "text.tif").write_text("no picture")
    (folder / "half.png").write_bytes(_png(folder)[:200])
    (folder / "renamed.png").write_bytes(whole)
    (folder / "untrue.ome.tif").write_bytes(whole)
    tifffile.imwrite(folder / "complex.tif", np.zeros((32, 32), np.complex64))
    (folder / "forbidden.tif").write_bytes(whole)
    (folder / "lost.tif").symlink_to("nowhere.tif")
    Path(os.fsdecode(os.fsencode(folder) + b"/latin\xff.tif")).write_bytes(whole)
    truth = folder.parent / "truth/untrue.ome.tif"
    tifffile.imwrite(truth, np.ones((5, 9), np.uint8))
    return {
        "cut": "is not a readable TIFF",
        "empty": "is not a readable TIFF",
        "text": "is not a readable TIFF",
        "half": "is not a readable PNG",
        "renamed": "is not a readable PNG",
        "untrue": "must have the image's shape",
        "complex": "must be numbers or bits",
        "forbidden": "must be readable, got: Permission denied",
    }, {"lost.tif": "is a link to what is not there", "latin": "must have a name in UTF-8"}


def _png(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 99, (64, 64)).astype(np.uint8)).save(folder / "half.png")
    return (folder / "half.png").read_bytes()


@pytest.fixture
def night(tmp_path):
    """The dataset, what is said of each of its bad stacks, and of other bad files."""
    pixels = [draw_stack(planes=1, side=64, seed=seed) for seed in range(3)]
    stacks = {name: (pixels[at % 3][0], pixels[at % 3][1] if at < 3 else None) for at, name in enumerate(GOOD)}
    dataset = make_dataset(tmp_path, stacks)
    set_values(dataset, QUICK | {"train.steps": 2, "train.tile_size": 16})
    return dataset, *write_bad(tmp_path / "files/image")


def test_fifty_are_done_ten_say_why_and_the_next_night_is_quiet(night, forbid, prefect_server, capsys):
    from flows.commands import app
    from flows.reprocess import reprocess
    from tasks.execution.outcomes import SetAside

    dataset, stacks, others = night
    folder = Path(dataset.url).parent / "files/image"
    forbid(folder / "forbidden.tif")
    with pytest.raises(SetAside) as failure:
        reprocess(dataset.url)
    assert {of.name: of.stage for of in failure.value.failed} == dict.fromkeys(stacks, "ingest")
    assert all(words in of.why for of in failure.value.failed for words in [stacks[of.name]])
    plan = make_plan(dataset, read_record(dataset))
    assert all(plan.state("segment", name) == "fresh" for name in GOOD)
    assert plan.pending() == []
    assert all(sum(file in note and words in note for note in plan.notes) == 1 for file, words in others.items())

    assert reprocess(dataset.url) == []  # what failed before is no news
    told = status_of(app, dataset, capsys)
    for name, words in stacks.items():
        assert sum(words in line and name in line for line in told) == 1, name
    shutil.copy(folder / "good00.ome.tif", folder / "cut.tif")
    (folder / "new.tif").write_bytes(b"II*\0not a picture")
    with pytest.raises(SetAside) as failure:
        reprocess(dataset.url)
    assert [of.name for of in failure.value.failed] == ["new"]
    assert {of.name for of in failure.value.done if of.state == "done" and of.stage == "segment"} == {"cut"}
    assert {of.name for of in failure.value.done if of.is_old} == set(stacks) - {"cut"}


def status_of(app, dataset, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        app.app(["status", dataset.url])
    assert ended.value.code == 1
    return capsys.readouterr().err.splitlines()
