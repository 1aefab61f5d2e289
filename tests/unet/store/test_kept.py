"""Laws of what is kept: it comes back as it was, never more than there is room for, the latest last."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet.store.kept import Kept


def values(seed):
    return np.random.default_rng(seed).integers(0, 255, 40 + 9 * seed, np.uint8)


def test_a_value_is_gone_once_it_was_taken():
    kept = Kept(2**20)
    kept.keep("a", values(0))
    assert (kept.look("a") == values(0)).all()
    assert (kept.take("a") == values(0)).all()
    assert kept.look("a") is None
    assert kept.take("a") is None
    assert kept.nbytes == 0


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["keep", "look", "take"])), max_size=30), st.integers(0, 300)
)
def test_the_latest_are_kept_while_there_is_room(acts, room):
    kept, slow = Kept(room), {}
    for key, act in acts:
        if act == "keep":
            kept.keep(key, values(key))
            slow.pop(key, None)
            slow[key] = values(key).nbytes
            while sum(slow.values()) > room:
                slow.pop(next(iter(slow)))
        else:
            found = getattr(kept, act)(key)
            assert (found is not None) == (key in slow)
            assert found is None or (found == values(key)).all()
            if act == "take":
                slow.pop(key, None)
    assert list(kept.values) == list(slow)
    assert kept.nbytes == sum(slow.values()) <= room
