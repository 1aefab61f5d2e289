"""Laws of the weight map: it equals the textbook form, block by block too, and it knows neither left nor right."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from tests.conftest import examples
from unet.labels.class_of_ids import ClassOfIds
from unet.settings.record import Record
from unet.settings.weigh import BorderWeights, Weigh
from unet.weight_maps.border_weights import border_weights, halo, part_touching, weigh_block

few = examples(30)
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
    """One distance transform of the whole image per object, nothing cut off."""
    distances = [distance_transform_edt(labels != i, sampling=spacing) for i in np.unique(labels[labels > 0])]
    nowhere = np.full(labels.shape, np.inf)
    first, second = np.sort([*distances, nowhere, nowhere], axis=0)[:2]
    edge = border.edge_weight * np.exp(-(first**2) / 2 / border.edge_sigma**2)
    return np.where(background, border.w0 * np.exp(-((first + second) ** 2) / 2 / border.sigma**2) + edge, 0)


def slow_part(labels, ridge):
    """Look around every pixel; for a one-sided ridge, at the neighbours visited before it."""
    if ridge == 1:
        return slow_one_sided(labels)
    parted = labels.copy()
    for place in np.argwhere(labels):
        around = labels[tuple(slice(max(p - ridge // 2, 0), p + ridge // 2 + 1) for p in place)]
        if np.any((around != 0) & (around != labels[tuple(place)])):
            parted[tuple(place)] = 0
    return parted


def slow_one_sided(labels):
    """Pixel after pixel in raster order, with a look at those before it."""
    parted = labels.copy()
    for place in np.argwhere(labels):
        offsets = list(itertools.product((-1, 0, 1), repeat=labels.ndim))
        for offset in offsets[: len(offsets) // 2]:
            there = place + offset
            if np.all((there >= 0) & (there < labels.shape)) and labels[tuple(there)] not in (0, labels[tuple(place)]):
                parted[tuple(place)] = 0
    return parted


def blocks(shape, sides):
    """Windows of a grid over an array."""
    for corner in itertools.product(*[range(0, n, side) for n, side in zip(shape, sides, strict=True)]):
        yield tuple(slice(c, min(c + side, n)) for c, side, n in zip(corner, sides, shape, strict=True))


@examples(40)
@given(labelled(), st.sampled_from([0.4, 1.0, 2.3, 5.0]), st.sampled_from([0.0, 0.9, 20.0]))
def test_border_equals_one_distance_transform_per_object(drawn, sigma, edge):
    labels, spacing = drawn
    border = BorderWeights(sigma=sigma, edge_weight=edge, edge_sigma=1.7, tolerance=5e-5)
    background = np.random.default_rng(0).random(labels.shape) < 0.8
    for felt in (None, background):
        expected = slow_border(labels, border, spacing, labels == 0 if felt is None else felt)
        np.testing.assert_allclose(border_weights(labels, border, spacing, felt), expected, rtol=1e-5, atol=1e-4)


@examples(2)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(70, 600), (1, 900), (900, 1), (5, 40, 60)]), st.integers(0, 60))
def test_sparse_objects_over_many_lanes_equal_the_textbook(seed, shape, objects):
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int64)
    places = tuple(random.integers(0, size, objects) for size in shape)
    labels[places] = random.integers(1, 2**40, objects)
    border = BorderWeights(w0=10, sigma=5)
    expected = slow_border(labels, border, (2.5, 1, 1)[-labels.ndim :], labels == 0)
    found = border_weights(labels, border, (2.5, 1, 1)[-labels.ndim :])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * border.w0)


@few
@given(labelled(), st.sampled_from([0, 1, 2, 4, 6]))
def test_parting_looks_around_every_pixel(drawn, ridge):
    labels, _ = drawn
    parted = part_touching(labels, ridge)
    assert parted.dtype == labels.dtype
    np.testing.assert_array_equal(parted, slow_part(labels, ridge))


def classes_of(labels, seed, count=3):
    """A class drawn for each id, or none told."""
    ids = np.unique(labels[labels != 0]).astype(np.int64)
    classes = np.random.default_rng(seed).integers(1, count + 1, ids.size).astype(np.uint8)
    return ClassOfIds(NAMES[:count], ids, classes)


NAMES = ("nucleus", "mitosis", "debris")
settings_of_weigh = st.builds(
    Weigh,
    part=st.sampled_from(["all", "same", "none"]),
    sigma=st.sampled_from([0.4, 1.3]),
    edge_weight=st.sampled_from([0.0, 0.9]),
    edge_sigma=st.just(0.7),
    gap_width=st.sampled_from([0, 1, 2, 6]),
    applies_to=st.sampled_from(["background", "everywhere"]),
    dimensions=st.sampled_from([2, 3]),
)


@examples(40)
@given(labelled(), settings_of_weigh, st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 3))
def test_block_by_block_equals_the_whole_bit_for_bit(drawn, weigh, sides, seed):
    labels, spacing = drawn
    ignore, known = int(labels.max()) or None, classes_of(labels, seed) if seed else None
    classes, border = weigh_block(labels, weigh, spacing, ignore, known)
    margin = halo(weigh, spacing)
    for write in blocks(labels.shape, sides[: labels.ndim]):
        read = tuple(slice(max(w.start - m, 0), w.stop + m) for w, m in zip(write, margin, strict=True))
        within = tuple(slice(w.start - r.start, w.stop - r.start) for w, r in zip(write, read, strict=True))
        for part, whole in zip(
            weigh_block(labels[read], weigh, spacing, ignore, known), (classes, border), strict=True
        ):
            assert np.array_equal(part[within], whole[write])


@few
@given(labelled(), st.sampled_from([1, 2, 6]), st.sampled_from(["all", "same", "none"]), st.integers(0, 9))
def test_parted_by_class_is_what_a_look_around_every_pixel_says(drawn, gap, part, seed):
    """All: as ids alone have it; same: as each class alone has it; none: as they were drawn."""
    labels, spacing = drawn
    known, weigh = classes_of(labels, seed), Weigh(gap_width=gap, part=part, dimensions=3, sigma=0.4)
    classes, border = weigh_block(labels, weigh, spacing, known=known)
    drawn_as = known.of(labels)
    alone = [slow_part(np.where(drawn_as == k, labels, 0), gap) for k in (1, 2, 3)]
    left = {"all": slow_part(labels, gap), "same": sum(alone), "none": labels}[part]
    np.testing.assert_array_equal(classes, np.where(left != 0, drawn_as, 0))
    np.testing.assert_array_equal(border, border_weights(labels, weigh, spacing, left == 0))


@few
@given(labelled(), settings_of_weigh, st.integers(0, 9), st.permutations(range(3)))
def test_other_names_permute_the_classes_and_other_ids_change_nothing(drawn, weigh, seed, order):
    labels, spacing = drawn
    known = classes_of(labels, seed)
    classes, border = weigh_block(labels, weigh, spacing, known=known)
    renamed = weigh_block(labels, weigh, spacing, known=known.in_order([NAMES[n] for n in order]))
    np.testing.assert_array_equal(renamed[0], np.array([0, *(order.index(n) + 1 for n in range(3))])[classes])
    np.testing.assert_array_equal(renamed[1], border)
    others = np.random.default_rng(seed).permutation(np.arange(1, known.ids.size + 1))
    ids = np.array([0, *others])[np.searchsorted([0, *known.ids], labels)]
    anew = ClassOfIds(NAMES, np.sort(others), known.classes[np.argsort(others)])
    again = weigh_block(ids, weigh, spacing, known=anew)
    assert np.array_equal(again[0], classes)
    assert np.array_equal(again[1], border)


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
    border = BorderWeights(w0=10, sigma=5, tolerance=1e-3)  # cut off at 21.46 pixels
    np.testing.assert_allclose(border_weights(near, border)[0, 1:-1], 10 * math.exp(-(21**2) / 50), rtol=1e-6)
    assert not border_weights(wide, border).any()
    assert not border_weights(near, BorderWeights(w0=0)).any()


@few
@given(labelled())
def test_what_nobody_judged_is_no_object_and_weighs_nothing(drawn):
    labels, spacing = drawn
    ignore = int(labels.max())
    unjudged = (labels == ignore) & (ignore > 0)
    classes, border = weigh_block(labels, Weigh(dimensions=3), spacing, ignore or None)
    without = weigh_block(np.where(unjudged, 0, labels), Weigh(dimensions=3), spacing)
    assert np.all(classes[unjudged] == 255)
    assert not border[unjudged].any()
    assert np.array_equal(classes[~unjudged], without[0][~unjudged])
    assert np.array_equal(border[~unjudged], without[1][~unjudged])


def test_falk_weighs_what_his_formula_says():
    labels = np.zeros((9, 30), np.uint8)
    labels[:, :8], labels[:, 12:20] = 3, 7
    falk = Record.read({"weigh": {"preset": "falk2019"}}).weigh
    classes, border = weigh_block(labels, falk)
    whole = border + np.array(falk.class_weights)[classes]
    first, total = np.array([1, 2, 2, 1]), np.array([5, 5, 5, 5])
    gap = 0.1 + 0.9 * np.exp(-(first**2) / 200) + 50 * np.exp(-(total**2) / 72)
    np.testing.assert_allclose(whole[4, 8:12], gap, rtol=1e-5)
    assert np.all(whole[labels > 0] == 1)


def test_weights_may_be_felt_within_objects_too():
    labels = np.array([[1, 1, 0, 2, 2]])
    _, border = weigh_block(labels, Weigh(applies_to="everywhere", gap_width=0))
    np.testing.assert_allclose(border, [10 * np.exp(-np.array([9, 4, 4, 4, 9]) / 50)], rtol=1e-6)


def test_ridge_is_felt_where_it_was_cut_and_measured_to_what_was_drawn():
    labels = np.repeat([[1, 2]], 6, axis=1).repeat(8, axis=0)
    classes, border = weigh_block(labels, Weigh(w0=10, sigma=5, gap_width=4))
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
    with pytest.raises(ValueError, match="gap_width must be 1 or an even number"):
        part_touching(labels, 3)


@pytest.mark.parametrize("settings", [{"sigma": 0}, {"sigma": -1}, {"sigma": math.nan}, {"w0": -1}, {"w0": math.inf}])
def test_a_border_term_that_is_none_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        BorderWeights(**settings)


@pytest.mark.parametrize(("shape", "most"), [((512, 512), 10), ((40, 100, 100), 10)])
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64])
def test_memory_is_that_of_the_frame_whatever_the_number_of_objects(shape, most, kind):
    random, peaks = np.random.default_rng(0), []
    border_weights(np.zeros((3,) * len(shape), kind), BorderWeights())  # compiled before memory is traced
    for objects in (2, 250):
        labels = np.zeros(shape, kind)
        places = tuple(random.integers(0, size, 4000) for size in shape)
        labels[places] = random.integers(1, objects + 1, 4000)
        labels[labels > 0] += np.uint64(2**40) if kind is np.uint64 else kind(0)
        tracemalloc.start()
        weights = border_weights(labels, BorderWeights())
        peaks.append(tracemalloc.get_traced_memory()[1] / weights.nbytes)
        tracemalloc.stop()
    assert max(peaks) <= most
    assert peaks[1] <= 1.1 * peaks[0]
