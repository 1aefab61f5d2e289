"""Laws of segments by class: in any blocks they are those of the whole, and relabelling the classes permutes them."""

from itertools import pairwise, product

import numpy as np
import pytest
import skimage.measure
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet.dataset.folder import Folder
from unet.labels.clumps import boxes_of
from unet.labels.instances import BlockToWrite, ClassInstances, painted_over
from unet.labels.merging import merge_blocks
from unet.labels.renumbering import numbered_on
from unet.labels.scores import Scores, largest_class, own_score, own_scores, reaching
from unet.labels.segmentation import segments_of_classes
from unet.settings.segment import Segment

SCORES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12).flatmap(
    lambda sides: arrays(np.uint8, (3, *sides), elements=st.sampled_from([0, 40, 130, 130, 200, 255]))
)
SETTINGS = st.tuples(*[st.builds(
    Segment, threshold=st.sampled_from([0.1, 0.5, 0.75]), min_size=st.integers(0, 3), declump_depth=st.just(0.0),
    connectivity=st.sampled_from(["faces", "full"]), max_hole_size=st.sampled_from([0, 0, 4]),
)] * 3)  # fmt: skip


def by_blocks(scores, settings, cuts):
    """Segments by the passes of the stage, in the blocks that the cuts along each axis make."""
    shape = scores.shape[1:]
    steps = [sorted({0, side, *(at for at in along if at < side)}) for side, along in zip(shape, cuts, strict=True)]
    blocks = list(product(*([slice(a, b) for a, b in pairwise(s)] for s in steps)))
    classes = [
        ClassInstances(Scores(Folder("nowhere"), "cyx", (1, 2, 3)), "yx", shape, own.numbers(), row=row)
        for row, own in enumerate(settings)
    ]
    before, painted = 0, {n: [] for n in range(len(blocks))}
    for each in classes:
        own = [each.of_objects(scores[(slice(None), *block)]) for block in blocks]
        merged = merge_blocks([each.label(b, mine)[0] for b, mine in zip(blocks, own, strict=True)], each.rules)
        none = boxes_of(merged, shape).of(np.zeros(0, np.int64))
        for n, (block, mine) in enumerate(zip(blocks, own, strict=True)):
            ids = merged.lookups[tuple(part.start for part in block)]
            painted[n].append(each.relabel(BlockToWrite(block, numbered_on(ids, before), ids, none, []), mine))
        before += merged.count
    whole = np.zeros(shape, int)
    for n, block in enumerate(blocks):
        whole[block] = painted_over(painted[n])
    return whole


CUTS = st.tuples(*[st.lists(st.integers(1, 11), max_size=3)] * 2)


@given(SCORES, SETTINGS, CUTS)
def test_in_any_blocks_they_are_those_of_the_whole(scores, settings, cuts):
    np.testing.assert_array_equal(by_blocks(scores, settings, cuts), segments_of_classes(scores, settings))


@given(SCORES, CUTS)
def test_each_class_is_what_scikit_image_labels_where_it_is_the_largest(scores, cuts):
    found, before = by_blocks(scores, [Segment(min_size=0)] * 3, cuts), 0
    largest = scores.argmax(axis=0)
    for number in range(3):
        mask = (largest == number) & (scores[number] >= 128)
        expected = skimage.measure.label(mask, connectivity=1)
        np.testing.assert_array_equal(np.where(mask, found - before, 0), expected)
        before += expected.max(initial=0)
    assert found.max(initial=0) == before


@given(SCORES, SETTINGS, st.permutations([0, 1, 2]))
def test_relabelling_classes_permutes_segments(scores, settings, order):
    """Where no two classes are equally likely, and no hole of one holds another: ids are others by an offset alone."""
    scores = np.where(scores > 0, scores - np.arange(3, dtype=np.uint8)[:, None, None], 0).astype(np.uint8)
    settings = [
        Segment(threshold=own.threshold, min_size=own.min_size, connectivity=own.connectivity) for own in settings
    ]
    before = segments_of_classes(scores, settings)
    after = segments_of_classes(scores[order], [settings[row] for row in order])
    np.testing.assert_array_equal(before > 0, after > 0)
    starts = {}
    for labels, rows in ((before, (0, 1, 2)), (after, order)):
        largest, count = np.array(rows)[largest_class(scores[list(rows)])], 0
        for row in rows:
            mine = np.where((largest == row) & (labels > 0), labels, count) - count
            np.testing.assert_array_equal(starts.setdefault(row, mine), mine)
            count += mine.max(initial=0)


@given(SCORES)
def test_own_scores_are_those_of_the_largest_the_first_of_equal_ones(scores):
    own = own_scores(scores)
    np.testing.assert_array_equal(largest_class(scores), scores.argmax(axis=0))
    np.testing.assert_array_equal(own.max(axis=0), scores.max(axis=0))
    assert ((own > 0).sum(axis=0) <= 1).all()
    np.testing.assert_array_equal(own[1], own_score(scores, largest_class(scores), 1))


@pytest.mark.parametrize("first", [0, 1])
def test_what_lies_in_a_filled_hole_of_another_class_stays_what_it_is(first):
    scores = np.zeros((2, 9, 9), np.uint8)
    scores[first, 1:8, 1:8], scores[first, 3:6, 3:6], scores[1 - first, 4, 4] = 200, 0, 200
    found = segments_of_classes(scores, [Segment(min_size=0, max_hole_size=9)] * 2)
    ring, spot = (1, 2) if first == 0 else (2, 1)
    assert (found[4, 4], found[3, 3], found[1, 1]) == (spot, ring, ring)
    np.testing.assert_array_equal(np.unique(found, return_counts=True)[1][[ring, spot]], [48, 1])
    assert not reaching(scores, 0.5)[:, 3, 3].any()
