"""Laws of clumps: centres are the h-maxima of the distance, parts its watershed, wherever the object was cut out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, generate_binary_structure
from scipy.ndimage import label as scipy_label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from unet.labels.connected import connected_segments
from unet.labels.declumping import centres, part_clump

few = settings(deadline=None, max_examples=60)


@st.composite
def objects(draw):
    """The largest object of a smooth random mask in 2-D or 3-D, with background around it; its connectivity."""
    shape = draw(st.sampled_from([(40, 50), (12, 20, 24)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = gaussian_filter(random.normal(size=shape), draw(st.sampled_from([1, 2, 3]))) > 0
    connectivity = draw(st.sampled_from(["faces", "full"]))
    labels = connected_segments(np.pad(mask, 1), len(shape), connectivity)
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax(), connectivity


def slow_centres(distance, split, connectivity):
    """Regions that stay summits when all are lowered by `split`: h-maxima, those of exactly h among them."""
    footprint = generate_binary_structure(distance.ndim, 1 if connectivity == "faces" else distance.ndim)
    lowered = reconstruction(distance - split * (1 - 1e-9), distance, footprint=footprint)
    return scipy_label(local_maxima(lowered, footprint=footprint) & (distance > 0), footprint)


@few
@given(objects(), st.sampled_from([0.5, 1, 1.5, 3]))
def test_centres_are_one_in_each_h_maximum(drawn, split):
    mask, connectivity = drawn
    distance = distance_transform_edt(mask)
    regions, count = slow_centres(distance, split, connectivity)
    found = centres(distance, split, connectivity)
    if distance.max() > split:  # of others no summit stays above 0
        assert sorted(regions.ravel()[found].tolist()) == list(range(1, count + 1))


@few
@given(objects(), st.sampled_from([0.5, 1, 2]))
def test_parts_are_the_watershed_of_the_distance(drawn, split):
    mask, connectivity = drawn
    distance, parts = distance_transform_edt(mask), part_clump(mask, split, connectivity)
    seeds = centres(distance, split, connectivity)
    markers = np.zeros(mask.size, int)
    markers[seeds] = np.arange(1, len(seeds) + 1)
    reach = 1 if connectivity == "faces" else mask.ndim
    np.testing.assert_array_equal(parts > 0, mask)
    if distance.max() > split:
        expected = watershed(-distance, markers.reshape(mask.shape), connectivity=reach, mask=mask)
        np.testing.assert_array_equal(parts, expected)
        assert all(
            scipy_label(parts == k, generate_binary_structure(mask.ndim, reach))[1] == 1 for k in set(parts[mask])
        )


@few
@given(objects(), st.sampled_from([0.5, 1, 2]))
def test_parts_are_the_same_in_the_bounding_box(drawn, split):
    mask, connectivity = drawn
    whole = part_clump(mask, split, connectivity)
    box = tuple(slice(a.min() - 1, a.max() + 2) for a in np.nonzero(mask))
    np.testing.assert_array_equal(part_clump(mask[box], split, connectivity), whole[box])


def discs(*centres, radius=8, shape=(30, 60)):
    y, x = np.indices(shape)
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 <= radius**2 for cy, cx in centres], axis=0)


def test_two_discs_that_overlap_are_two_and_one_is_one():
    parts = part_clump(discs((15, 20), (15, 34)), 2)
    assert parts.max() == 2
    assert (parts[15, 20], parts[15, 34]) == (1, 2)
    assert abs((parts == 1).sum() - (parts == 2).sum()) <= 8  # the middle column is one of the two's
    assert part_clump(discs((15, 20)), 2).max() == 1


def test_a_larger_split_parts_less():
    clump = discs((15, 15), (15, 29), (15, 41))
    counts = [part_clump(clump, split).max() for split in (1, 2, 3, 8)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (3, 1)


def test_steps_along_an_axis_count():
    column = np.zeros((9, 9, 9), bool)
    column[1:4, 2:7, 2:7] = column[5:8, 2:7, 2:7] = column[4, 4, 4] = True
    assert part_clump(column, 1.5, spacing=(4, 1, 1)).max() == 2
    assert part_clump(column, 1.5, spacing=(0.5, 1, 1)).max() == 1


def test_an_object_without_background_is_one():
    assert part_clump(np.ones((5, 7), bool), 1).min() == 1


def test_what_touches_at_a_corner_only_is_not_flooded_across_faces():
    mask = binary_dilation(np.eye(3, dtype=bool), generate_binary_structure(2, 1))
    assert part_clump(np.pad(mask, 1), 0.2, "faces").max() >= 1


def test_a_split_of_nothing_is_refused():
    with pytest.raises(ValueError, match="declump_depth must be > 0"):
        part_clump(np.ones((3, 3), bool), 0)
