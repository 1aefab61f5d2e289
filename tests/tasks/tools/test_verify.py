"""Laws of verify: what is whole is silent; a single wrong bit is named with its file, and noted for the next run."""

import os
from pathlib import Path

import pytest
import zarr

from tasks.tools.verify import damage, damage_of_model
from tests.faults.limits import within
from unet.ledger.results import image_of, labels_of, model_of, report_of


def shard_of(dataset, name):
    """File of one shard of a stack's image."""
    return next(file for file in Path(dataset.image(name).url).glob("*.0/c/**/*") if file.is_file())


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_what_is_whole_is_silent(dataset):
    assert damage(dataset, "a") == []
    assert damage_of_model(dataset, "unet") == []


def test_one_wrong_bit_is_named_with_its_shard(dataset):
    shard, image = shard_of(dataset, "a"), image_of(dataset, "a")
    flip(shard)
    assert image.holes() == []  # a listing does not tell
    assert damage(dataset, "a") == [f"{shard} is missing or damaged"]
    assert damage(dataset, "b") == []
    assert image.holes() == [shard.relative_to(image.folder.url).as_posix()]


def test_a_shard_that_is_gone_is_named(dataset):
    shard = shard_of(dataset, "a")
    shard.unlink()
    assert damage(dataset, "a") == [f"{shard} is missing or damaged"]


def test_metadata_that_is_gone_is_named(dataset):
    file = image_of(dataset, "a").folder / "zarr.json"
    file.remove()
    assert damage(dataset, "a") == [f"{file.url} is missing"]


@pytest.mark.parametrize("of", [model_of, report_of])
def test_every_file_of_a_model_and_its_report_is_read(dataset, of):
    result = of(dataset, "unet")
    known = result.contents(result.committed().generation).known(result.committed().facts["contents"])
    for name in known:
        whole = (result.folder / name).read()
        flip(Path((result.folder / name).url))
        told = damage_of_model(dataset, "unet")
        assert f"{result.folder.url}/{name} is missing or damaged" in told
        assert len(told) == 1 + name.endswith(("report.html", "planes.csv"))  # which is not what was published either
        (result.folder / name).write(whole)
        (result.folder / "damaged.json").remove()


def test_a_table_that_is_not_of_these_segments_is_named(dataset):
    dataset.table("unet", "a").write(dataset.table("unet", "b").read())
    assert damage(dataset, "a") == [f"{dataset.table('unet', 'a').url} is missing or damaged"]


def test_labels_that_people_added_behind_ours_are_no_damage(dataset):
    labels = dataset.image("a") / "labels"
    group = zarr.open_group(labels.url, mode="a")
    group.create_group("drawn")
    ome = group.attrs["ome"]
    group.attrs["ome"] = {**ome, "labels": ["unet", "truth", "drawn"]}  # in no order
    assert damage(dataset, "a") == []
    group.attrs["ome"] = {**ome, "labels": ["unet", "truth"]}
    assert damage(dataset, "a") == [f"{labels.url}/zarr.json is missing or damaged"]


def test_truth_that_was_edited_is_whole_and_truth_that_cannot_be_decoded_is_not(dataset):
    top = Path(labels_of(dataset, "a", "truth").folder.url)
    one, other = sorted(file for file in top.glob("*.0/c/**/*") if file.is_file())[:2]
    one.write_bytes(other.read_bytes())
    assert damage(dataset, "a") == []
    one.write_bytes(b"no shard")
    assert damage(dataset, "a") == [f"{one} is missing or damaged"]


@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda path: (path.touch(), os.truncate(path, 2**40))], ids=["pipe", "hole"]
)
@pytest.mark.parametrize(
    "name",
    ["reports/unet/report.html", "reports/unet/planes.csv", "reports/unet/*.*/report.html", "*/*/*/contents.json"],
)
def test_what_is_no_file_or_claims_a_terabyte_is_named_and_stops_nothing_else(dataset, name, put):
    top = Path(dataset.url)
    path = next(file for file in sorted(top.glob(name.replace("*.*", "?" * 12))) if file.is_file())
    path.unlink()
    put(path)
    with within(30):
        told = damage(dataset, "a") + damage_of_model(dataset, "unet")
    assert f"{path} is missing or damaged" in told
