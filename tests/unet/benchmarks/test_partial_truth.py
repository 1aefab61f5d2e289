"""Laws of partial truth: what was drawn stays, and only around cells that nobody drew nothing is known."""

import numpy as np

from tests.drawn_benchmarks import drawn, marks
from unet.benchmarks.partial_truth import UNJUDGED_ID, judged, widest


def test_truth_of_all_cells_stays_as_it_is():
    _, ids = drawn(1)
    assert (judged(ids[0], marks(ids)[0], 10) == ids[0]).all()
    assert (judged(ids[0], np.zeros_like(ids[0]), 10) == ids[0]).all()


def test_pixels_are_unjudged_within_reach_of_a_lonely_marker_alone():
    _, ids = drawn(1)
    markers, removed = marks(ids)[0], int(ids.max())
    labels = np.where(ids[0] == removed, 0, ids[0])
    found = judged(labels, markers, 7.5)
    lonely = np.argwhere(markers == removed)
    for y, x in np.ndindex(labels.shape):
        near = min(np.hypot(*(place - (y, x))) for place in lonely) <= 7.5
        assert found[y, x] == (UNJUDGED_ID if near and not labels[y, x] else labels[y, x])


def test_the_widest_object_is_that_of_all_planes():
    small, large = np.zeros((40, 40), int), np.zeros((40, 40), int)
    y, x = np.indices((40, 40))
    small[(y - 20) ** 2 + (x - 20) ** 2 < 25] = 1
    large[(y - 20) ** 2 + (x - 20) ** 2 < 225] = 9
    assert abs(widest([small, large]) - 30) < 1
    assert widest([small * 0]) == 0
