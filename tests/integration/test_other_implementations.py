"""Each measure beside those of others, on drawn cells in 2-D and 3-D with every kind of error.

scikit-image is always there; the others come with the extra `bench`, but for panoptica, which asks for an older numpy.
"""

import importlib
import math
import warnings

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import shannon_entropy
from skimage.metrics import adapted_rand_error, variation_of_information

from tests.bench.frames import cells
from unet.evaluation.metrics import (
    average_precision,
    det,
    info_merge,
    info_split,
    mean_average_precision,
    panoptic_quality,
    rand_error,
    rand_merge,
    rand_split,
    seg,
    v_info,
    v_info_merge,
    v_info_split,
)
from unet.evaluation.object_scores import OVERLAPS
from unet.evaluation.thinning import thinned


def other(module):
    """A module of others, which may warn as it is imported; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(module)
        except ImportError:
            pytest.skip(
                f"{module} is not installed: `pip install -e '.[dev,bench]'` has what measures are compared with"
            )


def with_errors(truth, seed):
    """Segments of some cells merged, split, missed, made up, too small, or moved by a pixel."""
    draw = np.random.default_rng(seed)
    names = np.arange(truth.max() + 1)
    for one in draw.permutation(names[2:])[: len(names) // 6]:
        names[one] = names[one - 1]
    names[draw.permutation(names.size)[: len(names) // 8]] = 0
    names[0] = 0
    found = np.roll(names[truth], 1, axis=-1)
    halves = draw.permutation(names.size)[: len(names) // 6]
    found = np.where(np.isin(found, halves) & (np.arange(truth.shape[-1]) % 24 < 9), found + names.size, found)
    small = np.isin(found, draw.permutation(names.size)[: len(names) // 3]) & ~ndimage.binary_erosion(found > 0)
    found[small | (found < 0)] = 0
    found[(np.s_[:3],) * truth.ndim] = 2 * names.size + 7
    return found.astype(np.int32)


@pytest.fixture(params=[(2, 0), (2, 1), (3, 2)], ids=["plane", "another", "volume"])
def pair(request):
    """Truth and segments."""
    dimensions, seed = request.param
    truth = cells(192, 24) if dimensions == 2 else cells(72, 24, 3)
    return truth.astype(np.int32), with_errors(truth, seed)


def foreground(truth, segments):
    """Labels of the pixels of truth's foreground; each that has no segment is one of its own."""
    inside = truth > 0
    found = segments[inside].astype(np.int64)
    found[found == 0] = segments.max() + 1 + np.arange(np.count_nonzero(found == 0))
    return truth[inside], found


def test_pairs_of_pixels_beside_scikit_image(pair):
    """Theirs counts n·(n − 1)/2 pairs, ours n² of them: no pixel with itself, which is less than one in a thousand."""
    error, split, merge = adapted_rand_error(*foreground(*pair))
    assert 0.05 < error < 0.7
    assert rand_error(*pair) == pytest.approx(error, abs=5e-3)
    assert (rand_split(*pair), rand_merge(*pair)) == (pytest.approx(split, abs=5e-3), pytest.approx(merge, abs=5e-3))


def test_information_beside_scikit_image(pair):
    objects, segments = foreground(*pair)
    lost_by_splits, lost_by_mergers = variation_of_information(objects, segments)
    assert info_split(*pair) == pytest.approx(1 - lost_by_splits / shannon_entropy(segments))
    assert info_merge(*pair) == pytest.approx(1 - lost_by_mergers / shannon_entropy(objects))


def test_v_info_beside_scikit_learn(pair):
    score = other("sklearn.metrics").homogeneity_completeness_v_measure
    truth, segments = (labels if labels.ndim == 2 else labels[40] for labels in pair)
    merge, split, whole = score(*foreground(truth, thinned(segments)))
    assert v_info(truth, segments) == pytest.approx(whole)
    assert (v_info_split(truth, segments), v_info_merge(truth, segments)) == (
        pytest.approx(split), pytest.approx(merge)
    )  # fmt: skip


def test_seg_and_det_beside_py_ctcmetrics(pair, tmp_path):
    match = other("ctc_metrics.utils.representations").match
    theirs = other("ctc_metrics.metrics")
    for name, labels in zip(("truth", "found"), pair, strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", labels)
    objects, segments, matched, partners, overlaps = match(str(tmp_path / "truth.tif"), str(tmp_path / "found.tif"))
    missed, made_up = len(objects) - len(matched), len(segments) - len(set(partners))
    score = theirs.det(len(partners) - len(set(partners)), missed, made_up, len(objects))
    assert 0.1 < score < 0.95
    assert det(*pair) == pytest.approx(score)
    assert seg(*pair) == pytest.approx(theirs.seg([objects], [overlaps]))


def test_precision_and_panoptic_quality_beside_stardist(pair):
    """An overlap of exactly the threshold is a match of theirs, not of ours: there is none here but below 0.5."""
    found = other("stardist.matching").matching(*pair, thresh=tuple(OVERLAPS.tolist()))
    values = [each.accuracy for each in found]
    assert 0.1 < values[0] < 0.9
    assert [average_precision(*pair, each) for each in OVERLAPS] == pytest.approx(values)
    assert mean_average_precision(*pair) == pytest.approx(np.mean(values))
    assert panoptic_quality(*pair) == pytest.approx(found[0].panoptic_quality)


def test_panoptic_quality_beside_panoptica(pair):
    theirs = other("panoptica")
    evaluator = theirs.Panoptica_Evaluator(
        expected_input=theirs.InputType.UNMATCHED_INSTANCE, instance_matcher=theirs.NaiveThresholdMatching()
    )
    truth, segments = (labels.astype(np.uint32) for labels in pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = evaluator.evaluate(segments, truth, verbose=False)["ungrouped"]
        assert panoptic_quality(*pair) == pytest.approx(found.pq)
        assert found.tp + found.fn == np.unique(truth).size - 1


def test_what_others_call_an_empty_plane_is_undefined_here():
    """StarDist and py-ctcmetrics give 0 there, which would be taken for the worst there is."""
    empty = np.zeros((4, 4), int)
    assert all(math.isnan(measure(empty, empty)) for measure in (average_precision, panoptic_quality, seg, det))
