"""What reads bytes that came as data: for each of its kinds a file that is whole, and what is done with it.

`PARSERS` names them; both forms of the fuzz go through it.
"""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import safetensors.torch
import tifffile
import torch
from PIL import Image
from roifile import ROI_TYPE, ImagejRoi

from tests.unet.formats import vendor_files
from tests.unet.formats.files import noise, planes
from unet.dataset.folder import Dataset, Folder
from unet.dataset.lease import _read_holder
from unet.dataset.record_file import parse_change, read_record
from unet.dataset.user_place import trusted_cluster
from unet.formats.completeness import require_whole
from unet.formats.outlines import open_outlines
from unet.formats.readers import find_scenes, open_stack
from unet.labels.class_of_ids import ClassOfIds
from unet.ledger.generations import Result
from unet.ledger.outcome import why_set_aside
from unet.ledger.results import model_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_findings import TruthCheck
from unet.network.milesial import _their_name
from unet.network.model_files import Model, bring_in, load, save
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.sources.arrivals import Memory
from unet.store.arrays import create, open_array
from unet.store.shards import Layout
from unet.training.checkpoints import CheckpointState, from_bytes, to_bytes

OURS = (ValueError, LookupError, OSError)
"""What a sentence of ours comes as."""
SMALL = Architecture(base=2, depth=1)
MILESIAL = Architecture(1, 2, 2, padding="same", norm="batch")
RECIPE = Recipe("ingest", 1, {}, {"source": "3f2a"})
TIFFS = {
    "plain.tif": {},
    "packed.tif": {"compression": "zlib", "rowsperstrip": 4},
    "tiled.tif": {"tile": (16, 16), "compression": "lzw"},
    "big.tif": {"bigtiff": True, "compression": "zstd"},
    "imagej.tif": {"imagej": True, "truncate": True},
    "ome.ome.tif": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.5}},
}
RECORD = b"""
sources: [{images: raw, truth: truth, foreground: 255}]
train: {learning_rate: 0.01, validation: {last: 0.2}, architecture: {base: 8}}
segment: &s {threshold: auto, min_size: 4}
predict: {max_tile: 256, memory_gb: 2}
cluster: {cls: distributed.LocalCluster, options: {n_workers: 2}}
"""
CLUSTERS = b"lab: {cls: distributed.LocalCluster, options: {n_workers: 2}}"


class Parser(NamedTuple):
    """A kind of file."""

    whole: Callable[[], bytes]
    """What such a file holds."""
    read: Callable[[Path, bytes], None]
    """Put a content into a file in this folder, and read it."""
    name: str
    """What a sentence about it says: the file's name."""


def read_image(name: str, folder: Path, content: bytes) -> None:
    """A look, a check that it is whole, and all planes of a file."""
    (folder / name).write_bytes(content)
    file = str(folder / name)
    scene = 0 if find_scenes(file).number > 1 else None
    require_whole([file], scene)
    with open_stack([file], scene) as opened:
        assert np.prod(opened.shape) < 2**28
        planes(opened)


@cache
def tiff(kind: str) -> bytes:
    """A TIFF of a kind."""
    made = io.BytesIO()
    tifffile.imwrite(made, noise(3, 24, 20), photometric="minisblack", **TIFFS[kind])
    return made.getvalue()


@cache
def png() -> bytes:
    """A PNG."""
    return bytes(imagecodecs.png_encode(noise(24, 20)))


OUTLINES = ("a.roi", "oval.roi", "set.zip", "a.geojson")
"""Kinds of outlines."""


def outlines(name: str) -> bytes:
    """A file of outlines."""
    corners = [[1, 1], [5.5, 1], [5, 4]]
    if name == "a.geojson":
        geometry = {"type": "Polygon", "coordinates": [corners], "plane": {"c": -1, "z": 1, "t": 0}}
        return json.dumps({"features": [{"geometry": geometry, "properties": {"name": "a"}}]}).encode()
    roi = ImagejRoi.frompoints(np.array(corners, np.float32), name="a", z=1)
    if name == "oval.roi":
        roi = ImagejRoi(roitype=ROI_TYPE.OVAL, left=1, top=1, right=7, bottom=6)
    if name != "set.zip":
        return bytes(roi.tobytes())
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", roi.tobytes())
    return made.getvalue()


