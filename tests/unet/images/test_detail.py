"""Sharpness and polarity: against a slow way, and of images taken again, blurred, inverted and empty."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from unet.images.detail import BELOW, BESIDE, BLOCK, COARSE, FINE, SIDE, DetailGathering
from unet.images.synthetic import draw_stack


def found(*planes):
    gathering = DetailGathering()
    for plane in planes:
        gathering.add(plane)
    return gathering.finish()


@cache
def cells():
    return draw_stack(1, 256, 1)[0][0].astype(float)


def slow(tile):
    """The columns of one tile, by shifted copies."""
    contrasts = []
    for lag in (FINE, COARSE):
        along, down = tile[:, lag:] - tile[:, :-lag], tile[lag:] - tile[:-lag]
        products = [*(along[:-BELOW] * along[BELOW:]).ravel(), *(down[:, :-BELOW] * down[:, BELOW:]).ravel()]
        contrasts.append(np.mean(products))
    count = SIDE // BLOCK
    means = tile.reshape(count, BLOCK, count, BLOCK).mean((1, 3))
    out = [2 * m[:, BESIDE:-BESIDE] - m[:, : -2 * BESIDE] - m[:, 2 * BESIDE :] for m in (means, means.T)]
    return [*contrasts, np.mean(np.square(out)), np.mean(np.power(out, 3)), tile.mean()]


def test_each_tile_has_the_products_of_its_differences():
    plane = np.random.default_rng(0).integers(0, 255, (70, 100)).astype(np.uint8)
    gathering = DetailGathering()
    gathering.add(plane)
    tiles = [plane[y : y + SIDE, x : x + SIDE].astype(float) for y in (0, 32) for x in (0, 32, 64)]
    np.testing.assert_allclose(np.concatenate(gathering.tiles.kept), [slow(tile) for tile in tiles])


@given(st.floats(0.1, 100), st.floats(-1000, 1000))
def test_neither_gain_nor_offset_changes_it(gain, offset):
    one, other = found(cells()), found(gain * cells() + offset)
    np.testing.assert_allclose(other[:4], one[:4], rtol=1e-6)


def test_noise_hardly_changes_it_and_blur_does():
    plain = cells()
    noisy = plain + np.random.default_rng(0).normal(0, 0.05 * np.ptp(plain), plain.shape)
    assert found(noisy).sharpness == pytest.approx(found(plain).sharpness, rel=0.1)
    assert found(noisy).polarity == pytest.approx(found(plain).polarity, rel=0.2)
    assert found(gaussian_filter(plain, 3)).sharpness < 0.7 * found(plain).sharpness


def test_dark_seams_are_below_zero_and_inverted_above():
    assert found(cells()).polarity < -0.3
    assert found(-cells()).polarity == pytest.approx(-found(cells()).polarity)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_has_no_detail(seed):
    assert found(np.random.default_rng(seed).normal(100, 20, (256, 256))) is None


@pytest.mark.parametrize("plane", [np.zeros((64, 64)), np.zeros((9, 9)), np.full((64, 64), np.nan)])
def test_what_shows_nothing_has_none(plane):
    assert found(plane) is None


def test_tiles_that_are_not_finite_are_left_out():
    plane = cells().copy()
    plane[3, 3] = np.nan
    assert found(plane).sharpness == pytest.approx(found(cells()).sharpness, rel=0.1)
