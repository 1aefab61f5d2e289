"""The measures against slow oracles that follow the definitions word by word, pixel by pixel and pair by pair."""

import math
import re
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.measure import label
from skimage.metrics import adapted_rand_error

from unet.evaluation import metrics
from unet.evaluation.contingency import contingency, pool_tables
from unet.evaluation.metrics import (
    METRICS,
    average_precision,
    board_pixel_error,
    det,
    dice,
    info_merge,
    info_split,
    iou,
    mean_average_precision,
    panoptic_quality,
    pixel_error,
    rand_error,
    rand_f,
    rand_merge,
    rand_split,
    seg,
    size_ratio,
    v_info,
    v_info_merge,
    v_info_split,
    v_rand,
    v_rand_merge,
    v_rand_split,
    warping_error,
)
from unet.evaluation.object_scores import OVERLAPS, average_precisions, matched_sizes, size_ratio_counts
from unet.evaluation.thinning import thinned

ALL = [getattr(metrics, name) for name in metrics.__all__]
"""Every measure: each is under the laws below."""
ERRORS = [pixel_error, board_pixel_error, rand_error, warping_error]
OF_PIXELS = [pixel_error, board_pixel_error, iou, dice]
SYMMETRIC = [*OF_PIXELS, average_precision, mean_average_precision, panoptic_quality]
OF_PLANES = [each for each in ALL if getattr(each, "reads", "pixels") != "table"]

quick = settings(deadline=None, max_examples=60)


@st.composite
def pairs(draw, most=4, side=6):
    """Truth and prediction of one random shape, with few ids, so that objects are large and overlap."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=side))
    truth = draw(arrays(np.int64, shape, elements=st.integers(0, most)))
    prediction = draw(st.one_of(st.just(truth.copy()), arrays(np.int64, shape, elements=st.integers(0, most))))
    flat = prediction.reshape(-1)
    for k in draw(st.lists(st.integers(0, flat.size - 1), max_size=4)):
        flat[k] = draw(st.integers(0, most))
    return truth, prediction


def same(a, b):
    return a == pytest.approx(b, abs=1e-12, nan_ok=True)


def blobs(seed, size=128, smooth=4, level=0.15):
    """Cells of irregular outline, parted by background; 4-connected; a higher level widens the background."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), smooth)
    return label(noise > level * noise.std(), connectivity=1)


# Oracles


def slow_overlaps(truth, prediction):
    """IoU and coverage of every object by every segment, from sets of pixels."""

    def pixels(labels):
        return {i: {p for p in np.ndindex(labels.shape) if labels[p] == i} for i in set(labels.flat) - {0}}

    objects, segments = pixels(truth), pixels(prediction)
    table = {
        (i, j): (len(a & b) / len(a | b), len(a & b) / len(a))
        for (i, a), (j, b) in product(objects.items(), segments.items())
    }
    return objects, segments, table


def slow_seg(truth, prediction):
    objects, segments, table = slow_overlaps(truth, prediction)
    scores = [sum(table[i, j][0] for j in segments if table[i, j][1] > 0.5) for i in objects]
    return sum(scores) / len(scores) if scores else math.nan


def slow_det(truth, prediction):
    objects, segments, table = slow_overlaps(truth, prediction)
    if not objects:
        return math.nan
    missed = sum(all(table[i, j][1] <= 0.5 for j in segments) for i in objects)
    found = [sum(table[i, j][1] > 0.5 for i in objects) for j in segments]
    cost = 10 * missed + found.count(0) + 5 * sum(max(n - 1, 0) for n in found)
    return 1 - min(cost, 10 * len(objects)) / (10 * len(objects))


def slow_matches(truth, prediction, threshold):
    objects, segments, table = slow_overlaps(truth, prediction)
    hits = [score for score, _ in table.values() if score > threshold]
    return hits, len(segments) - len(hits), len(objects) - len(hits)


def slow_average_precision(truth, prediction, threshold=0.5):
    hits, made_up, missed = slow_matches(truth, prediction, threshold)
    whole = len(hits) + made_up + missed
    return len(hits) / whole if whole else math.nan


def slow_panoptic_quality(truth, prediction):
    hits, made_up, missed = slow_matches(truth, prediction, 0.5)
    whole = len(hits) + made_up / 2 + missed / 2
    return sum(hits) / whole if whole else math.nan


