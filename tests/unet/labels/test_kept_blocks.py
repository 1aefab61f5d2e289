"""A block that is kept takes less memory, and comes back as it was."""

import numpy as np

from unet.labels.connected import connected_runs
from unet.labels.kept_blocks import KeptBlock
from unet.labels.merging import Rules


def test_a_block_is_packed_and_comes_back():
    scores = np.random.default_rng(0).integers(0, 255, (2, 12, 12), np.uint8)
    block = KeptBlock(scores, [connected_runs(one > 127, Rules()) for one in scores])
    arrays = [
        [one.scores, *(part for each in one.found for part in each)] for one in (block, block.packed().unpacked())
    ]
    assert all(np.array_equal(a, b) and np.result_type(a) == np.result_type(b) for a, b in zip(*arrays, strict=True))
    assert block.packed().nbytes < block.nbytes
