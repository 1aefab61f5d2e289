"""Laws of sums over runs: they are those of the pixels, row by row, in integers as in floats."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.labels.run_sums import add_places, add_scores, add_squares, add_values, add_whole_scores, add_whole_values
from unet.labels.runs import id_runs

LABELS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=st.integers(0, 3))


@given(LABELS, st.integers(0, 2**32 - 1))
def test_values_of_each_row_are_those_of_its_pixels(labels, seed):
    values = np.random.default_rng(seed).integers(0, 256, labels.size).astype(np.uint8)
    floats, whole = np.zeros((4, 4)), np.zeros((5, 4), np.int64)
    floats[2], floats[3] = np.inf, -np.inf
    whole[2], whole[3] = 1000, -1000
    scores = np.zeros((2, 4))
    add_values(values.astype(np.float32), *id_runs(labels), floats)
    add_squares(values.astype(np.float32), *id_runs(labels), floats)
    add_whole_values(values, *id_runs(labels), whole)
    add_scores(values.astype(np.float64), *id_runs(labels), scores[0])
    add_whole_scores(values, *id_runs(labels), scores[1])
    for row in np.unique(labels[labels > 0]):
        pixels = values[labels.ravel() == row].astype(np.int64)
        least, greatest, total = pixels.min(), pixels.max(), pixels.sum()
        assert floats[:, row].tolist() == [total, ((pixels - least) ** 2).sum(), least, greatest]
        assert whole[:, row].tolist() == [total, (pixels**2).sum(), least, greatest, pixels.size]
        assert scores[:, row].tolist() == [total, total]


@given(LABELS, st.integers(0, 5))
def test_places_of_each_row_are_those_of_its_pixels(labels, corner):
    axes = labels.ndim
    count, place = np.zeros(4, np.int64), np.zeros((4, axes), np.int64)
    low, high = np.full((4, axes), 99), np.full((4, axes), -99)
    add_places(*id_runs(labels), np.array(labels.shape), np.full(axes, corner), count, place, low, high)
    for row in np.unique(labels[labels > 0]):
        places = np.argwhere(labels == row) + corner
        assert count[row] == len(places)
        assert place[row].tolist() == places.sum(axis=0).tolist()
        assert low[row].tolist() == places.min(axis=0).tolist()
        assert high[row].tolist() == (places.max(axis=0) + 1).tolist()
