"""Laws of the check of the truth: block by block it is that of the whole, and that of a slow, obvious one."""

import itertools
import os
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import skimage.measure
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from unet.labels.connected import connected_segments
from unet.ledger.truth_findings import (
    COUNTED_SIZES,
    KINDS,
    SPECK,
    Finding,
    Place,
    TruthCheck,
    small_objects_line,
    summarise,
    warnings,
    words,
)
from unet.settings.record import plain
from unet.weight_maps.truth_check import EXAMPLES, check_block, check_truth, merge_checks

DATA = os.environ.get("UNET_FLOWS_DATA")
real = pytest.mark.skipif(not DATA, reason="UNET_FLOWS_DATA does not name the folder of real microscopy")
few = settings(deadline=None, max_examples=100)


@st.composite
def truths(draw):
    """Labels of 2 to 4 axes, scattered or in blobs; how many axes are linked; the ignored id; sides of blocks."""
    ndim = draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (*random.integers(1, 4, ndim - 2), *random.integers(1, 14, 2))
    labels = random.choice([0, 0, 3, 7, 9], shape)
    if draw(st.booleans()):  # larger pieces, and so holes and contacts of some size
        labels = np.kron(labels, np.ones((1,) * (ndim - 2) + (3, 3), int))
    labels[random.random(shape[:-2]) < 0.2] = 0
    kind = draw(st.sampled_from([np.uint8, np.int32, np.uint64]))
    return (
        labels.astype(kind),
        draw(st.integers(2, min(ndim, 3))),
        draw(st.sampled_from([None, 9, 250])),
        draw(st.tuples(*[st.integers(1, 12)] * ndim)),
    )


def by_blocks(labels, dimensions, ignore, sides):
    corners = itertools.product(*[range(0, n, side) for n, side in zip(labels.shape, sides, strict=True)])
    parts = []
    for corner in corners:
        window = tuple(slice(c, c + side) for c, side in zip(corner, sides, strict=True))
        parts.append(check_block(labels[window], corner, labels.shape, dimensions, ignore))
    return merge_checks(pickle.loads(pickle.dumps(parts[::-1])))


def slow_check(labels, dimensions, ignore):
    """Every plane or volume by itself, every id by itself, by what scikit-image and scipy have."""
    found = {kind: [] for kind in KINDS}
    objects, sizes = 0, Counter()
    for frame in np.ndindex(labels.shape[: labels.ndim - dimensions]):
        group = labels[frame].astype(np.int64)
        ids = sorted(set(np.unique(group).tolist()) - {0, ignore})
        objects += len(ids)
        for one in ids:
            sizes[int((group == one).sum())] += 1
            pieces, count = ndimage.label(group == one, np.ones((3,) * dimensions))
            regions = skimage.measure.regionprops(pieces)
            least = min(regions, key=lambda region: region.area)  # the first in raster order where equal
            around = ndimage.binary_dilation(group == one, ndimage.generate_binary_structure(dimensions, 1))
            first = tuple(np.argwhere(group == one)[0])
            if (group == one).sum() < SPECK:
                found["specks"].append((*frame, *first, one))
            if count > 1:
                found["pieces"].append((*frame, *min(map(tuple, least.coords)), one))
            if set(np.unique(group[around]).tolist()) - {0, ignore, one}:
                found["touching"].append((*frame, *first, one))
        ground, count = ndimage.label(group == 0)
        for hole in range(1, count + 1):
            inside = ground == hole
            ring = np.unique(group[ndimage.binary_dilation(inside) & ~inside])
            if not on_edge(inside) and ring.size == 1 and ring[0] != ignore:
                found["holes"].append((*frame, *np.argwhere(inside)[0], ring[0]))
    empty = [plane for plane, pixels in enumerate(labels.reshape(-1, *labels.shape[-2:])) if not pixels.any()]
    findings = {kind: as_finding(sorted(places), labels.shape) for kind, places in found.items() if kind != "empty"}
    findings["empty"] = Finding(len(empty), tuple(Place(plane) for plane in empty[:EXAMPLES]))
    small = tuple(sorted((size, count) for size, count in sizes.items() if size < COUNTED_SIZES))
    return TruthCheck(objects, int(np.prod(labels.shape[:-2])), **findings, sizes=small)


