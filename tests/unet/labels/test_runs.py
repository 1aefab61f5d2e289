"""Laws of runs: they are cut where the value changes or a row ends, and painted they are the array again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.labels.runs import id_runs, joined_runs, painted, painted_rows, run_spans, run_starts

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


@given(LABELS, st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_runs_that_are_looked_up_are_those_of_the_array_that_is_painted(labels, table):
    start = np.append(run_starts(labels), labels.size)
    number, table = labels.ravel()[start[:-1]], np.array(table)
    drawn = painted(start, number, table).reshape(labels.shape)
    for mine, theirs in zip(joined_runs(start, number, table, labels.shape[-1]), id_runs(drawn), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@given(LABELS, st.data())
def test_rows_that_are_painted_by_themselves_are_those_of_the_array(labels, data):
    start = np.append(run_starts(labels), labels.size)
    height, width = labels.size // labels.shape[-1], labels.shape[-1]
    first = np.searchsorted(start, np.arange(0, labels.size + 1, width))
    rows = np.array(data.draw(st.lists(st.integers(0, height - 1), max_size=4)), np.int64)
    drawn = painted_rows(rows, first, start, labels.ravel()[start[:-1]], np.arange(4), width)
    np.testing.assert_array_equal(drawn.reshape(-1, width), labels.reshape(height, width)[rows])
