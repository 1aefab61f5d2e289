"""Laws of kept blocks: what is kept comes back as it was, never more than there is room for, the latest last."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet.labels.connected import connected_runs
from unet.labels.kept_blocks import KeptBlock, KeptBlocks
from unet.labels.merging import Rules


def block(seed, side=12):
    scores = np.random.default_rng(seed).integers(0, 255, (2, side, side), np.uint8)
    return KeptBlock(scores, [connected_runs(one > 127, Rules()) for one in scores])


def same(one, other):
    arrays = [[b.scores, *(part for each in b.found for part in each)] for b in (one, other)]
    return all(np.array_equal(a, b) and np.result_type(a) == np.result_type(b) for a, b in zip(*arrays, strict=True))


def test_a_block_comes_back_as_it_was_and_is_gone_once_it_was_taken():
    kept = KeptBlocks(2**20)
    kept.keep("a", block(0))
    assert same(kept.look("a"), block(0))
    assert same(kept.take("a"), block(0))
    assert kept.look("a") is None
    assert kept.take("a") is None
    assert kept.nbytes == 0


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["keep", "look", "take"])), max_size=30), st.integers(0, 4)
)
def test_the_latest_are_kept_while_there_is_room(acts, count):
    room = count * max(block(key).packed().nbytes for key in range(6))
    kept, slow = KeptBlocks(room), {}
    for key, act in acts:
        if act == "keep":
            kept.keep(key, block(key))
            slow.pop(key, None)
            slow[key] = block(key).packed().nbytes
            while sum(slow.values()) > room:
                slow.pop(next(iter(slow)))
        else:
            found = getattr(kept, act)(key)
            assert (found is not None) == (key in slow)
            assert found is None or same(found, block(key))
            if act == "take":
                slow.pop(key, None)
    assert list(kept.blocks) == list(slow)
    assert kept.nbytes == sum(slow.values()) <= room
