"""The weighted loss against a plain loop over pixels, and by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.array_types import IGNORE
from unet.training.augment import Batch
from unet.training.loss import (
    balanced_class_weights,
    class_overlaps,
    dice_of_classes,
    soft_dice,
    total_loss,
    weighted_cross_entropy,
)

few = settings(deadline=None, max_examples=40)


@st.composite
def batches(draw):
    """Scores, classes of which some are to be ignored, a border term, class weights."""
    n, k, y, x, seed = draw(st.tuples(*[st.integers(1, 3)], st.integers(2, 4), *[st.integers(1, 5)] * 2, st.integers()))
    generator = torch.Generator().manual_seed(seed % 2**32)
    classes = torch.randint(0, k, (n, y, x), generator=generator)
    classes[torch.rand(classes.shape, generator=generator) < draw(st.sampled_from([0, 0.3, 1]))] = IGNORE
    scores = 5 * torch.randn((n, k, y, x), generator=generator, dtype=torch.float64)
    border = 10 * torch.rand((n, y, x), generator=generator, dtype=torch.float64)
    return scores, classes, border, torch.rand(k, generator=generator, dtype=torch.float64)


def slow_loss(scores, classes, border, class_weights):
    total = 0.0
    for n, y, x in torch.cartesian_prod(*map(torch.arange, classes.shape)).reshape(-1, 3).tolist():
        true = classes[n, y, x].item()
        if true != IGNORE:
            exponentials = [math.exp(score) for score in scores[n, :, y, x].tolist()]
            weight = class_weights[true].item() + border[n, y, x].item()
            total -= weight * math.log(exponentials[true] / sum(exponentials))
    return total / classes.numel()


@few
@given(batches())
def test_as_a_plain_loop(batch):
    assert weighted_cross_entropy(*batch).item() == pytest.approx(slow_loss(*batch), abs=1e-9)


def test_by_hand():
    """p = 1/2 at both pixels, weights 1 and 3 + 2: (1 + 5)·ln 2 over 2 pixels."""
    scores, classes = torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]])
    loss = weighted_cross_entropy(scores, classes, torch.tensor([[[0.0, 2.0]]]), torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(3 * math.log(2))


@few
@given(batches())
def test_the_border_adds(batch):
    scores, classes, border, class_weights = batch
    apart = [
        weighted_cross_entropy(scores, classes, border, torch.zeros_like(class_weights)),
        weighted_cross_entropy(scores, classes, torch.zeros_like(border), class_weights),
    ]
    assert torch.allclose(weighted_cross_entropy(*batch), sum(apart), atol=1e-6)


@few
@given(batches())
def test_what_is_ignored_teaches_nothing(batch):
    scores, classes, border, class_weights = batch
    scores.requires_grad_()
    weighted_cross_entropy(scores, classes, border, class_weights).backward()
    taught = scores.grad.abs().sum(dim=1) > 0
    assert torch.equal(taught, classes != IGNORE)


def test_nothing_but_ignored_pixels_is_no_loss():
    classes = torch.full((1, 3, 3), IGNORE)
    assert weighted_cross_entropy(torch.ones(1, 2, 3, 3), classes, torch.ones(1, 3, 3), torch.ones(2)) == 0


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6).filter(any))
def test_balanced_weights_make_all_classes_count_alike(counts):
    weights = balanced_class_weights(counts)
    shares = [n * w for n, w in zip(counts, weights, strict=True)]
    present = sum(n > 0 for n in counts)
    assert shares == pytest.approx([sum(counts) / present if n else 0 for n in counts])
    assert all(w == 0 for n, w in zip(counts, weights, strict=True) if n == 0)


def slow_dice(scores, classes):
    terms = []
    for sample, true in zip(scores, classes, strict=True):
        for k in range(1, scores.shape[1]):
            both = sums = 0.0
            for y, x in torch.cartesian_prod(*map(torch.arange, true.shape)).reshape(-1, 2).tolist():
                if true[y, x] != IGNORE:
                    exponentials = [math.exp(score) for score in sample[:, y, x].tolist()]
                    p, t = exponentials[k] / sum(exponentials), float(true[y, x] == k)
                    both, sums = both + p * t, sums + p + t
            terms.append(1 - (2 * both + 1) / (sums + 1))
    return sum(terms) / len(terms)


@few
@given(batches())
def test_dice_as_a_plain_loop(batch):
    scores, classes, *_ = batch
    found = soft_dice(scores, classes).item()
    assert found == pytest.approx(slow_dice(scores, classes), abs=1e-9)
    assert 0 <= found < 1


def test_dice_of_a_sure_network():
    """Right everywhere: 0; wrong everywhere, with 4 objects' pixels of 8 each way: 1 − 1/(8 + 1)."""
    classes = torch.tensor([[[0, 0, 0, 0], [1, 1, 1, 1]]])
    scores = 100.0 * torch.stack([1 - classes, classes], dim=1)
    assert soft_dice(scores, classes).item() == pytest.approx(0)
    assert soft_dice(-scores, classes).item() == pytest.approx(1 - 1 / 9)


@few
@given(batches(), st.floats(0, 3))
def test_the_whole_loss_is_a_mean_over_samples(batch, dice):
    """So that processes that share a batch have its gradient as the mean of theirs."""
    scores, classes, border, class_weights = batch
    whole, *alone = (
        total_loss(scores[n], Batch(scores[n], classes[n], border[n]), class_weights, dice).item()
        for n in [slice(None), *(slice(i, i + 1) for i in range(len(scores)))]
    )
    assert whole == pytest.approx(sum(alone) / len(alone))
    if dice == 0:
        assert whole == weighted_cross_entropy(*batch).item()


@pytest.mark.parametrize("seed", range(3))
def test_dice_of_each_class_is_that_of_its_own_mask(seed):
    random = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 4, 6, 5, generator=random)
    classes = torch.randint(0, 4, (2, 6, 5), generator=random)
    classes[0, :2] = IGNORE
    found, seen = scores.argmax(1), classes != IGNORE
    expected = []
    for k in range(1, 4):
        one, other = (found == k) & seen, (classes == k) & seen
        expected.append(round(2 * int((one & other).sum()) / int(one.sum() + other.sum()), 4))
    assert dice_of_classes(class_overlaps(scores, classes)) == tuple(expected)
