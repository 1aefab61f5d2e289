"""Kinds of objects and segments: by hand in 2-D and 3-D, against a slow oracle, and that they make up all of truth."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.evaluation.contingency import contingency
from unet.evaluation.metrics import average_precision
from unet.evaluation.object_errors import KINDS, object_errors

LABELS = arrays(np.int64, (5, 7), elements=st.sampled_from([0, 1, 1, 2, 3, 900]))


def kinds(truth, found):
    table = contingency(np.array(truth), np.array(found))
    errors = object_errors(table)
    both = ((table.object_ids, errors.objects), (table.segment_ids, errors.segments))
    return tuple({int(one): KINDS[kind] for one, kind in zip(ids, of, strict=True)} for ids, of in both)


def test_by_hand():
    truth = [1, 1, 1, 1, 0, 2, 2, 0, 3, 3, 3, 3, 0, 4, 4, 0, 0]
    found = [5, 5, 5, 0, 0, 6, 6, 6, 7, 7, 8, 8, 0, 0, 0, 9, 9]
    assert kinds(truth, found) == (
        {1: "found", 2: "found", 3: "split", 4: "missed"},
        {5: "found", 6: "found", 7: "split", 8: "split", 9: "invented"},
    )


def test_a_found_object_may_have_a_piece_and_a_found_segment_may_have_swallowed_one():
    assert kinds([1, 1, 1, 1, 1], [5, 5, 5, 5, 6]) == ({1: "found"}, {5: "found", 6: "split"})
    assert kinds([1, 1, 1, 1, 2], [5, 5, 5, 5, 5]) == ({1: "found", 2: "merged"}, {5: "found"})


def test_half_is_not_enough():
    """Half of 1 and half of 2: the segment has more than half of neither."""
    assert kinds([1, 1, 1, 1, 2, 2, 2, 2], [0, 0, 5, 5, 5, 5, 0, 0]) == ({1: "missed", 2: "missed"}, {5: "invented"})


def test_in_a_volume_two_cells_may_be_one_along_z():
    truth = np.zeros((4, 6, 6), int)
    truth[:2, 1:4, 1:4], truth[2:, 1:4, 1:4] = 1, 2
    assert kinds(truth, (truth > 0) * 7) == ({1: "merged", 2: "merged"}, {7: "merged"})
    assert kinds((truth > 0) * 7, truth) == ({7: "split"}, {1: "split", 2: "split"})


def slow(truth, found):
    """Sets of pixels, law after law."""

    def pixels(labels):
        return {int(one): {p for p in np.ndindex(labels.shape) if labels[p] == one} for one in set(labels.flat) - {0}}

    objects, segments = pixels(truth), pixels(found)
    has = {one: [two for two, s in segments.items() if 2 * len(s & o) > len(s)] for one, o in objects.items()}
    of = {two: [one for one, o in objects.items() if 2 * len(s & o) > len(o)] for two, s in segments.items()}
    hits = [(a, b) for a, o in objects.items() for b, s in segments.items() if 2 * len(o & s) > len(o | s)]

    def of_object(one):
        if any(one == a for a, _ in hits):
            return "found"
        if any(one in mine and len(mine) > 1 for mine in of.values()):
            return "merged"
        return "split" if len(has[one]) > 1 else "missed"

    def of_segment(two):
        if any(two == b for _, b in hits):
            return "found"
        if len(of[two]) > 1:
            return "merged"
        return "split" if any(two in mine and len(mine) > 1 for mine in has.values()) else "invented"

    return {one: of_object(one) for one in objects}, {two: of_segment(two) for two in segments}


@given(LABELS, LABELS)
def test_as_sets_of_pixels_say(truth, found):
    assert kinds(truth, found) == slow(truth, found)


@given(LABELS, LABELS)
def test_objects_make_up_all_of_truth_and_those_found_are_the_hits_of_average_precision(truth, found):
    table = contingency(truth, found)
    counts = object_errors(table).counts()
    assert sum(counts.values()) - counts["invented"] == table.objects.size
    both = table.objects.size + table.segments.size
    if both:
        assert counts["found"] / (both - counts["found"]) == average_precision(truth, found)


@given(LABELS)
def test_truth_beside_itself_is_found(truth):
    assert set(object_errors(contingency(truth, truth)).counts().items()) >= {
        ("missed", 0),
        ("merged", 0),
        ("split", 0),
    }
