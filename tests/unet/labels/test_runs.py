"""Laws of runs: they are cut where the value changes or a row ends, and painted they are the array again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.labels.runs import id_runs, joined_runs, mask_runs, painted, painted_rows, run_spans, run_starts, true_pixels

LABELS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6), elements=st.integers(0, 3))


def slow_starts(labels):
    flat, width = labels.ravel(), labels.shape[-1]
    return [at for at in range(flat.size) if at % width == 0 or flat[at] != flat[at - 1]]


def runs_of(labels):
    """Start, stop and value of every run, those of the background too."""
    start = run_starts(labels)
    return start, np.append(start[1:], labels.size), labels.ravel()[start]


@given(LABELS)
def test_a_run_begins_where_the_value_changes_or_a_row_does(labels):
    assert run_starts(labels).tolist() == slow_starts(labels)


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_side=0, max_dims=2, max_side=150)))
def test_true_pixels_are_those_that_numpy_finds(mask):
    for each in (mask, mask[::2], ~mask, np.zeros_like(mask)):
        np.testing.assert_array_equal(true_pixels(each), np.flatnonzero(each))


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_side=1, max_dims=2, max_side=150)))
def test_runs_of_a_mask_are_those_of_its_pixels_as_ids(mask):
    for each in (mask, mask.T, mask[::-2], np.repeat(mask, 7, axis=-1), np.ones_like(mask), np.zeros_like(mask)):
        np.testing.assert_array_equal(mask_runs(each), id_runs(each.astype(np.uint8))[:2])


@given(LABELS)
def test_runs_painted_with_their_values_are_the_array(labels):
    for start, stop, value in (runs_of(labels), id_runs(labels)):
        table, number = np.unique(np.append(value, 0), return_inverse=True)
        drawn = painted(start, stop, number[:-1].astype(np.int32), table, labels.size)
        np.testing.assert_array_equal(drawn.reshape(labels.shape), labels)


@given(LABELS)
def test_spans_are_the_bounding_boxes_of_the_values(labels):
    start, stop, value = runs_of(labels)
    values, row = np.unique(value, return_inverse=True)
    low, high = run_spans(start, stop - start, row, values.size, labels.shape)
    for number, value in enumerate(values):
        places = np.argwhere(labels == value)
        assert low[number].tolist() == places.min(axis=0).tolist()
        assert high[number].tolist() == (places.max(axis=0) + 1).tolist()


@given(LABELS, st.lists(st.integers(0, 2), min_size=4, max_size=4), st.booleans())
def test_runs_that_are_looked_up_are_those_of_the_array_that_is_painted(labels, table, background):
    runs, table = runs_of(labels) if background else id_runs(labels), np.array(table)
    table[0] *= background  # where no run is, there is 0
    drawn = painted(*runs, table, labels.size).reshape(labels.shape)
    for mine, theirs in zip(joined_runs(*runs, table, labels.shape[-1]), id_runs(drawn), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@given(LABELS, st.data())
def test_rows_that_are_painted_by_themselves_are_those_of_the_array(labels, data):
    height, width = labels.size // labels.shape[-1], labels.shape[-1]
    rows = np.array(data.draw(st.lists(st.integers(0, height - 1), max_size=4)), np.int64)
    for runs in (runs_of(labels), id_runs(labels)):
        first = np.searchsorted(runs[0], np.arange(0, labels.size + 1, width))
        drawn = painted_rows(rows, first, *runs, np.arange(4), width)
        np.testing.assert_array_equal(drawn, labels.reshape(height, width)[rows])
