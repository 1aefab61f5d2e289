"""Law of entries: whatever lies in a source's folder, it neither hangs a run nor stops the stacks beside it."""

import os
import socket
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from flows.planning.arrivals import look_at_sources
from flows.planning.plan import make_plan
from tasks import evaluate, ingest, predict, segment, train, weigh  # noqa: F401  # which take their time to be imported
from tests.faults.limits import peak, within
from tests.unet.formats.files import noise
from unet.dataset.record_file import read_record
from unet.ledger.results import image_of

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="{z}" SizeC="1" SizeT="1">{planes}'
    "</Pixels></Image></OME>"
)


def bind(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def sparse(path, content=b""):
    path.write_bytes(content)
    os.truncate(path, 2**40)


def billion_planes(path):
    xml = OME.format(z=10**9, planes='<TiffData IFD="0" PlaneCount="1"/>')
    tifffile.imwrite(path, noise(8, 9), description=xml, metadata=None)


def huge_plane(path):
    tifffile.imwrite(path, noise(64, 64), tile=(32, 32), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name in ("ImageWidth", "ImageLength"):
            tif.pages[0].tags[name].overwrite(60_000)


def huge_png(path, side=60_000):
    content = bytearray(imagecodecs.png_encode(noise(8, 9, dtype=np.uint8)))
    content[16:24] = side.to_bytes(4) + side.to_bytes(4)
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    path.write_bytes(content)


def set_of_a_pipe(path):
    """OME-XML of two planes, the second of which would lie in a pipe."""
    os.mkfifo(path.with_name("pipe.ome.tif"))
    uuids = [f'<UUID FileName="{name}">urn:uuid:{z}</UUID>' for z, name in enumerate((path.name, "pipe.ome.tif"))]
    planes = "".join(f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1">{uuid}</TiffData>' for z, uuid in enumerate(uuids))
    xml = OME.format(z=2, planes=planes).replace("<OME ", '<OME UUID="urn:uuid:0" ')
    tifffile.imwrite(path, noise(8, 9), description=xml, metadata=None)


LEFT_OUT = {
    "pipe.tif": (os.mkfifo, "a pipe"),
    "pipe.png": (os.mkfifo, "a pipe"),
    "socket.tif": (bind, "a socket"),
    "device.tif": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "linked.tif": (lambda path: (os.mkfifo(path.with_name("other")), path.symlink_to("other")), "a pipe"),
}
SET_ASIDE = {
    "sparse.tif": sparse,
    "sparse.png": sparse,
    "begun.tif": lambda path: (tifffile.imwrite(path, noise(8, 9)), sparse(path, path.read_bytes()[:200])),
    "begun.png": lambda path: sparse(path, imagecodecs.png_encode(noise(8, 9))),
    "planes.ome.tif": billion_planes,
    "plane.tif": huge_plane,
    "plane.png": huge_png,
    "set.ome.tif": set_of_a_pipe,
}


@pytest.mark.parametrize("entry", [*LEFT_OUT, *SET_ASIDE])
def test_one_bad_entry_stops_nothing_else(make, stage, entry):
    dataset = make({"good": (noise(64, 64), None)})
    path, before = Path(dataset.url).parent / "files/image" / entry, peak()
    make_it = SET_ASIDE[entry] if entry in SET_ASIDE else LEFT_OUT[entry][0]
    with within(60):
        make_it(path)
        look_at_sources(dataset, read_record(dataset))
        plan = make_plan(dataset, read_record(dataset))
        outcomes = {outcome.name: outcome for outcome in stage(dataset, "ingest")}
    bad = {name: outcome for name, outcome in outcomes.items() if name != "good"}
    assert image_of(dataset, "good").committed()
    assert peak() - before < 2**30
    if entry in SET_ASIDE:
        (outcome,) = bad.values()
        assert outcome.state == "set aside"
        assert path.name in outcome.why
    else:
        assert bad == {}
    if entry in LEFT_OUT:
        assert f"{entry} must be a file, got {LEFT_OUT[entry][1]}, and is left out" in "\n".join(plan.notes)


def test_three_links_to_the_parent_are_told_and_followed_nowhere(make):
    dataset = make({"good": (noise(64, 64), None)})
    for name in "abc":
        (Path(dataset.url).parent / "files/image" / name).symlink_to("..")
    with within(20):
        plan = make_plan(dataset, read_record(dataset))
    assert plan.names() == ["good"]
    assert len([note for note in plan.notes if "a folder around it, and is not followed" in note]) == 3


def test_a_source_that_is_no_file_is_told_in_a_sentence(tmp_path):
    from unet.settings.ingest import Source
    from unet.sources.search import find_stacks
    from unet.sources.source_files import source_files
    from unet.sources.stacks import Scenes

    os.mkfifo(tmp_path / "pipe")
    for find in (
        lambda source: find_stacks([source], tmp_path, lambda file: Scenes(1)),
        lambda s: source_files([s], tmp_path),
    ):
        with within(10), pytest.raises(LookupError, match=r"images must name a folder or file: .*pipe must be a file"):
            find(Source("pipe"))
