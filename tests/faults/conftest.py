"""What the campaigns share: a small finished dataset whose arrays have several shards and levels."""

import shutil

import pytest

from tests.conftest import run_all, shrink_shards
from unet.dataset.folder import Dataset


@pytest.fixture(scope="session")
def finished(walked, tmp_path_factory):
    """Folder of the dataset; whatever is made while it is in use has small shards."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(walked / "files", folder / "files")
    (folder / "dataset").mkdir()
    shutil.copy(walked / "dataset/dataset.yaml", folder / "dataset/dataset.yaml")
    with pytest.MonkeyPatch.context() as patch:
        shrink_shards(32, patch.setattr)
        run_all(Dataset(str(folder / "dataset")))
    return folder


@pytest.fixture(autouse=True)
def of_small_shards(monkeypatch):
    """Shards of 32 × 32 pixels."""
    shrink_shards(32, monkeypatch.setattr)
