"""What stands out, and noise, against images whose noise and objects are known."""

from itertools import product

import numpy as np
import pytest

from unet.images import block_statistics
from unet.images.block_statistics import BlockGathering, Thinned


def found(*planes):
    gathering = BlockGathering()
    for plane in planes:
        gathering.add(plane)
    return gathering.finish()


def noise(sigma=20.0, side=256, seed=0):
    return np.random.default_rng(seed).normal(100, sigma, (side, side))


def slow(plane):
    """Trimmed mean and standard deviation of every block, one after the other."""
    height, width = (size // 8 for size in plane.shape)
    for row, column in product(range(height), range(width)):
        corners = [(8 * row + 4 * i, 8 * column + 4 * j) for i, j in product(range(2), repeat=2)]
        blocks = [np.sort(plane[y : y + 4, x : x + 4].ravel()) for y, x in corners]
        yield [block[:-1].mean() for block in blocks] + [block.std(ddof=1) for block in blocks]


def test_each_block_has_its_mean_without_the_brightest_and_its_spread():
    plane = np.random.default_rng(1).integers(0, 255, (19, 30)).astype(np.uint8)
    gathering = BlockGathering()
    gathering.add(plane)
    np.testing.assert_allclose(np.concatenate(gathering.rows.kept), list(slow(plane)))


def test_of_noise_alone_nothing_stands_out():
    known = found(noise())
    assert known.level == known.background == pytest.approx(100, abs=3)
    assert known.noise == pytest.approx(20 * 0.77, rel=0.05)  # of a tenth of all blocks it is less


def test_a_few_cells_stand_out_at_their_level():
    plane = noise()
    plane[40:60, 50:70] += 500
    known = found(plane)
    assert known.level == pytest.approx(600, abs=30)
    assert known.noise == found(noise()).noise


@pytest.mark.parametrize("background", [0.0, 20.0])
def test_hot_pixels_do_not_stand_out(background):
    plane = noise(background)
    plane[5::40, 5::40] = 65535
    known = found(plane)
    assert known.level == known.background


def test_squares_hold_the_span_of_objects_and_not_that_of_noise():
    plane = noise()
    cells = np.kron(np.random.default_rng(0).integers(0, 2, (16, 16)), np.full((16, 16), 500)) + noise()
    assert found(plane).coarse < 0.15 * np.ptp(np.quantile(plane, [0.01, 0.998]))
    assert found(cells).coarse > 0.8 * np.ptp(np.quantile(cells, [0.01, 0.998]))


def test_cells_on_zeros_have_no_noise():
    plane = np.zeros((256, 256), np.uint16)
    plane[40:60, 50:70] = np.random.default_rng(0).poisson(500, (20, 20))
    known = found(plane)
    assert known.noise == 0
    assert known.level == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_blocks_with_pixels_that_are_not_finite_are_left_out(value):
    plane = noise(side=32)
    plane[:8] = value
    assert found(plane) == found(plane[8:])


@pytest.mark.parametrize("shape", [(3, 100), (0, 8), (7, 7)])
def test_planes_smaller_than_a_block_tell_nothing(shape):
    assert found(np.ones(shape)) is None


def test_as_many_blocks_are_kept_however_they_are_cut(monkeypatch):
    monkeypatch.setattr(block_statistics, "MOST_SQUARES", 100)
    plane = noise(side=128)
    whole, parts = found(plane), found(plane[:32], plane[32:64], plane[64:])
    assert whole == parts
    assert whole.noise == pytest.approx(20 * 0.77, rel=0.2)


@pytest.mark.parametrize("cuts", [[1000], [1, 999], [500, 500], [7] * 142 + [6]])
def test_what_is_thinned_does_not_hang_on_the_cuts(cuts):
    rows, thinned, start = np.arange(1000), Thinned(50), 0
    for size in cuts:
        thinned.add(rows[start : start + size][thinned.due()], size)
        start += size
    assert np.concatenate(thinned.kept).tolist() == list(range(0, 1000, 121))
