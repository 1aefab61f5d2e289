"""Law of links: every real folder below a source is looked into once, and no link leads out to what nobody named."""

import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet.sources.walk import SourceWalk


def walk(top, other=None, each_once=True):
    return SourceWalk(top.resolve(), other and other.resolve(), lambda name: name.endswith(".tif"), each_once)


def found(top, **how):
    return sorted(path.relative_to(top.resolve()).as_posix() for path in walk(top, **how).files)


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def link(root, **targets):
    for name, target in targets.items():
        (root / name).symlink_to(target)


def test_the_real_folder_is_named_whatever_links_come_before_it(tmp_path):
    write(tmp_path, "raw/z_real/a.tif", "raw/b.tif")
    link(tmp_path / "raw", a_link="z_real", c_link=tmp_path / "raw/z_real")
    assert found(tmp_path / "raw") == ["b.tif", "z_real/a.tif"]


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes on Unix alone")
def test_a_file_whose_name_is_no_utf_8_is_left_out_and_told(tmp_path):
    write(tmp_path, "raw/a.tif", os.fsdecode(b"raw/b\xff.tif"), os.fsdecode(b"raw/c\xe4/d.tif"))
    walked = walk(tmp_path / "raw")
    assert [path.name for path in walked.files] == ["a.tif"]
    assert len(walked.left_out) == 2
    assert all("must have a name in UTF-8, and is left out; rename it" in line for line in walked.left_out)


def test_a_place_elsewhere_is_looked_into_once_whatever_leads_there(tmp_path):
    write(tmp_path, "disk/a.tif", "disk/deep/b.tif", "raw/c.tif")
    link(tmp_path / "raw", one="../disk", two=tmp_path / "disk", three="one", zz="../disk/deep")
    link(tmp_path / "disk/deep", back="..", home=tmp_path / "raw", around=tmp_path)
    walked = walk(tmp_path / "raw")
    assert sorted(path.name for path in walked.files) == ["a.tif", "b.tif", "c.tif"]
    assert found(tmp_path / "raw") == ["c.tif", "one/a.tif", "one/deep/b.tif"]
    assert len(walked.left_out) == 1  # what is around all of it


@pytest.mark.parametrize("target", ["..", "../..", "/", "."])
def test_a_link_to_a_folder_around_the_source_is_not_followed(tmp_path, target):
    write(tmp_path, "lab/raw/a.tif", "lab/b.tif", "c.tif")
    link(tmp_path / "lab/raw", up=target)
    walked = walk(tmp_path / "lab/raw")
    assert [path.name for path in walked.files] == ["a.tif"]
    assert len(walked.left_out) == (target != ".")  # the source itself was looked into
    assert all("a folder around it, and is not followed" in line for line in walked.left_out)


def test_links_in_a_circle_end(tmp_path):
    write(tmp_path, "raw/one/a.tif", "raw/two/b.tif")
    link(tmp_path / "raw/one", to_two="../two", me="me")
    link(tmp_path / "raw/two", to_one="../one")
    link(tmp_path / "raw", this=tmp_path / "raw/that", that=tmp_path / "raw/this")
    walked = walk(tmp_path / "raw")
    assert [path.name for path in walked.files] == ["a.tif", "b.tif"]
    assert sorted(path.name for path in walked.dangling) == ["me", "that", "this"]


def test_links_to_nothing_are_told_where_they_may_be_images_or_folders(tmp_path):
    write(tmp_path, "raw/a.tif")
    link(tmp_path / "raw", gone="/nowhere", **{"b.tif": "/nowhere.tif", "notes.txt": "/nowhere.txt", ".c.tif": "/no"})
    assert sorted(path.name for path in walk(tmp_path / "raw").dangling) == ["b.tif", "gone"]


@pytest.mark.parametrize(
    ("each_once", "expected"), [(True, ["a.tif", "c.tif"]), (False, ["a.tif", "b.tif", "c.tif", "d.tif"])]
)
def test_a_file_is_found_once_where_it_is_an_image(tmp_path, each_once, expected):
    write(tmp_path, "raw/a.tif", "store/object-17")
    link(tmp_path / "raw", **{"b.tif": "a.tif", "c.tif": "../store/object-17", "d.tif": "../store/object-17"})
    assert found(tmp_path / "raw", each_once=each_once) == expected
    lines = walk(tmp_path / "raw", each_once=each_once).left_out
    assert ["which is taken already, and is left out" in line for line in lines] == [True, True] * each_once


def test_one_mask_of_many_images_may_lie_in_a_folder_among_the_images(tmp_path):
    write(tmp_path, "raw/a.tif", "raw/b.tif", "raw/masks/a.tif", "raw/masks/deep/c.tif", "raw/all/d.tif")
    link(tmp_path / "raw/masks", more="deep", images="../all", **{"b.tif": "a.tif", "d.tif": "../all/d.tif"})
    link(tmp_path / "raw", masks2="masks", **{"e.tif": "masks/a.tif"})
    truth = {"other": tmp_path / "raw", "each_once": False}
    assert found(tmp_path / "raw/masks", **truth) == ["a.tif", "b.tif", "d.tif", "deep/c.tif"]
    assert found(tmp_path / "raw", other=tmp_path / "raw/masks") == ["a.tif", "all/d.tif", "b.tif"]


def test_other_kinds_stores_and_datasets_are_not_looked_into_behind_links_either(tmp_path):
    write(tmp_path, "raw/a.tif", "s/d.zarr/e.tif", "cells/dataset.yaml", "cells/f.tif", "s/g.bmp")
    link(tmp_path / "raw", store="../s/d.zarr", cells="../cells", **{"g.bmp": "../s/g.bmp", ".hidden": "../s"})
    assert found(tmp_path / "raw") == ["a.tif"]
    assert walk(tmp_path / "raw").left_out == [
        f"{tmp_path}/raw/store is a link to {tmp_path}/s/d.zarr, and is left out; let its name end in .zarr too"
    ]


def test_what_we_make_in_a_dataset_is_not_found_where_its_own_folder_is_the_source(tmp_path):
    write(tmp_path, "dataset.yaml", "a.tif", "day/b.tif", "images/a.tif", "reports/unet/c.tif", "day/images/d.tif")
    assert found(tmp_path) == ["a.tif", "day/b.tif", "day/images/d.tif"]


def test_a_source_that_is_one_file_is_that_file(tmp_path):
    write(tmp_path, "a.tif", "b.txt")
    assert walk(tmp_path / "a.tif").files == [tmp_path.resolve() / "a.tif"]
    assert walk(tmp_path / "b.txt").files == []


PLACES = ("", "one", "one/deep", "two")


@given(links=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from((*PLACES, "..", "nowhere"))), max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_links_within_a_source_change_what_is_found(tmp_path_factory, links):
    top = tmp_path_factory.mktemp("source") / "raw"
    write(top, *(f"{place}/{number}.tif" for number, place in enumerate(PLACES)))
    before = found(top)
    numbers = itertools.count()
    for place, target in links:
        (top / place / f"link{next(numbers)}").symlink_to(top / target)
    assert found(top) == before
    assert len(walk(top).dangling) == sum(target == "nowhere" for _, target in links)