def foreground(truth, prediction):
    """Object and segment of each truth foreground pixel; predicted background is a name of its own."""
    return [(int(truth[p]), int(prediction[p]) or ("lone", p)) for p in np.ndindex(truth.shape) if truth[p]]


def slow_rand_error(truth, prediction):
    both, split, merged = slow_pairs(truth, prediction)
    return 1 - both / (split / 2 + merged / 2) if split else math.nan


def slow_pairs(truth, prediction):
    """All ordered pairs of pixels, those of a pixel with itself among them: together in both, in truth, in segments."""
    pixels = list(product(foreground(truth, prediction), repeat=2))
    together = [(t == u, s == r) for (t, s), (u, r) in pixels]
    return sum(a and b for a, b in together), sum(a for a, _ in together), sum(b for _, b in together)


def slow_entropies(truth, prediction):
    """Bits of objects, of segments, and of both."""
    pixels = foreground(truth, prediction)

    def entropy(names):
        return sum(-n / len(pixels) * math.log2(n / len(pixels)) for n in Counter(names).values())

    return entropy([t for t, _ in pixels]), entropy([s for _, s in pixels]), entropy(pixels)


def slow_info(truth, prediction):
    """Split and merge score, and their harmonic mean as V_info has it."""
    objects, segments, both = slow_entropies(truth, prediction)
    if not truth.any():
        return math.nan, math.nan, math.nan
    shared = objects + segments - both
    whole = 2 * shared / (objects + segments) if objects + segments else math.nan
    return shared / segments if segments else 1, shared / objects if objects else 1, whole


def slow_filled(prediction):
    """A plane without segments is one."""
    return prediction if prediction.any() else np.ones_like(prediction)


# Laws


def test_every_measure_is_in_the_table_and_every_metric_of_a_report_is_one():
    named = re.findall(r"^\| (`\w+`(?:, `\w+`)*) +\|", metrics.__doc__, re.MULTILINE)
    rows = [name for names in named for name in re.findall(r"\w+", names)]
    assert set(rows) == set(metrics.__all__) == set(METRICS)


@quick
@given(pairs())
def test_objects_as_slow_oracles(pair):
    assert same(seg(*pair), slow_seg(*pair))
    assert same(det(*pair), slow_det(*pair))
    assert same(panoptic_quality(*pair), slow_panoptic_quality(*pair))
    for threshold in (0.5, 0.55, 0.75, 0.95):
        assert same(average_precision(*pair, threshold), slow_average_precision(*pair, threshold))
    ten = [slow_average_precision(*pair, percent / 100) for percent in range(50, 100, 5)]
    assert same(mean_average_precision(*pair), sum(ten) / 10)


@quick
@given(pairs())
def test_pixels_as_slow_oracles(pair):
    truth, prediction = pair
    pixels = [(t > 0, p > 0) for t, p in zip(truth.flat, prediction.flat, strict=True)]
    either = sum(t or p for t, p in pixels)
    assert same(pixel_error(*pair), sum(t != p for t, p in pixels) / truth.size)
    both = sum(t and p for t, p in pixels)
    assert same(iou(*pair), both / either if either else math.nan)
    assert same(dice(*pair), 2 * both / (either + both) if either else math.nan)


@quick
@given(pairs(side=4))
def test_rand_and_information_as_slow_oracles(pair):
    truth, prediction = pair
    grown = slow_filled(thinned(prediction))
    for segments, measures in (
        (prediction, (rand_error, rand_split, rand_merge, info_split, info_merge)),
        (grown, (v_rand, v_rand_split, v_rand_merge, v_info_split, v_info_merge)),
    ):
        both, split, merged = slow_pairs(truth, segments)
        whole, of_splits, of_mergers, *bits = (measure(*pair) for measure in measures)
        error = slow_rand_error(truth, segments)
        assert same(whole, error if measures[0] is rand_error else 1 - error)
        assert same(of_splits, both / split if split else math.nan)
        assert same(of_mergers, both / merged if merged else math.nan)
        assert same(bits[0], slow_info(truth, segments)[0])
        assert same(bits[1], slow_info(truth, segments)[1])
    assert same(rand_f(*pair), 1 - slow_rand_error(*pair))
    assert same(v_info(*pair), slow_info(truth, grown)[2])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_whole_is_the_harmonic_mean_of_its_parts(seed):
    pair = blobs(seed), np.roll(blobs(seed, level=0.4), 5)
    for whole, split, merge in ((rand_f, rand_split, rand_merge), (v_rand, v_rand_split, v_rand_merge)):
        assert whole(*pair) == pytest.approx(2 / (1 / split(*pair) + 1 / merge(*pair)))
    assert v_info(*pair) == pytest.approx(2 / (1 / v_info_split(*pair) + 1 / v_info_merge(*pair)))


