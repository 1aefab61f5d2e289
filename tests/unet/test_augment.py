"""One field moves image, classes and border alike; what can be exact is exact."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.augment import Batch, augment, displacement, symmetric, warp

few = settings(deadline=None, max_examples=40)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@st.composite
def batches(draw, square=False):
    """Noise: any two pixels differ in all three layers."""
    n, c, y, x, seed = draw(st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(1, 12)] * 2, st.integers(0, 99)))
    y = x if square else y
    random = seeded(seed)
    classes = torch.randint(0, 256, (n, y, x), generator=random)
    return Batch(torch.rand((n, c, y, x), generator=random), classes, torch.rand((n, y, x), generator=random))


def layers(batch):
    return {"image": batch.image, "classes": batch.classes, "border": batch.border}


def assert_same(found, expected):
    for name, values in layers(found).items():
        wanted = layers(expected)[name]
        assert values.dtype == wanted.dtype
        assert torch.equal(values, wanted), name


@few
@given(batches())
def test_no_displacement_changes_no_bit(batch):
    n, _, y, x = batch.image.shape
    assert_same(warp(batch, torch.zeros(n, 2, y, x)), batch)


@few
@given(batches(), st.integers(-30, 30), st.integers(-30, 30))
def test_a_shift_by_whole_pixels_is_exact_and_mirrored_beyond(batch, dy, dx):
    """However far beyond the window, as numpy.pad would."""
    n, _, y, x = batch.image.shape
    field = torch.tensor([float(dx), float(dy)])[:, None, None].expand(n, 2, y, x)

    def shifted(values):
        padded = np.pad(values.numpy(), [(0, 0)] * (values.ndim - 2) + [(30, 30)] * 2, mode="reflect")
        return torch.from_numpy(padded[..., 30 + dy : 30 + dy + y, 30 + dx : 30 + dx + x].copy())

    assert_same(warp(batch, field), Batch(*map(shifted, layers(batch).values())))


@few
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 40), st.integers(0, 99))
def test_image_classes_and_border_stay_aligned(height, width, sigma, seed):
    """A ramp sampled linearly is the very position that was read: the class read there is never a pixel away."""
    ramps = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for ramp in ramps:
        classes = ramp[None].expand(2, -1, -1)
        batch = Batch(classes[:, None].float(), classes, classes.float())
        warped = warp(batch, displacement(batch.image, sigma, seeded(seed)))
        assert torch.equal(warped.image[:, 0], warped.border)
        assert (warped.border - warped.classes).abs().max() <= 0.5 + 1e-4


@few
@given(batches(square=True), st.floats(0, 20), st.integers(0, 99))
def test_no_class_and_no_grey_value_is_made_up(batch, sigma, seed):
    n, _, y, x = batch.image.shape
    warped = warp(batch, displacement(batch.image, sigma, seeded(seed)))
    assert set(warped.classes.unique().tolist()) <= set(batch.classes.unique().tolist())
    assert batch.border.min() - 1e-6 <= warped.border.min()
    assert warped.border.max() <= batch.border.max() + 1e-6
    assert warped.image.shape == batch.image.shape == (n, batch.image.shape[1], y, x)


@few
@given(batches(), st.integers(0, 3), st.booleans())
def test_turns_and_flips_are_exact(batch, turns, flip):
    def moved(values):
        turned = np.rot90(values.numpy(), turns, (-2, -1))
        return torch.from_numpy((turned[..., ::-1] if flip else turned).copy())

    assert_same(symmetric(batch, turns, flip), Batch(*map(moved, layers(batch).values())))


def test_all_eight_symmetries_are_drawn():
    """The class of a pixel in the corner tells which of them it was."""
    classes = torch.arange(9).reshape(1, 3, 3)
    batch = Batch(torch.zeros(1, 1, 3, 3), classes, torch.zeros(1, 3, 3))
    corners = {tuple(augment(batch, 0, seeded(seed)).classes[0, 0, :2].tolist()) for seed in range(100)}
    assert corners == {(0, 1), (0, 3), (2, 1), (2, 5), (6, 3), (6, 7), (8, 5), (8, 7)}


def test_the_field_passes_through_3_by_3_gaussian_vectors():
    coarse = displacement(torch.zeros(500, 1, 3, 3), 10, seeded(0))
    fine = displacement(torch.zeros(500, 1, 9, 17), 10, seeded(0))
    assert torch.allclose(fine[..., ::4, ::8], coarse, atol=1e-4, rtol=0)
    assert coarse.std().item() == pytest.approx(10, rel=0.03)
    assert coarse.mean().item() == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("elastic", [0.0, 5.0])
def test_the_generator_decides_everything(elastic):
    batch = Batch(torch.rand(2, 1, 16, 16, generator=seeded(0)), torch.ones(2, 16, 16).long(), torch.rand(2, 16, 16))
    assert_same(augment(batch, elastic, seeded(3)), augment(batch, elastic, seeded(3)))
    assert not torch.equal(augment(batch, elastic, seeded(3)).image, augment(batch, elastic, seeded(4)).image)


@pytest.mark.parametrize("seed", range(8))
def test_grey_values_change_a_little_and_truth_not_at_all(seed):
    """Contrast and brightness by sample: still a straight line, of slope 0.8 to 1.2, but for the noise."""
    ramp = torch.linspace(0, 1, 64).expand(64, 64)
    batch = Batch(ramp[None, None], (ramp > 0.5)[None].long(), ramp[None])
    changed = augment(batch, 6.0, seeded(seed))
    slope, offset = np.polyfit(changed.border.ravel(), changed.image.ravel(), 1)
    assert 0.75 < slope < 1.25
    assert -0.15 < offset < 0.15
    assert (changed.image[0, 0] - slope * changed.border[0] - offset).std() < 0.055
    assert torch.equal(changed.classes == 1, changed.border > 0.5) or (
        ((changed.border - 0.5).abs() < 1 / 63)[(changed.classes == 1) != (changed.border > 0.5)].all()
    )
