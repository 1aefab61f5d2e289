"""OME-TIFFs that were renamed: planes are where the OME-XML says they are, or the file is refused in a sentence."""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.unet.formats.files import OME, PLANE, noise, read, write, write_set
from unet.formats import ome_files
from unet.formats.ome_files import renamed_xml
from unet.formats.readers import find_scenes

ROOTS = ["", ' UUID="urn:uuid:0"', ' UUID="urn:uuid:another"']


def one_file_xml(file_name, root=""):
    """OME-XML of one file with two channels of three z planes."""
    uuid = f'<UUID FileName="{file_name}">urn:uuid:0</UUID>'
    places = enumerate(itertools.product(range(2), range(3)))
    return OME.format(root=root, c=2, planes="".join(PLANE.format(c=c, z=z, ifd=n, uuid=uuid) for n, (c, z) in places))


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("is_old_name_taken", [False, True])
def test_a_renamed_file_keeps_its_channels_and_planes(tmp_path, root, is_old_name_taken):
    image = noise(6, 8, 9)
    write(tmp_path / "new.ome.tif", image, one_file_xml("old.ome.tif", root))
    if is_old_name_taken:
        write(tmp_path / "old.ome.tif", image[::-1].copy(), one_file_xml("old.ome.tif", root))
    opened, values = read(tmp_path / "new.ome.tif")
    assert (opened.axes, opened.shape) == ("czyx", (2, 3, 8, 9))
    np.testing.assert_array_equal(values, image.reshape(2, 3, 8, 9))
    assert find_scenes(str(tmp_path / "new.ome.tif")).number == 1


def test_two_files_that_swapped_their_names_keep_their_pixels(tmp_path):
    first = noise(6, 8, 9)
    write(tmp_path / "b.ome.tif", first, one_file_xml("a.ome.tif"))
    write(tmp_path / "a.ome.tif", first + 1000, one_file_xml("b.ome.tif"))
    np.testing.assert_array_equal(read(tmp_path / "b.ome.tif")[1].ravel(), first.ravel())
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif")[1].ravel(), first.ravel() + 1000)


def test_a_uuid_without_text_is_told_by_its_name(tmp_path):
    image = noise(6, 8, 9)
    said = one_file_xml("old.ome.tif", ROOTS[2]).replace(">urn:uuid:0<", "><")
    write(tmp_path / "new.ome.tif", image, said)
    np.testing.assert_array_equal(read(tmp_path / "new.ome.tif")[1], image.reshape(2, 3, 8, 9))


@pytest.mark.parametrize("root", ROOTS[::2])
def test_a_renamed_file_that_lacks_planes_is_refused(tmp_path, root):
    write(tmp_path / "new.ome.tif", noise(4, 8, 9), one_file_xml("old.ome.tif", root))
    with pytest.raises(ValueError, match=r"new\.ome\.tif must lie with the files of its set.* planes are in old\.ome"):
        read(tmp_path / "new.ome.tif")
    with pytest.raises(ValueError, match="must lie with the files of its set"):
        find_scenes(str(tmp_path / "new.ome.tif"))


@pytest.mark.parametrize(
    "names",
    [
        ["a.ome.tif", "b.ome.tif", "c.ome.tif"],
        ["day1_z2.tif", "day1_z1.tif", "day1_z0.tif"],
        ["z2.ome.tif", "z0.ome.tif", "z1.ome.tif"],  # each has another's name
        ["z0.ome.tif", "z2.ome.tif", "z1.ome.tif"],
        ["z0.ome.tif", "renamed.ome.tif", "z2.ome.tif"],
    ],
)
def test_a_set_that_was_renamed_together_is_known_by_its_uuids(tmp_path, names):
    image = write_set(tmp_path, names)
    write(tmp_path / "other.ome.tif", noise(6, 8, 9), one_file_xml("other.ome.tif", ' UUID="urn:uuid:7"'))
    for name in names:
        np.testing.assert_array_equal(read(tmp_path / name)[1], image)
    assert sorted(find_scenes(str(tmp_path / name)).number for name in names) == [0, 0, 1]


def test_a_set_whose_files_all_bear_one_uuid_is_read_by_names(tmp_path):
    names = [f"z{z}.ome.tif" for z in range(3)]
    image = write_set(tmp_path, names, bear=lambda z: ' UUID="urn:uuid:0"')
    np.testing.assert_array_equal(read(tmp_path / names[0])[1], image)
    assert [find_scenes(str(tmp_path / name)).number for name in names] == [1, 0, 0]


def test_a_set_whose_planes_all_bear_one_uuid_is_read_by_names(tmp_path):
    image, names = noise(6, 8, 9), ["a.ome.tif", "b.ome.tif"]
    uuids = [f'<UUID FileName="{name}">urn:uuid:0</UUID>' for name in names]
    places = itertools.product(enumerate(uuids), range(3))
    said = "".join(PLANE.format(c=c, z=z, ifd=z, uuid=uuid) for (c, uuid), z in places)
    for c, name in enumerate(names):
        write(tmp_path / name, image[3 * c : 3 * c + 3], OME.format(root=' UUID="urn:uuid:0"', c=2, planes=said))
    np.testing.assert_array_equal(read(tmp_path / names[0])[1], image.reshape(2, 3, 8, 9))
    assert find_scenes(str(tmp_path / names[0])) == (1, (str(tmp_path / names[1]),))


