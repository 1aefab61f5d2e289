"""Laws of the search: what is known by hand is found, of equals the robust one, and nothing worse than usual."""

import math
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.settings.segment import UNTUNED, Segment, SegmentNumbers
from unet.training.scored_truth import ScoredTruth, served
from unet.training.tuning import HAIR, Trial, find_settings, middle_of_plateau


def squares(core=0.75, rim=0.55, side=10, gap=12, specks=0):
    """Squares whose cores are scored higher than a rim of 2 px, which touches that of the next; and specks."""
    scores, truth = np.zeros((60, 60)), np.zeros((60, 60), int)
    for number, place in enumerate(np.ndindex(4, 4), start=1):
        y, x = (2 + at * (gap + 2) for at in place)
        around, inside = scores[y - 2 : y + side + 2, x - 2 : x + side + 2], np.s_[y : y + side, x : x + side]
        np.maximum(around, rim, out=around)
        scores[inside], truth[inside] = core, number
    scores[59, : 2 * specks : 2] = 1.0
    return ScoredTruth(scores, truth)


def test_the_threshold_that_is_known_by_hand_is_found_in_the_middle_of_what_is_as_good():
    """Above 0.55 the squares are apart and whole, up to 0.75."""
    found = find_settings([squares()], Segment())
    assert found.best == Trial(0.65, 32, 0.6, 1.0, 1.0)
    assert found.untuned.value == 0
    assert {trial.threshold for trial in found.curve if trial.value == 1} == {
        trial.threshold for trial in found.curve if 0.55 < trial.threshold <= 0.75
    }
    assert [trial.threshold for trial in found.curve] == sorted({trial.threshold for trial in found.curve})


def test_only_what_may_be_auto_is_looked_for_and_numbers_are_looked_for_too():
    blocks = [squares()]
    assert find_settings(blocks, Segment(threshold=0.3, min_size=1)) == find_settings(blocks, Segment())
    assert find_settings(blocks, Segment(high_threshold=0.6)).best.threshold < 0.6


def test_specks_are_dropped_by_a_least_size_that_no_object_falls_below():
    with_specks = find_settings([squares(side=4, gap=8, specks=20)], Segment())
    assert with_specks.best.value == 1.0
    assert 4 <= with_specks.best.min_size <= 8
    large = find_settings([squares()], Segment())
    assert large.best.min_size == 32  # up to half of the objects' 100 px, though nothing here is so small


def test_touching_objects_are_parted_where_no_threshold_parts_them():
    scores, truth = np.zeros((40, 60)), np.zeros((40, 60), int)
    y, x = np.indices(scores.shape)
    for number, centre in enumerate([(12, 14), (12, 31), (28, 40), (27, 20)], start=1):
        truth[(truth == 0) & (np.hypot(y - centre[0], x - centre[1]) < 9)] = number
    scores[truth > 0] = 0.9
    found = find_settings([ScoredTruth(scores, truth)], Segment())
    assert found.best.declump_depth > 0
    assert found.best.value > found.untuned.value + HAIR
    apart = find_settings([replace(squares(), is_mask=True)], Segment(), "v_rand")
    assert apart.best.declump_depth == 0  # as good without; what a mask connects is one


def test_the_metric_that_is_asked_for_says_what_is_best():
    """Objects that are split by a line cost AP much and IoU little."""
    block = squares(core=0.9, rim=0.2)
    scores = block.scores.copy()
    scores[block.truth > 0] = np.where(np.indices(scores.shape)[1][block.truth > 0] % 14 == 6, 0.6, 0.9)
    rim = np.where((block.truth == 0) & (scores > 0), 0.65, scores)
    blocks = [replace(block, scores=rim)]
    for metric in ("iou", "average_precision"):
        found = find_settings(blocks, Segment(), metric)
        tried = [SegmentNumbers(threshold=percent / 100) for percent in range(10, 96, 5)]
        assert found.metric == metric
        assert found.best.value >= max(served(blocks, numbers, metric).mean for numbers in tried) - HAIR
    with pytest.raises(ValueError, match=r"metric must be one of mean_average_precision, .*, got 'warping_error'"):
        find_settings(blocks, Segment(), "warping_error")


def test_nothing_is_found_where_there_is_no_object():
    assert find_settings([ScoredTruth(np.zeros((9, 9)), np.zeros((9, 9), int))], Segment(), "seg") is None


def trials(*rows):
    return [Trial(threshold, 0, 0.0, value, ratio) for threshold, value, ratio in rows]


def test_of_the_middle_of_a_plateau_the_one_of_the_right_size_is_taken():
    curve = trials((0.3, 0.7, 1), (0.4, 0.9, 1.3), (0.5, 0.9, 1.2), (0.6, 0.9, 1.1), (0.7, 0.9, 1.05), (0.8, 0.9, 1))
    assert middle_of_plateau(curve).threshold == 0.7  # 0.8 has the right size, but lies at the edge


def test_a_second_summit_is_no_part_of_the_plateau():
    curve = trials((0.2, 0.9, 1), (0.3, 0.5, 1), (0.4, 0.9, 1), (0.5, 0.901, 1), (0.6, 0.9, 1), (0.7, 0.1, 1))
    assert middle_of_plateau(curve).threshold == 0.5


def test_a_threshold_without_a_value_is_never_taken():
    assert middle_of_plateau(trials((0.2, math.nan, math.nan), (0.3, 0.5, math.nan))).threshold == 0.3


@hypothesis.settings(max_examples=12, deadline=None)
@hypothesis.given(
    arrays(np.uint8, (12, 14), elements=st.sampled_from([0, 60, 120, 130, 150, 200, 255])),
    arrays(np.int32, (12, 14), elements=st.sampled_from([0, 0, 0, 1, 2, 3])),
)
def test_what_is_found_is_never_worse_than_the_usual_but_by_a_hair(scores, truth):
    blocks = [ScoredTruth(scores, truth)]
    found = find_settings(blocks, Segment(), "iou")
    if found is None:
        assert not truth.any()
        return
    numbers = Segment().numbers({name: getattr(found.best, name) for name in UNTUNED})
    assert served(blocks, numbers, "iou").mean == found.best.value >= found.untuned.value - HAIR
    assert found.untuned.value == served(blocks, Segment().numbers(), "iou").mean