def read_outlines(name: str, folder: Path, content: bytes) -> None:
    """All planes of labels that are made of outlines."""
    (folder / name).write_bytes(content)
    require_whole([str(folder / name)])
    with open_outlines([str(folder / name)], {"z": 2, "y": 8, "x": 9}) as opened:
        planes(opened)


def read_colours(folder: Path, content: bytes) -> None:
    """The colours of a picture that stand for classes."""
    (folder / "colours.png").write_bytes(content)
    with open_stack([str(folder / "colours.png")], is_coloured=True) as opened:
        planes(opened)


@cache
def palette() -> bytes:
    """A PNG with a palette, of which one colour is not seen."""
    made, image = io.BytesIO(), Image.frombytes("P", (9, 8), bytes([0, 1, 2] * 24))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(made, "png", transparency=1)
    return made.getvalue()


def read_table(folder: Path, content: bytes) -> None:
    """The class of each id by a table."""
    (folder / "a.csv").write_bytes(content)
    require_whole([str(folder / "a.csv")])


def read_class_file(folder: Path, content: bytes) -> None:
    """The class of each id, as truth keeps it."""
    (folder / "classes.json").write_bytes(content)
    values = Folder(str(folder / "classes.json")).read_json()
    ClassOfIds.of_plain(values or {}).of(np.array([[0, 1, 2, 7]]))


CLASS_FILES = {
    "colours.png": Parser(palette, read_colours, "colours.png"),
    "a.csv": Parser(lambda: b"id,class\n7,nucleus\n9,2\n", read_table, "a.csv"),
    "classes.json": Parser(
        lambda: b'{"nucleus": [[1, 2], [7, 9]], "mitosis": [[3, 3]]}', read_class_file, "classes.json"
    ),
}
"""What tells classes."""


def ome_xml() -> bytes:
    """What an OME-TIFF says of itself."""
    with tifffile.TiffFile(io.BytesIO(tiff("ome.ome.tif"))) as tif:
        return tif.ome_metadata.encode()


def read_ome_xml(folder: Path, content: bytes) -> None:
    """Read a TIFF that says this of itself."""
    made = io.BytesIO()
    tifffile.imwrite(made, noise(3, 24, 20), description=content, metadata=None, photometric="minisblack")
    read_image("a.ome.tif", folder, made.getvalue())


def use_record(folder: Path, content: bytes) -> None:
    """Read a dataset's record."""
    dataset = Dataset(str(folder))
    dataset.record.write(content)
    read_record(dataset)


def use_change(folder: Path, content: bytes) -> None:
    """Read a change of settings."""
    parse_change("a.b=" + content.decode(errors="replace"))


def use_clusters(folder: Path, content: bytes) -> None:
    """Look into the clusters of this machine's owner."""
    (folder / "clusters.yaml").write_bytes(content)
    kept = os.environ.get("UNET_FLOWS_HOME")
    os.environ["UNET_FLOWS_HOME"] = str(folder)
    try:
        trusted_cluster("lab")
    finally:
        del os.environ["UNET_FLOWS_HOME"]
        os.environ |= {} if kept is None else {"UNET_FLOWS_HOME": kept}


