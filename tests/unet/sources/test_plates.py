import os
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.settings.ingest import Source
from unet.sources.image_kinds import is_index
from unet.sources.plate_indexes import read_records
from unet.sources.search import find_stacks
from unet.sources.stacks import Scenes, Well

REAL = os.environ.get("UNET_FLOWS_DATA")
ID = "4BFD4018-E675-475E-B5AB-2E959E6B6DA1"


def find(top, **settings):
    return find_stacks([Source(str(top), **settings)], top, lambda file: Scenes(1))


def named(catalogue):
    return [stack.name for stack in catalogue.stacks]


def write(top, *names):
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()


def operetta(top, lost=(), plate="<PlateID>P1</PlateID>", name="Index.idx.xml", old=True):
    """A plate of two wells, a field, two channels and three heights, but for some files."""
    channels = {"1": "DAPI", "2": "Alexa 488"}
    images = []
    for (row, column), channel, plane in product([(2, 3), (8, 12)], channels, (1, 2, 3)):
        url = f"r{row:02}c{column:02}f01p{plane:02}-ch{channel}sk1fk1fl1.tiff"
        said = f"<ChannelName>{channels[channel]}</ChannelName><ImageResolutionX Unit='m'>5.98E-07</ImageResolutionX>"
        images.append(
            f"<Image Version='1'><id>x</id><State>Ok</State><URL>{url}</URL><Row>{row}</Row><Col>{column}</Col>"
            f"<FieldID>1</FieldID><PlaneID>{plane}</PlaneID><TimepointID>0</TimepointID><ChannelID>{channel}</ChannelID>"
            f"<PositionZ Unit='m'>{plane * 1.5e-6}</PositionZ>{said if old else ''}</Image>"
        )
        if url not in lost:
            write(top, url)
    entries = "".join(
        f"<Entry ChannelID='{c}'><ChannelName>{of}</ChannelName><ImageResolutionX>5.98E-07</ImageResolutionX></Entry>"
        for c, of in channels.items()
    )
    (top / name).write_text(
        f"<?xml version='1.0'?><EvaluationInputData xmlns='http://www.perkinelmer.com/PEHH/HarmonyV5'><Plates><Plate>"
        f"{plate}<Well id='0203'/></Plate></Plates><Wells><Well><Image id='0203K1F1P1R1'/></Well></Wells>"
        f"<Maps><Map>{entries}</Map></Maps><Images>{''.join(images)}</Images></EvaluationInputData>"
    )


def cellvoyager(top, records, detail=True):
    """A plate of the records (row, column, field, t, z, channel)."""
    lines = []
    for row, column, field, t, z, channel in records:
        name = f"P_{chr(64 + row)}{column:02}_T{t:04}F{field:03}L01A01Z{z:02}C{channel:02}.tif"
        lines.append(
            f'<bts:MeasurementRecord bts:Type="IMG" bts:Column="{column}" bts:Row="{row}" bts:TimePoint="{t}" '
            f'bts:FieldIndex="{field}" bts:ZIndex="{z}" bts:TimelineIndex="1" bts:Z="{3 * z}" bts:Ch="{channel}">{name}'
            "</bts:MeasurementRecord>"
        )
        write(top, name)
    lines.append('<bts:MeasurementRecord bts:Type="ERR">no image</bts:MeasurementRecord>')
    space = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
    (top / "MeasurementData.mlf").write_text(f"<bts:MeasurementData {space}>{''.join(lines)}</bts:MeasurementData>")
    if detail:
        (top / "MeasurementDetail.mrf").write_text(
            f"\ufeff<bts:MeasurementDetail {space}><bts:MeasurementSamplePlate bts:Name='Plate 7'/>"
            "<bts:MeasurementChannel bts:Ch='1' bts:HorizontalPixelDimension='0.325' "
            "bts:VerticalPixelDimension='0.325'/></bts:MeasurementDetail>"
        )
        (top / "a.mes").write_text(
            f"<bts:MeasurementSetting {space}><bts:Channel bts:Ch='1' bts:Acquisition='BP445'/>"
            "</bts:MeasurementSetting>"
        )


def imagexpress(top, planes, htd=True):
    """A plate of the planes (time, height, well, site, wave), 0 where a folder has none."""
    for time, step, well, site, wave in planes:
        folders = [f"TimePoint_{time}"] * bool(time) + [f"ZStep_{step}"] * bool(step)
        write(top, "/".join([*folders, f"P_{well}_s{site}_w{wave}{ID}.TIF"]))
    if htd:
        (top / "P.HTD").write_text(
            '"HTSInfoFile", Version 1.0\n"XWells", 12\n"WaveName1", "DAPI"\n"WaveName2", "FITC"\n'
        )


