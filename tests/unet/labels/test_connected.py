"""Laws of segments: labelled block by block they are those of the whole, ids too, and those of scikit-image."""

import itertools
from functools import cache

import numpy as np
import pytest
import skimage.filters
import skimage.measure
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from tests.conftest import examples
from unet.labels.connected import BlockLabels, Rules, connected_segments, label_block, merge_blocks, relabel_block

few = examples(25)
many = examples(40)
connectivities = st.sampled_from(["faces", "full"])


@st.composite
def masked(draw):
    """A mask of 1 to 4 axes, sides of 1 too, sparse to dense; how many axes are linked; sides of blocks."""
    ndim = draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = random.integers(1, 25 if ndim < 3 else 8, ndim)
    mask = random.random(shape) < draw(st.sampled_from([0.1, 0.35, 0.6, 0.9]))
    return mask, draw(st.integers(1, min(ndim, 3))), draw(st.tuples(*[st.integers(1, 8)] * ndim))


def blocks(shape, sides):
    """Windows of a grid over an array."""
    for corner in itertools.product(*[range(0, n, side) for n, side in zip(shape, sides, strict=True)]):
        yield tuple(slice(c, min(c + side, n)) for c, side, n in zip(corner, sides, shape, strict=True))


def block_by_block(mask, sides, rules, strong=None):
    windows = {tuple(s.start for s in window): window for window in blocks(mask.shape, sides)}
    parts = [
        label_block(mask[w], corner, mask.shape, rules, None if strong is None else strong[w])
        for corner, w in windows.items()
    ]
    merged = merge_blocks(reversed(parts), rules)
    segments = np.full(mask.shape, -1, np.int64)
    for corner, window in windows.items():
        segments[window] = relabel_block(mask[window], merged.lookups[corner], rules)
    assert merged.count == segments.max(initial=0)
    return segments


def slow_fill(mask, dimensions, connectivity, holes):
    """Background parts, by scikit-image in the dual connectivity, that are small and touch no edge, are filled."""
    filled, reach = mask.copy(), dimensions if connectivity == "faces" else 1
    edge = np.ones(mask.shape[mask.ndim - dimensions :], bool)
    edge[(slice(1, -1),) * dimensions] = False
    for plane in np.ndindex(mask.shape[: mask.ndim - dimensions]):
        ground = skimage.measure.label(~mask[plane], connectivity=reach)
        for one in range(1, ground.max() + 1):
            part = ground == one
            if part.sum() <= holes and not (part & edge).any():
                filled[plane] |= part
    return filled


def slow_segments(mask, dimensions, connectivity, minimum, strong=None):
    """Each plane by scikit-image; small and weak ones dropped and the rest renamed one after the other."""
    segments = np.zeros(mask.shape, np.int64)
    reach = 1 if connectivity == "faces" else dimensions
    found = 0
    for plane in np.ndindex(mask.shape[: mask.ndim - dimensions]):
        local = skimage.measure.label(mask[plane], connectivity=reach)
        for one in range(1, local.max() + 1):
            if np.sum(local == one) >= minimum and (strong is None or strong[plane][local == one].any()):
                found += 1
                segments[plane][local == one] = found
    return segments


@few
@given(masked(), connectivities, st.integers(0, 4))
def test_the_whole_equals_scikit_image(drawn, connectivity, minimum):
    mask, dimensions, _ = drawn
    segments = connected_segments(mask, dimensions, connectivity, minimum)
    assert segments.dtype == np.int32
    np.testing.assert_array_equal(segments, slow_segments(mask, dimensions, connectivity, minimum))


@few
@given(masked(), connectivities, st.integers(0, 4))
def test_block_by_block_equals_the_whole(drawn, connectivity, minimum):
    mask, dimensions, sides = drawn
    expected = connected_segments(mask, dimensions, connectivity, minimum)
    rules = Rules(dimensions, connectivity, minimum)
    np.testing.assert_array_equal(block_by_block(mask, sides, rules), expected)


