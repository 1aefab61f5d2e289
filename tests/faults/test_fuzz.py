"""Law of bytes that came as data: whatever they are, they are read, or a sentence of ours names the file; nothing else.

Whole files of each kind are changed in places, cut, doubled, and their numbers made huge. `UNET_FLOWS_FUZZ=N` tries N
cases of each parser in place of a few.
"""

import io
import json
import os
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import safetensors.torch
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.limits import peak, within
from tests.unet.formats.files import noise, planes
from unet.dataset.arrivals import Memory
from unet.dataset.folder import Dataset, Folder
from unet.dataset.lease import _read_holder
from unet.dataset.record_file import parse_change, read_record
from unet.dataset.user_place import trusted_cluster
from unet.formats.completeness import require_whole
from unet.formats.readers import count_scenes, open_stack
from unet.ledger.outcome import set_aside, why_set_aside
from unet.ledger.results import Result, image_of, model_of
from unet.ledger.stamp import Recipe
from unet.ledger.truth_findings import TruthCheck
from unet.network.milesial import _their_name
from unet.network.model_files import Model, bring_in, load, save
from unet.network.unet import UNet
from unet.settings.architecture import Architecture
from unet.store.arrays import create, open_array
from unet.store.shards import Layout
from unet.training.checkpoints import CheckpointState, from_bytes, to_bytes

CASES = int(os.environ.get("UNET_FLOWS_FUZZ") or 0)
SECONDS, MEMORY = 10, 2**30
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x00\x00\x01\x00", b"\xff\xff\xff\x7f"]
OURS = (ValueError, LookupError, OSError)
SMALL = Architecture(base=2, depth=1)
MILESIAL = Architecture(1, 2, 2, padding="same", norm="batch")
RECIPE = Recipe("ingest", 1, {}, {"source": "3f2a"})


def few(cases):
    return settings(
        max_examples=CASES or cases,
        derandomize=not CASES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        database=None,
    )


