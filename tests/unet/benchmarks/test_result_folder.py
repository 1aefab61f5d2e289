"""Laws of result folders: masks as the challenge's tools read them, each segment a track of one frame."""

import warnings
from functools import reduce

import numpy as np
import pytest
import tifffile

from tests import drawn_benchmarks as draw
from unet.benchmarks import result_folder
from unet.benchmarks.layouts import BenchmarkUnit, find_units
from unet.benchmarks.published import BENCHMARKS
from unet.benchmarks.result_folder import write_results
from unet.evaluation.sequence_scores import det_counts, seg_counts, sequence_figures

UNIT = BenchmarkUnit("02", ("a", "b", "c"), frames=(4, 5, 6))
SEGMENTS = np.array([[[7, 7, 0, 9]], [[0, 0, 0, 0]], [[9, 3, 3, 0]]], np.int64)


def read(folder):
    return [tifffile.imread(folder / f"mask{frame:03d}.tif") for frame in UNIT.frames]


def test_ids_are_unique_over_the_sequence_and_tracks_list_each(tmp_path):
    words = write_results(tmp_path / "02_RES", UNIT, list(SEGMENTS))
    masks = read(tmp_path / "02_RES")
    assert [mask.dtype for mask in masks] == [np.uint16] * 3
    assert [mask.tolist() for mask in masks] == [[[1, 1, 0, 2]], [[0, 0, 0, 0]], [[4, 3, 3, 0]]]
    tracks = (tmp_path / "02_RES/res_track.txt").read_text()
    assert tracks == "1 4 4 0\n2 4 4 0\n3 6 6 0\n4 6 6 0\n"
    for line in tracks.splitlines():
        number, first, last, parent = map(int, line.split())
        assert (masks[first - 4] == number).any()
        assert (first, parent) == (last, 0)
    assert "nothing is tracked" in words


def test_written_again_it_is_the_same(tmp_path):
    for _ in range(2):
        write_results(tmp_path / "02_RES", UNIT, list(SEGMENTS))
    assert sorted(path.name for path in (tmp_path / "02_RES").iterdir()) == [
        "mask004.tif",
        "mask005.tif",
        "mask006.tif",
        "res_track.txt",
    ]


def test_more_segments_than_ids_count_by_frame_and_have_no_tracks(tmp_path, monkeypatch):
    monkeypatch.setattr(result_folder, "MOST", 3)
    (tmp_path / "02_RES").mkdir()
    (tmp_path / "02_RES/res_track.txt").write_text("of before")
    words = write_results(tmp_path / "02_RES", UNIT, list(SEGMENTS))
    assert [mask.max() for mask in read(tmp_path / "02_RES")] == [2, 0, 2]
    assert not (tmp_path / "02_RES/res_track.txt").exists()
    assert "without tracks" in words


def test_frames_of_four_digits_have_masks_of_four(tmp_path):
    write_results(tmp_path / "r", BenchmarkUnit("01", ("a",), frames=(1000,)), [SEGMENTS[0]])
    assert (tmp_path / "r/mask1000.tif").exists()


def test_another_program_finds_the_folder_valid_and_has_the_same_figures(tmp_path):
    """py-ctcmetrics, where it is installed; it knows no border, so all is judged."""
    other = pytest.importorskip("ctc_metrics.scripts.evaluate")
    for unit in find_units(BENCHMARKS["phc-u373"], draw.tracking(tmp_path / "a")):
        truth = [tifffile.imread(unit.markers[frame]) for frame in unit.frames]
        whole = draw.drawn(4, int(unit.name), draw.WIDE)[1]
        found = [np.where(plane % 5 == 4, plane - 1, plane) for plane in np.roll(whole, (1, 2), (1, 2)).astype(int)]
        found[1][found[1] == found[1].max()] = 0
        write_results(tmp_path / f"{unit.name}_RES", unit, found)
        counts = [det_counts(*each) for each in zip(truth, found, strict=True)]
        counts += [seg_counts(tifffile.imread(file), found[frame]) for frame, file in unit.gold.items()]
        total = reduce(lambda a, b: {k: a.get(k, 0) + b.get(k, 0) for k in a | b}, counts)
        with warnings.catch_warnings(action="ignore"):
            folders = str(tmp_path / f"{unit.name}_RES"), str(tmp_path / f"a/{unit.name}_GT")
            said = other.evaluate_sequence(*folders, metrics=["Valid", "SEG", "DET"], threads=1)
        assert said["Valid"] == 1
        ours = sequence_figures(total)
        assert (ours["seg"], ours["det"]) == (pytest.approx(said["SEG"]), pytest.approx(said["DET"]))
        assert 0 < ours["det"] < 1
