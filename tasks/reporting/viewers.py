"""How a person opens a stack with its truth and segments in a viewer: commands that are true, and what else to do."""

import shlex

from unet.dataset.folder import Dataset
from unet.ledger.results import labels_of
from unet.reports.report import Command


def viewers(dataset: Dataset, model: str, name: str) -> list[Command]:
    """Commands for one stack; another one is opened by its name."""
    image = dataset.image(name).url
    layers = " and ".join(["truth"] * (labels_of(dataset, name, "truth").known_stamp() is not None) + [model])
    served = "http://127.0.0.1:8000" if dataset.is_local else "its own address"
    labels = f"{served}/labels/{model}/|zarr3:"
    return [
        Command(
            "napari",
            f"pip install 'napari[all]' napari-ome-zarr\nnapari --plugin napari-ome-zarr {shlex.quote(image)}",
            f"The image with {layers} as layers of labels, which are hidden until their eye is clicked. The plane of a "
            "picture is set by the sliders for t and z.",
            name,
        ),
        Command(
            "Fiji",
            f"unet-flows export-labels {shlex.quote(dataset.url)} --to labels",
            f"This writes all labels as TIFF, which Fiji opens as it does any. A new Fiji reads {image} as it is, by "
            "File › Import › HDF5/N5/Zarr/OME-NGFF.",
            name,
        ),
        Command(
            "Neuroglancer",
            f"npx http-server {shlex.quote(image)} -p 8000 --cors",
            f"Then, in a browser at neuroglancer-demo.appspot.com, a layer with the source {served}/|zarr3: and one "
            f"for labels with {labels}.",
            name,
        ),
    ]