@st.composite
def damaged(draw, content):
    """The bytes of a file, changed in up to four places."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.sampled_from([1, 2, 4, 16, 200]))
        new = draw(st.one_of(st.binary(max_size=8), st.sampled_from(NUMBERS), st.just(content[at : at + length] * 2)))
        is_cut = draw(st.integers(0, 9)) == 0
        content = content[:at] if is_cut else content[:at] + new + content[at + draw(st.sampled_from([0, len(new)])) :]
    return content


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def retyped(draw, whole):
    """JSON with one value in it of another type, or gone."""
    found = json.loads(json.dumps(whole))
    place, key = found, None
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        parent, key = place, draw(st.sampled_from(list(keys)))
        place = parent[key]
        if draw(st.integers(0, 3)) == 0:
            break
    if key is not None and draw(st.booleans()):
        parent[key] = draw(values)
    elif key is not None:
        del parent[key]
    return found


def survives(read, name):
    """Whatever is read gives an answer, or a sentence of ours that names the file, in bounded time and memory."""
    before, said = peak(), name
    try:
        with within(SECONDS):
            read()
    except OURS as error:
        said = str(error)
    assert name in said, said
    assert len(said) < 3000
    assert peak() - before < MEMORY


def read_all(file):
    """A look, a check that it is whole, and all planes of a file."""
    count = count_scenes(file)
    require_whole([file], 0 if count > 1 else None)
    with open_stack([file], 0 if count > 1 else None) as opened:
        assert np.prod(opened.shape) < 2**28
        planes(opened)


KINDS = {
    "plain.tif": {},
    "packed.tif": {"compression": "zlib", "rowsperstrip": 4},
    "tiled.tif": {"tile": (16, 16), "compression": "lzw"},
    "big.tif": {"bigtiff": True, "compression": "zstd"},
    "imagej.tif": {"imagej": True, "truncate": True},
    "ome.ome.tif": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.5}},
}


@cache
def image_bytes(kind):
    if kind.endswith("png"):
        return imagecodecs.png_encode(noise(24, 20))
    made = io.BytesIO()
    tifffile.imwrite(made, noise(3, 24, 20), photometric="minisblack", **KINDS[kind])
    return made.getvalue()


@pytest.mark.parametrize("kind", [*KINDS, "a.png"])
@given(data=st.data())
@few(40)
def test_images(tmp_path, kind, data):
    (tmp_path / kind).write_bytes(data.draw(damaged(image_bytes(kind))))
    survives(lambda: read_all(str(tmp_path / kind)), kind)
    assert [path.name for path in tmp_path.iterdir()] == [kind]


@given(data=st.data())
@few(60)
def test_ome_xml(tmp_path, data):
    with tifffile.TiffFile(io.BytesIO(image_bytes("ome.ome.tif"))) as tif:
        xml = tif.ome_metadata
    words = ["0", "-1", "1000000000", "99999999999999999999", "1e9", "x", "", "XYZCT", "/dev/zero", "../a.tif", "nan"]
    for _ in range(data.draw(st.integers(1, 3))):
        start = xml.index('"', data.draw(st.integers(60, len(xml) - 60))) + 1
        end = xml.find('"', start)
        xml = xml[:start] + data.draw(st.sampled_from(words)) + xml[end:]
    file = tmp_path / "a.ome.tif"
    tifffile.imwrite(file, noise(3, 24, 20), description=xml.encode(), metadata=None, photometric="minisblack")
    survives(lambda: read_all(str(file)), "a.ome.tif")


RECORD = b"""
sources: [{images: raw, truth: truth, foreground: 255}]
train: {learning_rate: 0.01, validation: {last: 0.2}, architecture: {base: 8}}
segment: &s {threshold: auto, min_size: 4}
predict: {tile: 3, memory_gb: 2}
cluster: {cls: distributed.LocalCluster, options: {n_workers: 2}}
"""


@given(data=st.data())
@few(100)
def test_records(tmp_path, data):
    dataset = Dataset(str(tmp_path))
    dataset.record.write(data.draw(damaged(RECORD)))
    survives(lambda: read_record(dataset), "dataset.yaml")


@given(text=st.text("abc:{}[]&*!<>,-?|#'\"%@0123456789.\n\t xe=", max_size=60))
@few(150)
def test_changes_and_clusters(tmp_path, monkeypatch, text):
    survives(lambda: parse_change(f"a.b={text}"), "a.b")
    monkeypatch.setenv("UNET_FLOWS_HOME", str(tmp_path))
    (tmp_path / "clusters.yaml").write_text(text)
    survives(lambda: trusted_cluster("lab"), "clusters.yaml")


@cache
def plain_jsons():
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


def use(folder, name):
    """What is done with a JSON file of ours."""
    file, dataset = folder / name, Dataset(folder.url)
    match name:
        case "zarr.json" | "model.json":
            result = Result(folder, name)
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
            dataset.set_aside("ingest", "a").write(file.read())
            assert isinstance(why_set_aside(dataset, RECIPE, "a"), str | None)


@pytest.mark.parametrize("name", ["zarr.json", "model.json", "lease.json", "watch.json", "a.json"])
@given(data=st.data())
@few(100)
def test_json_of_ours(tmp_path, name, data):
    whole = plain_jsons()[name]
    other = data.draw(
        st.one_of(retyped(whole).map(lambda v: json.dumps(v).encode()), damaged(json.dumps(whole).encode()))
    )
    (Folder(str(tmp_path)) / name).write(other)
    survives(lambda: use(Folder(str(tmp_path)), name), name)


@given(data=st.data())
@few(60)
def test_metadata_of_arrays(tmp_path, data):
    folder = Folder(str(tmp_path / "array"))
    create(Folder(str(tmp_path / "whole")), Layout((2, 8, 8), (1, 8, 8), (1, 4, 4)), np.uint16, "zyx")
    whole = (Folder(str(tmp_path / "whole")) / "zarr.json").read_json()
    (folder / "zarr.json").write_json(data.draw(retyped(whole)))
    survives(lambda: open_array(folder), "array")


@cache
def checkpoint_bytes(kind):
    if kind == "ours":
        return to_bytes(CheckpointState(SMALL, UNet(SMALL).state_dict(), {}))
    made, tensors = io.BytesIO(), {_their_name(k, False): v for k, v in UNet(MILESIAL).state_dict().items()}
    torch.save(tensors, made, _use_new_zipfile_serialization=kind == "zipped")
    return made.getvalue()


@pytest.mark.parametrize("kind", ["ours", "zipped", "old"])
@given(data=st.data())
@few(30)
def test_checkpoints(tmp_path, kind, data):
    content = data.draw(damaged(checkpoint_bytes(kind)))
    if kind == "ours":
        survives(lambda: from_bytes(content), "")
        return
    (tmp_path / "a.pth").write_bytes(content)
    survives(
        lambda: bring_in(Dataset(str(tmp_path / "d")), Folder(str(tmp_path / "a.pth")), f"m{os.urandom(4).hex()}"),
        "a.pth",
    )
    assert {path.name for path in tmp_path.iterdir()} <= {"a.pth", "d"}


@given(data=st.data())
@few(40)
def test_parameters(tmp_path, data):
    dataset = Dataset(str(tmp_path))
    result = model_of(dataset, "unet")
    if result.stamp() is None:
        save(result, result.begin(RECIPE, {}), Model(UNet(SMALL), ("0",), {"rule": "stack"}), {}, {})
    whole = safetensors.torch.save(UNet(SMALL).state_dict())
    (result.folder / result.committed().generation / "model.safetensors").write(data.draw(damaged(whole)))
    survives(lambda: load(dataset, "unet"), "model.safetensors")


def test_the_seeds_are_whole(tmp_path):
    """Else nothing but their ends would be tried."""
    for kind in [*KINDS, "a.png"]:
        (tmp_path / kind).write_bytes(image_bytes(kind))
        read_all(str(tmp_path / kind))
    for name, whole in plain_jsons().items():
        (Folder(str(tmp_path)) / name).write_json(whole)
        use(Folder(str(tmp_path)), name)
    assert why_set_aside(Dataset(str(tmp_path)), RECIPE, "a") == "it is broken"
    assert set_aside(Dataset(str(tmp_path)), RECIPE, "b", ValueError("no")).why == "no"
    assert image_of(Dataset(str(tmp_path)), "a").stamp() is None
    assert Path(tmp_path, "a.json").exists()
    from_bytes(checkpoint_bytes("ours"))
