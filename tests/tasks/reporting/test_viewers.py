"""Commands that open a stack are whole: a shell reads them as they stand, whatever the folder is called."""

import shlex

from tasks.reporting.viewers import viewers
from unet.dataset.folder import Dataset


def test_each_viewer_has_a_command_with_the_stack_in_it(tmp_path):
    dataset = Dataset(str(tmp_path / "a b'c"))
    found = {command.program: command for command in viewers(dataset, "unet", "monday-1")}
    assert list(found) == ["napari", "Fiji", "Neuroglancer"]
    image = f"{dataset.url}/images/monday-1.ome.zarr"
    assert image in shlex.split(found["napari"].line)
    assert "until their eye is clicked" in found["napari"].said  # as napari-ome-zarr opens labels
    assert image in shlex.split(found["Neuroglancer"].line)
    assert dataset.url in shlex.split(found["Fiji"].line)
    assert "labels/unet" in found["Neuroglancer"].said