def on_edge(mask):
    return any(np.take(mask, at, axis).any() for axis in range(mask.ndim) for at in (0, -1))


def as_finding(places, shape):
    named = []
    for *leading, y, x, one in places[:EXAMPLES]:
        plane = int(np.ravel_multi_index((0, *leading), (1, *shape[:-2])))
        named.append(Place(plane, int(one), int(y), int(x)))
    return Finding(len(places), tuple(named))


@few
@given(truths())
def test_the_whole_equals_the_slow_check(drawn):
    labels, dimensions, ignore, _ = drawn
    assert check_truth(labels, dimensions, ignore) == slow_check(labels, dimensions, ignore)


@few
@given(truths())
def test_block_by_block_equals_the_whole(drawn):
    labels, dimensions, ignore, sides = drawn
    assert by_blocks(labels, dimensions, ignore, sides) == check_truth(labels, dimensions, ignore)


def disc(side=40, centre=(20, 20), radius=12):
    y, x = np.indices((side, side))
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def counts(labels, **how):
    return {kind: finding.count for kind, finding in check_truth(labels, **how).found()}


def test_a_clean_frame_has_nothing_to_tell():
    check = check_truth(disc().astype(np.uint16))
    assert (check.objects, check.planes, counts(disc().astype(np.uint16)), words(check)) == (1, 1, {}, "")


def test_each_kind_is_found_by_itself():
    labels = disc().astype(np.int32)
    dust, pierced, torn, beside = labels.copy(), labels.copy(), labels.copy(), labels.copy()
    dust[1:3, 1:5] = 2
    pierced[20, 20] = 0
    torn[36:39, 36:39] = 1
    beside[:, 20:][labels[:, 20:] > 0] = 5
    assert counts(dust) == {"specks": 1}
    assert counts(pierced) == {"holes": 1}
    assert counts(torn) == {"pieces": 1}
    assert counts(beside) == {"touching": 2}
    assert counts(np.stack([labels, labels * 0])) == {"empty": 1}


def test_nine_pixels_are_no_speck():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:5, 2:5] = 1
    assert counts(labels) == {}
    labels[2, 2] = 0
    assert counts(labels) == {"specks": 1}


def test_a_corner_connects_an_object_and_closes_a_hole_but_is_no_contact():
    ring = np.zeros((9, 9), np.uint8)
    ring[2, 4] = ring[3, 3] = ring[4, 2] = ring[5, 3] = ring[6, 4] = ring[5, 5] = ring[4, 6] = ring[3, 5] = 1
    assert counts(ring) == {"specks": 1, "holes": 1}
    corner = np.zeros((6, 6), np.uint8)
    corner[:3, :3], corner[3:, 3:] = 1, 1
    assert counts(corner) == {}
    corner[3:, 3:] = 2
    assert counts(corner) == {}


def test_what_opens_to_the_edge_or_lies_between_two_is_no_hole():
    labels = np.ones((7, 7), np.uint8)
    labels[3, 3:] = 0
    assert counts(labels) == {}
    labels[3, 5:] = 1
    assert counts(labels) == {"holes": 1}
    labels[:, 4:] *= 2
    assert counts(labels) == {"touching": 2}


def test_a_ring_in_a_plane_is_closed_only_in_its_plane():
    ring = np.ones((1, 5, 5), np.uint8)
    ring[0, 2, 2] = 0
    volume = np.concatenate([ring, ring, ring])
    assert counts(volume) == {"holes": 3}
    assert counts(volume, dimensions=3) == {}
    volume[0] = volume[2] = 1
    assert counts(volume, dimensions=3) == {"holes": 1}


def test_ignored_pixels_are_neither_object_nor_background():
    labels = np.full((9, 9), 255, np.uint8)
    labels[2:6, 2:6] = 1
    labels[3, 3] = 255
    assert counts(labels, ignore=255) == {}
    labels[4, 4] = 0
    assert counts(labels, ignore=255) == {"holes": 1}
    assert check_truth(labels, ignore=255).objects == 1
    signed = labels.astype(np.int16)
    signed[labels == 255] = -1
    assert check_truth(signed, ignore=-1) == check_truth(labels, ignore=255)


