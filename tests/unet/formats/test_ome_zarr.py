"""Laws of OME-Zarr sources: whatever order, chunks and version, the same pixels; what is broken is one sentence."""

import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unet.formats.files import noise, planes, read
from unet.formats import ome_zarr
from unet.formats.readers import find_scenes, open_found, open_stack
from unet.settings.ingest import Source
from unet.sources.search import find_stacks
from unet.sources.stacks import Scenes

DATA = os.environ.get("UNET_FLOWS_DATA", "")
real = pytest.mark.skipif(not DATA, reason="needs real data: UNET_FLOWS_DATA")
KINDS = {"t": "time", "c": "channel"}
UNITS = {"time": {"unit": "second"}, "channel": {}, "space": {"unit": "micrometer"}}
SCALES = {"t": 2.0, "c": 1.0, "z": 0.5, "y": 0.25, "x": 0.125}


def axes_of(axes):
    return [{"name": a, "type": KINDS.get(a, "space"), **UNITS[KINDS.get(a, "space")]} for a in axes]


def scale_of(axes):
    return [{"type": "scale", "scale": [SCALES[a] for a in axes]}]


def described(axes, version, path="0"):
    """The attributes of an image's group."""
    level, said = {"path": path}, {"version": version}
    if version == "0.6":
        level["coordinateTransformations"] = [
            {"input": {"path": path}, "output": {"name": "physical"}, **scale_of(axes)[0]}
        ]
        said["coordinateSystems"] = [{"name": "physical", "axes": axes_of(axes)}]
    elif version == "0.3":
        said["axes"] = list(axes)
    elif version >= "0.4":
        level["coordinateTransformations"], said["axes"] = scale_of(axes), axes_of(axes)
    channels = {"channels": [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}]}
    ome = {"multiscales": [{**said, "datasets": [level]}], "omero": channels}
    return {"ome": {"version": version, **ome}} if version >= "0.5" else ome


def write(folder, values, axes, version="0.5", path="0", **how):
    form = 3 if version >= "0.5" else 2
    group = zarr.create_group(folder, zarr_format=form, attributes=described(axes, version, path))
    how = {"chunks": values.shape, "chunk_key_encoding": {"name": "v2", "separator": "/"} if form == 2 else None, **how}
    array = group.create_array(path, shape=values.shape, dtype=values.dtype, **how)
    array[...] = values
    return values


def found(axes, values):
    """Pixels as they are to be read: t c z y x, axes of length 1 left out."""
    ordered = sorted(axes, key="tczyx".index)
    values = values.transpose([axes.index(a) for a in ordered])
    kept = "".join(a for a, size in zip(ordered, values.shape, strict=True) if size > 1 or a in "yx")
    return kept, values.reshape([s for s, a in zip(values.shape, ordered, strict=True) if a in kept])


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"])
def test_each_version_is_read(tmp_path, version):
    values = write(tmp_path / "a.ome.zarr", noise(3, 2, 4, 8, 9), "tczyx", version)
    opened, pixels = read(tmp_path / "a.ome.zarr")
    assert (opened.axes, opened.channels, opened.colours) == ("tczyx", ("DAPI", "GFP"), ("0000FF", "00FF00"))
    np.testing.assert_array_equal(pixels, values)
    told = version >= "0.4"
    assert opened.spacing == ({"t": 2.0, "z": 0.5, "y": 0.25, "x": 0.125} if told else {})
    assert opened.units.get("t") == ("second" if told else None)


@st.composite
def arrays(draw):
    axes = draw(st.permutations(draw(st.sampled_from(["yx", "zyx", "cyx", "tcyx", "czyx", "tczyx"]))))
    shape = [draw(st.integers(1, 7)) for _ in axes]
    chunks = [draw(st.integers(1, size)) for size in shape]
    shards = [chunk * draw(st.integers(1, 3)) for chunk in chunks] if draw(st.booleans()) else None
    return "".join(axes), shape, tuple(chunks), shards and tuple(shards)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=arrays(), held=st.integers(1, 400), at_once=st.integers(1, 400), order=st.randoms())
def test_any_order_of_axes_and_any_chunks_are_the_same_pixels(tmp_path_factory, made, held, at_once, order):
    axes, shape, chunks, shards = made
    folder = tmp_path_factory.mktemp("any") / "a.zarr"
    version = "0.5" if shards else order.choice(["0.4", "0.5"])
    values = write(folder, noise(*shape), axes, version, chunks=chunks, **({"shards": shards} if shards else {}))
    kept, expected = found(axes, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ome_zarr, "HELD", held)
        patch.setattr("unet.store.source_array.READ_AT_ONCE", at_once)
        with open_stack([str(folder)]) as opened:
            assert (opened.axes, opened.shape) == (kept, expected.shape)
            indices = list(np.ndindex(expected.shape[:-2]))
            order.shuffle(indices)
            for index in indices:
                np.testing.assert_array_equal(opened.plane(index), expected[index])