@cache
def jsons() -> dict[str, object]:
    """What JSON of ours looks like, by file: of an image, a model, a lease, what `watch` saw, what was set aside."""
    finding = {"count": 1, "examples": [{"plane": 4, "id": 17, "y": 1, "x": 2}]}
    facts = {"axes": "yx", "shape": [3, 4], "files": {"seen": "a", "content": "b"}, "source": ["a.tif"], "scenes": 1}
    stamp = {
        "recipe": vars(RECIPE),
        "plan": {},
        "generation": "abc",
        "facts": facts | {"truth": {"objects": 3, "planes": 1, "holes": finding, "sizes": [[9, 2]]}},
        "made": "2026-01-01T00:00:00+00:00",
        "packages": {"numpy": "2"},
    }
    multiscales = {"axes": [{"name": "y"}], "datasets": [{"path": "abc.0", "coordinateTransformations": []}]}
    split = [{"stack": "a", "start": 0, "stop": 2, "use": "training"}]
    model = {"architecture": vars(SMALL), "channels": ["0"], "normalisation": {"rule": "stack"}, "split": split}
    holder = {"run": "a", "what": "weigh", "machine": "b", "pid": 12, "started": 1.0, "renewed": 2.0}
    return {
        "zarr.json": {"zarr_format": 3, "attributes": {"ome": {"multiscales": [multiscales]}, "unet-flows": stamp}},
        "model.json": model | {"unet-flows": stamp},
        "lease.json": holder,
        "watch.json": {"files": {"a.tif": {"size": 1, "changed": 2, "since": 3.0, "taken": True, "looked": 4.0}}},
        "a.json": {"why": "it is broken", "do": "mend it", "recipe": vars(RECIPE)},
    }


def use_json(name: str, folder: Path, content: bytes) -> None:
    """What is done with a JSON file of ours."""
    file, dataset = Folder(str(folder)) / name, Dataset(str(folder))
    file.write(content)
    match name:
        case "zarr.json" | "model.json":
            result = Result(Folder(str(folder)), name)
            stamp = result.stamp()
            if stamp is not None and "truth" in stamp.facts:
                TruthCheck.of(stamp.facts["truth"]).smaller_than(16)
            result.attributes()
        case "lease.json":
            holder = _read_holder(file, patience=0)
            assert holder is None or (isinstance(holder.is_lost(file), bool) and str(holder))
        case "watch.json":
            memory = Memory.of(file.read_json()).updated({"a.tif": (1, 2)}, 5.0)
            memory.is_quiet("a.tif", 100.0, 10.0)
        case "a.json":
            dataset.set_aside("ingest", "a").write(content)
            assert isinstance(why_set_aside(dataset, RECIPE, "a"), str | None)


def json_bytes(name: str) -> bytes:
    """Such a file."""
    return json.dumps(jsons()[name]).encode()


@cache
def array_metadata() -> bytes:
    """The metadata of an array."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        create(Folder(f"{folder}/whole"), Layout((2, 8, 8), (1, 8, 8), (1, 4, 4)), np.uint16, "zyx")
        return Path(folder, "whole/zarr.json").read_bytes()


def open_one(folder: Path, content: bytes) -> None:
    """Open an array."""
    (Folder(str(folder)) / "array/zarr.json").write(content)
    open_array(Folder(str(folder)) / "array")


@cache
def checkpoint() -> bytes:
    """A checkpoint of ours."""
    return to_bytes(CheckpointState(SMALL, UNet(SMALL).state_dict(), {}))


@cache
def their_checkpoint(is_zipped: bool) -> bytes:
    """A checkpoint of milesial's."""
    made, tensors = io.BytesIO(), {_their_name(k, False): v for k, v in UNet(MILESIAL).state_dict().items()}
    torch.save(tensors, made, _use_new_zipfile_serialization=is_zipped)
    return made.getvalue()


def bring_one_in(folder: Path, content: bytes) -> None:
    """Import a checkpoint."""
    (folder / "a.pth").write_bytes(content)
    bring_in(Dataset(str(folder / "d")), Folder(str(folder / "a.pth")), f"m{os.urandom(4).hex()}")


@cache
def parameters() -> bytes:
    """The parameters of a model."""
    return bytes(safetensors.torch.save(UNet(SMALL).state_dict()))


def load_one(folder: Path, content: bytes) -> None:
    """Load a model."""
    dataset = Dataset(str(folder))
    result = model_of(dataset, "unet")
    if result.stamp() is None:
        save(result, result.begin(RECIPE, {}), Model(UNet(SMALL), ("0",), {"rule": "stack"}), {}, {})
    (result.folder / result.committed().generation / "model.safetensors").write(content)
    load(dataset, "unet")


