"""Laws of MetaMorph's ND: stages are scenes, waves channels, files are those that the index names; gaps are named."""

import numpy as np
import pytest
import tifffile

from tests.unet.formats.files import cut, noise, read
from tests.unet.formats.vendor_files import write_nd
from unet.formats.readers import find_scenes
from unet.settings.ingest import Source
from unet.sources.search import find_stacks

IMAGE = noise(2, 3, 2, 4, 16, 24)
"""Stages, times, waves, z, y, x."""


@pytest.mark.parametrize("in_file", [True, False])
def test_stages_are_scenes_and_waves_channels(tmp_path, in_file):
    write_nd(tmp_path, IMAGE, in_file=in_file)
    number, parts = find_scenes(str(tmp_path / "x.nd"))
    assert (number, len(parts)) == (2, 12)
    for stage in range(2):
        opened, values = read(tmp_path / "x.nd", scene=stage)
        assert (opened.axes, opened.channels) == ("tczyx", ("DAPI", "GFP_1"))
        assert (opened.spacing, opened.units, opened.notes) == ({"z": 0.5}, {"z": "micrometer"}, ())
        np.testing.assert_array_equal(values, IMAGE[stage])


def test_files_that_an_index_names_are_no_stacks_of_their_own(tmp_path):
    write_nd(tmp_path, IMAGE)
    tifffile.imwrite(tmp_path / "x_w9_s1.tif", noise(16, 24))
    tifffile.imwrite(tmp_path / "other.tif", noise(16, 24))
    stacks = find_stacks([Source(str(tmp_path))], tmp_path, find_scenes).stacks
    assert [stack.name for stack in stacks] == ["other", "x-s0", "x-s1", "x_w9_s1"]


def test_waves_without_z_are_scenes_of_their_own(tmp_path):
    write_nd(tmp_path, IMAGE, says=['"WaveDoZ2", FALSE'])
    for file in tmp_path.glob("x_w2*"):
        tifffile.imwrite(file.with_suffix(".tif"), tifffile.imread(file)[0])
        file.unlink()
    assert find_scenes(str(tmp_path / "x.nd")).number == 4
    for scene, (stage, wave, axes) in enumerate([(0, 0, "tzyx"), (0, 1, "tyx"), (1, 0, "tzyx"), (1, 1, "tyx")]):
        opened, values = read(tmp_path / "x.nd", scene=scene)
        assert (opened.axes, opened.channels) == (axes, (("DAPI", "GFP_1")[wave],))
        np.testing.assert_array_equal(values, IMAGE[stage, :, wave, :] if wave == 0 else IMAGE[stage, :, wave, 0])


def test_of_an_experiment_that_was_stopped_whole_time_points_are_taken(tmp_path):
    write_nd(tmp_path, IMAGE, gone=[(1, 2, 1)])
    opened, values = read(tmp_path / "x.nd", scene=1)
    assert opened.notes == ("it was stopped early: 2 of 3 time points are whole, and are taken",)
    np.testing.assert_array_equal(values, IMAGE[1, :2])
    assert read(tmp_path / "x.nd", scene=0)[0].notes == ()


@pytest.mark.parametrize("gone", [(1, 0, 1), (1, 1, 1)])
def test_a_file_that_is_missing_before_others_is_named(tmp_path, gone):
    write_nd(tmp_path, IMAGE, gone=[gone])
    with pytest.raises(ValueError, match=rf"x\.nd .*must come with x_w2GFP_1_s2_t{gone[1] + 1}\.stk, which is not"):
        read(tmp_path / "x.nd", scene=1)


def test_files_that_differ_are_refused_by_name(tmp_path):
    write_nd(tmp_path, IMAGE)
    tifffile.imwrite(tmp_path / "x_w2GFP-1_s1_t2.stk", noise(4, 16, 25), photometric="minisblack")
    with pytest.raises(ValueError, match=r"must all be alike, got zyx \(4, 16, 25\) uint16 in .*x_w2GFP-1_s1_t2\.stk"):
        read(tmp_path / "x.nd", scene=0)


def test_a_part_that_is_broken_is_named(tmp_path):
    write_nd(tmp_path, IMAGE)
    cut(tmp_path / "x_w2GFP-1_s1_t2.stk", 0.5)
    with pytest.raises(ValueError, match=r"x_w2GFP-1_s1_t2\.stk is not a readable TIFF"):
        read(tmp_path / "x.nd", scene=0)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.97])
def test_an_index_that_was_cut_short_is_refused(tmp_path, part):
    write_nd(tmp_path, IMAGE)
    cut(tmp_path / "x.nd", part)
    with pytest.raises(ValueError, match=r"x\.nd is not a readable MetaMorph index"):
        find_scenes(str(tmp_path / "x.nd"))
    assert find_scenes(str(tmp_path / "x_w1DAPI_s1_t1.stk")).number == 1


@pytest.mark.parametrize("line", ['"NStagePositions", 999999999', '"NTimePoints", 900000', '"NWavelengths", 0'])
def test_an_index_that_speaks_of_millions_of_files_is_refused(tmp_path, line):
    write_nd(tmp_path, IMAGE, says=[line])
    with pytest.raises(ValueError, match=r"x\.nd is not a readable MetaMorph index"):
        find_scenes(str(tmp_path / "x.nd"))
    assert find_scenes(str(tmp_path / "x_w1DAPI_s1_t1.stk")).number == 1


def test_names_of_waves_lead_to_no_other_folder(tmp_path):
    (tmp_path / "in").mkdir()
    write_nd(tmp_path / "in", IMAGE[:1, :1, :1], waves=("DAPI",), says=['"WaveName1", "/../../secret"'])
    (tmp_path / "in/x_w1").mkdir()
    tifffile.imwrite(tmp_path / "secret_s1_t1.stk", noise(4, 16, 24), photometric="minisblack")
    with pytest.raises(ValueError, match="which is not there"):
        read(tmp_path / "in/x.nd")
