"""The law of dealing: whole objects and parts in the raster order of their first pixels, small parts dropped."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet.labels.merging import Merged
from unet.labels.renumbering import Clump, renumber


@given(st.integers(0, 8), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_ids_are_dense_and_in_raster_order(count, minimum, seed):
    random = np.random.default_rng(seed)
    places = iter(random.permutation(100).tolist())
    clumps, expected = [], []
    first = np.sort([next(places) for _ in range(count)]).astype(np.int64)
    for number in range(1, count + 1):
        if random.random() < 0.5:
            parts = [(int(first[number - 1]), 5)] + [(next(places), int(random.integers(1, 6))) for _ in range(2)]
            clumps.append(Clump(number, *np.array(parts).T))
            expected += [(at, number, k) for k, (at, size) in enumerate(parts, start=1) if size >= minimum]
        else:
            expected.append((int(first[number - 1]), number, 0))
    dealt = renumber(Merged({}, count, first, np.zeros((count, 2, 0), np.int64)), clumps[::-1], minimum)
    assert dealt.count == len(expected)
    for final, (_, number, part) in enumerate(sorted(expected), start=1):
        assert (dealt.parts[number][part - 1] if part else dealt.ids[number]) == final
    assert sum(np.count_nonzero(table) for table in (dealt.ids, *dealt.parts.values())) == len(expected)
