"""Laws of `reproduce`: from the challenge's folder to the table by one command, which goes on where it was ended."""

import json

import pytest
import tifffile

from flows import reproduce as reproduce_module
from tests import drawn_benchmarks as draw
from unet.dataset.folder import Dataset
from unet.ledger.results import model_of

pytestmark = pytest.mark.prefect


@pytest.fixture
def command(run, tmp_path, prefect_server):
    """The command for a drawn folder of sections, in two folds."""
    folder = draw.isbi_volume(tmp_path / "isbi")
    changes = [word for change in draw.QUICK for word in ("--set", change)]
    words = ("reproduce", "isbi2012", "--data", folder, "--to", tmp_path / "to", "--recipe", "default", "--folds", "2")
    return lambda *more: run(*words, *changes, *more)


def made(tmp_path):
    """When each fold's model was made."""
    stamps = [model_of(Dataset(str(tmp_path / f"to/folds/fold-{n}-of-2")), "unet").known_stamp() for n in (1, 2)]
    return [stamp and (stamp.made, stamp.identity) for stamp in stamps]


def test_a_run_that_ends_goes_on_and_a_second_one_does_nothing(command, tmp_path, monkeypatch):
    score, seen = reproduce_module.score_fold, []

    def fails(order, units, fold):
        seen.append(fold.name)
        if len(seen) == 2:
            raise OSError("the disk went away")
        return score(order, units, fold)

    with monkeypatch.context() as patched:
        patched.setattr(reproduce_module, "score_fold", fails)
        status, _, err = command()
    assert status == 1
    assert "the disk went away" in err
    before = made(tmp_path)
    assert all(before)
    early = json.loads((tmp_path / "to/reproduce.json").read_text())
    assert [fold["name"] for fold in early["folds"]] == ["fold-1-of-2"]

    status, out, _ = command("--json")
    assert status == 0
    result = json.loads(out)
    assert made(tmp_path) == before  # neither was trained again
    assert [fold["name"] for fold in result["folds"]] == ["fold-1-of-2", "fold-2-of-2"]
    assert result["figures"]["rand_error"]["paper"]["value"] == 0.0382
    assert result["figures"]["rand_error"]["difference"] == result["figures"]["rand_error"]["ours"] - 0.0382

    written = (tmp_path / "to/reproduce.json").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(reproduce_module, "_make", lambda plan: pytest.fail("there was nothing to do"))
        status, out, err = command()
    assert (status, out) == (0, (tmp_path / "to/reproduce.md").read_text())
    assert "nothing to do" in err
    assert (tmp_path / "to/reproduce.json").read_bytes() == written


def test_a_damaged_file_of_the_last_fold_is_told_before_the_first_is_trained(command, tmp_path):
    path = tmp_path / "isbi/train-labels.tif"
    labels = tifffile.imread(path)
    labels[-1, :9] = 7  # a third value, in what the last fold tests and the first trains on
    tifffile.imwrite(path, labels, photometric="minisblack")
    status, _, err = command("--folds", "2/2")
    assert status == 2
    assert "must hold 0 for membranes and one value for cells" in err
    assert made(tmp_path) == [None, None]