@pytest.mark.parametrize("old", [True, False])
def test_a_plate_of_an_operetta(tmp_path, old):
    operetta(tmp_path / "Images", old=old)
    write(tmp_path, "elsewhere.tif")
    found = find(tmp_path)
    assert named(found) == ["P1-B03-f1", "P1-H12-f1", "elsewhere"]
    stack = found.stacks[0]
    assert stack.grid == (("c", ("DAPI", "Alexa 488")), ("z", ("1", "2", "3")))
    assert [Path(file).name[:8] for file in stack.files] == ["r02c03f0"] * 6
    assert dict(stack.stated.pixel_size) == {"x": 0.598, "z": 1.5}
    assert stack.well == Well("P1", "B", "03", 1)


def test_a_plate_is_named_by_its_index_or_else_by_its_folder(tmp_path):
    operetta(tmp_path / "day1/Images", plate="")
    operetta(tmp_path / "day2/Images", plate="", name="Index.xml")
    assert named(find(tmp_path)) == ["day1-B03-f1", "day1-H12-f1", "day2-B03-f1", "day2-H12-f1"]


def test_plates_of_one_name_are_told_apart_by_their_folders(tmp_path):
    operetta(tmp_path / "day1")
    operetta(tmp_path / "day2")
    assert named(find(tmp_path))[::2] == ["day1__P1-B03-f1", "day2__P1-B03-f1"]


def test_a_file_that_an_index_names_and_is_not_there_is_missing(tmp_path):
    gone = [f"r08c12f01p0{p}-ch{c}sk1fk1fl1.tiff" for p in (1, 2, 3) for c in (1, 2)]
    operetta(tmp_path, lost=gone[:1])
    good, bad = find(tmp_path).stacks
    assert good.refused == ""
    assert f"must have all planes, got none for c DAPI, z 1 ({gone[0]} would be it)" in bad.refused
    for name in gone:
        (tmp_path / name).unlink(missing_ok=True)
    good, bad = find(tmp_path).stacks
    assert "must have the files that" in bad.refused
    assert "got none of 6" in bad.refused


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a",
        b"<a><Image><URL>../../etc/passwd.tif</URL><Row>1</Row><Col>1</Col></Image></a>",
        b"<a><Image><URL>x.tif</URL></Image></a>",
        b"<a><Image><URL>x.tif</URL><Row>1</Row><Col>1</Col><FieldID>one</FieldID></Image></a>",
        b"<!DOCTYPE a [<!ENTITY e 'eeee'>]><a><Image><URL>&e;</URL></Image></a>",
        b"\xff\xfe\x00\x01" * 100,
    ],
)
def test_a_broken_index_is_told_and_its_files_are_what_they_are(tmp_path, content):
    write(tmp_path, "a.tif", "b.tif")
    (tmp_path / "Index.idx.xml").write_bytes(content)
    found = find(tmp_path)
    assert named(found) == ["a", "b"]
    assert sum("is no index of a plate that can be read" in note for note in found.notes) == 1


def records_by_tree(text, tag, keys):
    """The same by a tree of the whole document."""
    plain = lambda name: name.rpartition("}")[2]  # noqa: E731
    for element in ElementTree.fromstring(text).iter():
        if plain(element.tag) == tag:
            fields = {plain(child.tag): (child.text or "").strip() for child in reversed(element)}
            fields |= {plain(key): value for key, value in element.attrib.items()}
            own = "".join([element[-1].tail or ""] if len(element) else [element.text or ""]).strip()
            yield {key: value for key, value in (fields | ({"text": own} if own else {})).items() if key in keys}


WORDS = st.sampled_from(["", " a.tif ", "a&amp;b", "<![CDATA[c<d]]>", "e<!-- no -->f", "\u00e9", "\n"])


@given(st.lists(st.tuples(WORDS, st.lists(st.tuples(st.sampled_from("PQR"), WORDS), max_size=3)), max_size=4))
def test_records_of_an_index_are_those_of_its_whole_tree(records):
    inner = ""
    for word, children in records:
        more = "".join(f"<n:{tag}>{of}</n:{tag}>" for tag, of in children)
        inner += f'<n:Shot n:P="x"><Q n="1">{word}</Q>{more}{word}</n:Shot>'
    text = f"<?xml version='1.0'?><n:All xmlns:n='u'><Other>o</Other>{inner}</n:All>".encode()
    found = []
    with TemporaryDirectory() as folder:
        Path(folder, "a.xml").write_bytes(text)
        read_records(Path(folder, "a.xml"), {"Shot": {"P", "Q", "text"}}, lambda _, fields: found.append(fields))
    assert found == list(records_by_tree(text, "Shot", {"P", "Q", "text"}))


