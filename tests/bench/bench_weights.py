"""Border weights beside one distance transform of the same frame, in one run: ratio of medians."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from scipy.ndimage import distance_transform_edt

from unet.phantom import draw_stack
from unet.records import BorderWeights
from unet.weights import border_weights

RUNS = 5


def test_border_weights_beside_one_distance_transform() -> None:
    truth = np.tile(draw_stack(1, 512, 0)[1][0].astype(np.int64), (2, 2))
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(_seconds(lambda: border_weights(truth, BorderWeights())))
        theirs.append(_seconds(lambda: distance_transform_edt(truth == 0)))
    print(f"\nborder weights, {truth.shape}: {median(ours) / median(theirs):.1f} × one scipy distance transform")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
