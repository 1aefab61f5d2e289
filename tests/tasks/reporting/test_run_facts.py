"""What a report says was run: parameters as the network has them, units where they are known, versions, digests."""

import shutil

import pytest

from tasks.execution.timing import timed
from tasks.reporting.run_facts import PARAMETERS, data_facts, data_table, run_facts, size_scale
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger.results import image_of, model_of
from unet.network.model_files import load
from unet.network.parity import known_parity


@pytest.fixture(scope="module")
def facts(dataset_once):
    record = read_record(dataset_once).model_dump(mode="json")
    return timed(run_facts)(dataset_once, "unet", ["a", "b"], record, "0123456789ab")


@pytest.fixture(scope="module")
def dataset_once(walked):
    return Dataset(f"{walked}/dataset")


def test_parameters_are_those_of_the_network(facts, dataset_once):
    network = load(dataset_once, "unet").network
    assert facts.plain["network"]["parameters"] == sum(each.numel() for each in network.parameters())
    assert facts.sections["Model"]["parameters"] == f"{facts.plain['network']['parameters']:,}"


def test_what_half_precision_changes_is_told(facts, dataset_once):
    (one,) = known_parity(model_of(dataset_once, "unet").attributes())
    assert facts.sections["Model"]["predicted in bf16 on cpu"] == one.words


def test_a_file_of_parameters_that_is_damaged_is_named(dataset_once, tmp_path):
    copy = Dataset(shutil.copytree(dataset_once.url, tmp_path / "copy").as_posix())
    made = model_of(copy, "unet")
    file = made.folder / made.committed().generation / PARAMETERS
    content = file.read()
    file.write(content[:8] + b"{" * 32 + content[40:])
    with pytest.raises(ValueError, match=r"^the header of .*model\.safetensors must hold JSON, got "):
        timed(run_facts)(copy, "unet", ["a", "b"], {}, "0123456789ab")


def test_time_machine_software_and_digests_are_told(facts, dataset_once):
    assert {"ingest", "train", "predict", "segment"} <= set(facts.sections["Minutes"])
    assert facts.sections["Machine"]["predict"].startswith("cpu")
    assert {"torch", "zarr", "numpy"} <= set(facts.sections["Software"])
    assert facts.sections["Digests"]["report"] == "0123456789ab"
    assert facts.sections["Digests"]["model"] == model_of(dataset_once, "unet").committed().identity


def test_data_have_a_row_a_stack(dataset_once):
    data = data_facts(dataset_once, "unet", {"a": {"part": "training", "objects": 12}, "c": {}})
    assert (data["a"]["planes"], data["a"]["y"], data["a"]["objects"]) == (2, 64, 12)
    table = data_table(data)
    assert table.rows[0][:5] == ["a", "training", "2", "64 × 64", "1.25 × 0.5 × 0.5 µm"]
    assert table.rows[1][1] == "without truth"
    assert table.said == "2 stacks, 16,384 pixels, 12 true objects."
    unjudged = data_facts(dataset_once, "unet", {"c": {}})
    assert data_table(unjudged).said == f"1 stack, 8,192 pixels, {unjudged['c']['segments']} segments."


def test_sizes_are_physical_where_all_stacks_have_pixels_of_one_known_size(dataset_once):
    assert size_scale(dataset_once, ["a", "b"], 2) == ("µm²", 0.25)
    assert size_scale(dataset_once, ["a"], 3) == ("µm³", 0.3125)


def test_sizes_are_in_pixels_where_sizes_differ_or_are_not_known(make, stage):
    drawn = {name: draw_stack(planes=1, side=64, seed=seed) for seed, name in enumerate("ab")}
    dataset = make(drawn)
    stage(dataset, "ingest")
    image_of(dataset, "b").amend({"spacing": {"y": 0.4, "x": 0.4}})
    assert size_scale(dataset, ["a", "b"], 2) == ("pixels", 1.0)
    image_of(dataset, "b").amend({"spacing": {}, "units": {}})
    assert size_scale(dataset, ["b"], 3) == ("voxels", 1.0)
    assert data_table(data_facts(dataset, "unet", {"b": {}})).rows[0][4] == "unknown"
