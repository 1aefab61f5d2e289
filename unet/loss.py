"""The loss: softmax cross entropy, weighted pixel by pixel (Ronneberger et al. 2015, eq. 1, its sign turned)."""

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255
"""Class of pixels that training does not see."""


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


def balanced_class_weights(counts: list[int]) -> list[float]:
    """Weight of each class that makes all classes count alike: N / (K·n_k), mean 1 over pixels; 0 for an absent class.

    >>> balanced_class_weights([30, 10])
    [0.6666666666666666, 2.0]
    """
    total, present = sum(counts), sum(1 for n in counts if n)
    return [total / (present * n) if n else 0.0 for n in counts]
