"""Laws of clumps: centres are the h-maxima of the landscape, parts its watershed, wherever the object was cut out."""

from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, generate_binary_structure
from scipy.ndimage import label as scipy_label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from unet.labels.connected import connected_segments
from unet.labels.declumping import Declumping, part_clump, part_objects
from unet.labels.landscape import SMOOTHED

few = settings(deadline=None, max_examples=60)


@st.composite
def objects(draw):
    """The largest object of a smooth random mask in 2-D or 3-D, with background around it, scores, and how to part."""
    shape = draw(st.sampled_from([(40, 50), (12, 20, 24)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = np.pad(gaussian_filter(random.normal(size=shape), draw(st.sampled_from([1, 2, 3]))), 1, constant_values=-1)
    connectivity, by = draw(st.sampled_from(["faces", "full"])), draw(st.sampled_from(["distance", "scores", "both"]))
    labels = connected_segments(noise > 0, len(shape), connectivity)
    depths = {"distance": [0.5, 1, 1.5, 3], "scores": [0.01, 0.03], "both": [0.1, 0.3]}
    depth = draw(st.sampled_from(depths[by]))
    mask = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    return mask, (0.5 + 0.5 * noise / noise.max()).astype(np.float32), Declumping(depth, by, connectivity)


def landscape(mask, scores, how):
    """The distance to the background, the smoothed scores of the object alone, or these by the distance's root."""
    distance, alone = distance_transform_edt(mask), np.where(mask, scores, 0).astype(np.float64)
    smooth = np.where(mask, gaussian_filter(alone, SMOOTHED, mode="constant", truncate=3), 0)
    return {"distance": distance, "scores": smooth, "both": np.sqrt(distance) * smooth}[how.by]


def slow_centres(height, how):
    """Regions that stay summits when all are lowered by the depth (h-maxima): of each its highest pixel."""
    footprint = generate_binary_structure(height.ndim, 1 if how.connectivity == "faces" else height.ndim)
    lowered = reconstruction(height - how.depth * (1 - 1e-9), height, footprint=footprint)
    regions, count = scipy_label(local_maxima(lowered, footprint=footprint) & (height > 0), footprint)
    return sorted(int(np.where(regions == k, height, 0).argmax()) for k in range(1, count + 1))


def slow_parts(height, seeds, how):
    """Water from the centres: of the pixels at its edge the highest is next, then the one that was seen first."""
    reach = 1 if how.connectivity == "faces" else height.ndim
    steps = np.argwhere(generate_binary_structure(height.ndim, reach)) - 1
    steps = steps[np.argsort(abs(steps).sum(axis=1), kind="stable")]
    parts, seen = np.zeros(height.shape, int), 0
    places = [tuple(map(int, np.unravel_index(seed, height.shape))) for seed in seeds]
    front = sorted((-height[at], 0, at) for at in places)
    for number, at in enumerate(places, start=1):
        parts[at] = number
    while front:
        level, _, at = heappop(front)
        for beside in (tuple(map(int, at + step)) for step in steps):
            if height[beside] > 0 and parts[beside] == 0:
                seen, parts[beside] = seen + 1, parts[at]
                heappush(front, (max(level, -height[beside]), seen, beside))
    return parts


@few
@given(objects())
def test_parts_are_flooded_from_one_centre_in_each_h_maximum(drawn):
    mask, scores, how = drawn
    height, parts = landscape(mask, scores, how), part_clump(mask, how, scores)
    seeds = slow_centres(height, how)
    np.testing.assert_array_equal(parts > 0, mask)
    if height.max() <= how.depth:  # no summit stays above 0
        assert parts.max() == 1
    else:
        assert parts.ravel()[seeds].tolist() == list(range(1, len(seeds) + 1))
        np.testing.assert_array_equal(parts, slow_parts(height, seeds, how))


@few
@given(objects())
def test_parts_are_the_watershed_of_scikit_image(drawn):
    mask, scores, how = drawn
    height, parts = landscape(mask, scores, how), part_clump(mask, how, scores)
    count, reach = parts.max(), 1 if how.connectivity == "faces" else mask.ndim
    if count == 2 or (count > 2 and how.by != "distance"):  # theirs begins with any of three centres of one height
        markers = np.zeros(mask.size, int)
        markers[slow_centres(height, how)] = np.arange(1, count + 1)
        theirs = watershed(-height, markers.reshape(mask.shape), connectivity=reach, mask=mask)
        np.testing.assert_array_equal(parts, theirs)
    footprint = generate_binary_structure(mask.ndim, reach)
    assert all(scipy_label(parts == k, footprint)[1] == 1 for k in range(1, count + 1))


@few
@given(objects())
def test_parts_are_the_same_in_the_bounding_box(drawn):
    mask, scores, how = drawn
    whole = part_clump(mask, how, scores)
    box = tuple(slice(a.min() - 1, a.max() + 2) for a in np.nonzero(mask))
    np.testing.assert_array_equal(part_clump(mask[box], how, scores[box]), whole[box])


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from([(60, 50), (12, 20, 24)]), st.sampled_from(["distance", "both"]))
def test_the_objects_of_a_block_are_parted_as_each_by_itself(seed, shape, by):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    labels, scores = connected_segments(noise > 0, len(shape)), (200 * noise / noise.max() + 55).clip(0, 255)
    how, scores = Declumping(0.7 if by == "distance" else 0.2, by), scores.astype(np.uint8)
    spans = [[(a.min(), a.max() + 1) for a in np.nonzero(labels == k)] for k in range(1, labels.max() + 1)]
    array = np.array([(0, side) for side in shape]).T
    found = part_objects(labels, np.arange(1, len(spans) + 1), np.array(spans).swapaxes(1, 2), array, how, scores)
    before = 0
    for number, count in enumerate(found.counts, start=1):
        alone = part_clump(labels == number, how, scores)
        assert count == alone.max()
        if count > 1:
            np.testing.assert_array_equal(found.parts[labels == number] - before, alone[labels == number])
            before += count
    sizes = np.bincount(found.parts.ravel(), minlength=before + 1)
    np.testing.assert_array_equal(found.size, sizes[1:])
    np.testing.assert_array_equal(found.first, [np.flatnonzero(found.parts == k)[0] for k in range(1, before + 1)])


def discs(*centres, radius=8, shape=(30, 60)):
    y, x = np.indices(shape)
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 <= radius**2 for cy, cx in centres], axis=0)


