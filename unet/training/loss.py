"""The loss: softmax cross entropy, weighted pixel by pixel (Ronneberger et al. 2015, eq. 1, its sign turned).

Soft Dice is added to it. Both are means over samples, so that a batch's loss is the mean of its shares' losses.

Which of them evens out rare objects? Class weights, which the paper has, move the scores: on nuclei the best threshold
lies at 0.8 to 0.85, and segments at 0.5 are a tenth too large. Dice evens out without: the best lies near 0.5, and
segments are as large as the objects. So Dice does it by default, and all pixels weigh alike.
"""

import torch
from torch import Tensor
from torch.nn import functional

from unet.images.array_types import IGNORE
from unet.training.augment import Batch


def weighted_cross_entropy(scores: Tensor, classes: Tensor, border: Tensor, class_weights: Tensor) -> Tensor:
    """Sum over pixels of (w_c[class] + border)·(−log p[class]), over the number of pixels; 0 where ignored.

    Args:
        scores: (n, K, y, x) before softmax.
        classes: (n, y, x) int64, 255 = ignore.
        border: (n, y, x), the border term of the weight map.
        class_weights: (K,), w_c.
    """
    seen = classes != IGNORE
    target = torch.where(seen, classes, 0)
    weights = (class_weights[target] + border) * seen
    return (weights * functional.cross_entropy(scores, target, reduction="none")).sum() / classes.numel()


def total_loss(scores: Tensor, batch: Batch, class_weights: Tensor, dice: float = 0.0) -> Tensor:
    """Weighted cross entropy, and `dice` times the soft Dice loss."""
    loss = weighted_cross_entropy(scores, batch.classes, batch.border, class_weights)
    return loss + dice * soft_dice(scores, batch.classes) if dice else loss


def soft_dice(scores: Tensor, classes: Tensor) -> Tensor:
    """1 − 2·Σp·t / (Σp + Σt), between 0 and 1: its mean over samples and over the classes after background.

    p are probabilities, t is 1 where the class is true; sums are over the pixels of one sample, ignored ones left out.
    A class that a sample has neither of is 0: one pixel is added above and below (Milletari et al. 2016 square p and t
    below, which is not done here).

    Args:
        scores: (n, K, y, x) before softmax.
        classes: (n, y, x) int64, 255 = ignore.
    """
    seen = (classes != IGNORE)[:, None]
    target = functional.one_hot(torch.where(seen[:, 0], classes, 0), scores.shape[1]).movedim(-1, 1)
    found, true = torch.softmax(scores, dim=1)[:, 1:] * seen, (target * seen)[:, 1:]
    both, sums = (found * true).sum(dim=(-2, -1)), (found + true).sum(dim=(-2, -1))
    return (1 - (2 * both + 1) / (sums + 1)).mean()


def class_overlaps(scores: Tensor, classes: Tensor) -> Tensor:
    """Pixels of each class, (3, K): where its score is the largest, where it is true, and both; ignored ones left out.

    >>> scores = torch.tensor([[[[2.0, 0.0, 0.0]], [[0.0, 1.0, 1.0]]]])
    >>> class_overlaps(scores, torch.tensor([[[0, 1, 0]]])).tolist()
    [[1, 2], [2, 1], [1, 1]]
    """
    count, seen = scores.shape[1], classes != IGNORE
    found, true = scores.argmax(dim=1)[seen], classes[seen]
    return torch.stack([each.bincount(minlength=count) for each in (found, true, true[found == true])])


def dice_of_classes(overlaps: Tensor) -> tuple[float | None, ...]:
    """Dice of each class after background, 2·both / (found + true); None of a class that is neither.

    >>> dice_of_classes(torch.tensor([[1, 2, 0], [2, 1, 0], [1, 1, 0]]))
    (0.6667, None)
    """
    found, true, both = overlaps[:, 1:].tolist()
    return tuple(round(2 * b / (f + t), 4) if f + t else None for f, t, b in zip(found, true, both, strict=True))


def balanced_class_weights(counts: list[int], balance: float = 1.0) -> list[float]:
    """Weight of each class, (N / (K·n_k)) to the power of `balance`: at 1 all classes count alike, at 0 all pixels.

    An absent class has weight 0.

    >>> balanced_class_weights([30, 10]), balanced_class_weights([30, 10], 0)
    ([0.6666666666666666, 2.0], [1.0, 1.0])
    """
    total, present = sum(counts), sum(1 for n in counts if n)
    return [float((total / (present * n)) ** balance) if n else 0.0 for n in counts]