def test_planes_that_all_lie_in_the_one_other_file_are_a_part_of_the_stack(tmp_path):
    image, opener, planes = noise(3, 8, 9), tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    uuid = '<UUID FileName="b.ome.tif">urn:uuid:1</UUID>'
    said = "".join(PLANE.format(c=0, z=z, ifd=z, uuid=uuid) for z in range(3))
    write(opener, image[:1], OME.format(root=' UUID="urn:uuid:0"', c=1, planes=said))
    pointer = '<OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="a.ome.tif" UUID="urn:uuid:0"/></OME>'
    write(planes, image, pointer.replace("<OME", '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'))
    np.testing.assert_array_equal(read(opener)[1], image)
    assert find_scenes(str(opener)) == (1, (str(planes),))


def test_a_set_without_uuids_of_its_files_that_was_renamed_is_refused(tmp_path):
    names = ["a.ome.tif", "b.ome.tif", "c.ome.tif"]
    write_set(tmp_path, names, bear=lambda z: "")
    for name in names:
        with pytest.raises(ValueError, match=rf"{name} must lie with .* in z0\.ome\.tif and 2 others, got none"):
            read(tmp_path / name)


def test_sets_that_lack_files_are_looked_for_in_each_file_of_a_folder_once(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(ome_files, "_xml_of", lambda file, read=ome_files._xml_of: opened.append(file) or read(file))
    for at in range(8):
        said = [f"old{at}-{z}.ome.tif" for z in range(3)]
        write_set(tmp_path, [f"new{at}.ome.tif"], lambda z, at=at: f' UUID="urn:uuid:{at}-{z}"', said, f"{at}-")
    for file in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match="must come with all planes of its set"):
            read(file)
    assert len(opened) <= 8 * 3


def test_one_file_of_a_set_that_took_anothers_name_is_not_taken_for_it(tmp_path):
    write_set(tmp_path, ["z0.ome.tif", "z2.ome.tif"])  # the third file is gone, and the second has its name
    with pytest.raises(ValueError, match="must come with all planes of its set, got 2 of 3"):
        read(tmp_path / "z0.ome.tif")


def test_parts_that_point_to_metadata_that_was_renamed_are_no_stacks(tmp_path):
    image = write_set(tmp_path, ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    for z, name in ((1, "b.ome.tif"), (2, "c.ome.tif")):
        pointer = f'<OME UUID="urn:uuid:{z}"><BinaryOnly MetadataFile="z0.ome.tif" UUID="urn:uuid:0"/></OME>'
        write(tmp_path / name, image[z], pointer)
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif")[1], image)
    assert [find_scenes(str(tmp_path / f"{name}.ome.tif")).number for name in "abc"] == [1, 0, 0]


def test_names_that_hold_and_damaged_xml_stay_as_they_are(tmp_path):
    for xml in (one_file_xml("a.ome.tif"), "<OME><Image", "<OME/>"):
        assert renamed_xml(xml, tmp_path / "a.ome.tif", 6) == xml


def test_damaged_xml_is_an_error_of_value(tmp_path):
    for damaged in (one_file_xml("old.ome.tif").replace('Name="one"', 'Name="a & b"'), "<OME><Image>", "<OME"):
        write(tmp_path / "a.ome.tif", noise(6, 8, 9), damaged + "</OME>")
        for look in (read, find_scenes):
            with contextlib.suppress(ValueError):
                look(str(tmp_path / "a.ome.tif"))


def test_several_scenes_of_a_renamed_file_are_all_its_own(tmp_path):
    image, one = noise(12, 8, 9), one_file_xml("old.ome.tif")
    scene = one[one.index("<Image") : one.index("</OME>")]
    shifted = scene.replace('Name="one"', 'Name="two"')
    for ifd in reversed(range(6)):
        shifted = shifted.replace(f'IFD="{ifd}"', f'IFD="{ifd + 6}"')
    write(tmp_path / "new.ome.tif", image, one.replace("</OME>", f"{shifted}</OME>"))
    assert find_scenes(str(tmp_path / "new.ome.tif")).number == 2
    for number in range(2):
        values = read(tmp_path / "new.ome.tif", scene=number)[1]
        np.testing.assert_array_equal(values, image[6 * number : 6 * number + 6].reshape(2, 3, 8, 9))


def test_names_in_a_folder_below_keep_it(tmp_path):
    (tmp_path / "planes").mkdir()
    said = [f"planes/z{z}.ome.tif" for z in range(3)]
    image = write_set(tmp_path, said, said=said)
    write_set(tmp_path, ["z.ome.tif"], bear=lambda z: ' UUID="urn:uuid:9"', said=said)
    np.testing.assert_array_equal(read(tmp_path / "z.ome.tif")[1], image)
    assert Path(said[0]).name == "z0.ome.tif"