def test_an_index_that_names_no_images_is_none(tmp_path):
    write(tmp_path, "a.tif")
    (tmp_path / "Index.xml").write_text("<sitemap><loc/></sitemap>")
    assert named(find(tmp_path)) == ["a"]


def test_a_plate_of_a_cellvoyager(tmp_path):
    cellvoyager(tmp_path, product([4], [8], [1, 2], [1, 2], [1, 2, 3], [1, 2]))
    write(tmp_path, "SC_BP445.tif", "DC_CAM.tif")
    found = find(tmp_path)
    assert named(found) == ["Plate_7-D08-f1", "Plate_7-D08-f2"]
    assert found.stacks[0].grid == (("t", ("1", "2")), ("c", ("BP445", "2")), ("z", ("1", "2", "3")))
    assert dict(found.stacks[0].stated.pixel_size) == {"x": 0.325, "y": 0.325, "z": 3.0}
    assert "plate Plate 7: 2 images that are no planes of it are left out: DC_CAM.tif, SC_BP445.tif" in found.notes


def test_channels_that_were_taken_at_fewer_heights_are_a_stack_of_their_own(tmp_path):
    records = [*product([1], [1, 2], [1], [1], [1, 2, 3], [1]), *product([1], [1, 2], [1], [1], [1], [2])]
    cellvoyager(tmp_path, records, detail=False)
    found = find(tmp_path)
    name = tmp_path.name
    assert named(found) == [f"{name}-A01-f1", f"{name}-A01-f1-2", f"{name}-A02-f1", f"{name}-A02-f1-2"]
    assert [len(stack.files) for stack in found.stacks] == [3, 1, 3, 1]
    assert [stack.well is None for stack in found.stacks] == [False, True, False, True]


@pytest.mark.parametrize("htd", [True, False])
def test_a_plate_of_an_imagexpress(tmp_path, htd):
    imagexpress(tmp_path, product((1, 2), (0, 1, 2), ("E07", "E08"), (1, 2), (1, 2)), htd=htd)
    write(tmp_path, f"TimePoint_1/P_E07_s1_w1_thumb{ID}.TIF")
    found = find(tmp_path)
    fields = [f"P-{well}-f{site}" for well in ("E07", "E08") for site in (1, 2)]
    assert named(found) == sorted(name + kind for name in fields for kind in ("", "-projection"))
    whole, flat = found.stacks[:2]
    channels = ("c", ("DAPI", "FITC") if htd else ("1", "2"))
    assert whole.grid == (("t", ("1", "2")), channels, ("z", ("1", "2")))
    assert flat.grid == (("t", ("1", "2")), channels)
    assert [Path(file).relative_to(tmp_path).parts[:2] for file in whole.files[:2]] == [
        ("TimePoint_1", "ZStep_1"),
        ("TimePoint_1", "ZStep_2"),
    ]
    assert [note for note in found.notes if "1 images that are no planes of it are left out" in note]


def test_a_plane_that_other_wells_have_is_missing(tmp_path):
    planes = list(product((0,), (1, 2), ("E07", "E08"), (1,), (1, 2)))
    imagexpress(tmp_path, [plane for plane in planes if plane != (0, 2, "E08", 1, 2)])
    good, bad = find(tmp_path).stacks
    assert good.refused == ""
    assert "got none for c FITC, z 2 (P_E08_s1_w2.TIF would be it)" in bad.refused


def test_a_pattern_is_stronger_than_an_index(tmp_path):
    operetta(tmp_path)
    assert len(find(tmp_path, pattern="{name}.tiff").stacks) == 12


def test_indexes_are_known_by_their_names():
    assert is_index("MeasurementData.mlf")
    assert not is_index(".hidden.htd")


@pytest.mark.skipif(not REAL, reason="needs UNET_FLOWS_DATA")
def test_real_plates():
    found = find(Path(REAL or "") / "plates/cv8000_minimal")
    assert len(found.stacks) == 12
    assert all(len(stack.files) == 8 and not stack.refused for stack in found.stacks)
    assert {axis: len(words) for axis, words in found.stacks[0].grid} == {"c": 2, "z": 4}
    found = find(Path(REAL or "") / "plates/imagexpress_single_channel")
    assert named(found)[:2] == ["Projection-Mix-E07-f1", "Projection-Mix-E07-f1-projection"]
    assert [len(stack.files) for stack in found.stacks] == [2, 1] * 4
