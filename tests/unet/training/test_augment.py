"""One field samples image, classes and border alike; what can be exact is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label, map_coordinates

from unet.images.synthetic import draw_stack
from unet.settings.augmentation import Augmentation
from unet.settings.weigh import Weigh
from unet.training.augment import OVERSHOOT, Batch, augment, blur, draw_change, margin, positions, sample_nearest
from unet.weight_maps.border_weights import weigh_block

CPU = torch.device("cpu")
NONE = Augmentation.none()
MOVES = replace(NONE, elastic=4.0, rotation=180.0, flips_and_quarter_turns=True, scale=1.5, shift=3.0)
STILL = draw_change(NONE, np.random.default_rng(0))
few = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 999)


def windows(n, channels, side, seed=0):
    """Noise: any two pixels differ in all three layers."""
    random = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 256, (n, side, side), generator=random, dtype=torch.uint8)
    image, border = (torch.rand(shape, generator=random) for shape in ((n, channels, side, side), (n, side, side)))
    return Batch(image, classes, border, tuple(map(str, range(n))))


def changes_of(limits, n, seed=0):
    return [draw_change(limits, np.random.default_rng([seed, i])) for i in range(n)]


def middle(values, side):
    rim = (values.shape[-1] - side) // 2
    return values[..., rim : rim + side, rim : rim + side]


def assert_same(found, expected):
    assert found.names == expected.names
    for name in ("image", "classes", "border"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert found.classes.dtype == torch.int64


def mapped(batch, side, move):
    """The middle of each layer, moved by `move`, an operation on arrays."""
    layers = (batch.image, batch.classes.long(), batch.border)
    return Batch(*(torch.from_numpy(move(middle(layer, side).numpy()).copy()) for layer in layers), batch.names)


# What is exact


@few
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.integers(0, 4), seeds)
def test_no_change_changes_no_bit(n, channels, side, rim, seed):
    batch = windows(n, channels, side + 2 * rim, seed)
    assert_same(augment(batch, [STILL] * n, side), mapped(batch, side, lambda layer: layer))


@few
@given(st.integers(1, 12), st.integers(0, 3), seeds)
def test_turns_and_flips_are_exact_and_drawn_for_each_sample(side, rim, seed):
    batch, changes = (
        windows(3, 2, side + 2 * rim, seed),
        changes_of(replace(NONE, flips_and_quarter_turns=True), 3, seed),
    )
    found = augment(batch, changes, side)
    for i in range(3):
        one = Batch(batch.image[i], batch.classes[i], batch.border[i])
        eight = [
            mapped(one, side, lambda layer, k=k, f=f: np.rot90(layer[..., ::-1] if f else layer, k, (-2, -1)))
            for k in range(4)
            for f in (False, True)
        ]
        got = Batch(found.image[i], found.classes[i], found.border[i])
        assert any(torch.equal(got.image, e.image) and torch.equal(got.border, e.border) for e in eight)
        assert all(torch.equal(got.classes, e.classes) for e in eight if torch.equal(got.image, e.image))


def test_all_eight_symmetries_are_drawn_within_one_batch():
    batch = Batch(torch.zeros(100, 1, 3, 3), torch.arange(9).reshape(1, 3, 3).repeat(100, 1, 1), torch.zeros(100, 3, 3))
    classes = augment(batch, changes_of(replace(NONE, flips_and_quarter_turns=True), 100), 3).classes
    corners = {tuple(one[0, :2].tolist()) for one in classes}
    assert corners == {(0, 1), (0, 3), (2, 1), (2, 5), (6, 3), (6, 7), (8, 5), (8, 7)}


@few
@given(st.integers(1, 9), st.integers(-4, 4), st.integers(-4, 4), seeds)
def test_a_shift_by_whole_pixels_is_exact(side, dy, dx, seed):
    change = replace(STILL, shift=np.array([dy, dx], float))
    rim = max(abs(dy), abs(dx))
    assert margin(change, side) == rim
    batch = windows(1, 2, side + 2 * rim, seed)

    def moved(layer):
        return layer[..., rim + dy : rim + dy + side, rim + dx : rim + dx + side]

    expected = mapped(batch, side + 2 * rim, moved)
    assert_same(augment(batch, [change], side), expected)


# What is interpolated


@few
@given(st.integers(2, 14), seeds)
def test_the_margin_is_enough_and_scipy_agrees(side, seed):
    """Sampled within the margin that is said, nothing is cut off, and a larger window gives the same bits."""
    changes = changes_of(MOVES, 2, seed)
    rim = max(margin(change, side) for change in changes)
    batch, places = windows(2, 1, side + 2 * rim + 8, seed), torch.stack(positions(changes, side, CPU)).numpy()
    assert -rim - 1e-3 <= places.min() <= places.max() <= side - 1 + rim + 1e-3
    found = augment(batch, changes, side)
    inner = Batch(*(middle(layer, side + 2 * rim) for layer in (batch.image, batch.classes, batch.border)), batch.names)
    assert_same(augment(inner, changes, side), found)
    for i in range(2):
        at = places[:, i] + rim + 4
        for got, layer in ((found.image[i, 0], batch.image[i, 0]), (found.border[i], batch.border[i])):
            assert np.allclose(got, map_coordinates(layer.numpy(), at, order=1), atol=1e-5)
        whole = np.rint(places[:, i]).astype(int) + rim + 4
        assert np.array_equal(found.classes[i], batch.classes[i].numpy()[whole[0], whole[1]])


@few
@given(st.integers(2, 40), seeds)
def test_image_classes_and_border_stay_aligned(side, seed):
    """A ramp sampled linearly is the very position that was read: the class read there is never half a pixel away."""
    changes = changes_of(MOVES, 2, seed)
    outer = side + 2 * max(margin(change, side) for change in changes)
    for ramp in torch.meshgrid(torch.arange(outer), torch.arange(outer), indexing="ij"):
        classes = ramp[None].expand(2, -1, -1).contiguous()
        found = augment(Batch(classes[:, None].float(), classes, classes.float()), changes, side)
        assert torch.equal(found.image[:, 0], found.border)
        assert (found.border - found.classes).abs().max() <= 0.5 + 1e-3


@few
@given(st.integers(1, 20), seeds)
def test_no_class_and_no_weight_is_made_up(side, seed):
    changes = changes_of(replace(MOVES, elastic=20.0), 1, seed)
    batch = windows(1, 1, side + 2 * margin(changes[0], side), seed)
    found = augment(batch, changes, side)
    assert set(found.classes.unique().tolist()) <= set(batch.classes.unique().tolist())
    assert batch.border.min() - 1e-6 <= found.border.min()
    assert found.border.max() <= batch.border.max() + 1e-6


def test_the_field_passes_through_3_by_3_gaussian_vectors():
    changes = changes_of(replace(NONE, elastic=10.0), 300)
    vectors = np.stack([change.vectors for change in changes])
    assert vectors.std() == pytest.approx(10, rel=0.03)
    assert vectors.mean() == pytest.approx(0, abs=0.4)
    field = torch.stack(positions(changes, 9, CPU), dim=1)
    place = torch.arange(9.0)
    field -= torch.stack(torch.meshgrid(place, place, indexing="ij"))
    assert np.allclose(field[..., ::4, ::4], vectors, atol=1e-3)
    assert (field.abs().amax(dim=(1, 2, 3)).numpy() <= OVERSHOOT * np.abs(vectors).max(axis=(1, 2, 3))).all()


def test_a_bicubic_field_overshoots_by_no_more_than_is_said():
    """The worst vectors for the middle of a cell: each with the sign of its weight."""
    grid = torch.zeros(16, 1, 4, 4)
    grid.view(16, 16)[range(16), range(16)] = 1
    weights = torch.nn.functional.interpolate(grid, size=(7, 7), mode="bicubic", align_corners=True)[:, 0, 3, 3]
    assert weights.abs().sum().item() == pytest.approx(OVERSHOOT)


def test_angles_scales_and_shifts_are_drawn_evenly_within_their_limits():
    limits = replace(NONE, rotation=20.0, scale=1.5, shift=7.0)
    drawn = [draw_change(limits, np.random.default_rng(seed)) for seed in range(400)]
    factors = [np.sqrt(np.linalg.det(change.matrix)) for change in drawn]
    angles = [np.rad2deg(np.arctan2(change.matrix[1, 0], change.matrix[0, 0])) for change in drawn]
    shifts = np.concatenate([change.shift for change in drawn])
    for values, most in ((np.log(factors), np.log(1.5)), (angles, 20), (shifts, 7)):
        assert np.abs(values).max() <= most + 1e-9
        counts, _ = np.histogram(values, bins=4, range=(-most, most))
        assert counts / len(values) == pytest.approx(0.25, abs=0.07)
    for change, factor in zip(drawn, factors, strict=True):
        assert np.allclose(change.matrix @ change.matrix.T, factor**2 * np.eye(2))


@pytest.mark.parametrize("angle", [30.0, 90.0, -45.0])
def test_rotation_and_scale_are_about_the_centre(angle):
    """A disc beside the centre is found where the inverse of rotation and enlargement puts it."""
    y, x = np.indices((101, 101)) - 50
    disc = ((y**2 + (x - 20) ** 2) < 16).astype(np.float32)
    matrix = np.array(
        [
            [np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))],
            [np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))],
        ]
    )
    change = replace(STILL, matrix=matrix / 1.2)
    image = torch.from_numpy(disc)[None, None]
    found = augment(Batch(image, image[:, 0].byte(), image[:, 0]), [change], 61).image[0, 0].numpy()
    centre = np.array([(found * (axis - 30)).sum() for axis in np.indices((61, 61))]) / found.sum()
    assert centre == pytest.approx(1.2 * matrix.T @ (0, 20), abs=0.1)
    assert found.sum() == pytest.approx(disc.sum() * 1.2**2, rel=0.05)


@pytest.mark.parametrize(
    ("limits", "most"), [(Augmentation(), 0.03), (replace(NONE, flips_and_quarter_turns=True, shift=9.0), 0)]
)
def test_neighbours_stay_parted_by_their_ridge_but_for_a_few(limits, most):
    """Shares of neighbours with a piece in common, as the module says, on a drawn plane."""
    ids = draw_stack(1, 256, 1)[1]
    classes, _ = weigh_block(ids, Weigh(), (1.0, 1.0, 1.0))
    y, x = positions(changes_of(limits, 12), 256, CPU)
    moved_ids, moved = (
        sample_nearest(torch.from_numpy(layer.astype(np.int32)).expand(12, -1, -1), y, x, 0).numpy()
        for layer in (ids, classes)
    )
    pairs = shared = 0
    for truth, seen in zip(moved_ids, moved, strict=True):
        pieces, _ = label(seen == 1)
        of = {k: set(pieces[(truth == k) & (seen == 1)].tolist()) for k in np.unique(truth) if k}
        found = _neighbours(truth)
        pairs += len(found)
        shared += sum(bool(of[one] & of[other]) for one, other in found)
    assert pairs > 100
    assert shared <= most * pairs


def _neighbours(truth):
    """Pairs of ids that touch, or that one pixel parts."""
    found = set()
    for step in (1, 2):
        for one, other in ((truth[step:], truth[:-step]), (truth[:, step:], truth[:, :-step])):
            both = (one != other) & (one > 0) & (other > 0)
            found |= {(min(pair), max(pair)) for pair in zip(one[both].tolist(), other[both].tolist(), strict=True)}
    return found


# Grey values


@pytest.mark.parametrize(("setting", "value"), [("gain", 0.3), ("offset", 0.4), ("gamma", 2.0)])
def test_grey_values_change_within_their_limits(setting, value):
    limits = replace(NONE, **{setting: value})
    ramp = torch.linspace(-0.5, 1.5, 64).expand(1, 1, 64, 64)
    drawn = []
    for change in changes_of(limits, 50):
        found = augment(Batch(ramp, torch.zeros(1, 64, 64), ramp[0]), [change], 64)
        number = getattr(change, setting)
        expected = {"gain": ramp * number, "offset": ramp + number, "gamma": ramp.sign() * ramp.abs() ** number}
        assert torch.allclose(found.image, expected[setting], atol=1e-6)
        assert torch.equal(found.border, ramp[0])
        drawn.append(number)
    least, most = {"gain": (0.7, 1.3), "offset": (-0.4, 0.4), "gamma": (0.5, 2)}[setting]
    assert least <= min(drawn) < least + 0.1
    assert most - 0.2 < max(drawn) <= most


def test_a_background_falls_across_the_tile_in_any_direction_and_is_nothing_in_its_middle():
    batch, drawn = Batch(torch.zeros(1, 1, 63, 63), torch.zeros(1, 63, 63), torch.zeros(1, 63, 63)), []
    for change in changes_of(replace(NONE, slope=0.4), 50):
        found = augment(batch, [change], 63).image[0, 0]
        down, across = (found[-1] - found[0]) * 63 / 62, (found[:, -1] - found[:, 0]) * 63 / 62
        assert torch.allclose(torch.stack([down, across]), torch.tensor(change.slope)[:, None], atol=1e-5)
        assert abs(found[31, 31]) < 1e-6
        drawn.append(np.hypot(*change.slope))
        assert found.abs().max() <= drawn[-1]
    assert 0 <= min(drawn) < 0.05
    assert 0.35 < max(drawn) <= 0.4


def test_noise_is_of_the_drawn_strength_and_differs_between_samples():
    changes = changes_of(replace(NONE, noise=0.2), 8)
    batch = Batch(torch.zeros(8, 2, 64, 64), torch.zeros(8, 64, 64), torch.zeros(8, 64, 64))
    image = augment(batch, changes, 64).image
    assert image.std(dim=(1, 2, 3)).tolist() == pytest.approx([change.noise for change in changes], rel=0.05)
    correlations = np.corrcoef(image.flatten(1).numpy())
    assert np.abs(correlations - np.eye(8)).max() < 0.06


@few
@given(st.lists(st.floats(0, 3), min_size=1, max_size=3), st.integers(1, 2), st.integers(1, 20))
def test_blur_is_scipys(sigmas, channels, side):
    image = windows(len(sigmas), channels, side).image
    found = blur(image, sigmas)
    for got, one, sigma in zip(found.numpy(), image.numpy(), sigmas, strict=True):
        reach = int(3 * sigma)
        wanted = gaussian_filter(one, (0, sigma, sigma), mode="nearest", radius=(0, reach, reach)) if reach else one
        assert np.allclose(got, wanted, atol=1e-5)


def test_a_sample_without_blur_keeps_its_bits_beside_a_blurred_one():
    image = windows(2, 1, 16).image
    found = blur(image, [0.0, 1.0])
    assert torch.equal(found[0], image[0])
    assert not torch.allclose(found[1], image[1])


def test_the_generator_decides_everything():
    one, again, other = (augment(windows(2, 1, 200), changes_of(Augmentation(), 2, seed), 16) for seed in (3, 3, 4))
    assert_same(one, again)
    assert not torch.equal(one.image, other.image)
    assert not torch.equal(one.classes, other.classes)