def test_splits_spoil_the_split_score_alone_and_mergers_the_merge_score():
    two = np.array([[1] * 4 + [0] + [2] * 4] * 4)
    four = np.where(two > 0, two + 10 * (np.arange(9) % 5 > 1), 0)
    for split, merge in (
        (rand_split, rand_merge), (v_rand_split, v_rand_merge), (info_split, info_merge), (v_info_split, v_info_merge)
    ):  # fmt: skip
        assert (split(two, four) < 0.6, merge(two, four)) == (True, 1)
        assert (split(four, two), merge(four, two) < 0.6) == (1, True)


@quick
@given(pairs(), st.data())
def test_what_is_predicted_where_nobody_judged_changes_nothing(pair, data):
    """And it is as if there was background in both; pixels are counted where somebody judged."""
    truth, prediction = pair
    judged = data.draw(arrays(bool, truth.shape))
    other = np.where(judged, prediction, data.draw(arrays(np.int64, truth.shape, elements=st.integers(0, 9))))
    emptied = truth * judged, prediction * judged
    for measure in ALL:
        value = measure(*pair, judged=judged)
        assert same(value, measure(truth, other, judged=judged)), measure
        counted = measure in (pixel_error, warping_error)
        share = judged.mean() if counted and judged.any() else math.nan if counted else 1
        assert same(value, measure(*emptied) / share), measure


@quick
@given(pairs())
def test_every_figure_but_that_of_topology_is_one_of_the_table(pair):
    for name, metric in METRICS.items():
        if metric.reads == "table":
            assert same(metric.of_table(contingency(*pair)), getattr(metrics, name)(*pair))


def test_unjudged_pixels_are_no_right_ones():
    """Half of the plane was not judged; of the other half 11 of 28 pixels are wrong."""
    truth = np.zeros((7, 8), int)
    prediction, judged = truth.copy(), np.arange(8) < np.full((7, 1), 4)
    prediction[:, :4].flat[:11] = 1
    assert pixel_error(truth, prediction, judged=judged) == pytest.approx(11 / 28)
    for measure in ALL:
        assert math.isnan(measure(truth, prediction, judged=judged & False)), measure


@pytest.mark.parametrize("seed", [0, 1])
def test_rand_error_against_scikit_image(seed):
    """Border pixels given ids of their own, the one difference left is that scikit-image counts pairs n·(n − 1)/2.

    Its error is (Σt² + Σs² − 2Σn²)/(Σt² + Σs² − 2N), N the pixels of the truth foreground, and ours lacks the 2N: it is
    the smaller by that share, here some 1e-3 of the error itself.
    """
    truth, prediction = blobs(seed), blobs(seed)
    prediction[::7] = 0
    prediction[:, 64:][prediction[:, 64:] == prediction[30, 30]] += 1000
    alone = prediction.copy()
    alone[prediction == 0] = 10_000 + np.arange(np.count_nonzero(prediction == 0))
    theirs = adapted_rand_error(truth, alone)[0]
    inside = truth > 0
    squares = sum((np.unique(labels[inside], return_counts=True)[1] ** 2).sum() for labels in (truth, alone))
    assert 0.01 < theirs < 1
    assert rand_error(truth, prediction) == pytest.approx(theirs * (1 - 2 * inside.sum() / squares), rel=1e-12)


@pytest.mark.parametrize("measure", ALL)
@quick
@given(pair=pairs())
def test_perfect_prediction(measure, pair):
    truth = pair[0]
    result = measure(truth, truth)
    assert result == (0 if measure in ERRORS else 1) or math.isnan(result)
    assert not math.isnan(result) or not truth.any() or (measure is v_info and np.unique(truth[truth > 0]).size == 1)


@pytest.mark.parametrize("measure", ALL)
@quick
@given(pair=pairs())
def test_every_measure_lies_between_0_and_1(measure, pair):
    result = measure(*pair)
    assert math.isnan(result) or 0 <= result <= (math.inf if measure is size_ratio else 1)
    assert isinstance(result, float)


