"""The sparse table of overlaps against counting pixel by pixel; what the measures rest on."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet.evaluation.contingency import contingency, dense, ratio, require_labels

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


@given(pairs())
def test_dense_ids_keep_objects_apart_and_in_order(pair):
    labels = pair[0].ravel()
    renamed = dense(labels)
    assert sorted(set(renamed.tolist()) - {0}) == list(range(1, renamed.max(initial=0) + 1))
    assert np.array_equal(labels[:, None] < labels, renamed[:, None] < renamed)


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
