import numpy as np
import pytest
from scipy.ndimage import label
from skimage.filters import threshold_otsu
from tifffile import TiffFile, imread

from unet.images.synthetic import LEAST, draw_stack, write_dataset


@pytest.fixture(scope="module")
def drawn():
    return draw_stack(planes=3, side=256, seed=3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    write_dataset(folder, small=True)
    return folder


def bytes_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(truth, segments):
    """Fraction TP/(TP + FP + FN) at an IoU above 0.5, pair by pair: the slow, obvious way."""
    objects = [truth == k for k in np.unique(truth[truth > 0])]
    made = [segments == k for k in np.unique(segments[segments > 0])]
    hits = sum(any((a & b).sum() > 0.5 * (a | b).sum() for b in made) for a in objects)
    return hits / (len(objects) + len(made) - hits)


def test_image_and_truth_have_the_same_form(drawn):
    image, truth = drawn
    assert image.shape == truth.shape == (3, 256, 256)
    assert image.dtype == truth.dtype == np.uint16


def test_every_plane_has_25_to_40_cells_of_one_piece_each(drawn):
    for plane in drawn[1]:
        ids = np.unique(plane[plane > 0])
        assert 25 <= len(ids) <= 40
        assert all(label(plane == k)[1] == 1 and (plane == k).sum() >= LEAST for k in ids)


def test_most_cells_touch_a_neighbour(drawn):
    plane = drawn[1][0]
    pairs = np.concatenate([np.stack([a[1:], a[:-1]], -1).reshape(-1, 2) for a in (plane, plane.T)])
    touching = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(axis=1)]
    assert len(np.unique(touching)) > 0.6 * len(np.unique(plane[plane > 0]))


def test_consecutive_planes_are_alike_and_keep_their_ids(drawn):
    for below, above in zip(drawn[1], drawn[1][1:], strict=False):
        either = (below > 0) | (above > 0)
        assert (below == above)[either].mean() > 0.9


def test_a_threshold_merges_neighbours_though_it_finds_the_foreground(drawn):
    frame, truth = drawn[0][0], drawn[1][0]
    bright = frame > threshold_otsu(frame)
    assert (bright & (truth > 0)).sum() > 0.7 * (bright | (truth > 0)).sum()
    assert found(truth, label(bright)[0]) < 0.5


def test_seams_are_darker_than_the_cells_beside_them(drawn):
    frame, truth = drawn[0][0], drawn[1][0]
    across = (truth[:, 3:-4] > 0) & (truth[:, 4:-3] > 0) & (truth[:, 3:-4] != truth[:, 4:-3])
    seam = frame[:, 3:-4][across].mean()
    beside = (frame[:, :-7][across].mean() + frame[:, 7:][across].mean()) / 2
    assert 0.5 < seam / beside < 0.9


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    once, again, other = (draw_stack(planes=2, side=64, seed=seed)[0] for seed in (7, 7, 8))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(("planes", "side"), [(0, 256), (1, 16)])
def test_too_small_a_stack_is_refused(planes, side):
    with pytest.raises(ValueError, match="planes must be ≥ 1 and side ≥ 64"):
        draw_stack(planes, side, seed=0)


def test_a_second_call_changes_nothing(dataset):
    times = {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}
    write_dataset(dataset, small=True)
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*")} == times


def test_what_is_missing_is_written_again_byte_for_byte(dataset):
    before = bytes_below(dataset)
    (dataset / "slices/truth/well-A1/plane-10.tif").unlink()
    (dataset / "stacks/image/monday-1.ome.tif").unlink()
    write_dataset(dataset, small=True)
    assert bytes_below(dataset) == before


def test_all_stacks_but_one_have_truth_of_the_same_name_and_size(dataset):
    for source in ("stacks", "slices"):
        images, truths = (
            {str(path.relative_to(dataset / source / kind)): path for path in (dataset / source / kind).rglob("*.tif")}
            for kind in ("image", "truth")
        )
        assert set(images) - set(truths) == ({"tuesday-1.tif"} if source == "stacks" else set())
        assert all(imread(images[name]).shape == imread(path).shape for name, path in truths.items())


def test_ome_tiffs_say_their_sizes_and_channel_and_plain_ones_nothing(dataset):
    with TiffFile(dataset / "stacks/image/monday-1.ome.tif") as file:
        assert file.series[0].axes == "ZYX"
        for words in ('PhysicalSizeX="0.325" PhysicalSizeXUnit="µm"', 'PhysicalSizeZ="1.0"', 'Name="cells"'):
            assert words in file.ome_metadata
    with TiffFile(dataset / "stacks/image/tuesday-1.tif") as file:
        assert len(file.pages) == 2
        assert "ImageDescription" not in file.pages[0].tags


def test_planes_are_alike_only_in_natural_order(dataset):
    nine, ten, eleven = (imread(dataset / f"slices/truth/well-A1/plane-{n}.tif") for n in (9, 10, 11))
    assert (nine == ten).mean() > (nine == eleven).mean()