def test_one_label_image_of_the_whole_stack_is_many_objects():
    volume = np.stack([disc(), disc(), disc()]).astype(np.int32)
    assert check_truth(volume).objects == 3
    assert check_truth(volume, dimensions=3).objects == 1


def test_no_block_keeps_pixels_where_no_other_lies_beside_it():
    labels = connected_segments(np.random.default_rng(0).random((64, 64)) < 0.4)
    assert check_block(labels, (0, 0), labels.shape).faces == ((b"", b""), (b"", b""))
    part = check_block(labels[:, :32], (0, 0), labels.shape)
    assert [len(side) > 0 for pair in part.faces for side in pair] == [False, False, False, True]
    assert part.face(-1, 1).shape == (64,)


def test_the_plain_values_of_a_check_are_a_small_json_object_and_come_back():
    check = check_truth(np.random.default_rng(0).integers(0, 50, (3, 200, 200)))
    values = plain(check)
    assert TruthCheck.of(values) == check
    assert set(values) == {"objects", "planes", "sizes", *KINDS}
    assert len(str(values)) < 3000
    assert TruthCheck.of({}) == TruthCheck()


def test_objects_are_counted_by_their_size_up_to_a_size_that_nobody_drops():
    labels = np.zeros((100, 100), np.uint16)
    labels[:3, :3], labels[10:13, :3], labels[20:24, :4], labels[40:, 40:] = 1, 2, 3, 4
    check = check_truth(labels)
    assert (check.objects, check.sizes) == (4, ((9, 2), (16, 1)))
    assert [check.smaller_than(pixels) for pixels in (0, 9, 10, 16, 17, 10**6)] == [0, 0, 2, 2, 3, 3]
    assert all(size < COUNTED_SIZES for size, _ in check.sizes)


def test_small_objects_are_told_with_the_stacks_that_have_most():
    checks = {
        name: TruthCheck(9, 1, sizes=((4, count), (20, 1))) for name, count in zip("abcde", range(5), strict=True)
    }
    assert small_objects_line(checks, 16).startswith(
        "10 of 45 objects of truth are smaller than segment.min_size 16 (e 4, d 3, c 2 and 1 more), the smallest of 4 "
    )
    assert small_objects_line(checks, 4) == small_objects_line({}, 16) == ""


def test_a_warning_counts_over_all_stacks_and_names_the_first_place():
    check = TruthCheck(9, 2, specks=Finding(12, (Place(4, 17, 30, 211),)))
    lines = warnings({"plate-1/a": TruthCheck(5, 1), "plate-2/a": check, "plate-2/b": check})
    assert [line.partition(";")[0] for line in lines] == [
        "24 specks of fewer than 9 pixels in 2 stacks (first: plate-2/a, plane 4, id 17 at y 30 x 211)"
    ]
    assert warnings({"a": TruthCheck()}) == []
    assert [summary.examples for summary in summarise({"a": check, "b": check})] == [
        ["a, plane 4, id 17 at y 30 x 211", "b, plane 4, id 17 at y 30 x 211"]
    ]


@real
def test_nuclei_that_people_drew_hold_two_holes_and_many_touch():
    files = sorted(Path(DATA or "", "dsb2018_fluorescence/label").glob("*.tif"))
    checks = {file.stem: check_truth(tifffile.imread(file)) for file in files}
    assert sum(check.objects for check in checks.values()) == 4781
    assert [(line.name, line.stacks) for line in summarise(checks)] == [
        ("2 holes", 1),
        ("1,156 objects that touch another", 77),
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_truth(np.zeros((3, 3))), "labels must be integers"),
        (lambda: check_truth(np.full((3, 3), -1)), "labels must be ≥ 0"),
        (lambda: check_truth(np.zeros((3, 3), int), dimensions=3), "dimensions must be 2 or 3"),
        (lambda: check_truth(np.zeros((3, 3), int), ignore=0), "ignore must be an id other than 0"),
        (lambda: check_block(np.zeros((3, 3), int), (0,), (3, 3)), "origin and shape must have the 2 axes"),
        (lambda: merge_checks([]), "parts must be those of all blocks, got none"),
        (lambda: merge_checks([check_block(np.zeros((3, 3), int), (0, 3), (3, 6))]), "parts must tile the array"),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
