"""Laws of the confusion: it is that of a slow oracle, its sums are the counts, and relabelling classes permutes it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.evaluation.confusion import confusion, no_confusion
from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import average_precision

LABELS = arrays(np.int64, (6, 7), elements=st.sampled_from([0, 0, 1, 2, 3, 900]))
CLASSES = st.dictionaries(st.sampled_from([1, 2, 3, 900]), st.integers(1, 3))


def classes_of(labels, table):
    return np.array([table.get(each, 1) if each else 0 for each in labels.flat], np.uint8).reshape(labels.shape)


def confused(truth, found, true, guessed, count=3):
    """Of objects and segments whose classes are told by id."""
    table = contingency(truth, found)
    of_ids = (classes_of(ids, kinds) for ids, kinds in ((table.object_ids, true), (table.segment_ids, guessed)))
    return confusion(table, *of_ids, count)


def slow(truth, found, true_class, found_class, count):
    """Every object beside every segment."""
    matched, missed, invented = np.zeros((count, count), int), np.zeros(count, int), np.zeros(count, int)
    ids, others = (np.unique(labels[labels > 0]) for labels in (truth, found))
    partners = set()
    for one in ids:
        mine = [two for two in others if (a := truth == one) is not None and is_same(a, found == two)]
        kind = true_class[truth == one][0] - 1
        if mine:
            (two,) = mine
            partners.add(two)
            matched[kind, found_class[found == two][0] - 1] += 1
        else:
            missed[kind] += 1
    for two in others:
        if two not in partners:
            invented[found_class[found == two][0] - 1] += 1
    return matched, missed, invented


def is_same(one, other):
    return (one & other).sum() * 2 > (one | other).sum()


@given(LABELS, LABELS, CLASSES, CLASSES)
def test_it_is_that_of_every_object_beside_every_segment(truth, found, true, guessed):
    planes = truth, found, classes_of(truth, true), classes_of(found, guessed)
    table = confused(truth, found, true, guessed)
    for fast, expected in zip((table.matched, table.missed, table.invented), slow(*planes, 3), strict=True):
        np.testing.assert_array_equal(fast, expected)
    for counts, labels, classes in ((table.objects, truth, planes[2]), (table.segments, found, planes[3])):
        pairs = np.unique(np.stack([labels, classes])[:, labels > 0], axis=1)
        assert counts.tolist() == [(pairs[1] == number).sum() for number in (1, 2, 3)]
    total = table.matched.sum() + table.missed.sum() + table.invented.sum()
    if total:
        assert table.matched.sum() / total == average_precision(truth, found)


@given(LABELS, LABELS, CLASSES, CLASSES, st.permutations([1, 2, 3]))
def test_relabelling_classes_permutes_it(truth, found, true, guessed, order):
    before = confused(truth, found, true, guessed)
    other = dict(enumerate(order, 1))
    renamed = ({one: other[kinds.get(one, 1)] for one in (1, 2, 3, 900)} for kinds in (true, guessed))
    after = confused(truth, found, *renamed)
    at = np.array(order) - 1
    np.testing.assert_array_equal(after.matched[np.ix_(at, at)], before.matched)
    np.testing.assert_array_equal(after.missed[at], before.missed)
    np.testing.assert_array_equal(after.invented[at], before.invented)


def test_counts_of_planes_are_added():
    labels = np.array([[1, 1, 0, 2, 2]])
    one = confused(labels, labels, {2: 2}, {1: 2, 2: 2}, 2)
    both = one + one + no_confusion(2)
    assert both.matched.tolist() == [[0, 2], [0, 2]]
    assert both.confused == 0.5
    assert np.isnan(no_confusion(2).confused)
