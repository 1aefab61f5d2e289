"""Laws of SEG and DET over a sequence: pooled over objects, as a slow oracle has it object by object."""

import math

import numpy as np
import pytest

from unet.evaluation.metrics import det, seg
from unet.evaluation.sequence_scores import det_counts, of_interest, seg_counts, sequence_figures


def frame(seed, shape=(24, 30)):
    """Random blocks of ids, so that objects and segments overlap in every way."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 9, (shape[0] // 6, shape[1] // 6)), np.ones((6, 6), int))


def moved(labels, by):
    return np.roll(labels, by, (0, 1))


FRAMES = [(frame(seed), moved(frame(seed), (seed % 3, 1))) for seed in range(6)]


def pooled(counts):
    return {name: sum(of[name] for of in counts) for name in counts[0]}


def test_seg_is_the_mean_over_all_objects_of_all_frames():
    overlaps = []
    for truth, segments in FRAMES:
        for one in np.unique(truth[truth > 0]):
            reference = truth == one
            overlap = 0.0
            for other in np.unique(segments[segments > 0]):
                both = np.count_nonzero(reference & (segments == other))
                if 2 * both > np.count_nonzero(reference):
                    overlap = both / np.count_nonzero(reference | (segments == other))
            overlaps.append(overlap)
    figures = sequence_figures(pooled([seg_counts(*each) for each in FRAMES]))
    assert figures == {"seg": pytest.approx(np.mean(overlaps))}
    assert figures["seg"] != pytest.approx(np.mean([seg(*each) for each in FRAMES]), abs=1e-6)


def test_det_adds_up_the_operations_of_all_frames():
    cost = markers = 0
    for truth, segments in FRAMES:
        homes = []
        for one in np.unique(truth[truth > 0]):
            markers += 1
            inside = segments[truth == one]
            ids, counts = np.unique(inside[inside > 0], return_counts=True)
            most = [number for number, count in zip(ids, counts, strict=True) if 2 * count > inside.size]
            homes += most
            cost += 10 * (not most)
        cost += 5 * (len(homes) - len(set(homes)))
        cost += len(set(np.unique(segments[segments > 0])) - set(homes))
    counts = pooled([seg_counts(*each) | det_counts(*each) for each in FRAMES])
    figures = sequence_figures(counts)
    assert figures["det"] == pytest.approx(1 - min(cost, 10 * markers) / (10 * markers))
    assert figures["op_csb"] == pytest.approx((figures["seg"] + figures["det"]) / 2)


def test_one_frame_is_what_the_measures_say_of_it():
    for each in FRAMES:
        figures = sequence_figures(seg_counts(*each) | det_counts(*each))
        assert figures["seg"] == pytest.approx(seg(*each))
        assert figures["det"] == pytest.approx(det(*each))


def test_nothing_judged_is_nan():
    empty = np.zeros((4, 4), int)
    assert math.isnan(sequence_figures(seg_counts(empty, empty))["seg"])


@pytest.mark.parametrize("border", [0, 1, 5, 50])
def test_objects_that_lie_wholly_in_the_border_are_not_judged(border):
    labels = frame(3)
    inner = np.zeros(labels.shape, bool)
    inner[border : labels.shape[0] - border, border : labels.shape[1] - border] = True
    kept = {one for one in np.unique(labels) if one and (inner & (labels == one)).any()}
    found = of_interest(labels, border)
    assert set(np.unique(found)) - {0} == kept
    assert (found[found > 0] == labels[found > 0]).all()