@pytest.mark.parametrize("measure", SYMMETRIC)
@quick
@given(pair=pairs())
def test_symmetric_measures(measure, pair):
    truth, prediction = pair
    assert same(measure(truth, prediction), measure(prediction, truth))


@pytest.mark.parametrize("measure", [m for m in ALL if m not in SYMMETRIC])
def test_the_others_are_not_symmetric(measure):
    truth = np.array([[0, 0, 3, 3, 0, 0, 2, 2, 3, 3]] * 2)
    prediction = np.array([[3, 0, 1, 1, 0, 0, 1, 1, 3, 3], [3, 3, 0, 1, 0, 0, 1, 1, 3, 3]])
    assert measure(truth, prediction) != pytest.approx(measure(prediction, truth), abs=1e-3)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.uint64])
@quick
@given(pair=pairs(), data=st.data())
def test_renaming_ids_changes_nothing(dtype, pair, data):
    """Ids beyond 2³¹ and in another order: the very same numbers."""
    top = np.iinfo(dtype).max
    names = st.lists(st.integers(1, top) | st.integers(top - 9, top), min_size=4, max_size=4, unique=True)
    renamed = [np.array([0, *data.draw(names)], dtype)[labels] for labels in pair]
    for measure in ALL:
        assert same(measure(*renamed), measure(*pair)), measure


# Edges


@pytest.mark.parametrize("shape", [(4, 5), (0, 5), (0, 0)])
def test_empty_images(shape):
    """No object in either: undefined, but for errors of pixels that exist."""
    empty = np.zeros(shape, np.uint8)
    for measure in ALL:
        expected = 0.0 if measure in (pixel_error, warping_error) and empty.size else math.nan
        assert measure(empty, empty) == pytest.approx(expected, nan_ok=True), measure


def test_one_image_empty():
    empty, full = np.zeros((4, 4), int), np.pad(np.ones((2, 2), int), 1)
    nothing_found = {m: m(full, empty) for m in ALL}
    undefined = pytest.approx(math.nan, nan_ok=True)
    assert nothing_found == {
        pixel_error: 0.25,
        board_pixel_error: 1,
        iou: 0,
        dice: 0,
        rand_error: 1 - 8 / 20,  # four lone pixels: 2·4/(16 + 4)
        warping_error: 1 / 16,  # the last pixel of an object cannot go
        rand_f: pytest.approx(8 / 20),
        rand_split: 4 / 16,
        rand_merge: 1,
        info_split: 0,  # two bits, none of which the one object has
        info_merge: 1,
        v_rand: 1,  # thinned to one segment
        v_rand_split: 1,
        v_rand_merge: 1,
        v_info: undefined,  # one object, one segment
        v_info_split: 1,
        v_info_merge: 1,
        seg: 0,
        det: 0,
        size_ratio: undefined,
        average_precision: 0,
        mean_average_precision: 0,
        panoptic_quality: 0,
    }
    made_up = {m for m in ALL if not math.isnan(m(empty, full))}
    assert made_up == {*OF_PIXELS, warping_error, average_precision, mean_average_precision, panoptic_quality}


@pytest.mark.parametrize("fill", [0, 1])
def test_all_border_and_all_cell(fill):
    """Both are one segment to V_rand: nothing split, all merged; 16 equal objects give Σs² = 16·Σt², F = 2/17."""
    truth = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((5, 5), int))
    truth[::5], truth[:, ::5] = 0, 0
    prediction = np.full_like(truth, fill)
    assert v_rand(truth, prediction) == pytest.approx(2 / 17)
    assert v_info(truth, prediction) == 0
    assert (v_rand_split(truth, prediction), v_info_split(truth, prediction)) == (1, 1)
    assert (v_rand_merge(truth, prediction), v_info_merge(truth, prediction)) == (pytest.approx(1 / 16), 0)
    whole = {m: m(truth, prediction) for m in (rand_f, rand_split, rand_merge, info_split, info_merge)}
    assert whole == {  # all cell: one segment; all border: each of the 256 pixels is a segment
        rand_f: pytest.approx(2 / 17),
        rand_split: pytest.approx(1 if fill else 1 / 16),
        rand_merge: pytest.approx(1 / 16 if fill else 1),
        info_split: pytest.approx(1 if fill else 0.5),  # 4 of 8 bits
        info_merge: 0 if fill else 1,
    }
    assert seg(truth, prediction) == pytest.approx(fill * 16 / 400)
    assert average_precision(truth, prediction) == 0
    assert det(truth, prediction) == (pytest.approx(1 - 5 * 15 / 160) if fill else 0)
    board = warping_error(truth, prediction, counted="splits and mergers")
    assert board == 0 if fill == 0 else board > 0  # all border is the board's loophole
    assert warping_error(truth, prediction) == (pytest.approx(16 / 400) if fill == 0 else board)


