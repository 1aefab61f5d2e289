"""The sparse table of overlaps against counting pixel by pixel; what the measures rest on."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet.evaluation.contingency import contingency, merge_tables, numbered, pool_tables, ratio, require_labels

ids = st.sampled_from([0, 0, 1, 2, 7, 2**40])


@st.composite
def pairs(draw):
    shape = draw(array_shapes(min_side=0, max_side=5))
    return [draw(arrays(np.int64, shape, elements=ids)) for _ in range(2)]


@given(pairs())
def test_as_counted_pixel_by_pixel(pair):
    truth, prediction = (labels.ravel().tolist() for labels in pair)
    objects, segments = (sorted(set(labels) - {0}) for labels in (truth, prediction))
    table = contingency(*pair)
    assert table.objects.tolist() == [truth.count(one) for one in objects]
    assert table.segments.tolist() == [prediction.count(one) for one in segments]
    overlaps = zip(table.row, table.column, table.shared, strict=True)
    found = {(objects[row], segments[column]): shared for row, column, shared in overlaps}
    assert found == Counter((t, p) for t, p in zip(truth, prediction, strict=True) if t and p)

    assert table.object_ids.tolist() == objects
    assert table.segment_ids.tolist() == segments
    assert table.pixels == pair[0].size


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(pairs(), st.data())
def test_tables_of_blocks_add_up_to_that_of_the_whole(pair, data):
    """However the array is cut, and whatever was judged: over planes, rows, or any pixels."""
    judged = data.draw(arrays(bool, pair[0].shape))
    whole = contingency(*pair, judged)
    assert same(whole, contingency(*(labels[judged] for labels in pair)))
    block = data.draw(arrays(np.int8, pair[0].shape, elements=st.integers(0, 3)))
    assert same(whole, merge_tables(contingency(*pair, judged & (block == one)) for one in range(4)))


@given(pairs(), pairs())
def test_pooled_planes_share_no_object(one, other):
    tables = [contingency(*one), contingency(*other)]
    pooled = pool_tables(tables)
    assert pooled.pixels == sum(table.pixels for table in tables)
    for field in ("shared", "objects", "segments", "iou", "covered"):
        assert np.array_equal(getattr(pooled, field), np.concatenate([getattr(table, field) for table in tables]))


@given(pairs(), st.data())
def test_the_table_of_some_objects_is_that_of_these_alone(pair, data):
    table = contingency(*pair)
    kept = [data.draw(arrays(bool, ids.size)) for ids in (table.object_ids, table.segment_ids)]
    chosen = [ids[mask] for ids, mask in zip((table.object_ids, table.segment_ids), kept, strict=True)]
    alone = [np.where(np.isin(labels, ids), labels, 0) for labels, ids in zip(pair, chosen, strict=True)]
    assert same(table.of(*kept), contingency(*alone))


@given(pairs())
def test_numbers_are_those_of_unique(pair):
    values = pair[0].ravel()
    for one, other in zip(numbered(values), np.unique(values, return_inverse=True), strict=True):
        assert np.array_equal(one, other)


def test_half_of_an_object_does_not_cover_it():
    table = contingency(np.array([1, 1, 2, 2, 2]), np.array([5, 0, 6, 6, 5]))
    assert dict(zip(zip(table.row, table.column, strict=True), table.covered, strict=True)) == {
        (0, 0): False,
        (1, 0): False,
        (1, 1): True,
    }
    assert table.iou.tolist() == pytest.approx([1 / 3, 1 / 4, 2 / 3])


def test_a_part_of_nothing_is_nan():
    assert np.isnan(ratio(0, 0))
    assert ratio(1, 4) == 0.25


def test_masks_and_labels_of_any_integer_type_are_taken():
    for dtype in (bool, np.uint8, np.int64):
        require_labels(np.ones((2, 2), dtype), np.zeros((2, 2), dtype), plane=True)