@many
@given(masked(), connectivities, st.integers(0, 4), st.integers(1, 12))
def test_holes_are_filled_across_blocks_before_objects_are_formed(drawn, connectivity, minimum, holes):
    mask, dimensions, sides = drawn
    filled = slow_fill(mask, dimensions, connectivity, holes)
    expected = slow_segments(filled, dimensions, connectivity, minimum)
    rules = Rules(dimensions, connectivity, minimum, holes)
    np.testing.assert_array_equal(block_by_block(mask, sides, rules), expected)
    np.testing.assert_array_equal(connected_segments(mask, dimensions, connectivity, minimum, holes), expected)


@few
@given(masked(), connectivities, st.integers(0, 4), st.sampled_from([0, 5]), st.integers(0, 2**32 - 1))
def test_an_object_without_a_strong_pixel_is_dropped(drawn, connectivity, minimum, holes, seed):
    mask, dimensions, sides = drawn
    strong = mask & (np.random.default_rng(seed).random(mask.shape) < 0.1)
    filled = slow_fill(mask, dimensions, connectivity, holes)
    expected = slow_segments(filled, dimensions, connectivity, minimum, strong)
    rules = Rules(dimensions, connectivity, minimum, holes)
    np.testing.assert_array_equal(block_by_block(mask, sides, rules, strong), expected)


@few
@given(st.integers(0, 2**32 - 1), connectivities)
def test_weak_and_strong_are_hysteresis(seed, connectivity):
    scores = gaussian_filter(np.random.default_rng(seed).normal(size=(30, 40)), 2)
    low, high = np.quantile(scores, [0.6, 0.9])
    found = block_by_block(scores > low, (7, 9), Rules(connectivity=connectivity), scores > high) > 0
    if connectivity == "faces":  # the only one that scikit-image has
        np.testing.assert_array_equal(found, skimage.filters.apply_hysteresis_threshold(scores, low, high))
    else:
        assert found[scores > high].all()


def rings(side):
    """Outlines within outlines, one pixel apart."""
    y, x = np.indices((side, side))
    return np.maximum(abs(y - side // 2), abs(x - side // 2)) % 2 == 0


def lattice(side):
    """Holes of one pixel, each in the corner of the next ones."""
    return np.indices((side, side)).sum(axis=0) % 2 == 0


def gate(side):
    """A large box whose inside is open through one gap at its very end."""
    mask = np.zeros((side, side), bool)
    mask[1:-1, 1:-1], mask[2:-2, 2:-2] = True, False
    mask[side - 2, side - 3] = False
    return mask


def side_of(sides):
    """Pixels of a side of a mask that is cut into such blocks: fewer where each pixel is a block of its own."""
    return 11 if sides == (1, 1) else 17


@cache
def hard_to_fill(draw, side, connectivity, holes):
    """A mask and a volume, each with its segments once holes are filled: the slow way, once for all sides of blocks."""
    mask = draw(side)
    volume = np.stack([mask, np.ones_like(mask), mask, ~mask, mask.T])
    filled = [slow_fill(whole, whole.ndim, connectivity, holes) for whole in (mask, volume)]
    return [
        (whole, slow_segments(of, whole.ndim, connectivity, 0))
        for whole, of in zip((mask, volume), filled, strict=True)
    ]


@pytest.mark.parametrize("draw", [rings, lattice, gate, lambda n: ~gate(n), lambda n: ~rings(n)])
@pytest.mark.parametrize("connectivity", ["faces", "full"])
@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (5, 3), (1, 17), (17, 2)])
@pytest.mark.parametrize("holes", [1, 32, 1000])
def test_holes_that_are_hard_to_merge(draw, connectivity, sides, holes):
    (mask, expected), (volume, expected_of_volume) = hard_to_fill(draw, side_of(sides), connectivity, holes)
    np.testing.assert_array_equal(block_by_block(mask, sides, Rules(2, connectivity, max_hole_size=holes)), expected)
    np.testing.assert_array_equal(
        block_by_block(volume, (2, *sides), Rules(3, connectivity, max_hole_size=holes)), expected_of_volume
    )