IMAGE = noise(3, 24, 20)
VENDORS: dict[str, Callable[[], bytes]] = {
    "a.jpg": lambda: vendor_files.jpeg(IMAGE[0].astype(np.uint8)),
    "a.lif": lambda: vendor_files.lif(IMAGE[None]),
    "a.oib": lambda: vendor_files.oib(IMAGE[None, :, None]),
    "a.spe": lambda: vendor_files.spe(IMAGE),
    "a.dv": lambda: vendor_files.dv(IMAGE),
    "a.svs": lambda: vendor_files.svs(np.repeat(IMAGE[0, ..., None], 3, -1).astype(np.uint8)),
    "a.lsm": lambda: vendor_files.lsm(IMAGE),
}
"""Files of microscopes that are drawn here."""
if find_spec("pylibCZIrw"):
    VENDORS["a.czi"] = lambda: vendor_files.czi(IMAGE)
if find_spec("h5py"):
    VENDORS["a.ims"] = lambda: vendor_files.ims(IMAGE)
DATA = os.environ.get("UNET_FLOWS_DATA", "")
SAMPLES = {"a.nd2": "vendor_formats/cluster.nd2", "a.stk": "vendor_formats/scifio_test.stk"}
"""Real files of formats that nothing writes, where there are some."""
if DATA:
    VENDORS |= {name: Path(DATA, file).read_bytes for name, file in SAMPLES.items()}
VENDORS = {name: cache(whole) for name, whole in VENDORS.items()}
KINDS = {"plain.tif": partial(tiff, "plain.tif"), "a.png": png, **VENDORS}
"""A file of each kind that a microscope writes, by its name."""


def read_set(names: Callable[[Path], Path], folder: Path, content: bytes) -> None:
    """Read an index that says this, with the files that the whole one names."""
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    index = names(folder)
    index.write_bytes(content)
    scene = 0 if find_scenes(str(index)).number > 1 else None
    with open_stack([str(index)], scene) as opened:
        assert np.prod(opened.shape) < 2**28
        planes(opened)


def write_nd(folder: Path) -> Path:
    """An index of MetaMorph, and its files."""
    vendor_files.write_nd(folder, noise(1, 2, 2, 2, 8, 9))
    return folder / "x.nd"


def write_oif(folder: Path) -> Path:
    """Settings of Olympus, and their planes."""
    vendor_files.write_oif(folder / "x.oif", noise(2, 2, 2, 8, 9))
    return folder / "x.oif"


def write_xlif(folder: Path) -> Path:
    """An index of Leica, and its planes."""
    vendor_files.write_xlif(folder, noise(2, 2, 8, 9))
    return folder / "Metadata/x.xlif"


@cache
def index_of_set(write: Callable[[Path], Path]) -> bytes:
    """What such an index holds."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return write(Path(folder)).read_bytes()


SETS = {"nd": write_nd, "oif": write_oif, "xlif": write_xlif}
PARSERS = {
    **{kind: Parser(partial(tiff, kind), partial(read_image, kind), kind) for kind in TIFFS},
    "a.png": Parser(png, partial(read_image, "a.png"), "a.png"),
    **{name: Parser(whole, partial(read_image, name), name) for name, whole in VENDORS.items()},
    **{name: Parser(partial(index_of_set, write), partial(read_set, write), "x") for name, write in SETS.items()},
    **{name: Parser(partial(outlines, name), partial(read_outlines, name), name) for name in OUTLINES},
    **CLASS_FILES,
    "ome_xml": Parser(ome_xml, read_ome_xml, "a.ome.tif"),
    "record": Parser(lambda: RECORD, use_record, "dataset.yaml"),
    "change": Parser(lambda: b"[1, {a: 2.5}]", use_change, "a.b"),
    "clusters": Parser(lambda: CLUSTERS, use_clusters, "clusters.yaml"),
    **{name: Parser(partial(json_bytes, name), partial(use_json, name), name) for name in jsons()},
    "array": Parser(array_metadata, open_one, "array"),
    "checkpoint": Parser(checkpoint, lambda folder, content: from_bytes(content) and None, ""),
    "zipped.pth": Parser(partial(their_checkpoint, True), bring_one_in, "a.pth"),
    "old.pth": Parser(partial(their_checkpoint, False), bring_one_in, "a.pth"),
    "parameters": Parser(parameters, load_one, "model.safetensors"),
}