@pytest.mark.parametrize("dtype", ["bool", "uint8", ">u2", "<i4", "float32", "float64", "uint64"])
@pytest.mark.parametrize("version", [2, 3])
def test_types_of_pixels(tmp_path, dtype, version):
    kind = np.dtype(dtype) if version == 2 else np.dtype(dtype).newbyteorder("=")
    values = noise(8, 9).astype(kind)
    zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(4, 4), zarr_format=version)
    opened, pixels = read(tmp_path / "a.zarr")
    assert opened.dtype == (np.uint8 if dtype == "bool" else kind.newbyteorder("="))
    np.testing.assert_array_equal(pixels, values)


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "bz2", "lzma", "lz4", "zstd", "blosc", None])
@pytest.mark.parametrize("order", ["C", "F"])
def test_codecs_of_version_2(tmp_path, compressor, order):
    import numcodecs

    packed = numcodecs.get_codec({"id": compressor}) if compressor else None
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 9), chunks=(4, 4), dtype="u2", compressors=packed,
                              zarr_format=2, order=order)  # fmt: skip
    array[...] = noise(8, 9)
    np.testing.assert_array_equal(read(tmp_path / "a.zarr")[1], noise(8, 9))


def test_a_thick_chunk_is_unpacked_once(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr", noise(8, 30, 40), "zyx", chunks=(4, 30, 40))
    regions, reading = [], ome_zarr.SourceArray.read
    monkeypatch.setattr(ome_zarr.SourceArray, "read", lambda *of: regions.append(of[1]) or reading(*of))
    read(tmp_path / "a.zarr")
    assert [(region[0].start, region[0].stop) for region in regions] == [(0, 4), (4, 8)]


def test_the_full_level_is_found_by_its_path(tmp_path):
    values = write(tmp_path / "a.zarr", noise(8, 9), "yx", path="2")
    zarr.create_array(tmp_path / "a.zarr/0", data=noise(4, 4))
    np.testing.assert_array_equal(read(tmp_path / "a.zarr")[1], values)


def test_axes_of_a_plain_array_are_stated(tmp_path):
    values = noise(3, 8, 9)
    zarr.create_array(tmp_path / "a.zarr", data=values)
    with pytest.raises(
        ValueError, match=r"does not say what the axes of its 3 × 8 × 9 pixels are; say it.*--axes tzyx"
    ):
        read(tmp_path / "a.zarr")
    (stack,) = find_stacks([Source("a.zarr", axes="tyx", pixel_size={"x": 0.5})], tmp_path, find_scenes).stacks
    with open_found(stack) as opened:
        assert (opened.axes, opened.spacing) == ("tyx", {"x": 0.5})
        np.testing.assert_array_equal(planes(opened), values)
    zarr.create_array(tmp_path / "b.zarr", data=values, dimension_names=["Z", "y", "x"])
    assert read(tmp_path / "b.zarr")[0].axes == "zyx"
    with pytest.raises(ValueError, match="must be those that are stated, got tzyx for 3 × 8 × 9"):
        read(tmp_path / "a.zarr", axes="tzyx")


def test_what_is_stated_of_axes_is_believed_before_the_image(tmp_path):
    values = write(tmp_path / "a.zarr", noise(3, 8, 9), "zyx")
    opened, pixels = read(tmp_path / "a.zarr", axes="tyx")
    assert (opened.axes, opened.spacing) == ("tyx", {"y": 0.25, "x": 0.125})
    np.testing.assert_array_equal(pixels, values)


def test_an_axis_that_no_network_knows_is_told_unless_it_is_of_length_1(tmp_path):
    for length in (1, 3):
        shutil.rmtree(tmp_path / "a.zarr", ignore_errors=True)
        write(tmp_path / "a.zarr", noise(length, 8, 9), "zyx")
        metadata = json.loads((tmp_path / "a.zarr/zarr.json").read_text())
        metadata["attributes"]["ome"]["multiscales"][0]["axes"][0] = {"name": "lambda", "type": "other"}
        (tmp_path / "a.zarr/zarr.json").write_text(json.dumps(metadata))
        if length == 1:
            assert read(tmp_path / "a.zarr")[0].axes == "yx"
    with pytest.raises(ValueError, match="must be some of t c z y x, each once, got lambda, y, x of lengths 3 × 8 × 9"):
        read(tmp_path / "a.zarr")


def test_a_folder_of_several_images_is_opened_by_their_number(tmp_path):
    zarr.create_group(tmp_path / "a.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    values = [write(tmp_path / f"a.zarr/{number}", noise(4 + number, 5), "yx", "0.4") for number in range(2)]
    assert find_scenes(str(tmp_path / "a.zarr")) == Scenes(2)
    np.testing.assert_array_equal(read(tmp_path / "a.zarr", scene=1)[1], values[1])
    np.testing.assert_array_equal(read(tmp_path / "a.zarr/0")[1], values[0])
    with pytest.raises(ValueError, match="the scene must be given"):
        read(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="has no scene 2"):
        read(tmp_path / "a.zarr", scene=2)


def test_chunks_that_are_not_there_hold_the_fill_value_and_are_told(tmp_path):
    values = write(tmp_path / "a.zarr", noise(8, 8) + 1, "yx", "0.4", chunks=(4, 4), fill_value=7)
    (tmp_path / "a.zarr/0/1/1").unlink()
    opened, pixels = read(tmp_path / "a.zarr")
    assert opened.notes == ("1 of its chunks are not there, and hold 7 by the format",)
    values[4:, 4:] = 7
    np.testing.assert_array_equal(pixels, values)


def edited(file, **values):
    metadata = json.loads(Path(file).read_text())
    Path(file).write_text(json.dumps({**metadata, **values}))


def cut_to(file, size):
    os.truncate(file, size)


BREAKS = {
    "no metadata": (lambda a: (a / ".zattrs").unlink() or (a / ".zgroup").unlink(), "must hold zarr.json, or .zattrs"),
    "no level": (lambda a: shutil.rmtree(a / "0"), "must hold zarr.json, or .zattrs and .zarray, got none"),
    "nested": (lambda a: (a / ".zattrs").write_text('{"multiscales": ' + "[" * 10**6), "must hold JSON"),
    "levels are none": (lambda a: (a / ".zattrs").write_text('{"multiscales": 3}'), "must name a level"),
    "axes are none": (
        lambda a: edited(a / ".zattrs", multiscales=[{"axes": [3], "datasets": [{"path": "0"}]}]), "must be some"),
    "leaves": (lambda a: edited(a / ".zattrs", multiscales=[{"datasets": [{"path": "../b"}]}]), "must stay within"),
    "truncated chunk": (lambda a: cut_to(a / "0/1/1", 20), "0/1/1 is not whole: more was written"),
    "truncated to nothing": (lambda a: cut_to(a / "0/1/1", 1), "0/1/1 is not whole: more was written"),
    "empty chunk": (lambda a: cut_to(a / "0/0/0", 0), "0/0/0 is empty: it is not whole"),
    "pipe": (lambda a: (a / "0/0/0").unlink() or os.mkfifo(a / "0/0/0"), "must be a file, got a pipe"),
    "device": (lambda a: (a / "0/0/0").unlink() or (a / "0/0/0").symlink_to("/dev/zero"), "must be a file"),
    "chunk of another": (lambda a: (a / "0/0/0").write_bytes(b"x" * 10**7), "more than the 32 of its pixels"),
    "pickles": (lambda a: edited(a / "0/.zarray", filters=[{"id": "pickle"}]), "are known here, got pickle"),
    "objects": (lambda a: edited(a / "0/.zarray", dtype="|O"), "must be numbers or bits"),
    "records": (lambda a: edited(a / "0/.zarray", dtype=[["a", "<u2"]]), "must be numbers or bits"),
    "huge": (lambda a: edited(a / "0/.zarray", shape=[10**6, 10**6]), "are there: it is not whole"),
    "huge chunk": (lambda a: edited(a / "0/.zarray", shape=[10**6] * 2, chunks=[10**6] * 2), "use smaller ones"),
    "no shape": (lambda a: edited(a / "0/.zarray", shape=None), "must be whole numbers"),
    "negative": (lambda a: edited(a / "0/.zarray", shape=[-4, 4]), "must be some numbers > 0"),
    "other axes": (lambda a: edited(a / "0/.zarray", shape=[8, 8, 1], chunks=[4, 4, 1]), "must be some of t c z y x"),
    "circle": (lambda a: shutil.rmtree(a / "0") or (a / "0").symlink_to(a / "0"), "a link that leads to itself"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BREAKS)
def test_what_is_broken_is_one_sentence(tmp_path, kind):
    write(tmp_path / "a.zarr", noise(8, 8), "yx", "0.4", chunks=(4, 4))
    damage, sentence = BREAKS[kind]
    damage(tmp_path / "a.zarr")
    with pytest.raises((ValueError, LookupError), match=sentence) as error:
        read(tmp_path / "a.zarr")
    assert "a.zarr" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["start", "end"])
def test_shards_that_lack_chunks_are_read_wherever_their_index_is(tmp_path, place):
    how = {"shards": {"shape": (8, 8), "index_location": place}, "compressors": zarr.codecs.BloscCodec()}
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 16), dtype="u2", chunks=(4, 4), fill_value=7, **how)
    array[4:, 4:] = noise(4, 12)
    opened, pixels = read(tmp_path / "a.zarr")
    np.testing.assert_array_equal(pixels, array[...])
    assert (pixels[0, 0], opened.notes) == (7, ())