def test_squares_beyond_32_bits():
    truth = np.ones((300, 300), np.uint8)
    truth[:, :100] = 2
    one = np.full_like(truth, 255)
    assert v_rand(truth, one) == pytest.approx(2 * (60_000**2 + 30_000**2) / (60_000**2 + 30_000**2 + 90_000**2))


def test_a_stack_with_unique_ids_is_pooled():
    planes = [blobs(seed, 32, 2) for seed in (3, 4)]
    guesses = [np.where(plane % 3, plane, 0) for plane in planes]
    pooled = pool_tables([contingency(*pair) for pair in zip(planes, guesses, strict=True)])
    for stacks in (planes, guesses):
        stacks[1] = np.where(stacks[1], stacks[1] + 1000, 0)
    found = [np.unique(plane[plane > 0]).size for plane in guesses]
    asked = [np.unique(plane[plane > 0]).size for plane in planes]
    whole = np.stack(planes), np.stack(guesses)
    assert seg(*whole) == pytest.approx(sum(found) / sum(asked))
    for measure in ALL:
        if measure not in OF_PLANES:
            assert measure(*whole) == pytest.approx(measure.of_table(pooled)), measure


def test_sizes_of_what_is_found():
    truth, prediction = np.array([1, 1, 1, 0, 2, 2, 0]), np.array([5, 5, 0, 0, 6, 6, 6])
    table = contingency(truth, prediction)
    assert size_ratio(truth, prediction) == (2 + 3) / (3 + 2)
    assert [sizes.tolist() for sizes in matched_sizes(table)] == [[2, 3], [3, 2]]


@quick
@given(pairs(most=2, side=9))
def test_each_match_is_in_the_histogram_of_sizes(pair):
    """An overlap above one half leaves no other ratio."""
    table = contingency(*pair)
    assert size_ratio_counts(table).sum() == np.count_nonzero(table.iou > 0.5)


@quick
@given(pairs())
def test_average_precision_at_all_overlaps_is_that_at_each(pair):
    ten = average_precisions(contingency(*pair))
    for overlap, value in zip(OVERLAPS, ten, strict=True):
        assert same(value, average_precision(*pair, overlap))
        assert same(value, average_precision(*pair, threshold=overlap))


def test_masks_are_single_objects():
    truth, prediction = np.array([[True, True, False]]), np.array([[True, False, False]])
    assert iou(truth, prediction) == seg(truth, prediction + 0) + 0.5 == average_precision(truth, truth) / 2


@pytest.mark.parametrize("measure", ALL)
def test_refusals(measure):
    plane = np.ones((4, 4), int)
    with pytest.raises(ValueError, match=r"one shape, got \(4, 4\), \(4, 3\); crop"):
        measure(plane, plane[:, :3])
    with pytest.raises(ValueError, match="truth must hold integer labels, got float64; make labels"):
        measure(plane * 1.0, plane)
    for name, pair in (("truth", (-plane, plane)), ("prediction", (plane, -plane))):
        with pytest.raises(ValueError, match=f"{name} must hold labels ≥ 0, got -1"):
            measure(*pair)
    if measure is not warping_error:
        with pytest.raises(ValueError, match="prediction must hold integer labels, got float32"):
            measure(plane, plane.astype(np.float32))
    if measure in OF_PLANES:
        with pytest.raises(ValueError, match=r"one y x plane, got shape \(1, 4, 4\)"):
            measure(plane[None], plane[None])


@pytest.mark.parametrize("threshold", [0.49, 1, 50, math.nan])
def test_thresholds_at_which_pairs_are_not_unique_are_refused(threshold):
    with pytest.raises(ValueError, match=r"0\.5 ≤ threshold < 1, got"):
        average_precision(np.ones(3, int), np.ones(3, int), threshold)
