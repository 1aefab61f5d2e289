"""Laws of runs: they are cut where the value changes or a row ends, and painted they are the array again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.labels.runs import painted, run_spans, run_starts

LABELS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6), elements=st.integers(0, 3))


def slow_starts(labels):
    flat, width = labels.ravel(), labels.shape[-1]
    return [at for at in range(flat.size) if at % width == 0 or flat[at] != flat[at - 1]]


@given(LABELS)
def test_a_run_begins_where_the_value_changes_or_a_row_does(labels):
    assert run_starts(labels).tolist() == slow_starts(labels)


@given(LABELS)
def test_runs_painted_with_their_values_are_the_array(labels):
    start = run_starts(labels)
    table, number = np.unique(labels.ravel()[start], return_inverse=True)
    drawn = painted(np.append(start, labels.size), number.astype(np.int32), table)
    np.testing.assert_array_equal(drawn.reshape(labels.shape), labels)


@given(LABELS)
def test_spans_are_the_bounding_boxes_of_the_values(labels):
    start = run_starts(labels)
    values, row = np.unique(labels.ravel()[start], return_inverse=True)
    low, high = run_spans(start, np.diff(np.append(start, labels.size)), row, values.size, labels.shape)
    for number, value in enumerate(values):
        places = np.argwhere(labels == value)
        assert low[number].tolist() == places.min(axis=0).tolist()
        assert high[number].tolist() == (places.max(axis=0) + 1).tolist()