def spiral(side):
    """One path, one pixel wide, that turns inwards."""
    mask = np.zeros((side, side), bool)
    y, x, dy, dx, steps = 0, 0, 0, 1, side - 1
    mask[0, 0] = True
    for turn in range(side):
        for _ in range(steps):
            y, x = y + dy, x + dx
            mask[y, x] = True
        dy, dx = dx, -dy
        steps -= 2 if turn % 2 == 0 and turn else 0
        if steps <= 0:
            break
    return mask


def comb(side):
    """Teeth that meet in the last row only, so that ids change at the very end."""
    mask = np.zeros((side, side), bool)
    mask[:, ::2], mask[-1] = True, True
    return mask


def checkerboard(side):
    """Every pixel touches others across corners alone."""
    return np.indices((side, side)).sum(axis=0) % 2 == 0


def bridge(side):
    """Two halves that one pixel joins."""
    mask = np.ones((side, side), bool)
    mask[:, side // 2] = False
    mask[side - 2, side // 2] = True
    return mask


@pytest.mark.parametrize("draw", [spiral, comb, checkerboard, bridge])
@pytest.mark.parametrize("connectivity", ["faces", "full"])
@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (5, 3), (1, 17), (17, 2)])
def test_shapes_that_are_hard_to_merge(draw, connectivity, sides):
    mask = draw(side_of(sides))
    expected = skimage.measure.label(mask, connectivity=1 if connectivity == "faces" else 2)
    np.testing.assert_array_equal(block_by_block(mask, sides, Rules(2, connectivity)), expected)
    volume = np.stack([mask, ~mask, mask.T])
    expected = skimage.measure.label(volume, connectivity=1 if connectivity == "faces" else 3)
    np.testing.assert_array_equal(block_by_block(volume, (1, *sides), Rules(3, connectivity)), expected)


def test_a_diagonal_through_the_corner_of_eight_blocks():
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 1, 2] = mask[2, 2, 1] = True
    assert block_by_block(mask, (2, 2, 2), Rules(3, "full")).max() == 1
    assert block_by_block(mask, (2, 2, 2), Rules(3, "faces")).max() == 2
    assert block_by_block(mask, (2, 2, 2), Rules(2, "full")).max() == 2


def test_raster_indices_beyond_32_bits():
    mask, shape = np.array([[True, False, True]]), (2**31, 2**20)
    part = label_block(mask, (2**31 - 1, 2**20 - 3), shape)
    assert sorted(part.first.tolist()) == [2**51 - 3, 2**51 - 1]


def test_no_pixels_are_kept_between_the_passes():
    part = label_block(np.ones((64, 64), bool), (0, 0), (64, 64))
    assert all(face.base is None and face.shape == (64,) for pair in part.faces for face in pair)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: connected_segments(np.zeros((3, 3))), "mask must be boolean, got float64"),
        (lambda: connected_segments(np.zeros((3, 3), bool), 3), "dimensions must lie between 1 and the mask's 2 axes"),
        (lambda: connected_segments(np.zeros((3, 3), bool), 2, "corners"), "connectivity must be 'faces' or 'full'"),
        (lambda: merge_blocks([]), "parts must be those of all blocks, got none"),
        (lambda: merge_blocks([part(0), part(0)]), "parts must tile the array"),
        (lambda: merge_blocks([part(0), part(4)]), "parts must tile the array"),
        (lambda: relabel_block(np.ones((2, 2), bool), np.arange(3)), "a block must be the same in both passes"),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def part(x) -> BlockLabels:
    return label_block(np.ones((2, 2), bool), (0, x), (2, 6))
