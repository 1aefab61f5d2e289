"""Laws of the weight map: it equals the textbook form, block by block too, and it knows neither left nor right."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from unet.records import BorderWeights, Weigh
from unet.weights import border_weights, halo, part_touching, weigh_block

few = settings(deadline=None, max_examples=40)
SPACINGS = {2: [(1, 1), (1.2, 0.7)], 3: [(1, 1, 1), (2.5, 1, 1), (1.2, 0.9, 0.3)]}


@st.composite
def labelled(draw):
    """Objects of several parts, touching or not, among much background; and a spacing."""
    ndim = draw(st.sampled_from([2, 3]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = random.integers(1, 10 if ndim == 3 else 23, ndim)
    ids = np.concatenate([[0], random.integers(1, draw(st.sampled_from([3, 300, 2**40])), 6)])
    chances = [1 - (density := draw(st.sampled_from([0.05, 0.1, 0.3, 0.9]))), *[density / 6] * 6]
    return random.choice(ids, shape, p=chances), draw(st.sampled_from(SPACINGS[ndim]))


def slow_border(labels, border, spacing, background):
    """One distance transform of the whole image per object."""
    distances = [distance_transform_edt(labels != i, sampling=spacing) for i in np.unique(labels[labels > 0])]
    if len(distances) < 2:
        return np.zeros(labels.shape)
    total = np.sum(np.sort(distances, axis=0)[:2], axis=0)
    return np.where(background & (total <= border.cutoff), border.w0 * np.exp(-(total**2) / 2 / border.sigma**2), 0)


def slow_part(labels, ridge):
    """Look around every pixel."""
    parted = labels.copy()
    for place in np.argwhere(labels):
        around = labels[tuple(slice(max(p - ridge // 2, 0), p + ridge // 2 + 1) for p in place)]
        if np.any((around != 0) & (around != labels[tuple(place)])):
            parted[tuple(place)] = 0
    return parted


def blocks(shape, sides):
    """Windows of a grid over an array."""
    for corner in itertools.product(*[range(0, n, side) for n, side in zip(shape, sides, strict=True)]):
        yield tuple(slice(c, min(c + side, n)) for c, side, n in zip(corner, sides, shape, strict=True))


@few
@given(labelled(), st.sampled_from([1.0, 2.3]))
def test_border_equals_one_distance_transform_per_object(drawn, sigma):
    labels, spacing = drawn
    border = BorderWeights(sigma=sigma)
    background = np.random.default_rng(0).random(labels.shape) < 0.8
    for felt in (None, background):
        expected = slow_border(labels, border, spacing, labels == 0 if felt is None else felt)
        np.testing.assert_allclose(border_weights(labels, border, spacing, felt), expected, rtol=1e-5)


@few
@given(labelled(), st.integers(0, 3))
def test_parting_looks_around_every_pixel(drawn, half):
    labels, _ = drawn
    parted = part_touching(labels, 2 * half)
    assert parted.dtype == labels.dtype
    np.testing.assert_array_equal(parted, slow_part(labels, 2 * half))


settings_of_weigh = st.builds(
    Weigh, sigma=st.sampled_from([0.4, 1.3]), ridge=st.sampled_from([0, 2, 6]), dimensions=st.sampled_from([2, 3])
)


@settings(deadline=None, max_examples=150)
@given(labelled(), settings_of_weigh, st.tuples(*[st.integers(1, 9)] * 3))
def test_block_by_block_equals_the_whole_bit_for_bit(drawn, weigh, sides):
    labels, spacing = drawn
    classes, border = weigh_block(labels, weigh, spacing)
    margin = halo(weigh, spacing)
    for write in blocks(labels.shape, sides[: labels.ndim]):
        read = tuple(slice(max(w.start - m, 0), w.stop + m) for w, m in zip(write, margin, strict=True))
        within = tuple(slice(w.start - r.start, w.stop - r.start) for w, r in zip(write, read, strict=True))
        for part, whole in zip(weigh_block(labels[read], weigh, spacing), (classes, border), strict=True):
            assert np.array_equal(part[within], whole[write])


@few
@given(labelled())
def test_flips_and_new_names_change_nothing(drawn):
    labels, spacing = drawn
    weigh = Weigh(sigma=1.3, dimensions=3)
    classes, border = weigh_block(labels, weigh, spacing)
    for axis in range(labels.ndim):
        flipped = weigh_block(np.flip(labels, axis), weigh, spacing)
        assert np.array_equal(flipped[0], np.flip(classes, axis))
        assert np.array_equal(flipped[1], np.flip(border, axis))
    renamed = np.where(labels, np.uint64(2**63) - labels.astype(np.uint64), np.uint64(0))
    assert np.array_equal(weigh_block(renamed, weigh, spacing)[1], border)


def test_planes_are_weighed_by_themselves():
    labels = np.random.default_rng(0).choice([0, 0, 0, 0, 1, 2, 3], (3, 12, 14))
    classes, border = weigh_block(labels, Weigh(sigma=1.3), (2.5, 1.2, 0.7))
    for z, plane in enumerate(labels):
        alone = weigh_block(plane, Weigh(sigma=1.3, dimensions=3), (1.2, 0.7))
        assert np.array_equal(alone[0], classes[z])
        assert np.array_equal(alone[1], border[z])
    assert not np.array_equal(weigh_block(labels, Weigh(sigma=1.3, dimensions=3), (2.5, 1.2, 0.7))[1], border)


def test_two_squares_three_pixels_apart():
    labels = np.zeros((30, 40), np.uint16)
    labels[10:20, 5:15], labels[10:20, 18:28] = 1, 2
    border = border_weights(labels, BorderWeights(w0=10, sigma=5))
    np.testing.assert_allclose(border[10:20, 15:18], 10 * math.exp(-16 / 50), rtol=1e-6)
    assert border[10:20, 15:18].round(2).tolist() == [[np.float32(7.26)] * 3] * 10
    assert np.all(border[labels > 0] == 0)


@pytest.mark.parametrize("labels", [np.eye(9, dtype=np.uint8), np.zeros((4, 5), np.int64), np.zeros((0, 5), np.int64)])
def test_fewer_than_two_objects_have_no_gap(labels):
    assert not border_weights(labels, BorderWeights()).any()


def test_distances_end_at_the_cutoff():
    near, wide = np.zeros((1, 22), np.int32), np.zeros((1, 23), np.int32)
    near[0, [0, -1]] = wide[0, [0, -1]] = 1, 2
    border = BorderWeights(w0=10, sigma=5)  # cut off at 21.46 pixels
    np.testing.assert_allclose(border_weights(near, border)[0, 1:-1], 10 * math.exp(-(21**2) / 50), rtol=1e-6)
    assert not border_weights(wide, border).any()
    assert not border_weights(near, BorderWeights(w0=0)).any()


def test_ridge_is_felt_where_it_was_cut_and_measured_to_what_was_drawn():
    labels = np.repeat([[1, 2]], 6, axis=1).repeat(8, axis=0)
    classes, border = weigh_block(labels, Weigh(w0=10, sigma=5, ridge=4))
    assert classes[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(border[0, 4:8], 10 * np.exp(-np.array([4, 1, 1, 4]) / 50), rtol=1e-6)
    assert not border[classes == 1].any()


@pytest.mark.parametrize(
    ("labels", "spacing", "says"),
    [
        (np.zeros((3, 3)), None, "labels must be integers"),
        (np.zeros((3, 3), bool), None, "labels must be integers"),
        (np.full((3, 3), -1), None, "≥ 0 .* got -1"),
        (np.zeros(3, int), None, "y x or z y x, got 1 axes"),
        (np.zeros((1, 2, 3, 4), int), None, "got 4 axes"),
        (np.zeros((3, 3), int), (1.0,), "spacing must be 2 finite numbers > 0"),
        (np.zeros((3, 3), int), (1.0, 0.0), "spacing must be 2 finite numbers > 0"),
        (np.zeros((3, 3), int), (math.nan, 1.0), "spacing must be 2 finite numbers > 0"),
        (np.zeros((3, 3), int), (math.inf, 1.0), "spacing must be 2 finite numbers > 0"),
    ],
)
def test_what_is_refused(labels, spacing, says):
    with pytest.raises(ValueError, match=says):
        weigh_block(labels, Weigh(), spacing)


def test_what_else_is_refused():
    labels = np.zeros((3, 3), int)
    with pytest.raises(ValueError, match=r"background must have the shape of labels \(3, 3\), got \(3, 4\)"):
        border_weights(labels, BorderWeights(), background=np.ones((3, 4), bool))
    with pytest.raises(ValueError, match="ridge must be an even number"):
        part_touching(labels, 3)