@pytest.mark.parametrize("size", [10, 60])
def test_a_shard_that_was_cut_is_told(tmp_path, size):
    write(tmp_path / "a.zarr", noise(64, 64), "yx", chunks=(16, 16), shards=(64, 64))
    cut_to(tmp_path / "a.zarr/0/c/0/0", size)
    with pytest.raises(ValueError, match="is not a readable OME-Zarr"):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("codec", "head"),
    [("zstd", "28b52ffd e0 0000000000100000"), ("lz4", "ffffff7f"), ("blosc", "02012102 ffffff7f 00000000 10000000")],
)
def test_a_chunk_that_claims_more_than_memory_holds_is_told(tmp_path, codec, head):
    import numcodecs

    zarr.create_array(
        tmp_path / "a.zarr", data=noise(8, 8), zarr_format=2, compressors=numcodecs.get_codec({"id": codec})
    )
    (tmp_path / "a.zarr/0.0").write_bytes(bytes.fromhex(head).ljust(40, b"\0"))
    with pytest.raises(ValueError, match=r"0.0 claims to hold [\d,]+ bytes or more"):
        read(tmp_path / "a.zarr")


def test_an_array_of_which_no_chunk_is_there_is_believed_where_it_is_small(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(1000, 1000), dtype="f8", chunks=(100, 100))
    assert not read(tmp_path / "a.zarr")[1].any()
    zarr.create_array(tmp_path / "b.zarr", shape=(10**5, 10**5), dtype="u2", chunks=(100, 100))
    with pytest.raises(ValueError, match=r"of its 1,000,000 chunks \(20,000,000,000 bytes\) 0 are there"):
        read(tmp_path / "b.zarr")


