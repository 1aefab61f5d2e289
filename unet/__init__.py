"""What is true of an array, a tensor or an open store: values in, values out, and no Prefect below this line.

The rooms in reading order, each named after one question; an arrow says who may import whom:

    settings     what may a person set?                          ◀─ every room
    dataset      where does it lie, and who is at it?            ◀─ every room below
    ledger       what was made of what?                          ◀─ every room below but images
    images       what is true of a plane of grey values?         ◀─ every room below
    formats      what did a microscope write?                    ◀─ labels … training
    store        how do arrays lie in zarr?                      ◀─ labels … training
    labels       what is true of label images?                   ◀─ network, weight_maps, training
    evaluation   how good is it?                                 ◀─ reports … training
    reports      how is it shown?                                ◀─ network, weight_maps, training
    network      what is the network, and how does it predict?   ◀─ training
    weight_maps  what does training see of the truth?            ◀─ training
    benchmarks   how does a published figure come about again?
    training     how is a network trained?

The first three are light (no numpy, torch, zarr or dask), so that `--help` and `status` answer at once; tensors live in
`network` and `training` alone. A room's `__init__` names its modules and re-exports nothing; import-linter holds all of
it. To follow a stack: `formats` (ingest), `weight_maps` (weigh), `training`, `network` (predict), `labels` (segment),
`evaluation` and `reports`.

As a library, `import unet` offers the names below, each loaded when it is first used; `__init__.pyi` says where from.

Files and datasets
    `open_stack` a microscope's file, plane by plane · `open_dataset` what a dataset holds, as arrays and tables ·
    `load_model` one of its networks
Network
    `UNet` the module of torch · `Architecture` its arithmetic · `predict_image` scores of an array, without a seam ·
    `normalise_image` what a network takes
Training
    `train` a network from planes · `Training` how · `training_plane` a plane from two arrays · `class_weights_of` the
    balance of classes
Truth
    `border_weights` the weight map of Ronneberger et al. 2015 · `BorderWeights`, `Weigh` its settings ·
    `part_touching` objects that touch, parted
Objects
    `connected_segments` ids of a mask · `segment_table` one row a segment · `metrics` segments beside truth

No flow calls `predict_image`, `border_weights`, `part_touching`, `segment_table`, `normalise_image`, `training_plane`,
`class_weights_of`, `load_model`: they are for readers of the library, who hold arrays in memory. Of `metrics` a report
has those that `evaluate.metrics` names.

>>> import numpy as np
>>> import unet
>>> truth = np.array([[1, 1, 0, 0, 2, 2]])
>>> unet.border_weights(truth, unet.BorderWeights(w0=10, sigma=5)).round(1)  # the gap of 2: 10·exp(−3²/50)
array([[0. , 0. , 8.4, 8.4, 0. , 0. ]], dtype=float32)
>>> found = unet.connected_segments(truth > 0)
>>> unet.metrics.average_precision(truth, found), unet.segment_table(found)["area_px"]
(1.0, array([2, 2]))
"""

from importlib import import_module
from typing import Any

import lazy_loader

_offered, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, loaded now."""
    if name == "metrics":  # a module, and lazy_loader looks for those right below a package alone
        return import_module("unet.evaluation.metrics")
    return _offered(name)
