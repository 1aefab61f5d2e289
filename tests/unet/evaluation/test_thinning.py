"""Thinning: it keeps segments, parts what it grows, and hardly differs from scikit-image's watershed but by ties."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from unet.evaluation.contingency import contingency
from unet.evaluation.pixel_pairs import v_info, v_rand
from unet.evaluation.thinning import thinned

DATA = os.environ.get("UNET_FLOWS_DATA")
quick = settings(deadline=None, max_examples=60)


def blobs(seed, level, size=512, smooth=4):
    """Cells of irregular outline, parted by background, which a higher level widens; 4-connected."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), smooth)
    return label(noise > level * noise.std(), connectivity=1)


def membranes(seed, width, size=512, cells=150):
    """Cells as in electron microscopy: they fill the plane but for borders some pixels wide."""
    draw = np.random.default_rng(seed)
    seeds = np.zeros((size, size), int)
    seeds[tuple(draw.integers(0, size, (2, cells)))] = np.arange(1, cells + 1)
    noise = ndimage.gaussian_filter(draw.normal(size=(size, size)), 3)
    basins = watershed(noise, seeds, watershed_line=True)
    inside = ndimage.distance_transform_edt(basins > 0) > width / 2
    return label(inside, connectivity=1)


def by_scikit_image(prediction):
    return watershed(prediction == 0, prediction, connectivity=1, watershed_line=True)


def slow_thinned(prediction):
    """Segments grown by one ring of pixels after the other; where rings meet, one pixel stays background."""
    grown = prediction.copy()
    front = [tuple(p) for p in np.argwhere(prediction)]
    dam = set()
    while front:
        ring = []
        for y, x in front:
            for p in ((y, x + 1), (y - 1, x), (y, x - 1), (y + 1, x)):
                inside = 0 <= p[0] < grown.shape[0] and 0 <= p[1] < grown.shape[1]
                if not inside or grown[p] or p in dam:
                    continue
                near = {grown[q] for q in neighbours(p, grown.shape)} - {0}
                if len(near) == 1:
                    grown[p] = near.pop()
                    ring.append(p)
                else:
                    dam.add(p)
        front = ring
    return grown


def neighbours(p, shape):
    y, x = p
    around = ((y, x + 1), (y - 1, x), (y, x - 1), (y + 1, x))
    return [q for q in around if 0 <= q[0] < shape[0] and 0 <= q[1] < shape[1]]


@quick
@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 3)))
def test_thinning_keeps_segments_and_parts_what_it_grows(noise):
    """No grown pixel touches another segment by an edge, none that could grow is left, and one segment fills all."""
    prediction = label(noise > 1, connectivity=1)
    grown = thinned(prediction)
    assert np.array_equal(grown[prediction > 0], prediction[prediction > 0])
    assert prediction.max(initial=0) != 1 or (grown == 1).all()
    for p in np.ndindex(grown.shape):
        near = {int(grown[q]) for q in neighbours(p, grown.shape)} - {0}
        if grown[p] and not prediction[p]:
            assert near <= {grown[p]}
        if not grown[p] and prediction.any():
            assert len(near) > 1 or not near


def test_a_plane_without_segments_stays_so():
    assert not thinned(np.zeros((4, 5), np.uint16)).any()
    assert thinned(np.zeros((0, 5), int)).shape == (0, 5)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint64])
def test_ids_stay_what_they_are(dtype):
    top = np.iinfo(dtype).max if dtype is not bool else 1
    assert thinned(np.array([[top, 0, 0, 0, 1]], dtype)).tolist() == [[top] * 5 if top == 1 else [top, top, 0, 1, 1]]


@pytest.mark.parametrize("width", [3, 6])
def test_scores_are_those_of_scikit_images_watershed(width):
    """Of membranes as they are, some pixels wide; most pixels of the lines are others."""
    truth, prediction = membranes(1, 2), membranes(1, width)
    merged = np.where(prediction % 9 == 2, np.roll(np.arange(prediction.max() + 1), 1)[prediction], prediction)
    theirs = by_scikit_image(merged)
    lines = [grown == 0 for grown in (theirs, thinned(merged))]
    assert np.count_nonzero(lines[0] != lines[1]) > 0
    for measure in (v_rand, v_info):
        value = measure.of_table(contingency(truth, theirs))
        assert 0.3 < value < 0.99
        assert measure(truth, merged) == pytest.approx(value, abs=1e-4)


@pytest.mark.skipif(not DATA, reason="UNET_FLOWS_DATA does not name the folder of real microscopy")
@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_of_real_membranes_scores_are_those_of_scikit_images_watershed(threshold):
    """Of sections of ISBI 2012, found with noise; measured: 6e-5 at most, 1.4e-4 at a threshold of 0.8."""
    draw = np.random.default_rng(0)
    for file in sorted((Path(str(DATA)) / "isbi2012_em/label").iterdir())[:3]:
        cells = tifffile.imread(file) > 0
        scores = ndimage.gaussian_filter(cells + draw.normal(0, 0.6, cells.shape), 1.5)
        truth, prediction = (label(of, connectivity=1) for of in (cells, scores > threshold))
        theirs = contingency(truth, by_scikit_image(prediction))
        for measure in (v_rand, v_info):
            assert measure(truth, prediction) == pytest.approx(measure.of_table(theirs), abs=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_which_line_parts_two_segments_hardly_matters(seed):
    """Half the plane is background here, so that basins differ by a pixel here and there on each line."""
    truth, prediction = blobs(seed, 0.15, 128), blobs(seed, 0.7, 128)
    for other in (by_scikit_image(prediction), slow_thinned(prediction)):
        for measure in (v_rand, v_info):
            assert measure(truth, prediction) == pytest.approx(measure.of_table(contingency(truth, other)), abs=5e-3)
