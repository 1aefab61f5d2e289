"""`labels/truth` → `weights/NAME.zarr`: what training sees of the truth, and the border weights.

Region by region through dask; a region is one shard of both arrays.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from tasks.outcomes import each
from tasks.policy import cpu_task
from tasks.progress import Sink
from unet import ome
from unet.blockwise import run_regions, workers
from unet.folder import Dataset, Folder
from unet.layout import Layout, Region, grow, plane_layout, within
from unet.ledger import Outcome, Recipe, image_of, labels_of, weights_of
from unet.recipes import weigh_recipe
from unet.records import Cluster, Weigh
from unet.store import Stored, create, open_array
from unet.weights import halo, weigh_block

STACKS_AT_ONCE = 4
"""Stacks whose regions are submitted side by side, so that many small stacks keep all workers busy."""


@cpu_task("weigh")
def weigh_stacks(
    dataset: str, names: list[str], settings: Weigh, cluster: str | Cluster | None = None
) -> list[Outcome]:
    """Outcomes of a batch of stacks."""
    place = Dataset(dataset)
    with workers(cluster) as client, Sink("weigh", len(names)) as sink:

        def work(name: str, recipe: Recipe) -> str:
            word = weigh_stack(place, name, settings, recipe, client)
            sink.step(name)
            return word

        return each(place, names, lambda name: weigh_recipe(place, name, settings), work, STACKS_AT_ONCE)


def weigh_stack(dataset: Dataset, name: str, settings: Weigh, recipe: Recipe, client: Client) -> str:
    """Write classes and border weights of one stack; says how many pixels of each class there are."""
    truth = labels_of(dataset, name, "truth")
    level = truth.folder / ome.first_level(truth.attributes())
    axes, shape = ome.axes_of(truth.attributes()), open_array(level).shape
    result = weights_of(dataset, name)
    generation = result.begin(recipe, {})
    layout = plane_layout(shape, 4)  # one grid for both arrays: a region is a shard of each
    classes = create(generation.folder / "classes", Layout(shape, layout.shard, layout.chunk), np.uint8, axes)
    border = create(generation.folder / "border", layout, np.float32, axes)
    spacing = spacing_in_pixels(axes, image_of(dataset, name).committed().facts["spacing"])
    weigh = partial(_weigh_region, level, generation.folder, settings, spacing)
    for _ in run_regions(client, weigh, border.missing(), lambda: None):
        pass
    counts = [np.bincount(plane.ravel(), minlength=2).tolist() for plane in _planes(classes.array)]
    paths = {"classes": f"{generation.name}/classes", "border": f"{generation.name}/border"}
    result.commit(generation, {"arrays": paths}, {"counts": counts, "axes": axes, "shape": list(shape)})
    background, objects = np.sum(counts, axis=0)[:2].tolist()
    return f"{objects / max(background + objects, 1):.0%} object"


def spacing_in_pixels(axes: str, sizes: Mapping[str, float]) -> tuple[float, ...]:
    """Pixel sizes of the space axes, in y x pixels; where one is unknown, pixels are taken as cubes.

    >>> spacing_in_pixels("tzyx", {"z": 1.0, "y": 0.25, "x": 0.25})
    (4.0, 1.0, 1.0)
    """
    known = all(axis in sizes for axis in axes if axis in "zyx")
    return tuple(sizes[axis] / sizes["x"] if known else 1.0 for axis in axes if axis in "zyx")


def _weigh_region(
    level: Folder, generation: Folder, settings: Weigh, spacing: tuple[float, ...], region: Region
) -> None:
    """One region of both arrays, from the truth around it; the border last, since its shard says that both are done."""
    truth = open_array(level)
    alone = truth.ndim - len(spacing)  # t, each by itself
    around = grow(region, (*(0 for _ in range(alone)), *halo(settings, spacing)), truth.shape)
    labels = np.asarray(truth[around])
    classes, border = weigh_block(labels.reshape(labels.shape[alone:]), settings, spacing)
    core = within(region, around)
    for name, values in (("classes", classes), ("border", border)):
        Stored(generation / name).write(region, values.reshape(labels.shape)[core])


def _planes(array: Any) -> Iterator[NDArray[np.uint8]]:
    return (np.asarray(array[index]) for index in np.ndindex(*array.shape[:-2]))
