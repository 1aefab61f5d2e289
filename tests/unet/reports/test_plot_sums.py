"""Sums over planes are what plane by plane gives: the law of the plots."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import average_precision
from unet.evaluation.object_scores import OVERLAPS
from unet.reports.plot_sums import PlotSums, added, bin_edges, size_counts

PLANES = arrays(np.uint8, (2, 6, 6), elements=st.integers(0, 4))


@given(st.lists(PLANES, min_size=1, max_size=4))
def test_precision_is_the_mean_over_the_planes_where_it_is_defined(planes):
    sums = added(PlotSums.of(contingency(*pair)) for pair in planes)
    each = np.array([[average_precision(*pair, overlap) for overlap in OVERLAPS] for pair in planes])
    known = each[np.isfinite(each[:, 0])]
    np.testing.assert_allclose(sums.precision_over_iou(), known.mean(axis=0) if len(known) else [], atol=1e-6)


@given(st.lists(PLANES, min_size=1, max_size=4))
def test_every_object_and_segment_is_in_one_bin(planes):
    tables = [contingency(*pair) for pair in planes]
    sums = added(map(PlotSums.of, tables))
    assert sums.object_sizes.sum() == sum(table.objects.size for table in tables)
    assert sums.segment_sizes.sum() == sum(table.segments.size for table in tables)
    plain = sums.plain()["sizes"]
    assert sum(plain["objects"]) == sums.object_sizes.sum()
    assert len(plain["from_px"]) == len(plain["segments"])


@given(st.lists(st.integers(1, 2**39), max_size=20))
def test_a_size_lies_between_the_edges_of_its_bin(sizes):
    edges, counts = bin_edges(), size_counts(sizes)
    slow = [sum(low <= size < high for size in sizes) for low, high in pairwise(edges)]
    assert counts.tolist() == slow


def test_nothing_adds_up_to_nothing():
    assert added([None]) is None
    assert PlotSums.of(contingency(np.zeros(4, int), np.zeros(4, int))).precision_over_iou() == []
