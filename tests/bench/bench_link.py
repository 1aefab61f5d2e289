"""How long a linked OME-Zarr of 4 GB takes to be taken in: seconds, of one process."""

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
import zarr

from flows.planning.plan import make_plan
from tasks.ingest import ingest_stack
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record, write_record
from unet.settings.ingest import Source

BOUND = 2.0
"""Seconds that may pass from the look at the sources to the image that is whole."""
SHAPE = (2, 64, 4096, 4096)
AXES = [{"name": name, "type": "channel" if name == "c" else "space"} for name in "czyx"]
SCALE = [{"type": "scale", "scale": [1.0, 0.5, 0.25, 0.25]}]


def test_a_linked_image_of_4_gb(tmp_path: Path) -> None:
    """Chunks are few that the disk keeps under many names: what is read of them is as much."""
    pyramid = {"axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": SCALE}]}
    attributes = {"ome": {"version": "0.5", "multiscales": [pyramid]}}
    group = zarr.create_group(tmp_path / "raw/a.ome.zarr", attributes=attributes)
    array = group.create_array("0", shape=SHAPE, chunks=(1, 1, 1024, 1024), dtype="u2")
    array[0, 0, :1024, :1024] = np.random.default_rng(0).poisson(200, (1024, 1024))
    first = tmp_path / "raw/a.ome.zarr/0/c/0/0/0/0"
    for c, z, y, x in product(range(2), range(64), range(4), range(4)):
        file = tmp_path / f"raw/a.ome.zarr/0/c/{c}/{z}/{y}/{x}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if file != first:
            os.link(first, file)
    dataset = Dataset(str(tmp_path / "dataset"))
    write_record(dataset, [Source("../raw", link=True)])
    begun, record = time.perf_counter(), read_record(dataset)
    ingest_stack(dataset, make_plan(dataset, record).stacks["a"], record.ingest)
    seconds = time.perf_counter() - begun
    print(f"a linked image of {array.nbytes / 1e9:.1f} GB: {seconds:.2f} s (bound {BOUND:g})")
    assert seconds <= BOUND
