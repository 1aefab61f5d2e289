"""The verb `reproduce` where no flow runs: what is wrong is one sentence, and a dry run writes nothing."""

import json

import pytest

from tests import drawn_benchmarks as draw
from unet.benchmarks.published import BENCHMARKS


def refused(answer, *words):
    status, out, err = answer
    assert (status, out) == (2, ""), err
    assert len(err.strip().splitlines()) == 1, err
    assert all(word in err for word in words), err


@pytest.mark.parametrize("name", BENCHMARKS)
def test_without_data_it_says_where_they_are_to_be_had(run, tmp_path, name):
    for data in ([], ["--data", tmp_path / "nowhere"]):
        refused(run("reproduce", name, *data, "--to", tmp_path / "to"), BENCHMARKS[name].home, "nothing is downloaded")
    assert not (tmp_path / "to").exists()


def test_a_missing_file_is_one_sentence(run, tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    (folder / "label/03.tif").unlink()
    refused(run("reproduce", "isbi2012", "--data", folder, "--to", tmp_path / "to"), "image/03.tif", "label")


def test_folds_and_settings_that_cannot_be(run, tmp_path):
    folder = draw.isbi_slices(tmp_path / "a")
    words = ("reproduce", "isbi2012", "--data", folder, "--to", tmp_path / "to")
    refused(run(*words, "--folds", "9"), "3 at most")
    refused(run(*words, "--set", "train.stepps=4"), "train.stepps")
    refused(run(*words, "--minutes", "0"), "--minutes")


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(run, tmp_path):
    folder = draw.tracking(tmp_path / "a")
    words = ("reproduce", "phc-u373", "--data", folder, "--to", tmp_path / "to", "--recipe", "default", "--dry-run")
    status, out, _ = run(*words)
    assert status == 0
    assert "2 trainings of 20 minutes at most each" in out
    status, out, _ = run(*words, "--json")
    assert [fold["state"] for fold in json.loads(out)["folds"]] == ["never made"] * 2
    assert not (tmp_path / "to").exists()
