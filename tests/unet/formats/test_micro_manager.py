"""Sets of Micro-Manager: one stack of all their files, or refused in a sentence; nothing elsewhere is opened."""

import json
import os
import struct

import numpy as np
import pytest

from tests.unet.formats.files import noise, read
from unet.formats.readers import find_scenes

IMAGE = noise(6, 8, 9)
SUMMARY = {"MicroManagerVersion": "1.4", "Prefix": "x", "Slices": 6, "Frames": 1}
TAGS = {254: 0, 256: 9, 257: 8, 258: 16, 259: 1, 262: 1, 273: None, 274: 1, 277: 1, 278: 8, 279: 144, 284: 1}


def write_tiff(file, image, head):
    """A TIFF with Micro-Manager's head; where directories and pixels of its planes begin."""
    content, places = bytearray(b"II*\0\0\0\0\0" + head + b'{"a": 1}\0'), []
    note, link = len(content) - 9, 4
    for plane in image:
        start = len(content)
        struct.pack_into("<I", content, link, start)
        pixels = start + 2 + 12 * (len(TAGS) + 1) + 4
        content += struct.pack("<H", len(TAGS) + 1)
        for tag, value in TAGS.items():
            content += struct.pack("<HHII", tag, 4, 1, pixels if value is None else value)
        content += struct.pack("<HHII", 51123, 2, 9, note)
        link = len(content)
        content += b"\0\0\0\0" + plane.astype("<u2").tobytes()
        places.append((start, pixels))
    file.write_bytes(content)
    return places


def length_and(text):
    return struct.pack("<I", len(text)) + text


def write_ndtiff(folder, named=("x_NDTiffStack.tif", "x_NDTiffStack_1.tif"), far=0):
    """A set of two files and its index, which calls them as `named` and lays the last plane so far away."""
    head, index = struct.pack("<IIII", 483729, 3, 1, 2355492) + length_and(b"{}"), b""
    for number, name in enumerate(named):
        real = folder / f"x_NDTiffStack{'_1' * number}.tif"
        for z, (_, pixels) in enumerate(write_tiff(real, IMAGE[3 * number : 3 * number + 3], head), 3 * number):
            position = json.dumps({"channel": "GFP", "z": z + far * (z == 5)}).encode()
            index += length_and(position) + length_and(name.encode())
            index += struct.pack("<IiiiiIii", pixels, 9, 8, 1, 0, 0, 0, 0)
    (folder / "NDTiff.index").write_bytes(index)
    return [folder / "x_NDTiffStack.tif", folder / "x_NDTiffStack_1.tif"]


def write_mmstack(folder, frames=1):
    """A set of two files, each with a map of its own planes."""
    files = [folder / "x_MMStack.ome.tif", folder / "x_MMStack_1.ome.tif"]
    summary = json.dumps(SUMMARY | {"Frames": frames}).encode()
    body = struct.pack("<IIIII", 483765892, 0, 99384722, 0, 2355492) + length_and(summary)
    for number, file in enumerate(files):
        starts = [0, 0, 0]
        for _ in range(2):  # where planes begin is known once they were written
            places = [(0, 3 * number + z, 0, 0, start) for z, start in enumerate(starts)]
            found = struct.pack("<II", 3453623, 3) + b"".join(struct.pack("<IIIII", *place) for place in places)
            head = struct.pack("<II", 54773648, 16 + len(body)) + body + found
            starts = [start for start, _ in write_tiff(file, IMAGE[3 * number : 3 * number + 3], head)]
    return files


@pytest.mark.parametrize("write", [write_ndtiff, write_mmstack])
def test_a_set_is_one_stack_of_all_its_files(tmp_path, write):
    first, second = write(tmp_path)
    index = (str(tmp_path / "NDTiff.index"),) if write is write_ndtiff else ()
    assert find_scenes(str(first)) == (1, (str(second), *index))
    assert find_scenes(str(second)) == (0, ())
    for file in (first, second):
        np.testing.assert_array_equal(read(file)[1], IMAGE)


def test_files_of_a_set_in_a_linked_folder_are_called_as_they_were_found(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "raw").symlink_to(tmp_path / "real")
    first, second = (tmp_path / "raw" / file.name for file in write_mmstack(tmp_path / "real"))
    assert find_scenes(str(first)) == (1, (str(second),))
    assert find_scenes(str(second)).number == 0


@pytest.mark.parametrize("name", ["../secret.tif", "/etc/passwd", "below/x.tif", "..", "", "gone.tif"])
def test_an_index_that_names_files_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "set" / "below").mkdir(parents=True)
    first, second = write_ndtiff(tmp_path / "set", ("x_NDTiffStack.tif", name))
    (tmp_path / "secret.tif").write_bytes(second.read_bytes())
    (tmp_path / "set" / "below" / "x.tif").write_bytes(second.read_bytes())
    with pytest.raises(ValueError, match=r"NDTiff\.index must name files that lie beside it, got"):
        read(first)
    with pytest.raises(ValueError, match=r"NDTiff\.index must name files that lie beside it, got"):
        find_scenes(str(first))


def test_an_index_that_was_cut_short_or_knows_nothing_of_the_file_is_refused(tmp_path):
    first, second = write_ndtiff(tmp_path)
    index, other = tmp_path / "NDTiff.index", tmp_path / "y.tif"
    other.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match=r"must name it, got x_NDTiffStack\.tif, x_NDTiffStack_1\.tif"):
        read(other)
    whole = index.read_bytes()
    for part in (1, len(whole) // 2, len(whole) - 1):
        index.write_bytes(whole[:part])
        with pytest.raises(ValueError, match="is cut short at"):
            read(second)


def test_a_set_that_speaks_of_billions_of_planes_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"speaks of .* planes, of which there can be 4,000,000"):
        read(write_ndtiff(tmp_path, far=10**9)[0])
    with pytest.raises(ValueError, match=r"speaks of .* planes, of which there can be 4,000,000"):
        read(write_mmstack(tmp_path, frames=10**9)[0])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_in_place_of_a_file_of_the_set_is_refused(tmp_path):
    stack = write_mmstack(tmp_path)[0]
    os.mkfifo(tmp_path / "x_MMStack_2.ome.tif")
    with pytest.raises(ValueError, match=r"x_MMStack_2\.ome\.tif must be a file, got a pipe"):
        read(stack)
    first, second = write_ndtiff(tmp_path)
    second.unlink()
    os.mkfifo(second)
    with pytest.raises(ValueError, match=r"x_NDTiffStack_1\.tif must be a file, got a pipe"):
        read(first)
    (tmp_path / "NDTiff.index").unlink()
    os.mkfifo(tmp_path / "NDTiff.index")
    with pytest.raises(ValueError, match=r"NDTiff\.index must be a file, got a pipe"):
        read(first)