REAL = {
    "bf2raw_coins": ("yx", (480, 640), "uint8", ("Channel 0",), {}, "bf2raw_coins.ome.zarr/0/0"),
    "v04_hcs_plate_ones-B03-f0": (
        "czyx", (2, 3, 1080, 1280), "uint16", ("some-label-1", "some-label-2"), {"z": 1.0, "y": 0.1625, "x": 0.1625},
        "v04_hcs_plate_ones.zarr/B/03/0/0"),
    "v04_tubhiswt4D_sub": (
        "tzyx", (3, 2, 512, 512), "uint8", ("channel_0",), dict.fromkeys("tzyx", 1.0), "v04_tubhiswt4D_sub.zarr/0"),
    "v05_idr0062_6001240_labels": (
        "czyx", (2, 236, 68, 67), "uint16", ("LaminB1", "Dapi"), {"z": 0.500203, "y": 1.441593, "x": 1.441593},
        "v05_idr0062_6001240_labels.zarr/2"),
    **{f"biot_valid_plate-01-{row}{column}-f0": (
        "yx", (1000, 1000), "float64", ("0",), {"y": 1.0, "x": 1.0}, f"biot_valid_plate-01.zarr/{row}/{column}/0/0")
        for row, column in itertools.product("AB", "12")},
}  # fmt: skip


@real
def test_real_stores():
    stacks = find_stacks([Source("ome_zarr")], Path(DATA), find_scenes).stacks
    assert {stack.name for stack in stacks} == set(REAL)
    for stack in stacks:
        axes, shape, dtype, channels, sizes, path = REAL[stack.name]
        with open_found(stack) as opened:
            assert (opened.axes, opened.shape, opened.dtype.name, opened.channels) == (axes, shape, dtype, channels)
            assert opened.spacing == pytest.approx(sizes)
            expected = zarr.open_array(Path(DATA, "ome_zarr", path), mode="r")[...]
            np.testing.assert_array_equal(planes(opened), expected.reshape(shape))


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_what_another_library_writes_is_read(tmp_path, version):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    values = noise(3, 40, 50)
    image = ngff_zarr.to_ngff_image(
        values, dims=["z", "y", "x"], scale={"z": 2.0, "y": 0.5, "x": 0.25},
        axes_units=dict.fromkeys("zyx", "micrometer"))  # fmt: skip
    levels = ngff_zarr.to_multiscales(image, scale_factors=[2], chunks=16)
    ngff_zarr.to_ngff_zarr(str(tmp_path / "a.ome.zarr"), levels, version=version)
    opened, pixels = read(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(pixels, values)
    assert (opened.axes, opened.spacing) == ("zyx", {"z": 2.0, "y": 0.5, "x": 0.25})
    assert set(opened.units.values()) == {"micrometer"}