def test_two_discs_that_overlap_are_two_and_one_is_one():
    parts = part_clump(discs((15, 20), (15, 34)), Declumping(2))
    assert parts.max() == 2
    assert (parts[15, 20], parts[15, 34]) == (1, 2)
    assert abs((parts == 1).sum() - (parts == 2).sum()) <= 8  # the middle column is one of the two's
    assert part_clump(discs((15, 20)), Declumping(2)).max() == 1


def test_a_dip_of_the_scores_parts_what_has_no_waist():
    mask = np.zeros((24, 44), bool)
    mask[2:22, 2:42] = True
    scores = np.where(abs(np.arange(44) - 20) <= 1, 0.6, 1.0) * mask
    assert part_clump(mask, Declumping(1)).max() == 1
    for how in (Declumping(0.05, "scores"), Declumping(0.3, "both")):
        parts = part_clump(mask, how, scores)
        assert (parts.max(), parts[12, 10], parts[12, 30]) == (2, 1, 2)


def test_a_filled_hole_without_scores_belongs_to_the_parts_around():
    mask, scores = discs((15, 18), (15, 38), (15, 58), radius=12, shape=(30, 80)), np.ones((30, 80))
    scores[10:21, 13:24] = 0
    parts = part_clump(mask, Declumping(0.3, "both"), scores)
    assert parts.max() > 1
    np.testing.assert_array_equal(parts > 0, mask)


def test_a_larger_split_parts_less():
    clump = discs((15, 15), (15, 29), (15, 41))
    counts = [part_clump(clump, Declumping(split)).max() for split in (1, 2, 3, 8)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (3, 1)


def test_steps_along_an_axis_count():
    column = np.zeros((9, 9, 9), bool)
    column[1:4, 2:7, 2:7] = column[5:8, 2:7, 2:7] = column[4, 4, 4] = True
    assert part_clump(column, Declumping(1.5, spacing=(4, 1, 1))).max() == 2
    assert part_clump(column, Declumping(1.5, spacing=(0.5, 1, 1))).max() == 1


def test_an_object_without_background_is_one():
    assert part_clump(np.ones((5, 7), bool), Declumping(1)).min() == 1


def test_what_touches_at_a_corner_only_is_not_flooded_across_faces():
    mask = binary_dilation(np.eye(3, dtype=bool), generate_binary_structure(2, 1))
    assert part_clump(np.pad(mask, 1), Declumping(0.2)).max() >= 1


def test_a_split_of_nothing_is_refused():
    with pytest.raises(ValueError, match="declump_depth must be > 0"):
        part_clump(np.ones((3, 3), bool), Declumping(0))


def test_scores_that_are_needed_and_missing_are_asked_for():
    with pytest.raises(ValueError, match="scores must be given"):
        part_clump(np.ones((3, 3), bool), Declumping(1, "scores"))
